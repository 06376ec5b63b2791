"""The definitions of a module, read from its source: what each of them is, and what it names.

What no number can depend on is left out: comments, docstrings, annotations, and what an error or a message says.
"""

import ast
import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

Statement = TypeVar("Statement", bound=ast.AST)
Chain = tuple[str, ...]
"""A name with the attributes that follow it: ``spaces.find`` is ``("spaces", "find")``."""

_ONLY_SAYS = ("errors", "terminal")
"""Modules whose calls only give messages, where they are raised or stand alone as a statement."""
_BY_NAME = {"getattr", "hasattr", "setattr", "attrgetter", "methodcaller"}
_IMPORTS_BY_NAME = {"import_module", "__import__"}


@dataclass(frozen=True)
class Target:
    """What an import binds a name to: a module, or a ``name`` in it."""

    module: str
    name: str = ""


@dataclass
class Definition:
    """A function, a class without its methods, a method, a constant; or, without a name, what runs on import."""

    module: str
    name: str
    digest: str = ""
    chains: set[Chain] = field(default_factory=set)
    """The names that it uses."""
    types: set[Chain] = field(default_factory=set)
    """The names in its annotations: methods of such objects may be called."""
    attributes: set[str] = field(default_factory=set)
    patterns: set[str] = field(default_factory=set)
    """Regular expressions for the modules that it names in strings."""
    unknown: bool = False
    """Whether it imports something that its source does not name."""
    local: dict[str, Target] = field(default_factory=dict)
    """Its own imports, by the name that each binds."""
    decorators: set[Chain] = field(default_factory=set)
    bases: set[Chain] = field(default_factory=set)
    methods: list["Definition"] = field(default_factory=list)
    is_class: bool = False


class Module:
    """The module called ``name`` in ``file``. Its ``source`` is read from there where it is not given."""

    def __init__(self, name: str, file: Path, source: str | bytes = b"") -> None:
        self.name, self.file = name, file
        self.package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        self._tree = ast.parse(source or file.read_bytes())
        statements = list(_statements(self._tree.body))
        self.imports = {name: target for s in statements for name, target in self._bound(s)}
        """What its imports bind."""
        self.type_imports = {
            name: target
            for s in self._tree.body
            if _is_type_checking(s)
            for inner in ast.walk(s)
            for name, target in self._bound(inner)
        }
        """What imports bind for the type checker alone."""

    @cached_property
    def definitions(self) -> Mapping[str, list[Definition]]:
        """The definitions by name; under the empty name, what runs on import."""
        result: dict[str, list[Definition]] = {"": [self._imported_for_effect()]}
        for statement in _without_docstring(self._tree.body):
            if isinstance(statement, ast.Import | ast.ImportFrom) or _is_type_checking(statement):
                continue
            names = _names(statement)
            definition = self._class(statement) if isinstance(statement, ast.ClassDef) else None
            definition = definition or self._definition(names[0] if names else "", [statement])
            for name in names or [""]:
                result.setdefault(name, []).append(definition)
        return result

    def _imported_for_effect(self) -> Definition:
        """The imports whose names nothing in the module uses: they may do something when they run."""
        named = {node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)}
        idle = [
            statement
            for statement in self._tree.body
            if isinstance(statement, ast.Import)
            and not any((alias.asname or alias.name.partition(".")[0]) in named for alias in statement.names)
        ]
        made = Definition(self.name, "")
        for statement in idle:
            made.chains |= {tuple(alias.name.split(".")) for alias in statement.names}
            made.local |= dict(self._bound(statement))
        made.digest = hashlib.sha256(repr([ast.dump(statement) for statement in idle]).encode()).hexdigest()
        return made

    def _bound(self, node: ast.AST) -> Iterator[tuple[str, Target]]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                yield alias.asname or first, Target(alias.name if alias.asname else first)
        elif isinstance(node, ast.ImportFrom):
            place = imported_from(node, self.package)
            for alias in node.names:
                yield alias.asname or alias.name, Target(place, alias.name)

    def _class(self, node: ast.ClassDef) -> Definition:
        functions = [s for s in node.body if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef)]
        rest = [s for s in _without_docstring(node.body) if s not in functions]
        outline = ast.ClassDef(node.name, node.bases, node.keywords, rest, node.decorator_list)
        made = self._definition(node.name, [outline])
        made.is_class = True
        made.bases = {chain for base in node.bases if (chain := _chain(base))}
        made.methods = [self._definition(f"{node.name}.{function.name}", [function]) for function in functions]
        return made

    def _definition(self, name: str, statements: list[ast.stmt]) -> Definition:
        made = Definition(self.name, name)
        reader = _Reader(self, made)
        total = hashlib.sha256()
        for statement in statements:
            for decorator in getattr(statement, "decorator_list", []):
                made.decorators |= {chain for part in ast.walk(decorator) if (chain := _chain(part))}
            total.update(reader.read(statement).encode())
        for first in sorted({chain[0] for chain in made.chains}):
            # The same name may be imported from elsewhere.
            total.update(f"{first} {made.local.get(first) or self.imports.get(first)}\n".encode())
        made.digest = total.hexdigest()
        return made

    def only_says(self, call: ast.AST, local: Mapping[str, Target]) -> bool:
        """Whether ``call`` is of a function that only gives a message."""
        chain = _chain(call.func) if isinstance(call, ast.Call) else None
        target = (local.get(chain[0]) or self.imports.get(chain[0])) if chain else None
        root = self.name.partition(".")[0]
        places = {f"{root}.{name}" for name in _ONLY_SAYS}
        return target is not None and (target.module in places or f"{target.module}.{target.name}" in places)


