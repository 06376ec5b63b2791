"""Removing runs, and what no run needs any more. Nothing goes before it was listed with its size."""

import fcntl
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dnnlab.errors import UsageError
from dnnlab.memory import written
from dnnlab.runner import store
from dnnlab.runner.journal import Journal
from dnnlab.runner.place import CHECKPOINTS, used
from dnnlab.terminal import say, tell_rows

_ABANDONED = 3600.0
"""Seconds after which a temporary file is no longer being written."""
_GOING = ".removed"
"""The ending of a folder that is being removed; what a kill leaves of it is no run."""


@dataclass(frozen=True)
class Item:
    """A file or folder that can go."""

    path: Path
    why: str

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        files = self.path.rglob("*") if self.path.is_dir() else [self.path]
        return sum(file.lstat().st_size for file in files if file.is_file() or file.is_symlink())


def runs(names: Sequence[str], out: Path) -> list[Item]:
    """The folders of the runs that ``names`` name.

    Raises:
        UsageError: a name fits no run or several, another run starts from files of this one, or it is being measured.
    """
    folders = [store.find(name, out) for name in names]
    for folder in folders:
        if Journal(folder.path / store.JOURNAL).held:
            raise UsageError(f"{folder.path} is being measured; stop that first.")
        if others := [other for other in store.every(out) if other not in folders and _mentions(other, folder)]:
            raise UsageError(f"{others[0].path} starts from files of {folder.path}; remove that run first.")
    return [Item(folder.path, "named") for folder in dict.fromkeys(folders)]


def _mentions(other: store.Folder, folder: store.Folder) -> bool:
    """Whether the options of ``other`` name a file in ``folder``."""
    spec = other.path / store.SPEC
    inside = f"{folder.path.parent.name}/{folder.path.name}/"
    return spec.exists() and inside in spec.read_text(encoding="utf-8", errors="replace")


def leftovers(out: Path) -> list[Item]:
    """What no run under ``out`` needs: checkpoints that no run starts from, and what kills left behind."""
    return [*_checkpoints(out), *_temporary(out)]


def _checkpoints(out: Path) -> Iterator[Item]:
    needed = {name for folder in store.every(out) for name in used(folder.path)}
    for file in sorted((out / CHECKPOINTS).glob("*")):
        if file.suffix == ".lock":
            if not _held(file):
                yield Item(file, "a lock that nobody holds")
        elif file.name not in needed and not _held(file.with_suffix(".lock")):
            yield Item(file, "a checkpoint that no run starts from")


def _held(lock: Path) -> bool:
    """Whether a process holds the lock now."""
    if not lock.exists():
        return False
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _temporary(out: Path) -> Iterator[Item]:
    for depth in ("", "*/", "*/*/", "*/*/*/"):
        for path in sorted(out.glob(f"{depth}.*")):
            if path.name.endswith(_GOING):
                yield Item(path, "a run that was being removed")
            elif path.suffix == ".tmp" and time.time() - path.lstat().st_mtime > _ABANDONED:
                yield Item(path, "a file that was being written")


def remove(items: Sequence[Item], consent: bool) -> None:
    """List the ``items`` with their sizes, and remove them with ``consent``, or when the terminal's answer is yes.

    Raises:
        DnnlabError: a run is being measured by now.
    """
    if not items:
        say("nothing to remove")
        return
    tell_rows(["what", "size", "why"], [[str(item.path), written(item.size), item.why] for item in items])
    total = written(sum(item.size for item in items))
    if not (consent or _agreed(f"remove {total}?")):
        say(f"nothing was removed; --yes removes {total}")
        return
    for item in items:
        _remove(item.path)
    say(f"removed {total}")


def _agreed(question: str) -> bool:
    import typer

    return sys.stdin is not None and sys.stdin.isatty() and typer.confirm(question, err=True)


def _remove(path: Path) -> None:
    """Remove a file, or the folder of a run while nobody else can measure it."""
    if path.name.endswith(_GOING):
        shutil.rmtree(path)
    elif not path.is_dir():
        path.unlink(missing_ok=True)
    elif (path / store.JOURNAL).exists():
        with Journal(path / store.JOURNAL).writing():
            _remove_folder(path)
    else:
        _remove_folder(path)


def _remove_folder(path: Path) -> None:
    # Under another name first: what a kill leaves of it does not look like a run.
    going = path.with_name(f".{path.name}{_GOING}")
    if going.exists():
        shutil.rmtree(going)
    path.rename(going)
    shutil.rmtree(going)
    if not any(path.parent.iterdir()):
        path.parent.rmdir()
