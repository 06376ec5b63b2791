"""Files that may be missing, unreadable or broken: each case is one sentence that says what mends it."""

import gzip
import hashlib
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import platformdirs

from dnnlab.errors import DnnlabError
from dnnlab.memory import size_text

CHUNK = 1 << 20  # bytes read at a time


def data_root() -> Path:
    """The folder that holds downloaded data: ``$DNNLAB_DATA``, or dnnlab's place in the user's cache."""
    named = os.environ.get("DNNLAB_DATA")
    return at_home(Path(named)) if named else platformdirs.user_cache_path("dnnlab")


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
            if not stat.S_ISREG(self.path.stat().st_mode):
                raise self.problem("is no regular file")
            with gzip.open(self.path) if packed else self.path.open("rb") as stream:
                yield cast(BinaryIO, stream)
        except FileNotFoundError:
            raise self.problem("is missing") from None
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
            if self.path.suffix != ".gz":  # a file with holes can be larger than the disk, and would be read for hours
                self._require_small(self.path.stat().st_size)
            while piece := stream.read(CHUNK if end is None else min(CHUNK, end - count)):
                count += len(piece)
                self._require_small(count)
                yield piece

    def _require_small(self, size: int) -> None:
        if self.limit is not None and size > self.limit:
            raise self.problem(f"holds more than {size_text(self.limit)}, {self.because}")

    def sha256(self) -> str:
        """The SHA-256 of the unpacked content, in hex: the same data packed otherwise has the same one."""
        digest = hashlib.sha256()
        for piece in self.chunks():
            digest.update(piece)
        return digest.hexdigest()
