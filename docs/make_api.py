"""Writes ``docs/api.md``, the reference of what Python can call, from the docstrings: ``python -m docs.make_api``.

All of it is read from the sources, also signatures: they look as they were written, under any version of Python.
"""

import ast
import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dnnlab.code.definitions import Target
from dnnlab.code.digests import PACKAGE
from dnnlab.code.reach import Package

FILE = Path(__file__).with_name("api.md")
PACKAGES = (
    "dnnlab.networks",
    "dnnlab.networks.spaces",
    "dnnlab.instruments",
    "dnnlab.theory",
    "dnnlab.statistics",
)
_HEAD = """\
# What Python can call

The experiments are functions of `dnnlab` itself, such as `dnnlab.gradient_flow(...)`: [using](using.md) shows how, and
their options are those of the [command line](cli.md). Below is what they are made of, for a notebook or a program of
yours: networks, instruments, theory and statistics. What is not below may change at any time. `UsageError` is in
`dnnlab.errors`. This page is written from the docstrings by `make docs`, and the tests run its examples.
"""
_SECTIONS = {"Args": "Arguments", "Returns": "Gives", "Raises": "Raises"}
_SOURCES = Package(PACKAGE)
_WIDTH = 100
"""Characters of a signature on one line."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Offer:
    """A public name."""

    package: str
    name: str
    place: Target
    """Where it is defined."""
    node: ast.stmt
    """Its definition."""
    text: str
    """Its docstring; of a constant, the text behind it."""

    @property
    def examples(self) -> doctest.DocTest:
        """What its docstring runs, with nothing imported before."""
        return doctest.DocTestParser().get_doctest(self.text, {}, self.name, self.place.module, 0)


def offers() -> Iterator[Offer]:
    """All public names, package by package."""
    for package in PACKAGES:
        for name in importlib.import_module(package).__all__:
            place = _place(package, name)
            node, text = _definition(place)
            yield Offer(package, name, place, node, text)


def reference() -> str:
    """The whole document."""
    found = list(offers())
    known = {offer.place for offer in found}
    parts = [_HEAD]
    for package in PACKAGES:
        own = [offer for offer in found if offer.package == package]
        links = " · ".join(f"[{offer.name}](#{offer.name.lower()})" for offer in own)
        about = inspect.cleandoc(importlib.import_module(package).__doc__ or "")
        parts.append(f"## {package}\n\n{_plain(about)}\n\n{links}\n")
        for offer in own:
            parts.append(_entry(offer))
            for place in _results(offer):
                if place not in known:
                    known.add(place)
                    parts.append(_result(offer, place))
    return "\n".join(parts)


def _place(package: str, name: str) -> Target:
    module = _SOURCES.module(package)
    return module.type_imports.get(name) or module.imports.get(name) or Target(package, name)


def _definition(place: Target) -> tuple[ast.stmt, str]:
    for node, text in _with_texts(ast.parse(_SOURCES.module(place.module).file.read_bytes()).body):
        if _name(node) == place.name:
            return node, text
    raise KeyError(place)


def _name(node: ast.stmt) -> str:
    """What a statement defines."""
    target = getattr(node, "target", None) or (getattr(node, "targets", None) or [None])[0]
    return getattr(node, "name", None) or getattr(target, "id", "")


def _with_texts(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, str]]:
    """The statements of ``body`` with their docstrings, those behind constants and fields included."""
    for node, behind in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.ClassDef | Function):
            yield node, ast.get_docstring(node) or ""
        elif isinstance(behind, ast.Expr) and isinstance(behind.value, ast.Constant):
            yield node, inspect.cleandoc(str(behind.value.value))
        else:
            yield node, ""


def _entry(offer: Offer) -> str:
    shown, node = f"### {offer.name}\n\n", offer.node
    call = f"from {offer.package} import {offer.name}"
    if isinstance(node, ast.ClassDef):
        init = [f for f in node.body if isinstance(f, Function) and f.name == "__init__"]
        call += f"\n\n{_signature(offer.name, init[0], method=True)}" if init else ""
    elif isinstance(node, Function):
        call += f"\n\n{_signature(offer.name, node)}"
    elif isinstance(node, ast.AnnAssign):
        call += f"\n\n{offer.name}: {_written(node.annotation)}"
    shown += f"```python\n{call}\n```\n\n{_body(offer.text)}"
    return shown + (_members(node) if isinstance(node, ast.ClassDef) else "")


def _result(offer: Offer, place: Target) -> str:
    """A class of which somebody gets objects, and makes none."""
    node, text = _definition(place)
    assert isinstance(node, ast.ClassDef)
    return f"#### {node.name}\n\nFrom `{offer.name}`. {_body(text)}{_members(node)}"


def _results(offer: Offer) -> Iterator[Target]:
    """The classes of dnnlab that a name gives, or holds, and those that their fields hold."""
    annotation = getattr(offer.node, "returns", None) or getattr(offer.node, "annotation", None)
    todo = [(offer.place.module, annotation)]
    while todo:
        where, annotation = todo.pop()
        for part in ast.walk(annotation) if annotation else ():
            if not isinstance(part, ast.Name):
                continue
            module = _SOURCES.module(where)
            place = module.imports.get(part.id) or module.type_imports.get(part.id) or Target(where, part.id)
            if not _is_class(place):
                continue
            yield place
            node, _ = _definition(place)
            todo += [(place.module, f.annotation) for f in getattr(node, "body", ()) if isinstance(f, ast.AnnAssign)]


def _is_class(place: Target) -> bool:
    found = _SOURCES.module(place.module).definitions.get(place.name, []) if place.module in _SOURCES else []
    return any(definition.is_class for definition in found)


def _members(node: ast.ClassDef) -> str:
    """Fields and methods of a class."""
    fields, methods = [], []
    for member, text in _with_texts(node.body):
        name = _name(member)
        if not name or name.startswith("_"):
            continue
        told = f" — {_line(text)}" if text else ""
        if isinstance(member, ast.AnnAssign):
            fields.append(f"- `{name}: {_written(member.annotation)}{_default(member.value)}`{told}")
        elif isinstance(member, Function):
            decorators = {ast.unparse(decorator) for decorator in member.decorator_list}
            if "property" in decorators:
                fields.append(f"- `{name}: {_written(member.returns)}`{told}")
            else:
                methods.append(f"- `{_signature(name, member, method='staticmethod' not in decorators)}`{told}")
    shown = "\n".join(["**Fields**", "", *fields]) + "\n" if fields else ""
    shown += ("\n" if fields and methods else "") + ("\n".join(["**Methods**", "", *methods]) + "\n" if methods else "")
    return f"\n{shown}" if shown else ""


def _default(value: ast.expr | None) -> str:
    """The default of a field, where it says something to a reader."""
    told = value is not None and not isinstance(value, ast.Name) and not ast.unparse(value).startswith("field(")
    return f" = {ast.unparse(value)}" if value and told else ""


def _signature(name: str, function: Function, method: bool = False) -> str:
    """``name(arguments) -> result``, with a line for each argument where it is long."""
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + given.defaults
    told = [_argument(*pair) for pair in zip(positional, defaults, strict=True)][1 if method else 0 :]
    told += [f"*{_argument(given.vararg)}"] if given.vararg else ["*"] if given.kwonlyargs else []
    told += [_argument(*pair) for pair in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    told += [f"**{_argument(given.kwarg)}"] if given.kwarg else []
    result = f" -> {_written(function.returns)}" if function.returns and function.name != "__init__" else ""
    line = f"{name}({', '.join(told)}){result}"
    if method or len(line) <= _WIDTH:
        return line
    return "\n".join([f"{name}(", *(f"    {argument}," for argument in told), f"){result}"])


def _argument(argument: ast.arg, default: ast.expr | None = None) -> str:
    said = f": {_written(argument.annotation)}" if argument.annotation else ""
    return f"{argument.arg}{said}" + (f" = {ast.unparse(default)}" if default else "")


class _Unquoted(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return ast.parse(node.value, mode="eval").body if isinstance(node.value, str) else node


def _written(annotation: ast.expr | None) -> str:
    """An annotation as text, what stands in quotes without them."""
    return ast.unparse(_Unquoted().visit(annotation)) if annotation else "Any"


def _plain(text: str) -> str:
    return text.replace("``", "`")


def _line(text: str) -> str:
    return " ".join(_plain(text).split())


def _body(text: str) -> str:
    """A docstring as Markdown: its sections as lists, its examples as code."""
    parts, lines = [], text.splitlines()
    while lines:
        line = lines.pop(0)
        if line.startswith(">>> "):
            code = [line]
            while lines and lines[0].strip():
                code.append(lines.pop(0))
            parts.append("\n".join(["```pycon", *code, "```"]))
        elif line.endswith(":") and line[:-1] in _SECTIONS:
            items: list[str] = []
            while lines and (not lines[0].strip() or lines[0].startswith("    ")):
                inner = lines.pop(0)
                if inner.startswith("        "):
                    items[-1] += f" {inner.strip()}"
                elif inner.strip():
                    items.append(inner.strip())
            parts += [f"**{_SECTIONS[line[:-1]]}**", ""]
            parts += [_plain(re.sub(r"^(\w+): ", r"- `\1`: ", item)) for item in items] + [""]
        else:
            parts.append(_plain(line))
    return "\n".join(parts).strip() + "\n"


if __name__ == "__main__":
    FILE.write_text(reference(), encoding="utf-8")
