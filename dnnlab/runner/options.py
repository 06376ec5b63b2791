"""Options, written once: the fields of a frozen dataclass, ``Annotated[type, typer.Option(help=…), …]``.

From those fields a Typer command gets its signature, a recipe its keys, Python its keyword arguments and the
docs their table. All four are read by one validator, `build`, so that they accept and refuse the same things
in the same words. A field of type ``tuple[T, …]`` takes a list: ``a,b``, a repeated option, or a TOML array.
"""

import dataclasses
import inspect
import itertools
import math
import re
import textwrap
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Annotated, Any, TypeVar

import typer
from typer.models import OptionInfo

from dnnlab.errors import UsageError, listing, plain, short, unknown

Offer = Callable[[str, typer.Context], Iterable[str]]
"""The candidates that Tab offers for the beginning of one value."""
S = TypeVar("S")


@dataclasses.dataclass(frozen=True)
class Check:
    """Validates one value: called with it, raises a `UsageError` that says what would be right."""

    test: Callable[[Any], object]


@dataclasses.dataclass(frozen=True)
class OneOf:
    """The values an option may take."""

    names: Sequence[str]

    def test(self, value: str, option: str) -> None:
        if value not in self.names:
            raise unknown(f"value for {option}", value, filter(None, self.names))


@dataclasses.dataclass(frozen=True)
class Whole:
    """Marks an option whose values may hold commas: text is never split, and several values are given by repeating the
    option."""


@dataclasses.dataclass(frozen=True)
class Help:
    """The meaning of an option in one experiment, in the place of the help text that all experiments share."""

    text: str


