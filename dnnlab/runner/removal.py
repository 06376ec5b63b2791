"""Removes runs, and files that no run needs any more. Everything is listed with its size before it is removed."""

import re
import shutil
import sys
import time
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dnnlab import atomic
from dnnlab.data.files import decoded_folder
from dnnlab.errors import DnnlabError, UsageError
from dnnlab.memory import size_text
from dnnlab.runner import recipe, store
from dnnlab.runner.journal import Journal
from dnnlab.runner.place import CHECKPOINTS, used
from dnnlab.terminal import say, tell_rows

_ABANDONED = 3600.0
"""Seconds after which a temporary file counts as abandoned."""
_TEMPORARY = re.compile(r"\..+\.\d+\.tmp")
"""The pattern of the names of files that are being written: see `atomic.write_parts`."""
_GOING = ".removed"
"""The ending of a folder that is being removed. A folder that is left after a kill is no run."""


@dataclass(frozen=True)
class Item:
    """A file or folder that can go."""

    path: Path
    why: str

    @property
    def size(self) -> int:
        """Its size on the disk in bytes."""
        files = self.path.rglob("*") if self.path.is_dir() else [self.path]
        return sum(file.lstat().st_size for file in files if file.is_file() or file.is_symlink())


def runs(names: Sequence[str], out: Path) -> list[Item]:
    """The folders of the runs that ``names`` name.

    Raises:
        UsageError: a name fits no run or several, what it fits lies outside ``out`` or is a link, another run starts
            from files of this one, or it is being measured.
    """
    folders = list(dict.fromkeys(store.Folder(_inside(store.find(name, out).path, out)) for name in names))
    for folder in folders:
        if Journal(folder.path / store.JOURNAL).is_locked:
            raise UsageError(f"{folder.path} is being measured; stop that first.")
        if others := [other for other in store.every(out) if other not in folders and _starts_from(other, folder)]:
            raise UsageError(f"{others[0].path} starts from files of {folder.path}; remove that run first.")
    return [Item(folder.path, "named") for folder in folders]


def _inside(path: Path, out: Path) -> Path:
    """``path`` as ``OUT/EXPERIMENT/RUN``: nothing else is a run of this root.

    Raises:
        UsageError: it is no such folder.
    """
    root, real = out.resolve(), path.resolve()
    where = out / real.parent.name / real.name
    if real.parents[1:2] != (root,) or where.is_symlink() or where.parent.is_symlink():
        raise UsageError(f"{path} is no run in {out}; only its runs can be removed, as --rm NAME.")
    return where


def _starts_from(other: store.Folder, folder: store.Folder) -> bool:
    """Whether an option of ``other`` names a file in ``folder``; relative paths start where ``other`` was started."""
    try:
        record = other.read_provenance()
        options = record.get("options") or recipe.read(other.path / store.SPEC).options
    except DnnlabError:  # its options are not known
        return False
    values = [item for value in options.values() for item in (value if isinstance(value, list) else [value])]
    texts = [value for value in values if isinstance(value, str)]
    start, real = Path(record.get("cwd", ".")), folder.path.resolve()
    return any(_leads_into(start / text, real) for text in texts)


def _leads_into(path: Path, folder: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder)
    except (OSError, ValueError):  # the option's text is no path
        return False


def leftovers(out: Path) -> list[Item]:
    """What no run under ``out`` needs: checkpoints that no run starts from, decoded data in the user's cache, and what
    kills left behind. Links are not followed, and files that dnnlab does not write stay."""
    return [*_checkpoints(out), *_temporary(out), *_decoded()]


def _checkpoints(out: Path) -> Iterator[Item]:
    needed = {name for folder in store.every(out) for name in used(folder.path)}
    return _tensor_files(out / CHECKPOINTS, needed, "a checkpoint that no run starts from")


def _decoded() -> Iterator[Item]:
    yield from _tensor_files(decoded_folder(), set(), "decoded data, which are decoded again when they are asked for")
    yield from _abandoned([decoded_folder()])


def _tensor_files(folder: Path, needed: Container[str], why: str) -> Iterator[Item]:
    for file in _entries(folder):
        if file.is_symlink() or not file.is_file() or atomic.is_held(file.with_suffix(".lock")):
            continue
        if file.suffix == ".lock":
            yield Item(file, "a lock that nobody holds")
        elif file.suffix == ".safetensors" and file.name not in needed:
            yield Item(file, why)


def _temporary(out: Path) -> Iterator[Item]:
    folders = [out, *(below for below in _entries(out) if below.is_dir())]
    folders += [run for experiment in folders[1:] for run in _entries(experiment) if run.is_dir()]
    yield from _abandoned(folders)


def _abandoned(folders: Sequence[Path]) -> Iterator[Item]:
    for path in (path for folder in folders for path in _entries(folder)):
        if path.is_symlink():
            continue
        if path.is_dir() and path.name.startswith(".") and path.name.endswith(_GOING):
            yield Item(path, "a run that was being removed")
        elif path.is_file() and _TEMPORARY.fullmatch(path.name) and time.time() - path.stat().st_mtime > _ABANDONED:
            yield Item(path, "a file that was being written")


def _entries(folder: Path) -> list[Path]:
    """The entries of ``folder``; none where it is no folder or a link to one."""
    return sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []


def remove(items: Sequence[Item], consent: bool) -> None:
    """List the ``items`` with their sizes, and remove them with ``consent``, or when the terminal's answer is yes.

    Raises:
        BusyError: a run is being measured by now.
    """
    if not items:
        say("nothing to remove")
        return
    tell_rows(["what", "size", "why"], [[str(item.path), size_text(item.size), item.why] for item in items])
    total = size_text(sum(item.size for item in items))
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
    """Remove a file, or the folder of a run while no other process can measure it."""
    if path.name.endswith(_GOING):
        shutil.rmtree(path)
    elif not path.is_dir():
        path.unlink(missing_ok=True)
    elif (path / store.JOURNAL).is_file() and not (path / store.JOURNAL).is_symlink():
        with Journal(path / store.JOURNAL).writing() as writer:
            writer.remove(lambda: _remove_folder(path))
    else:
        _remove_folder(path)


def _remove_folder(path: Path) -> None:
    # The folder is renamed first, so that what a kill leaves of it does not look like a run.
    going = path.with_name(f".{path.name}{_GOING}")
    if going.exists():
        shutil.rmtree(going)
    path.rename(going)
    shutil.rmtree(going)
    if not any(path.parent.iterdir()):
        path.parent.rmdir()
