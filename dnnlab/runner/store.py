"""The folders of runs: their names, their content, and how one is found again."""

import glob
import json
import math
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from dnnlab import atomic
from dnnlab.errors import DnnlabError, UsageError, short, unknown
from dnnlab.runner.options import non_default
from dnnlab.runner.place import ARTIFACTS
from dnnlab.runner.provenance import digest
from dnnlab.terminal import say

PUBLISHED = "reference"
"""The folder of published results, beside those of the experiments."""
SPEC, PROVENANCE, JOURNAL = "spec.toml", "provenance.json", "journal.jsonl"
CELLS, SUMMARY, FIGURES, PAGE = "cells.csv", "summary.csv", "figures", "report.html"
_LARGEST = 2**28
"""The most bytes of a provenance; that of a run of a million cells has some 20 MB."""
_CHECKSUM = "checksum"
"""The entry of the provenance that holds the digest of all others."""
_SLUG_LENGTH = 40
_KEY = re.compile(r"-[0-9a-f]{10}(-\d+)?$")
"""The end of a folder's name: the key of its run, and the number of a fresh one."""
_LONGEST_PATH = 4096
_PROVENANCE_KINDS = {
    **dict.fromkeys(("experiment", "key", "state"), str),
    **dict.fromkeys(("content", "versions", "machine", "git"), dict),
    **dict.fromkeys(("sessions", "stacks"), list),
    "cells": int,
}


