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
BEYOND = ("dnnlab.runner.call", "dnnlab.code")
"""What no measurement enters: a call from Python, which starts one, and what makes keys."""


@dataclass(frozen=True)
class Reached:
    """What code reaches."""

    digest: str
    """SHA-256 of its definitions."""
    versions: Mapping[str, str]
    """Of the libraries that it imports; empty where one is not installed."""

    @property
    def identity(self) -> list[Any]:
        """Both as JSON."""
        return [self.digest, dict(self.versions)]


@functools.cache
def of(roots: tuple[str, ...]) -> Reached:
    """What the ``roots`` reach, each written as `Reach` takes it."""
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
    """The versions of ``libraries``, given by the names under which they are imported, by the names under which they
    are installed; empty where one is not there."""
    found = {}
    for library in sorted(libraries):
        distributions = _cache().distributions(library) if _is_there(library) else []
        for distribution in distributions:
            found[distribution] = importlib.metadata.version(distribution)
        if not distributions:
            found[library] = ""
    return found


def _is_there(library: str) -> bool:
    try:
        return importlib.util.find_spec(library) is not None
    except ValueError:  # a stand-in that some library puts among the modules
        return False


class _Cache:
    """What was found out before about the same sources."""

    def __init__(self) -> None:
        import platformdirs

        self.file = platformdirs.user_cache_path("dnnlab") / "code.json"
        key = [bytes_of_all(), str(PACKAGE), _installed(), *map(str, sys.version_info[:2])]
        self.held: dict[str, Any] = {"key": key, "reached": {}, "distributions": {}}
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            held = json.loads(self.file.read_bytes())
            if held["checksum"] == _checksum(held) and held["key"] == key:
                self.held = held

    def reached(self, roots: tuple[str, ...]) -> tuple[str, list[str]]:
        """The digest of what ``roots`` reach, and the libraries."""
        name = " ".join(sorted(roots))
        if name not in self.held["reached"]:
            reach = Reach(Package(PACKAGE), roots, BEYOND)
            self.held["reached"][name] = [reach.digest, sorted(reach.libraries)]
            self._write()
        digest, libraries = self.held["reached"][name]
        return digest, libraries

    def distributions(self, library: str) -> list[str]:
        """What is installed under the name by which ``library`` is imported."""
        if library not in self.held["distributions"]:
            # Slow: it looks at the files of everything that is installed.
            found = importlib.metadata.packages_distributions()
            self.held["distributions"] |= {name: sorted(set(names)) for name, names in found.items()}
            self.held["distributions"].setdefault(library, [])
            self._write()
        distributions: list[str] = self.held["distributions"][library]
        return distributions

    def _write(self) -> None:
        with contextlib.suppress(OSError):  # it is worked out again next time
            self.file.parent.mkdir(parents=True, exist_ok=True)
            atomic.write(self.file, json.dumps({**self.held, "checksum": _checksum(self.held)}).encode())


_cache = functools.cache(_Cache)


def _checksum(held: Mapping[str, Any]) -> str:
    content = {name: value for name, value in held.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _installed() -> str:
    """SHA-256 of the names and versions of all that is installed."""
    names = sorted(file.name for place in sys.path for file in Path(place or ".").glob("*.dist-info"))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
