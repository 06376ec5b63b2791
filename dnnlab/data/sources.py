"""A data set by its name: the name is parsed, the files are found, a digest is taken, the data is loaded."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dnnlab.data.files import Files, noting
from dnnlab.data.kinds import KINDS, Kind, remote_folder
from dnnlab.errors import DnnlabError, UsageError, listing, unknown

if TYPE_CHECKING:
    from dnnlab.data.dataset import Dataset


PREFIX = "data "
"""The prefix of the names of data sets in a run's content."""


@dataclass(frozen=True)
class Source:
    """A data set that is named but not loaded. Hashable and small: it can travel to another process."""

    kind_name: str
    arguments: tuple[Any, ...] = ()

    @property
    def kind(self) -> Kind:
        """The kind of this data set."""
        return KINDS[self.kind_name]

    @property
    def name(self) -> str:
        """The name in canonical form, with every argument written out."""
        return ":".join([self.kind_name, *map(str, self.arguments)])

    def files(self) -> Files:
        """The files with the data, by a name that does not depend on the folder.

        Raises:
            DnnlabError: the place where they should be is not there or not as it should be.
        """
        return self.kind.files(*self.arguments)

    def digest(self) -> str:
        """SHA-256 of the data in hex: of content and names of its files, or of its name and the version of what
        computes it.

        Imports neither torch nor numpy. The same data has the same digest on every machine, wherever it lies
        and however it is packed.

        Raises:
            DnnlabError: a file is missing or unreadable.
        """
        return self._read()[0]

    def _read(self) -> tuple[str, Files]:
        """The digest and the files that it is of."""
        known = _once.get()
        if known is not None and self in known:
            return known[self]
        files = self.files()
        read = files.digest(self.kind_name, self._words), files
        if known is not None:
            known[self] = read
        return read

    @property
    def _words(self) -> str:
        """What the digest of computed data is of."""
        return f"{self.name}\n{self.kind.version}"

    def available(self) -> bool:
        """Whether the data can be loaded without downloading anything."""
        try:
            # `os.path.exists` is False for a path too long or not to be entered, where `Path.exists` raises.
            return all(os.path.exists(file.path) for file in self.files().values())
        except DnnlabError:
            return False

    def where(self) -> str:
        """Where the data is or should be, in a few words."""
        kind, available = self.kind, self.available()
        if kind.remote is not None:
            folder = remote_folder(kind.remote)
            get = f"`dnnlab data get {self.kind_name}` downloads it ({kind.remote.megabytes} MB)"
            return f"in {folder}" if available else f"not in {folder}: {get}"
        if kind.user_files:
            path: Path = self.arguments[0]
            return f"at {path}" if available else f"nothing that can be read at {path}"
        return "part of the installation" if self.files() else "computed when asked for"

    def load(self) -> "Dataset":
        """The data set as tensors. One process reads the same content once, and finds what any process has decoded.

        Raises:
            UsageError: the user's own files are not as they should be.
            DnnlabError: a file of a published data set is missing or broken.
        """
        digest, files = self._read()
        key = self, digest, files.layout
        if key not in _loaded:
            _loaded[key] = _load(self, digest, files)
            for oldest in [*_loaded][:-_MOST_LOADED]:
                _loaded.pop(oldest, None)
        return _loaded[key]


_once: ContextVar[dict[Source, tuple[str, Files]] | None] = ContextVar("_once", default=None)


@contextmanager
def read_once() -> Iterator[None]:
    """Read the files of each data set once meanwhile, however often it is asked for: all that is done here is done with
    the same content."""
    known = _once.get()
    token = _once.set({} if known is None else known)
    try:
        yield
    finally:
        _once.reset(token)


_MOST_LOADED = 4
_loaded: dict[tuple[Source, str, str], "Dataset"] = {}
"""The data sets that this process loaded last."""


def _load(source: Source, digest: str, files: Files) -> "Dataset":
    from dnnlab.data import decoded
    from dnnlab.data.dataset import assemble

    def decode() -> "Dataset":
        return assemble(source.name, digest, source.kind.read(*source.arguments))

    def decode_unchanged() -> tuple["Dataset", bool]:
        with noting() as noted:
            data = decode()
        return data, files.are(noted) and files.digest(source.kind_name, source._words, noted.contents) == digest

    if not files.take(decoded.LEAST):
        return decode()
    return decoded.found(source.name, digest, files.layout, decode_unchanged)


def source(text: str) -> Source:
    """The data set called ``text``, such as ``mnist``, ``folder:photos`` or ``parity:8``. Reads nothing.

    Raises:
        UsageError: nobody knows the name, or its arguments are not what that kind takes.
    """
    name, _, argument = text.partition(":")
    if name not in KINDS:
        if near := _kind_of_path(text):
            raise UsageError(
                f"unknown data set {text!r}: {near.user_files} is written {near.form.replace('PATH', text)}."
            )
        raise unknown("data set", name, KINDS)
    try:
        return Source(name, KINDS[name].parse(argument))
    except ValueError:
        raise UsageError(f"{text!r} names no data set: {KINDS[name].wants}.") from None


def _kind_of_path(path: str) -> Kind | None:
    """The kind of data set that ``path`` may be; of several kinds, the one whose files end like it."""
    kinds = [
        kind for kind in KINDS.values() if kind.user_files and (os.path.isfile if kind.endings else os.path.isdir)(path)
    ]
    return max(kinds, key=lambda kind: path.endswith(kind.endings), default=None)


def load(text: str) -> "Dataset":
    """``source(text).load()``.

    Raises:
        UsageError, DnnlabError: as `source` and `Source.load`.
    """
    return source(text).load()


def digests(names: Iterable[str]) -> dict[str, str]:
    """The `Source.digest` of each data set, by the name that it has in a run's content.

    Raises:
        UsageError, DnnlabError: as `source` and `Source.digest`.
    """
    return {f"{PREFIX}{name}": source(name).digest() for name in names}


def notes(names: Iterable[str]) -> list[str]:
    """Changes to the data sets that their owner may not expect; loads those that are not loaded yet."""
    return [note for name in names for note in load(name).notes]


class Entry(NamedTuple):
    """One line of the catalogue."""

    form: str
    """How the name is written."""
    about: str
    where: str
    """The place of the data, or how to get it."""


def forms() -> str:
    """How the names of all kinds of data sets are written, in short, as one would say it in a sentence."""
    return listing((kind.form.replace("[", "").replace("]", "") for kind in KINDS.values()), "or")


def catalogue() -> list[Entry]:
    """Every kind of data set, and the place of its data."""
    return [
        Entry(kind.form, kind.about, "your own files" if kind.user_files else Source(name).where())
        for name, kind in KINDS.items()
    ]
