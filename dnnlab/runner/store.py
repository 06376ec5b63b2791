"""The folders of runs: where they are, what they hold, how one is found again."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from dnnlab.errors import DnnlabError, UsageError, unknown
from dnnlab.report import atomic

SPEC, PROVENANCE, JOURNAL = "spec.toml", "provenance.json", "journal.jsonl"
CELLS, SUMMARY, FIGURES, PAGE = "cells.csv", "summary.csv", "figures", "report.html"
_SLUG_LENGTH = 40
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
        """Empty where the run has not begun.

        Raises:
            DnnlabError: the file was damaged.
        """
        file = self.path / PROVENANCE
        if not file.exists():
            return {}
        try:
            provenance = json.loads(file.read_bytes())
            whole = _is_provenance(provenance)
        except (ValueError, TypeError, KeyError, RecursionError):
            whole = False
        if not whole:
            raise DnnlabError(f"{file} is damaged; restore it, or measure anew with --fresh.")
        return provenance

    @property
    def begun(self) -> bool:
        """Whether anything has been written here."""
        return any((self.path / name).exists() for name in (PROVENANCE, JOURNAL))

    @property
    def has_tables(self) -> bool:
        """Whether all is there that the journal is needed for."""
        return all((self.path / name).exists() for name in (CELLS, SUMMARY, FIGURES, PAGE))

    def make(self) -> None:
        """Make it where it is not there.

        Raises:
            UsageError: that cannot be done.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise UsageError(f"cannot make the folder {self.path}: {problem.strerror}; take another --out.") from None

    def discard(self) -> None:
        """Remove it, and the folder of its experiment where that is now empty."""
        shutil.rmtree(self.path)
        if not any(self.path.parent.iterdir()):
            self.path.parent.rmdir()

    def write_provenance(self, provenance: Mapping[str, Any]) -> None:
        atomic.write(self.path / PROVENANCE, (json.dumps(provenance, indent=2) + "\n").encode())

    def write_spec(self, experiment: str, options: Mapping[str, Any]) -> None:
        """The spec as a recipe, so that ``dnnlab run FOLDER/spec.toml`` measures the same. Where it is there already
        nothing is written: a finished run can be shown from a disk that is read alone."""
        content = tomli_w.dumps({"experiment": experiment, "options": dict(options)}).encode()
        file = self.path / SPEC
        if not file.is_file() or file.read_bytes() != content:
            atomic.write(file, content)


def _is_provenance(record: Any) -> bool:
    """Whether ``record`` has what a run's provenance has.

    Raises:
        TypeError, KeyError, ValueError: it has not, by far.
    """
    return (
        all(isinstance(record[name], kind) for name, kind in _PROVENANCE_KINDS.items())
        and bool(record["sessions"])
        and all(isinstance(session[name], str) for session in record["sessions"] for name in ("command", "started"))
        and all("finished" in session for session in record["sessions"])
        and all(isinstance(n, int) for _, numbers in record["stacks"] for n in numbers)
    )


def slug(options: Mapping[str, Any]) -> str:
    """A folder name out of the options that were chosen: ``sigmoid-20``; a switch is there by its name."""
    named = [name if value is True else value for name, value in options.items()]
    values = [item for value in named for item in (value if isinstance(value, list) else [value])]
    text = "-".join(str(value).lower() for value in values)
    return re.sub(r"[^a-z0-9.+]+", "-", text)[:_SLUG_LENGTH].strip("-.") or "default"


def path_of(out: Path, experiment: str, name: str, key: str) -> Path:
    """Where the first run of its key goes."""
    return out / experiment / f"{name}-{key}"


def locate(out: Path, experiment: str, name: str, key: str, fresh: bool) -> Folder:
    """The folder of a run: the newest of its key, or with ``fresh`` one beside it.

    A fresh run that was interrupted goes on. The path is absolute, wherever a network of the user's may go.
    """
    first = path_of(out.absolute(), experiment, name, key)
    newest, number = first, 1
    while (following := first if number == 1 else first.with_name(f"{first.name}-{number}")).exists():
        newest, number = following, number + 1
    goes_on = newest != first and Folder(newest).read_provenance().get("state") == "running"
    return Folder(following if fresh and not goes_on else newest)


def every(out: Path) -> Iterator[Folder]:
    """All runs under ``out``, newest first.

    Raises:
        UsageError: it is no folder.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is no folder.")
    found = sorted(out.glob(f"*/*/{PROVENANCE}"), key=lambda file: file.stat().st_mtime, reverse=True)
    return (Folder(file.parent) for file in found)


def find(text: str, out: Path) -> Folder:
    """The run that ``text`` names: its folder, also as ``EXPERIMENT/NAME`` or by the ``spec.toml`` in it, or an
    unmistakable part of the folder's name.

    Raises:
        UsageError: none or several fit.
    """
    for path in (Path(text), out / text, Path(text).parent if Path(text).name == SPEC else Path(text)):
        if (path / SPEC).is_file():
            return Folder(path)
    runs = list(every(out))
    fitting = [run for run in runs if text == run.path.name] or [run for run in runs if text in run.path.name]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = [*(run.path.name for run in fitting[:4]), *("…" for _ in fitting[4:5])]
        raise UsageError(f"{text!r} fits {len(fitting)} runs ({', '.join(names)}); give more of the name.")
    if not runs:
        raise UsageError(f"there is no run {text!r}: nothing has been run under {out} yet.")
    raise unknown("run", text, [run.path.name for run in runs])
