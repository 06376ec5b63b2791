"""Files that may be missing, unreadable or broken: each case is one sentence that says what mends it."""

import gzip
import hashlib
import itertools
import os
import stat
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, cast

import platformdirs

from dnnlab import memory
from dnnlab.errors import DnnlabError
from dnnlab.memory import size_text

CHUNK = 1 << 20  # bytes read at a time


@dataclass
class Noted:
    """What was read while `noting`."""

    contents: dict[Path, str] = field(default_factory=dict)
    """The SHA-256 of each content that `DataFile.content` gave."""
    layouts: set[str] = field(default_factory=set)
    """The layouts of all `Files` that were found."""


_noted: ContextVar[Noted | None] = ContextVar("_noted", default=None)


def data_root() -> Path:
    """The folder that holds downloaded data: ``$DNNLAB_DATA``, or dnnlab's place in the user's cache."""
    named = os.environ.get("DNNLAB_DATA")
    return at_home(Path(named)) if named else platformdirs.user_cache_path("dnnlab")


def decoded_folder() -> Path:
    """The folder in the user's cache that holds decoded data. It is never shared: all that is there can be removed."""
    return platformdirs.user_cache_path("dnnlab") / "decoded"


def at_home(path: Path) -> Path:
    """``path`` with ``~`` replaced, or as it is where there is no such user: `Path.expanduser` would raise."""
    return Path(os.path.expanduser(path))


@dataclass(frozen=True)
class DataFile:
    """One file of a data set; a name that ends in ``.gz`` is read unpacked."""

    path: Path
    remedy: str
    """What to do when it is missing or broken; ends the sentence of every `problem`."""
    error: type[DnnlabError] = DnnlabError
    limit: int | None = None
    """The largest plausible content in bytes; nothing is unpacked past it."""
    because: str = "which it never should"
    """Why it may not be larger; ends the sentence that says so."""

    def problem(self, what: str) -> DnnlabError:
        """The error for this file: ``what`` is wrong with it, as in ``is cut short``."""
        return self.error(f"{self.path} {what}; {self.remedy}.")

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The content as a stream.

        Raises:
            DnnlabError: the file is missing, is no file, may not be read, or does not unpack.
        """
        packed = self.path.suffix == ".gz"
        try:
            # Opening a pipe or a device could wait for ever.
            if not stat.S_ISREG(os.stat(self.path).st_mode):
                raise self.problem("is no regular file")
            with gzip.open(self.path) if packed else open(self.path, "rb") as stream:  # quicker than those of a Path
                yield cast(BinaryIO, stream)
        except FileNotFoundError:
            problem = self.problem("is missing")
            problem.lacking = True
            raise problem from None
        except PermissionError:
            raise self.problem("may not be read by this user") from None
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise self.problem(f"does not unpack ({error})") from None
        except OSError as error:
            raise self.problem(f"cannot be read ({error.strerror})") from None

    def chunks(self, end: int | None = None) -> Iterator[bytes]:
        """The content in pieces of at most `CHUNK` bytes, up to byte ``end`` when that is given.

        Raises:
            DnnlabError: as `open`, or the content is larger than the file's ``limit``.
        """
        count = 0
        with self.open() as stream:
            # A file with holes can be larger than the disk, and would be read for hours.
            if self.limit is not None and self.path.suffix != ".gz":
                self._require_small(self.size())
            while piece := stream.read(CHUNK if end is None else min(CHUNK, end - count)):
                count += len(piece)
                self._require_small(count)
                yield piece

    def content(self) -> bytes:
        """The whole content. Its SHA-256 is noted where `noting` asks for it.

        Raises:
            DnnlabError: as `chunks`, or it is more than the memory holds.
        """
        with self.open() as stream:
            if (size := self.size()) > 64 * CHUNK:
                memory.require(size, str(self.path))
            content = stream.read(-1 if self.limit is None else self.limit + 1)
        self._require_small(len(content))
        noted = _noted.get()
        if noted is not None:
            noted.contents[self.path] = hashlib.sha256(content).hexdigest()
        return content

    def size(self) -> int:
        """Its bytes as it lies there, packed or not.

        Raises:
            DnnlabError: it is missing.
        """
        try:
            return os.stat(self.path).st_size
        except OSError as error:
            raise self.problem(f"cannot be read ({error.strerror})") from None

    def _require_small(self, size: int) -> None:
        if self.limit is not None and size > self.limit:
            raise self.problem(f"holds more than {size_text(self.limit)}, {self.because}")

    def sha256(self) -> str:
        """The SHA-256 of the unpacked content, in hex: the same data packed otherwise has the same one."""
        digest = hashlib.sha256()
        for piece in self.chunks():
            digest.update(piece)
        return digest.hexdigest()


@contextmanager
def noting() -> Iterator[Noted]:
    """Note what is read meanwhile: it is known then what was decoded, even where files change at the same time."""
    noted = Noted()
    token = _noted.set(noted)
    try:
        yield noted
    finally:
        _noted.reset(token)


class Files(dict[str, DataFile]):
    """The files of a data set, by a name that does not depend on the folder."""

    def __init__(self, files: Mapping[str, DataFile], layout: str = "") -> None:
        super().__init__(files)
        self.layout = layout
        """What decides the decoded data beside names and contents of the files, such as how many were left out."""
        if (noted := _noted.get()) is not None:
            noted.layouts.add(layout)

    def digest(self, kind: str, words: str, known: Mapping[Path, str] = MappingProxyType({})) -> str:
        """SHA-256 of the names and contents of all files of a data set of this ``kind``, or of ``words`` if it has
        none; ``known`` has the SHA-256 of files by path that need not be read again.

        Raises:
            DnnlabError: a file is missing or unreadable.
        """
        lines = [f"{label}\0{known.get(self[label].path) or self[label].sha256()}" for label in sorted(self)] or [words]
        return hashlib.sha256("\n".join([kind, *lines]).encode("utf-8", "surrogateescape")).hexdigest()

    def are(self, noted: Noted) -> bool:
        """Whether they were found in the same layout, and no others were read, nor less than all."""
        paths = {file.path for file in self.values()}
        return noted.layouts <= {self.layout} and (not noted.contents or noted.contents.keys() == paths)

    def take(self, size: int) -> bool:
        """Whether all files together take at least ``size`` bytes as they lie there, packed or not.

        Raises:
            DnnlabError: a file is missing.
        """
        return any(total >= size for total in itertools.accumulate(file.size() for file in self.values()))