@dataclass(frozen=True)
class Folder:
    """One run's folder."""

    path: Path

    def read_provenance(self) -> dict[str, Any]:
        """The provenance of the run; empty where the run has not begun.

        Raises:
            DnnlabError: the file was damaged.
        """
        file = self.path / PROVENANCE
        if not os.path.lexists(file):
            return {}
        try:
            provenance = json.loads(atomic.read(file, _LARGEST))
            # The first version wrote no checksum.
            whole = provenance.pop(_CHECKSUM, None) in (None, digest(provenance)) and _is_provenance(provenance)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            whole = False
        if not whole:
            raise DnnlabError(f"{file} is damaged; the command of its run makes it anew, and measures nothing twice.")
        return provenance

    @property
    def begun(self) -> bool:
        """Whether anything of the run has been written here."""
        return any((self.path / name).exists() for name in (PROVENANCE, JOURNAL))

    def files(self, drawn: bool = True) -> list[Path]:
        """Tables, artefacts, and what is ``drawn``, page and figures, of the run that exist and are files."""
        pictures = [self.path / PAGE, *sorted((self.path / FIGURES).glob("*"))] if drawn else []
        files = [self.path / CELLS, self.path / SUMMARY, *pictures, *sorted((self.path / ARTIFACTS).rglob("*"))]
        return [file for file in files if file.is_file()]

    def checksums(self, drawn: bool = True) -> dict[str, str]:
        """The size and SHA-256 of each of its `files`, by its path in this folder."""
        return {file.relative_to(self.path).as_posix(): _checksum(file) for file in self.files(drawn)}

    def changed(self, record: Mapping[str, Any]) -> list[str]:
        """The files that are missing, or differ from those that the run of ``record`` wrote."""
        return [name for name, checksum in record.get("files", {}).items() if not _is_as(self.path / name, checksum)]

    def make_way(self) -> None:
        """Move aside everything in the place of a table, the page or the figures that is not one."""
        for name in (CELLS, SUMMARY, PAGE):
            atomic.make_way(self.path / name)
        figures = self.path / FIGURES
        if os.path.lexists(figures) and (figures.is_symlink() or not figures.is_dir()):
            atomic.aside(figures)

    def make(self) -> None:
        """Make the folder if it does not exist.

        Raises:
            UsageError: that cannot be done.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise UsageError(f"cannot make the folder {self.path}: {problem.strerror}; take another --out.") from None

    def discard(self) -> None:
        """Remove the folder, and that of its experiment where it is now empty."""
        shutil.rmtree(self.path)
        if not any(self.path.parent.iterdir()):
            self.path.parent.rmdir()

    def write_provenance(self, provenance: Mapping[str, Any]) -> None:
        """Write the provenance with a checksum: it decides which line of the journal belongs to which cell."""
        checked = {**provenance, _CHECKSUM: digest(provenance)}
        atomic.make_way(self.path / PROVENANCE)
        atomic.write(self.path / PROVENANCE, (json.dumps(checked, indent=2) + "\n").encode())

    def write_spec(self, experiment: str, options: Mapping[str, Any]) -> str:
        """The spec as a recipe, so that ``dnnlab run FOLDER/spec.toml`` measures the same. Where it is there already
        nothing is written: a finished run can be shown from a disk that is read alone.

        Returns:
            Where what somebody else wrote there is kept, if there was any such thing.
        """
        content = tomli_w.dumps({"experiment": experiment, "options": dict(options)}).encode()
        file = self.path / SPEC
        if file.is_file() and file.stat().st_size == len(content) and file.read_bytes() == content:
            return ""
        moved = str(atomic.aside(file)) if os.path.lexists(file) else ""
        atomic.write(file, content)
        return moved


def _checksum(file: Path) -> str:
    return f"{file.stat().st_size} {atomic.sha256(file)}"


def _is_as(file: Path, checksum: str) -> bool:
    """Whether ``file`` has the checksum ``checksum``; a file of another size is not read."""
    size, _, _ = checksum.partition(" ")
    return file.is_file() and str(file.stat().st_size) == size and _checksum(file) == checksum


def _is_provenance(record: Any) -> bool:
    """Whether ``record`` has the entries of a run's provenance.

    Raises:
        TypeError, KeyError, ValueError: it has not, by far.
    """
    return (
        all(isinstance(record[name], kind) for name, kind in _PROVENANCE_KINDS.items())
        and bool(record["sessions"])
        and all(isinstance(session[name], str) for session in record["sessions"] for name in ("command", "started"))
        and all("finished" in session for session in record["sessions"])
        and all(isinstance(n, int) for _, numbers in record["stacks"] for n in numbers)
        and all(isinstance(record.get(name, {}), dict) for name in ("options", "files"))
    )


def slug(options: Mapping[str, Any]) -> str:
    """A folder's name made of the options that are not defaults: ``sigmoid-20``; a switch is there by its name, and a
    list that would make it too long by the number of its values: ``4-lr``."""
    text = _joined(options, longest=math.inf)
    text = text if len(text) <= _SLUG_LENGTH else _joined(options, longest=2)
    return text[:_SLUG_LENGTH].strip("-.") or "default"


def _joined(options: Mapping[str, Any], longest: float) -> str:
    words: list[str] = []
    for name, value in options.items():
        several = value if isinstance(value, list) else [name if value is True else value]
        words += several if len(several) <= longest else [f"{len(several)}-{name}"]
    return re.sub(r"[^a-z0-9.+]+", "-", "-".join(str(word).lower() for word in words)).strip("-.")


def called(recipe: Path) -> str:
    """The name of a run of a ``recipe``: that of its file. Empty for the ``spec.toml`` of another run, and for a name
    in which no letter can be in that of a folder; such runs are called after their options."""
    return "" if recipe.name == SPEC else _joined({"recipe": recipe.stem}, longest=math.inf)[:_SLUG_LENGTH].strip("-.")


def name_for(out: Path, experiment: str, key: str, spec: Any, given: str = "", called: str = "") -> str:
    """`name_of` a run of ``spec``, which without a name is ``called`` so, or after its options."""
    return name_of(out, experiment, key, given, called or slug(non_default(spec)))


def name_of(out: Path, experiment: str, key: str, given: str, otherwise: str) -> str:
    """The name of a run's folder, before its key: the one ``given``; else that of a run of this key which is there,
    whatever it is called; else ``otherwise``. A finished run comes before one that is not, then one that is called
    ``otherwise``, then the newest."""
    if given:
        return given
    there = [path for path in (out / experiment).glob(f"[!.]*-{key}*") if _is_run(path, key)]
    names = {without_key(path.name, key) for path in there}
    if len(names) < 2:
        return next(iter(names), otherwise)

    def rank(path: Path) -> tuple[bool, bool, float]:
        return _state(Folder(path)) == "finished", without_key(path.name, key) == otherwise, _age(path)

    return without_key(max(there, key=rank).name, key)


def _is_run(path: Path, key: str) -> bool:
    return without_key(path.name, key) != path.name and any((path / name).is_file() for name in (JOURNAL, SPEC))


def _state(folder: Folder) -> str:
    """The state that the provenance notes; empty where there is none, or it is damaged."""
    try:
        return str(folder.read_provenance().get("state", ""))
    except DnnlabError:
        return ""


def without_key(name: str, key: str) -> str:
    """The name of a run's folder without its ``key``, and without the number that a fresh run has behind it."""
    return re.sub(rf"(?<=.)-{re.escape(key)}(-\d+)?$", "", name)


