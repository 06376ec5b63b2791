"""The digest of dnnlab's own code that some of it reaches, and the versions of the libraries that this code imports.

Reading all sources as trees takes half a second, so that what came out is kept in the user's cache, under a digest of
the bytes of all sources.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dnnlab
from dnnlab import atomic
from dnnlab.code.reach import Package, Reach

PACKAGE = Path(dnnlab.__file__).parent
BEYOND = ("dnnlab.runner.python_call", "dnnlab.code")
"""Modules that no measurement enters: the call from Python, which starts one, and the code that makes keys."""


@dataclass(frozen=True)
class Reached:
    """What some code reaches: its digest and its libraries."""

    digest: str
    """SHA-256 of the definitions that are reached."""
    versions: Mapping[str, str]
    """The version of each library that they import; empty where one is not installed."""

    @property
    def identity(self) -> list[Any]:
        """The digest and the versions as JSON."""
        return [self.digest, dict(self.versions)]


@functools.cache
def of(roots: tuple[str, ...]) -> Reached:
    """What the ``roots`` reach. `Reach` says how a root is written."""
    digest, libraries = _cache().reached(roots)
    return Reached(digest, versions(libraries))


@functools.cache
def bytes_of_all() -> str:
    """SHA-256 of all of dnnlab's sources, as this process found them."""
    total = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        total.update(f"{file.relative_to(PACKAGE).as_posix()}\0".encode())
        total.update(file.read_bytes() + b"\0")
    return total.hexdigest()


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """The versions of ``libraries``, by the names under which they are installed; empty for one that is not installed.
    ``libraries`` are the names under which they are imported."""
    result = {}
    for library in sorted(libraries):
        distributions = _cache().distributions(library) if _is_installed(library) else []
        for distribution in distributions:
            result[distribution] = importlib.metadata.version(distribution)
        if not distributions:
            result[library] = ""
    return result


def _is_installed(library: str) -> bool:
    try:
        return importlib.util.find_spec(library) is not None
    except ValueError:  # a stand-in that some library puts among the modules
        return False


class _Cache:
    """What was computed before from the same sources, in a file of the user's cache."""

    def __init__(self) -> None:
        import platformdirs

        self.file = platformdirs.user_cache_path("dnnlab") / "code.json"
        key = [bytes_of_all(), str(PACKAGE), _installed(), *map(str, sys.version_info[:2])]
        self.content: dict[str, Any] = {"key": key, "reached": {}, "distributions": {}}
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            stored = json.loads(self.file.read_bytes())
            if stored["checksum"] == _checksum(stored) and stored["key"] == key:
                self.content = stored

    def reached(self, roots: tuple[str, ...]) -> tuple[str, list[str]]:
        """The digest of what ``roots`` reach, and the names of the libraries."""
        name = " ".join(sorted(roots))
        if name not in self.content["reached"]:
            reach = Reach(Package(PACKAGE), roots, BEYOND)
            self.content["reached"][name] = [reach.digest, sorted(reach.libraries)]
            self._write()
        digest, libraries = self.content["reached"][name]
        return digest, libraries

    def distributions(self, library: str) -> list[str]:
        """The names under which ``library``, which is the name that is imported, is installed."""
        if library not in self.content["distributions"]:
            # This is slow: it reads the files of everything that is installed.
            found = importlib.metadata.packages_distributions()
            self.content["distributions"] |= {name: sorted(set(names)) for name, names in found.items()}
            self.content["distributions"].setdefault(library, [])
            self._write()
        distributions: list[str] = self.content["distributions"][library]
        return distributions

    def _write(self) -> None:
        with contextlib.suppress(OSError):  # it is computed again next time
            self.file.parent.mkdir(parents=True, exist_ok=True)
            atomic.write(self.file, json.dumps({**self.content, "checksum": _checksum(self.content)}).encode())


_cache = functools.cache(_Cache)


def _checksum(entries: Mapping[str, Any]) -> str:
    entries = {name: value for name, value in entries.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()


def _installed() -> str:
    """SHA-256 of the names and versions of all that is installed."""
    names = sorted(file.name for place in sys.path for file in Path(place or ".").glob("*.dist-info"))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
