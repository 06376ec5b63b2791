"""What the values of options and arguments can be, as far as there are names for them.

They are here by the option's name, beside `runner.options.OneOf`, and not in the specs, whose code is part of the key
of runs: what Tab offers changes no number. The names themselves are taken from where they are defined.

Each offer is given what is typed of one value; it may also give candidates that do not begin so.
"""

import codecs
import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import typer

from dnnlab.compress import stages
from dnnlab.data import drawn
from dnnlab.data.files import DataFile, at_home
from dnnlab.data.kinds import KINDS
from dnnlab.nas import ledger
from dnnlab.nas.proxy_names import PROXIES
from dnnlab.nas.strategies import LONGER, PREFILTER, STRATEGIES
from dnnlab.networks import initialisers, shape, spaces
from dnnlab.networks.activations import ACTIVATIONS
from dnnlab.networks.family import FAMILIES
from dnnlab.networks.members import MEMBERS
from dnnlab.networks.named import published_input
from dnnlab.registry import EXPERIMENTS
from dnnlab.runner import executors, recipe, store
from dnnlab.runner.options import Offer
from dnnlab.runner.run_options import FORMS
from dnnlab.training import budget

_LONGEST_HEADER = 1 << 20
"""Bytes of a table that are read for the names of its columns."""


def paths(typed: str, endings: tuple[str, ...] = ("",)) -> Iterator[str]:
    """The files whose names end in one of ``endings``, and the folders with a slash, below the path ``typed``."""
    place, name = os.path.split(typed)
    begin = typed[: len(typed) - len(name)]
    try:
        entries = sorted(os.scandir(at_home(Path(place or "."))), key=lambda entry: entry.name)
    except OSError:  # there is no such folder, or it may not be read
        return
    for entry in entries:
        if entry.name.startswith(name) and (name.startswith(".") or not entry.name.startswith(".")):
            if entry.is_dir():
                yield f"{begin}{entry.name}/"
            elif entry.name.endswith(endings):
                yield begin + entry.name


def any_path(incomplete: str) -> list[str]:
    """Candidates for an argument that is any path."""
    return list(paths(incomplete))


def recipes(incomplete: str) -> list[str]:
    """Files of recipes, and folders that may hold some."""
    return list(paths(incomplete, (".toml",)))


def containers(incomplete: str) -> list[str]:
    """Files that ``dnnlab compress`` wrote."""
    return list(paths(incomplete, (".dnnz",)))


def profiles(incomplete: str) -> list[str]:
    """The profiles of recipes."""
    return list(recipe.PROFILES)


def forms(incomplete: str) -> list[str]:
    """The forms of a table."""
    return list(FORMS)


def downloads(incomplete: str) -> list[str]:
    """The published data sets."""
    return [name for name, kind in KINDS.items() if kind.remote is not None]


def runs(context: typer.Context, incomplete: str) -> list[str]:
    """The runs under ``--out``, the newest first: the second of ``dnnlab diff`` of the experiment of the first."""
    found = [folder.path for folder in store.every(_out(context))]
    before = context.params.get("before")
    kinds = {path.parent.name for path in found if before in (path.name, f"{path.parent.name}/{path.name}")}
    found = [path for path in found if path.parent.name in kinds or not kinds]
    if "/" not in incomplete:
        return [path.name for path in found]
    return [*(f"{path.parent.name}/{path.name}" for path in found), *paths(incomplete, (store.SPEC,))]


def _out(context: typer.Context) -> Path:
    (option,) = (parameter for parameter in context.command.params if parameter.name == "out")
    return at_home(Path(str(context.params.get("out") or option.default)))


def _act(typed: str, context: typer.Context) -> Iterable[str]:
    head = typed[: typed.rfind("+") + 1]
    return [head + name for name in ACTIVATIONS]


def _up_to_colon(names: Iterable[str]) -> list[str]:
    """Names such as ``normal:STD`` up to their colon, since the rest is the user's choice."""
    return ["".join(name.partition(":")[:2]) for name in names]


def _init(typed: str, context: typer.Context) -> Iterable[str]:
    return _up_to_colon(initialisers.INITIALISERS)


def _skip(typed: str, context: typer.Context) -> Iterable[str]:
    return _up_to_colon(shape.SKIPS)


def _data(typed: str, context: typer.Context) -> Iterable[str]:
    name, colon, rest = typed.partition(":")
    if not colon:
        return [word for name, kind in KINDS.items() for word in _forms(name, kind.form)]
    kind = KINDS.get(name)
    if kind is not None and kind.random_labels:
        return _drawn(typed, rest)
    if kind is None or not kind.user_files:
        return []
    with_column = kind.form.endswith(":TARGET")
    following = _table_and_column(rest, kind.endings) if with_column else paths(rest, kind.endings)
    return [f"{name}:{path}" for path in following]


