"""What a user's own function uses: the modules that its code imports, at once or later, and what it gives.

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
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from dnnlab.code.digests import PACKAGE, versions


@dataclass
class Used:
    """What a function uses."""

    files: dict[str, str] = field(default_factory=dict)
    """The source files of modules by name."""
    libraries: set[str] = field(default_factory=set)
    """The names under which other libraries are imported."""
    texts: list[str] = field(default_factory=list)
    """What has no file: definitions of a notebook."""

    def digest(self) -> str:
        """SHA-256 of all sources and of the versions of the libraries.

        Raises:
            OSError: a source is no longer there.
        """
        total = hashlib.sha256()
        for name, file in sorted(self.files.items()):
            total.update(f"{name}\0".encode() + Path(file).read_bytes() + b"\0")
        for text in sorted(self.texts):
            total.update(f"{text}\0".encode())
        total.update(repr(sorted(versions(self.libraries).items())).encode())
        return total.hexdigest()


def used(module: ModuleType, name: str, others: Iterable[str] = ()) -> Used:
    """What ``name`` in ``module`` uses, and the modules called ``others``, which it was seen to import."""
    found = Used()
    root = module.__name__.partition(".")[0]
    if getattr(module, "__file__", None):
        _follow([module.__name__, *others], root, found)
    else:
        _notebook(getattr(module, name), root, found)
        _follow(others, root, found)
    return found


@contextlib.contextmanager
def imports_seen() -> Iterator[set[str]]:
    """The names of the modules that a user's own code asks for meanwhile, also of those that are loaded already."""
    seen: set[str] = set()
    by_statement, by_name = builtins.__import__, importlib.import_module

    def statement(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        module = by_statement(name, globals, locals, fromlist, level)
        if _is_own(str((globals or {}).get("__file__", ""))):
            place = module.__name__ if fromlist or level else name
            seen.update([place, *(f"{place}.{item}" for item in fromlist or ())])
        return module

    def function(name: str, package: str | None = None) -> ModuleType:
        module = by_name(name, package)
        if _is_own(str(sys._getframe(1).f_globals.get("__file__", ""))):
            seen.add(module.__name__)
        return module

    builtins.__import__, importlib.import_module = statement, function
    try:
        yield seen
    finally:
        builtins.__import__, importlib.import_module = by_statement, by_name


def _follow(names: Iterable[str], root: str, found: Used) -> None:
    """Add to ``found`` the modules called ``names`` and what their sources import, inside functions too."""
    todo, known = list(names), set()
    while todo:
        name = todo.pop()
        if not name or name in known:
            continue
        known.add(name)
        first = name.partition(".")[0]
        if first in sys.stdlib_module_names or first == PACKAGE.name:
            continue
        file = _source(name)
        if file is None:  # a name in a module, or a module that is not there
            todo.append(name.rpartition(".")[0])
        elif first == root and _is_installed(file):
            # All of it, unread: it may be as large as torch.
            top = _source(first) or file
            for each in sorted(top.parent.rglob("*.py")) if top.name == "__init__.py" else [top]:
                found.files[each.relative_to(top.parent.parent).as_posix()] = str(each)
        elif _is_own(str(file)):
            found.files["." if name == "__main__" else name] = str(file)
            todo.append(name.rpartition(".")[0])
            todo += _imported(file, name)
        else:
            found.libraries.add(first)


def _source(name: str) -> Path | None:
    """The file of the module called ``name``, found without running anything of it."""
    loaded = sys.modules.get(name)
    file = getattr(loaded, "__file__", None)
    if file is None:
        spec, place = None, None
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            whole = ".".join(parts[:end])
            spec = next((s for f in sys.meta_path if (s := _found(f, whole, place))), None)
            if spec is None:
                return None
            place = spec.submodule_search_locations
        file = spec.origin if spec else None
        if file in (None, "namespace", "built-in", "frozen"):
            return None
    return Path(str(file)).resolve()


def _found(finder: Any, name: str, place: Any) -> Any:
    try:
        return finder.find_spec(name, place)
    except (ImportError, AttributeError, ValueError):
        return None


def _is_own(file: str) -> bool:
    path = Path(file)
    return (
        path.suffix == ".py" and not _is_installed(path) and not path.is_relative_to(PACKAGE) and not _is_python(path)
    )


def _is_python(file: Path) -> bool:
    """Whether ``file`` is of Python's own library."""
    return file.is_relative_to(Path(sysconfig.get_path("stdlib")))


def _is_installed(file: Path) -> bool:
    return "site-packages" in file.parts or "dist-packages" in file.parts


def _imported(file: Path, name: str) -> Iterator[str]:
    """The names of the modules that the source ``file`` of the module ``name`` may import."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            outer = package.split(".")
            base = ".".join(outer[: len(outer) - node.level + 1]) if node.level else ""
            place = ".".join(filter(None, [base, node.module or ""]))
            yield place
            yield from (f"{place}.{alias.name}" for alias in node.names)


def _notebook(value: Any, root: str, found: Used) -> None:
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
            _follow([value.__name__], root, found)
        elif isinstance(value, FunctionType | type):
            if getattr(sys.modules.get(value.__module__), "__file__", None):
                _follow([value.__module__], root, found)
                continue
            found.texts.append(inspect.getsource(value))
            functions = [value] if isinstance(value, FunctionType) else vars(value).values()
            for function in functions:
                function = inspect.unwrap(getattr(function, "__func__", function))
                if isinstance(function, FunctionType):
                    named = _global_names(function.__code__)
                    todo += [function.__globals__[name] for name in sorted(named & function.__globals__.keys())]
            todo += getattr(value, "__bases__", ())
        elif isinstance(value, bool | int | float | complex | str | bytes | tuple | frozenset | None):
            found.texts.append(repr(value))


def _global_names(code: CodeType) -> set[str]:
    """What a function and those inside it ask of the module."""
    named = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return named.union(*(_global_names(inner) for inner in code.co_consts if isinstance(inner, CodeType)))
