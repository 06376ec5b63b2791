"""What a user's own function uses: the modules that its code imports, at once or later, and what it returns.

A module counts as the user's own where it is neither Python's, nor dnnlab's, nor installed; of what is installed the
version counts, and of the function's own package, if that is installed, all sources. What else the process has loaded
does not matter.
"""

import ast
import builtins
import contextlib
import dis
import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from dnnlab.code.definitions import imported_from
from dnnlab.code.digests import PACKAGE, of, versions
from dnnlab.code.values import code_text, is_data, parts_of
from dnnlab.code.values import digest as digest_of


@dataclass
class Dependencies:
    """The code that a function uses."""

    files: dict[str, str] = field(default_factory=dict)
    """The source file of each module, by the module's name."""
    run: set[str] = field(default_factory=set)
    """The modules among ``files`` that run before the function has returned, whose data count too."""
    libraries: set[str] = field(default_factory=set)
    """The names under which other libraries are imported."""
    ours: set[str] = field(default_factory=set)
    """The modules of dnnlab that it imports."""
    texts: list[str] = field(default_factory=list)
    """Source that is in no file: definitions of a notebook."""

    def digest(self) -> str:
        """SHA-256 of all sources, of the versions of the libraries, and of the code of dnnlab that is reached.

        Raises:
            OSError: a source is no longer there.
        """
        total = hashlib.sha256()
        for name, file in sorted(self.files.items()):
            total.update(f"{name}\0".encode() + Path(file).read_bytes() + b"\0")
        for text in sorted(self.texts):
            total.update(f"{text}\0".encode())
        total.update(repr(sorted(versions(self.libraries).items())).encode())
        if self.ours:
            total.update(repr(of(tuple(sorted(self.ours))).identity).encode())
        return total.hexdigest()

    def data(self) -> dict[str, str]:
        """The plain data in the modules that have run, by module and name."""
        return {
            f"{name}:{key}": digest_of(parts_of(value))
            for name in self.run
            for key, value in list(vars(sys.modules.get("__main__" if name == "." else name, object)).items())
            if not key.startswith("__") and is_data(value)
        }

    def changed(self) -> bool:
        """Whether a module that is loaded has functions that its source no longer has."""
        return any(_differs(sys.modules[name], Path(file)) for name, file in self.files.items() if name in sys.modules)


def dependencies(module: ModuleType, name: str, others: Iterable[str] = ()) -> Dependencies:
    """The code that ``name`` in ``module`` uses, and the modules called ``others``, which it imported while it ran."""
    used = Dependencies()
    root = module.__name__.partition(".")[0]
    if getattr(module, "__file__", None):
        _follow([module.__name__, *others], root, used)
    else:
        _notebook(getattr(module, name), root, used)
        _follow(others, root, used)
    return used


