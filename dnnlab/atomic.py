"""Files that are there whole or not at all, and files that one process changes at a time."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dnnlab import locks


def write(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` whole or not at all, as `write_parts` does."""
    write_parts(path, [content])


def write_parts(path: Path, parts: Iterable[bytes]) -> None:
    """Write ``parts`` so that ``path`` holds the old bytes or the new, whatever is killed or unplugged.

    Raises:
        OSError: the folder cannot be made or written to; ``path`` is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` survive a power cut: that of a new file is safe only then. Windows opens no folders,
    and leaves this to its file system."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def aside(path: Path) -> Path:
    """Move what lies at ``path`` to a free name beside it, such as ``ledger.changed.csv``, and give that name."""
    number = 1
    while os.path.lexists(free := path.with_suffix(f".changed{number if number > 1 else ''}{path.suffix}")):
        number += 1
    path.rename(free)
    return free


def make_way(path: Path) -> None:
    """Move a folder, a link or a device aside that lies where a file is to be written."""
    if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
        aside(path)


def read(path: Path, most: int) -> bytes:
    """The content of a file of at most ``most`` bytes.

    Raises:
        ValueError: it is larger, or no file, which could be read for ever.
        OSError: it cannot be read.
    """
    if not path.is_file():
        raise ValueError(f"{path} is no file.")
    if path.stat().st_size > most:
        raise ValueError(f"{path} has more than {most:,} bytes.")
    return path.read_bytes()


@contextmanager
def locked(file: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock ``file`` alone; a process that waits for it calls ``waiting`` before.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    while True:
        # It is opened to read and write, so that not even a named pipe in its place makes this wait. No process that
        # this one starts inherits it: `os.open` sees to that.
        lock = os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT), "r+b", buffering=0)
        if not locks.SYSTEM.take(lock.fileno()):
            if waiting is not None:
                waiting()
            locks.SYSTEM.wait(lock.fileno())
        # The process that held it has removed this file; another process can hold a new one by now.
        if _is_at(lock.fileno(), file):
            break
        lock.close()
    try:
        yield
    finally:
        if locks.SYSTEM.removes_open_files:
            file.unlink(missing_ok=True)
            lock.close()
        else:
            lock.close()
            # Another process has it open, and removes it in its turn; one that only looked leaves a file, not a lock.
            with suppress(PermissionError):
                file.unlink(missing_ok=True)


def is_held(file: Path) -> bool:
    """Whether another process holds the lock on ``file`` alone now. The look itself takes the lock for a moment."""
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return locks.SYSTEM.is_held(opened.fileno())


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one that lies at ``path``."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def sha256(file: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal, read in pieces."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