@dataclasses.dataclass(frozen=True)
class Field:
    """One option, as read from its annotation."""

    name: str
    kind: type
    """The type of one value: str, int, float, bool or Path."""
    many: bool
    default: Any
    info: OptionInfo
    help: str
    checks: tuple[Check | OneOf, ...]
    whole: bool = False
    """Whether text is one value, commas included."""

    @property
    def option(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def names(self) -> list[str]:
        """The values of its `OneOf`; empty where it has none."""
        return [name for check in self.checks if isinstance(check, OneOf) for name in filter(None, check.names)]

    @property
    def requirement(self) -> str:
        """What one value must be, in words."""
        if names := self.names:
            return listing(names, "or")
        low, high = self.info.min, self.info.max
        noun = {int: "a whole number", float: "a number", Path: "a path", bool: "true or false"}.get(self.kind, "text")
        if low is not None and high is not None:
            return f"{noun} from {_number(low)} to {_number(high)}"
        if low is not None:
            return f"{noun} of at least {_number(low)}"
        return noun


def _number(limit: float) -> str:
    return f"{limit:,}" if isinstance(limit, int) and limit >= 10**4 else f"{limit:g}"


def fields(cls: type) -> list[Field]:
    """The options of a dataclass, in their order."""
    hints = typing.get_type_hints(cls, include_extras=True)
    result = []
    for field in dataclasses.fields(cls):
        annotated, *metadata = typing.get_args(hints[field.name])
        info = next(m for m in metadata if isinstance(m, OptionInfo))
        own_help = (m.text for m in metadata if isinstance(m, Help))
        checks = tuple(m for m in metadata if isinstance(m, Check | OneOf))
        many = typing.get_origin(annotated) is tuple
        kinds = [k for k in typing.get_args(annotated) or (annotated,) if k not in (NoneType, Ellipsis)]
        whole = any(isinstance(m, Whole) for m in metadata)
        about = next(own_help, str(info.help))
        result.append(Field(field.name, kinds[0], many, field.default, info, about, checks, whole))
    return result


def build(cls: type[S], given: Mapping[str, object]) -> S:
    """The validated ``cls`` of the ``given`` options; what is not given keeps its default.

    Values may be text (as typed on the command line or in a recipe) or already of their type.

    Raises:
        UsageError: an option is unknown, or a value is of the wrong type, out of range or refused by a check.
    """
    known = {field.name: field for field in fields(cls)}
    values = {}
    for key, value in given.items():
        name = key.replace("-", "_")
        if name not in known:
            raise unknown("option", key, known)
        values[name] = _read(known[name], value)
    spec = cls(**values)
    validate = getattr(spec, "validate", None)
    if validate is not None:
        validate()
    return spec


def _read(field: Field, value: object) -> object:
    if not field.many:
        return None if value is None and field.default is None else _one(field, value)
    several = isinstance(value, Iterable) and not isinstance(value, str | Mapping)  # a range or an array is a list, too
    items = list(itertools.islice(value, _MOST + 1)) if several else [value]  # type: ignore[call-overload]
    if len(items) > _MOST:
        raise UsageError(f"{field.option} has more than {_MOST:,} values; give fewer.")
    # Text is split at commas; the items of an array from Python or TOML are taken as they stand.
    split = not field.whole and (not several or isinstance(value, CommandLineList))
    texts = [part for item in items for part in (_parts(item) if split and isinstance(item, str) else [item])]
    if not texts and field.default:  # an option whose default is None may stay None
        raise UsageError(f"{field.option} needs at least one value: {field.requirement}.")
    return tuple(dict.fromkeys(_one(field, text) for text in texts))


def _parts(text: str) -> list[str]:
    """The entries of a comma-separated list. One that has options of its own, ``NAME:KEY=VALUE,KEY=VALUE``, keeps
    them together."""
    parts: list[str] = []
    for part in text.split(","):
        if parts and ":" in parts[-1] and "=" in part and ":" not in part:
            parts[-1] += f",{part}"
        else:
            parts.append(part)
    return parts


class CommandLineList(list):
    """The values of a repeated option: each may itself be a comma-separated list."""


def _one(field: Field, value: object) -> object:
    converted = _convert(field, value)
    for check in field.checks:
        if isinstance(check, OneOf):
            check.test(str(converted), field.option)
        else:
            check.test(converted)
    return converted


def _convert(field: Field, value: object) -> object:
    refusal = UsageError(f"{field.option} must be {field.requirement}, not {_quoted(value)}.")
    if field.kind is bool or isinstance(value, bool):
        if field.kind is not bool or not isinstance(value, bool):
            raise refusal
        return value
    if field.kind in (str, Path):
        if callable(value):  # which neither workers nor the same command in another folder would find
            name = f"{getattr(value, '__module__', 'module')}:{getattr(value, '__qualname__', 'name')}"
            raise UsageError(f"{field.option} is given by its import path, such as {name!r}, not by the object itself.")
        if not isinstance(value, str | Path):
            raise refusal
        text = str(value).strip()
        if not text and field.default != "":
            raise UsageError(f"{field.option} is empty; give {field.requirement}.")
        if "\0" in text:
            raise refusal
        try:
            text.encode()
        except UnicodeEncodeError:  # a file name of bytes that are no UTF-8
            raise UsageError(f"{field.option} {plain(text)} is no UTF-8; rename the file.") from None
        return field.kind(text)
    try:
        number = field.kind(value.strip() if isinstance(value, str) else value)
        finite = math.isfinite(number)  # an integer too large for a float overflows here
    except (TypeError, ValueError, OverflowError):
        raise refusal from None
    low, high = field.info.min, field.info.max
    whole = not isinstance(value, float) or field.kind is float or value == number
    if not whole or not finite or (low is not None and number < low) or (high is not None and number > high):
        raise refusal
    return number


_MOST = 100_000
"""The most values of one option."""


def _quoted(value: object) -> str:
    """``value`` as an error repeats it; Python refuses to write out a whole number of thousands of digits."""
    try:
        text = str(value)
    except ValueError:
        return "a number of thousands of digits"
    return repr(short(text))


def command_signature(
    *classes: type, more: Callable[[str], str] = lambda name: "", offers: Mapping[str, Offer] = MappingProxyType({})
) -> inspect.Signature:
    """The signature of a Typer command that takes the options of all ``classes``; ``more`` is what else the help of an
    option says, and ``offers`` what Tab offers for the options whose values are not listed.

    Values arrive as text, because `build` validates what recipes and Python give in just the same way.
    """
    parameters = []
    for field in (f for cls in classes for f in fields(cls)):
        annotation: Any = bool if field.kind is bool else list[str] if field.many else str | None
        default: Any = field.default
        if field.kind is not bool and default is not None:
            default = [str(item) for item in default] if field.many else str(default)
        metavar = {str: "TEXT", int: "INT", float: "NUMBER", Path: "PATH"}.get(field.kind, "")
        info = typer.Option(
            field.option,
            help=f"{_help(field)} {more(field.name)}".rstrip(),
            metavar=None if field.kind is bool else metavar + (",…" if field.many and not field.whole else ""),
            rich_help_panel=field.info.rich_help_panel,
            show_default=field.kind is not bool and default not in (None, ""),
            autocompletion=_completer(field, offers.get(field.name)),
        )
        parameters.append(
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=Annotated[annotation, info],
            )
        )
    return inspect.Signature(parameters)