def _drawn(typed: str, rest: str) -> list[str]:
    """The inputs that networks were published for, and after another colon the options."""
    _, colon, options = rest.partition(":")
    if not colon:
        return list(dict.fromkeys(member.data for member in MEMBERS.values()))
    option = options.rpartition(",")[2]
    head = typed[: len(typed) - len(option)]
    return [f"{head}{each}=" for each in drawn.LIMITS if f"{each}=" not in options]


def _input(typed: str, context: typer.Context) -> Iterable[str]:
    return dict.fromkeys(map(published_input, MEMBERS))


def _forms(name: str, form: str) -> list[str]:
    """The beginnings of a form: ``csv:`` of ``csv:PATH:TARGET``, ``gaussian`` and ``gaussian:`` of
    ``gaussian[:SHAPE]``."""
    return [name] * (not form.startswith(f"{name}:")) + [f"{name}:"] * (":" in form)


def _table_and_column(typed: str, endings: tuple[str, ...]) -> Iterator[str]:
    file, colon, _ = typed.rpartition(":")
    if colon and os.path.isfile(at_home(Path(file))):
        yield from (f"{file}:{column}" for column in _columns(file))
    for path in paths(typed, endings):
        yield path if path.endswith("/") else f"{path}:"


def _columns(file: str) -> list[str]:
    """The names in the header of a table, read as `data.table` does, without pandas."""
    with DataFile(at_home(Path(file)), "give another").open() as stream:
        head = stream.read(_LONGEST_HEADER)
    text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)  # the last character may be cut
    return next(csv.reader(io.StringIO(text), skipinitialspace=True), [])


def _arch(typed: str, context: typer.Context) -> Iterable[str]:
    name, colon, options = typed.partition(":")
    if not colon or name not in MEMBERS:
        return [*MEMBERS, *(paths(typed, (".toml",)) if "/" in typed else ())]
    family = FAMILIES[MEMBERS[name].family]
    option, equals, _ = options.rpartition(",")[2].partition("=")
    if not equals:
        head = typed[: len(typed) - len(option)]
        return [f"{head}{each}=" for each in family.options if f"{each}=" not in options]
    values = tuple(ACTIVATIONS) if option == "act" else family.options.get(option, ())
    head = typed[: typed.rfind("=") + 1]
    return [head + value for value in values]


def _strategy(typed: str, context: typer.Context) -> Iterable[str]:
    return [*STRATEGIES, PREFILTER, LONGER, *(PREFILTER + name for name in PROXIES if typed.startswith(PREFILTER))]


def _space(typed: str, context: typer.Context) -> Iterable[str]:
    return spaces.SPACES


def _budget(typed: str, context: typer.Context) -> Iterable[str]:
    return [f"{axis}=" for axis in (ledger.AXES if context.info_name == "nas" else budget.AXES)]


def _chain(typed: str, context: typer.Context) -> Iterable[str]:
    stage = typed.rpartition(">")[2].lstrip()
    head, (name, colon, _) = typed[: len(typed) - len(stage)], stage.partition(":")
    if not colon:
        return [head + kind.name for kind in stages.KINDS.values() if head or stages.DENSE in kind.after]
    words = [word for values in stages.KINDS[name].words.values() for word in values] if name in stages.KINDS else []
    return [typed[: typed.rfind(":") + 1] + word for word in words]


def _weights(typed: str, context: typer.Context) -> Iterable[str]:
    from dnnlab.compare_arch.trained_cell import FRESH

    return [*([FRESH] if context.info_name == "compare-arch" else []), *paths(typed, (".safetensors",))]


def _tables(typed: str, context: typer.Context) -> Iterable[str]:
    return paths(typed, (".csv", ".csv.gz"))


def _engine(typed: str, context: typer.Context) -> Iterable[str]:
    return executors.ENGINES


def _path(typed: str, context: typer.Context) -> Iterable[str]:
    return paths(typed)


def _expect(typed: str, context: typer.Context) -> Iterable[str]:
    """The verdicts of the experiment; where a recipe is given, those of the recipe's experiment."""
    name = context.info_name or ""
    if name not in EXPERIMENTS:
        name = recipe.read(Path(str(context.params["recipe"]))).experiment
    return [verdict for question in EXPERIMENTS[name].spec.QUESTIONS for verdict in question.schema.tones]


OFFERS: Mapping[str, Offer] = {
    "act": _act,
    "arch": _arch,
    "budget": _budget,
    "chain": _chain,
    "data": _data,
    "engine": _engine,
    "expect": _expect,
    "init": _init,
    "input": _input,
    "method": _chain,
    "out": _path,
    "prune_dead": _path,
    "skip": _skip,
    "space": _space,
    "strategy": _strategy,
    "student": _arch,
    "table": _tables,
    "weights": _weights,
}
"""The offers by the name of the option."""