class _Reader:
    """Writes the tree of a definition in one way whatever the version of Python, and notes what it names."""

    def __init__(self, module: Module, made: Definition) -> None:
        self.module, self.made = module, made
        self.scopes: list[set[str]] = []
        """Names that are bound in the functions around."""
        self.by_name = False
        self.strings: set[str] = set()

    def read(self, statement: ast.stmt) -> str:
        for node in ast.walk(statement):
            self.made.local.update(self.module._bound(node))
        text = self._write(statement)
        if self.by_name:
            self.made.attributes |= {string for string in self.strings if string.isidentifier()}
        return text

    def _write(self, node: object) -> str:
        if isinstance(node, list):
            return f"[{','.join(map(self._write, node))}]"
        if not isinstance(node, ast.AST):
            return repr(node)
        match node:
            case ast.Raise(exc=exc) if exc is not None and self.module.only_says(exc, self.made.local):
                return "raise"
            case ast.Expr(value=value) if self.module.only_says(value, self.made.local):
                return "say"
            case ast.Name(id=name, ctx=ast.Load()):
                self._named((name,))
            case ast.Attribute(attr=attr):
                self.made.attributes.add(attr)
                if chain := _chain(node):
                    self.made.attributes.update(chain[1:])
                    self._named(chain)
                    return ".".join(chain)
            case ast.Constant(value=str(text)):
                self.strings.add(text)
                self._module_name(re.escape(text), text)
            case ast.JoinedStr():
                self._module_name(*_pattern(node, self.module.name))
            case ast.Call():
                self._call(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                return self._function(node)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self.scopes.append(_stored(node))
                text = self._fields(node)
                self.scopes.pop()
                return text
            case ast.ClassDef():
                node = ast.ClassDef(
                    node.name, node.bases, node.keywords, list(_without_docstring(node.body)), node.decorator_list
                )
            case ast.AnnAssign():
                self._annotation(node.annotation)
                return f"AnnAssign({self._write(node.target)},{self._write(node.value)})"
            case ast.arg():
                self._annotation(node.annotation)
                return node.arg
        return self._fields(node)

    def _fields(self, node: ast.AST) -> str:
        # Empty fields are left out, since the fields of a node differ between versions of Python.
        written = (
            f"{name}={self._write(value)}"
            for name, value in ast.iter_fields(node)
            if value not in (None, []) and name not in ("type_comment", "kind", "ctx")
        )
        return f"{type(node).__name__}({','.join(written)})"

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> str:
        outside = [*getattr(node, "decorator_list", []), *node.args.defaults, *filter(None, node.args.kw_defaults)]
        head = self._write(outside)
        self._annotation(getattr(node, "returns", None))
        self.scopes.append(_stored(node))
        arguments = ast.arguments(**{k: v for k, v in ast.iter_fields(node.args) if "defaults" not in k})
        body = node.body if isinstance(node.body, list) else [node.body]
        inside = self._write([arguments, *_without_docstring(body)])
        self.scopes.pop()
        # The order of the fields depends on which defaults there are.
        kinds = [len(node.args.defaults), [default is None for default in node.args.kw_defaults]]
        return f"{type(node).__name__}({getattr(node, 'name', '')},{head},{kinds},{inside})"

    def _named(self, chain: Chain) -> None:
        if not any(chain[0] in scope for scope in self.scopes):
            self.made.chains.add(chain)

    def _annotation(self, node: ast.AST | None) -> None:
        """Note the types that an annotation names. What is called in one, as options are, is no type."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                node = ast.parse(node.value, mode="eval").body
            except SyntaxError:
                return
        if node is None or isinstance(node, ast.Call):
            return
        if chain := _chain(node):
            self.made.types.add(chain)
            return
        for child in ast.iter_child_nodes(node):
            self._annotation(child)

    def _call(self, node: ast.Call) -> None:
        name = (_chain(node.func) or ("",))[-1]
        self.by_name |= name in _BY_NAME
        if name in _IMPORTS_BY_NAME and node.args:
            place = node.args[0]
            said = (isinstance(place, ast.Constant) and not str(place.value).startswith(".")) or (
                isinstance(place, ast.JoinedStr) and self._is_ours(_pattern(place, self.module.name)[1])
            )
            self.made.unknown |= not said

    def _module_name(self, pattern: str, start: str) -> None:
        if self._is_ours(start):
            self.made.patterns.add(pattern)

    def _is_ours(self, start: str) -> bool:
        return start.startswith(f"{self.module.name.partition('.')[0]}.")


def imported_from(node: ast.ImportFrom, package: str) -> str:
    """The whole name of the module that a statement in ``package`` imports from."""
    outer = package.split(".")
    base = ".".join(outer[: len(outer) - node.level + 1]) if node.level else ""
    return ".".join(filter(None, [base, node.module or ""]))


def _chain(node: ast.AST) -> Chain | None:
    """``node`` as a name with attributes; None where it is none."""
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute) and (before := _chain(node.value)):
        return (*before, node.attr)
    return None


def _pattern(node: ast.JoinedStr, module: str) -> tuple[str, str]:
    """An f-string as a regular expression of names of modules, and the text that it starts with."""
    pattern, start, known = "", "", True
    for part in node.values:
        if isinstance(part, ast.Constant):
            text: str | None = str(part.value)
        else:
            is_name = isinstance(part, ast.FormattedValue) and _chain(part.value) == ("__name__",)
            text = module if is_name else None
        pattern += r"[\w.]*" if text is None else re.escape(text)
        known = known and text is not None
        start += (text or "") if known else ""
    return pattern, start


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run on import, those inside ``if``, ``try`` and ``with`` included."""
    for statement in body:
        yield statement
        compound = isinstance(statement, ast.If | ast.Try | ast.With | ast.For | ast.While)
        if compound and not _is_type_checking(statement):
            parts = [statement, *getattr(statement, "handlers", [])]
            for part, name in itertools.product(parts, ("body", "orelse", "finalbody")):
                yield from _statements(getattr(part, name, []))


def _is_type_checking(statement: ast.AST) -> bool:
    return isinstance(statement, ast.If) and (_chain(statement.test) or ("",))[-1] == "TYPE_CHECKING"


def _without_docstring(body: Iterable[Statement]) -> Iterator[Statement]:
    """``body`` without the constants that stand alone: docstrings, also those of attributes."""
    return (s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)))


def _names(statement: ast.AST) -> list[str]:
    """The names that a statement at the top of a module defines; empty where it does more than define them."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Assign(targets=targets):
            flat = [part for t in targets for part in (t.elts if isinstance(t, ast.Tuple) else [t])]
            if all(isinstance(part, ast.Name) for part in flat):
                return [part.id for part in flat if isinstance(part, ast.Name)]
    return []


def _stored(function: ast.AST) -> set[str]:
    """The names that a function or a comprehension binds, without those of functions inside it."""
    bound: set[str] = set()
    outer: set[str] = set()
    todo: list[ast.AST] = [function]
    while todo:
        node = todo.pop()
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                bound.add(name)
            case ast.arg(arg=name):
                bound.add(name)
            case ast.Global(names=names):
                outer.update(names)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                bound.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                if node is not function:
                    bound.add(name)
                    continue
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                if node is not function:
                    continue
        todo.extend(ast.iter_child_nodes(node))
    return bound - outer