def python_signature(*classes: type) -> inspect.Signature:
    """The signature of a function that takes the options of all ``classes`` as keyword arguments."""
    parameters = []
    for field in (f for cls in classes for f in fields(cls)):
        kind: Any = str | Path if field.kind is Path else field.kind
        annotation = kind | Sequence[kind] if field.many else kind
        if field.default is None:
            annotation = annotation | None
        parameters.append(
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=annotation)
        )
    return inspect.Signature(parameters)


def python_help(head: str, *classes: type) -> str:
    """What ``help()`` says of such a function: ``head``, and a line for each option. Markup is left out."""
    lines = [f"{field.name}: {_help(field)}" for cls in classes for field in fields(cls)]
    wrapped = (textwrap.fill(line, 100, subsequent_indent="    ") for line in lines)
    return (
        re.sub(r"\[/?[a-z ]+\]", "", "\n".join([head.strip(), "\nOptions, as keyword arguments:\n", *wrapped])) + "\n"
    )


def _help(field: Field) -> str:
    limits = f" ({field.requirement})" if field.info.min is not None else ""
    return f"{field.help}{limits}"


def _completer(field: Field, offer: Offer | None) -> Callable[..., list[str]]:
    """The completion of an option: the names of its `OneOf`, or its entry in ``offers``."""
    names = field.names

    def complete(incomplete: str) -> list[str]:
        return _in_list(field, incomplete, lambda typed: names)

    def complete_other(context: typer.Context, incomplete: str) -> list[str]:
        return [] if offer is None else _in_list(field, incomplete, lambda typed: offer(typed, context))

    return complete if names else complete_other


def _in_list(field: Field, incomplete: str, offer: Callable[[str], Iterable[str]]) -> list[str]:
    """The candidates of ``offer`` for the last entry of a comma-separated list, which is the one being typed."""
    if not field.many or field.whole:
        return [name for name in offer(incomplete) if name.startswith(incomplete)]
    *done, last = _parts(incomplete)
    # An option behind a comma, as in NAME:KEY=VALUE,KEY=VALUE, belongs to the entry only once its "=" is there.
    longer = ",".join([*done[-1:], last])
    candidates = []
    for typed in dict.fromkeys((last, longer)):
        head = incomplete[: len(incomplete) - len(typed)]
        candidates += [head + name for name in offer(typed) if name.startswith(typed) and _parts(name) == [name]]
    return candidates


def non_default(spec: object) -> dict[str, Any]:
    """The options of ``spec`` that differ from their defaults, as TOML values."""
    return {
        field.name: _plain(getattr(spec, field.name))
        for field in fields(type(spec))
        if getattr(spec, field.name) != field.default
    }


def arguments(spec: object) -> list[str]:
    """The options of ``spec`` that differ from their defaults, as arguments of its command."""
    typed: list[str] = []
    for field in fields(type(spec)):
        value = getattr(spec, field.name)
        if value == field.default:
            continue
        if field.kind is bool:
            typed.append(field.option)
        for item in () if field.kind is bool else value if field.many else (value,):
            typed += [field.option, str(item)]
    return typed


def every(spec: object) -> dict[str, Any]:
    """All options of ``spec`` as TOML values; those that are not set are left out."""
    values = {field.name: _plain(getattr(spec, field.name)) for field in fields(type(spec))}
    return {name: value for name, value in values.items() if value not in (None, [])}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def only(cls: type, given: Mapping[str, object]) -> dict[str, object]:
    """The options among ``given`` that belong to ``cls``."""
    names = {field.name for field in fields(cls)}
    return {key: value for key, value in given.items() if key.replace("-", "_") in names}