def path_of(out: Path, experiment: str, name: str, key: str) -> Path:
    """The folder of the first run with a key."""
    return out / experiment / f"{name}-{key}"


def locate(out: Path, experiment: str, name: str, key: str, fresh: bool) -> Folder:
    """The folder of a run: the newest of its key, or with ``fresh`` one beside it.

    A fresh run that was interrupted goes on, as does one whose provenance is damaged. The path is absolute, wherever a
    network of the user's may go.
    """
    first = path_of(out.absolute(), experiment, name, key)
    numbered = re.compile(rf"{re.escape(first.name)}-(\d+)")
    numbers = [
        int(found[1])
        for path in first.parent.glob(f"{glob.escape(first.name)}-*")
        if (found := numbered.fullmatch(path.name))
    ]
    there = [*([1] if os.path.lexists(first) else []), *numbers]
    newest, following = (_numbered(first, number) for number in (max(there, default=1), max(there, default=0) + 1))
    goes_on = newest != first and _goes_on(Folder(newest))
    return Folder(following if fresh and not goes_on else newest)


def _numbered(first: Path, number: int) -> Path:
    return first if number == 1 else first.with_name(f"{first.name}-{number}")


def _goes_on(folder: Folder) -> bool:
    """Whether its run was interrupted, or may have been."""
    try:
        record = folder.read_provenance()
    except DnnlabError:
        return True
    return record["state"] == "running" if record else folder.begun


def every(out: Path) -> Iterator[Folder]:
    """All runs under ``out``, newest first.

    Raises:
        UsageError: it is no folder.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is no folder.")
    # Other things with a provenance, such as a published ledger, are no runs, nor is what is published beside it.
    files = (file for name in (JOURNAL, SPEC) for file in out.glob(f"[!.]*/[!.]*/{name}"))
    folders = {file.parent for file in files if file.parent.parent.name != PUBLISHED}
    return (Folder(path) for path in sorted(folders, key=_age, reverse=True))


def _age(path: Path) -> float:
    """The time at which something of the run in ``path`` was last measured; what is shown again is no newer for it."""
    times = [file.stat().st_mtime for name in (JOURNAL, PROVENANCE, SPEC) if (file := path / name).exists()]
    return times[0] if times else 0.0


def find(text: str, out: Path, newest: bool = False) -> Folder:
    """The run that ``text`` names: its folder, also as ``EXPERIMENT/NAME`` or by the ``spec.toml`` in it, or an
    unmistakable part of the folder's name. With ``newest``, of several that fit the newest, and that is said.

    Raises:
        UsageError: none fits, or several and not the ``newest`` is meant.
    """
    if not text or len(text) > _LONGEST_PATH:
        raise UsageError(f"there is no run {short(text)!r}; dnnlab runs lists those under --out.")
    for path in (Path(text), out / text, Path(text).parent if Path(text).name == SPEC else Path(text)):
        if any(os.path.isfile(path / name) for name in (SPEC, JOURNAL)):
            return Folder(path)
    runs = list(every(out))
    named = [(run, run.path.name, _KEY.sub("", run.path.name)) for run in runs]
    fitting = (
        [run for run, full, short in named if text in (full, short)]
        or [run for run, _, short in named if text in short]
        or [run for run, full, _ in named if text in full]
    )
    if len(fitting) == 1:
        return fitting[0]
    if fitting and newest:
        say(f"{text!r} fits {len(fitting)} runs; this is the newest, {fitting[0].path.name}")
        return fitting[0]
    if fitting:
        names = [*(run.path.name for run in fitting[:4]), *("…" for _ in fitting[4:5])]
        raise UsageError(f"{text!r} fits {len(fitting)} runs ({', '.join(names)}); give more of the name.")
    if not runs:
        raise UsageError(f"there is no run {text!r}: nothing has been run under {out} yet.")
    raise unknown("run", text, [run.path.name for run in runs])