@contextlib.contextmanager
def watched_imports() -> Iterator[set[str]]:
    """The names of the modules that are imported meanwhile: those that a user's own code imports, also if they were
    loaded before, and all of the user's modules that are loaded."""
    names: set[str] = set()
    before = set(sys.modules)
    by_statement, by_name = builtins.__import__, importlib.import_module

    def statement(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        module = by_statement(name, globals, locals, fromlist, level)
        if _is_users(str((globals or sys._getframe(1).f_globals).get("__file__", ""))):
            place = module.__name__ if fromlist or level else name
            names.update([place, *(f"{place}.{item}" for item in fromlist or ())])
        return module

    def function(name: str, package: str | None = None) -> ModuleType:
        module = by_name(name, package)
        if _is_users(str(sys._getframe(1).f_globals.get("__file__", ""))):
            names.add(module.__name__)
        return module

    builtins.__import__, importlib.import_module = statement, function
    try:
        yield names
    finally:
        builtins.__import__, importlib.import_module = by_statement, by_name
        loaded = ((name, getattr(sys.modules[name], "__file__", None)) for name in set(sys.modules) - before)
        names.update(name for name, file in loaded if file and _is_users(str(file)))


def _follow(names: Iterable[str], root: str, used: Dependencies) -> None:
    """Add to ``used`` the modules called ``names`` and what their sources import, inside functions too."""
    todo = [(name, True) for name in names]
    known: dict[str, bool] = {}
    while todo:
        name, runs = todo.pop()
        if not name or known.get(name, False) or (name in known and not runs):
            continue
        known[name] = runs
        first = name.partition(".")[0]
        if first == PACKAGE.name:
            used.ours.update(_of_dnnlab(name))
            continue
        file = _source(name)
        if first in sys.stdlib_module_names and not (file and _is_users(str(file))):
            continue
        if file is None:  # a name in a module, or a module that is not there
            todo.append((name.rpartition(".")[0], runs))
        elif first == root and _is_installed(str(file)):
            # The sources are hashed and not parsed: a package may be as large as torch.
            top = _source(first) or file
            for each in sorted(top.parent.rglob("*.py")) if top.name == "__init__.py" else [top]:
                used.files[each.relative_to(top.parent.parent).as_posix()] = str(each)
        elif _is_users(str(file)):
            key = "." if name == "__main__" else name
            used.files[key] = str(file)
            if runs:
                used.run.add(key)
            todo.append((name.rpartition(".")[0], runs))
            todo += [(other, runs and at_once) for other, at_once in _imported(file, name)]
        else:
            used.libraries.add(first)


def _of_dnnlab(name: str) -> Iterator[str]:
    """The module of dnnlab called ``name``, or that defines ``name``. For a name that dnnlab offers to users, the
    module that defines it."""
    if name == PACKAGE.name:
        yield "dnnlab.networks.catalogue"
    else:
        while name != PACKAGE.name and not (PACKAGE.parent / name.replace(".", "/")).is_dir():
            if (PACKAGE.parent / f"{name.replace('.', '/')}.py").is_file():
                yield name
                return
            name = name.rpartition(".")[0]
        if name != PACKAGE.name:
            yield name


def _differs(module: ModuleType, file: Path) -> bool:
    """Whether a function of ``module`` is not one that the source in ``file`` defines."""
    if file.suffix != ".py":
        return False
    source: dict[str, set[str]] = {}
    todo = [compile(file.read_bytes(), str(file), "exec", dont_inherit=True)]
    while todo:
        code = todo.pop()
        source.setdefault(code.co_qualname, set()).add(code_text(code))
        todo += [each for each in code.co_consts if isinstance(each, CodeType)]
    functions = list(vars(module).values())
    functions += [each for value in functions if isinstance(value, type) for each in vars(value).values()]
    codes = (getattr(getattr(function, "__func__", function), "__code__", None) for function in functions)
    return any(
        code_text(code) not in source.get(code.co_qualname, ())
        for code in codes
        if isinstance(code, CodeType) and Path(code.co_filename).resolve() == file and not code.co_name.startswith("<")
    )


def _source(name: str) -> Path | None:
    """The file of the module called ``name``, found without running anything of it."""
    loaded = sys.modules.get(name)
    file = getattr(loaded, "__file__", None)
    if file is None:
        spec, place = None, None
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            whole = ".".join(parts[:end])
            spec = next((s for f in sys.meta_path if (s := _spec_of(f, whole, place))), None)
            if spec is None:
                return None
            place = spec.submodule_search_locations
        file = spec.origin if spec else None
        if file in (None, "namespace", "built-in", "frozen"):
            return None
    return Path(str(file)).resolve()


def _spec_of(finder: Any, name: str, place: Any) -> Any:
    try:
        return finder.find_spec(name, place)
    except Exception:  # noqa: BLE001 - a finder of anybody's; what it cannot find may be found by another
        return None


_OTHERS = tuple(
    f"{path}{os.sep}" for place in (PACKAGE, sysconfig.get_path("stdlib")) for path in (place, os.path.realpath(place))
)
"""The folders of dnnlab and of Python's library, also as they are called without the links that lead there."""


def _is_users(file: str) -> bool:
    """Whether ``file`` is source of the user's: neither Python's, nor dnnlab's, nor installed.

    It is asked at every import, so it imports nothing itself, as pathlib and sysconfig do.
    """
    return file.endswith(".py") and not _is_installed(file) and not file.startswith(_OTHERS)


def _is_installed(file: str) -> bool:
    return any(f"{os.sep}{place}{os.sep}" in file for place in ("site-packages", "dist-packages"))


def _imported(file: Path, name: str) -> Iterator[tuple[str, bool]]:
    """The names of the modules that the source ``file`` of the module ``name`` may import, and whether at once or only
    when a function is called."""
    tree = ast.parse(file.read_bytes())
    functions = [f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        for other in _named_in(node, name, file):
            yield other, id(node) not in inside


def _named_in(node: ast.AST, name: str, file: Path) -> Iterator[str]:
    """The names of the modules that a statement or a call in the module ``name`` imports."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
            yield node.args[0].value
    elif isinstance(node, ast.ImportFrom):
        place = imported_from(node, package)
        yield place
        yield from (f"{place}.{alias.name}" for alias in node.names)


def _notebook(value: Any, root: str, used: Dependencies) -> None:
    """Add the source of a function or class that lies in no file, and of what it names.

    Raises:
        TypeError, OSError: it has no source.
    """
    todo, known = [value], set()
    while todo:
        value = todo.pop()
        if id(value) in known:
            continue
        known.add(id(value))
        if isinstance(value, ModuleType):
            _follow([value.__name__], root, used)
        elif isinstance(value, FunctionType | type):
            if getattr(sys.modules.get(value.__module__), "__file__", None):
                _follow([value.__module__], root, used)
                continue
            used.texts.append(inspect.getsource(value))
            functions = [value] if isinstance(value, FunctionType) else vars(value).values()
            for function in functions:
                function = inspect.unwrap(getattr(function, "__func__", function))
                if isinstance(function, FunctionType):
                    named = _global_names(function.__code__)
                    todo += [function.__globals__[name] for name in sorted(named & function.__globals__.keys())]
            todo += getattr(value, "__bases__", ())
        else:
            used.texts.append(digest_of(parts_of(value)))


def _global_names(code: CodeType) -> set[str]:
    """The names that a function, and the functions inside it, take from their module."""
    named = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return named.union(*(_global_names(inner) for inner in code.co_consts if isinstance(inner, CodeType)))
