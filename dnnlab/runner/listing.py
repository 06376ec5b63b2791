"""Lists for the terminal: of runs, and of data sets."""

import csv
import datetime
import io
import sys
import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from dnnlab import atomic
from dnnlab.errors import DnnlabError, UsageError, counted, listing, unknown
from dnnlab.runner import store
from dnnlab.runner.journal import Journal
from dnnlab.terminal import say, tell_rows

_LARGEST = 2**26
"""The most bytes of a summary of which the verdicts are counted."""
_LONGEST = 2
"""The most verdicts of a run that a terminal gets."""


Runs = Sequence[tuple[store.Folder, dict[str, Any] | None]]
"""Runs with their provenance, which is None where it is damaged."""


def show_runs(out: Path, where: Sequence[str] = ()) -> None:
    """All runs under ``out``, or those ``where`` options have certain values, the newest first: what each is called,
    its state or its verdicts, and how long ago that was.

    Raises:
        UsageError: an entry of ``where`` is no ``OPTION=VALUE``, or no run has such an option.
    """
    runs: Runs = [(folder, _record(folder)) for folder in store.every(out)]
    if where:
        runs = _that_have(runs, where)
    if runs:
        names = Counter((folder.path.parent.name, _short(folder, record)) for folder, record in runs)
        rows = [_row(folder, record, names) for folder, record in runs]
        tell_rows(["experiment", "run", "state", "cells", "when"], rows)
    else:
        say(f"no runs under {out} yet" if not where else f"no run under {out} has {listing(where)}")


def _record(folder: store.Folder) -> dict[str, Any] | None:
    """The provenance; None where it is damaged, since one damaged run does not hide the others."""
    try:
        return folder.read_provenance()
    except DnnlabError:
        return None


def _that_have(runs: Runs, where: Sequence[str]) -> Runs:
    """Those of ``runs`` that fit each ``OPTION=VALUE``; an option with several values fits by each."""
    values = [_values(folder, record) for folder, record in runs]
    names = {name for known in values for name in known}
    wanted = [_wanted(text, names) for text in where]
    return [
        run
        for run, known in zip(runs, values, strict=True)
        if all(any(_alike(value, each) for each in known.get(name, [])) for name, value in wanted)
    ]


def _wanted(text: str, names: Collection[str]) -> tuple[str, str]:
    """The option and the value in ``text``; an option that is not among ``names``, if there are any, is refused."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--where {text!r} must be OPTION=VALUE, such as --where act=sigmoid.")
    key = name.strip().removeprefix("--").replace("-", "_")
    if names and key not in names:
        raise unknown("option for --where", name, sorted(names))
    return key, value.strip()


def _alike(text: str, value: str) -> bool:
    """Whether ``text`` names ``value``: 1 is 1.0, and true is True."""
    try:
        return float(text) == float(value)
    except ValueError:
        return text.lower() == value.lower()


def _values(folder: store.Folder, record: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """The values of a run by which it can be found: of its options, its experiment and its state, and its verdicts."""
    if not record:
        return {}
    options = {
        name: [str(each) for each in (value if isinstance(value, list) else [value])]
        for name, value in record.get("options", {}).items()
    }
    own = {
        "experiment": [folder.path.parent.name],
        "state": [state(folder, record["state"])],
        "verdict": list(_verdicts(folder)),
    }
    return {**options, **own}


def _row(folder: store.Folder, record: Mapping[str, Any] | None, names: Counter[tuple[str, str]]) -> list[str]:
    experiment, full, short = folder.path.parent.name, folder.path.name, _short(folder, record)
    # Whoever reads on, such as a program, gets the name of the folder.
    name = short if sys.stdout.isatty() and names[experiment, short] == 1 else full
    if not record:
        return [experiment, name, "damaged" if record is None else "not begun", "", ""]
    word, session, cells = state(folder, record["state"]), record["sessions"][-1], str(record["cells"])
    most = _LONGEST if sys.stdout.isatty() else None
    if word == "finished" and (verdicts := _verdicts(folder)):
        said = [f"{n} {verdict}" for verdict, n in verdicts.most_common(most)]
        others = len(verdicts) - len(said)
        word = ", ".join([*said, *([counted(others, "other")] if others else [])])
    if word in ("running", "interrupted"):
        try:
            cells = f"{measured(folder, record)}/{cells}"
        except DnnlabError:  # a journal that does not fit into memory
            cells = f"?/{cells}"
    when = str(session["finished"] or session["started"])
    return [experiment, name, word, cells, ago(when) if sys.stdout.isatty() else when]


def _short(folder: store.Folder, record: Mapping[str, Any] | None) -> str:
    """The name of a run without its key."""
    return store.without_key(folder.path.name, record["key"]) if record else folder.path.name


def _verdicts(folder: store.Folder) -> Counter[str]:
    """How often each verdict stands in the run's summary; nothing where there is none yet, or it is damaged, which
    whoever shows the run is told."""
    file = folder.path / store.SUMMARY
    if not file.is_file():
        return Counter()
    try:
        text = atomic.read(file, _LARGEST).decode()
        return Counter(row["verdict"] for row in csv.DictReader(io.StringIO(text, newline="")) if row.get("verdict"))
    except (OSError, ValueError, csv.Error):
        return Counter()


def measured(folder: store.Folder, record: Mapping[str, Any]) -> int:
    """The number of cells that are in the run's journal, without those that failed."""
    with warnings.catch_warnings(action="ignore"):  # the last line may just be written
        done = Journal(folder.path / store.JOURNAL).read()
    return sum(len(numbers) for key, numbers in record["stacks"] if key in done and not done[key].error)


_UNITS = (("day", 86400), ("h", 3600), ("min", 60), ("s", 1))


def ago(when: str) -> str:
    """How long ago an ISO time was, in its largest unit: ``8 min ago``. What is no time stays as it is."""
    try:
        then = datetime.datetime.fromisoformat(when)
        passed = max(0, int((datetime.datetime.now().astimezone() - then).total_seconds()))
    except (ValueError, TypeError):  # a time that is not known, or has no zone
        return when
    name, seconds = next(((name, unit) for name, unit in _UNITS if passed >= unit), ("s", 1))
    count = passed // seconds
    return f"{counted(count, name) if name == 'day' else f'{count} {name}'} ago"


def state(folder: store.Folder, noted: str) -> str:
    """The state of a run whose provenance has the state ``noted``."""
    measured_now = noted == "running" and Journal(folder.path / store.JOURNAL).is_locked
    return noted if noted != "running" or measured_now else "interrupted"


def show_data() -> None:
    """Print the data sets: a description of each, and its place or how to get it."""
    from dnnlab.data import catalogue

    tell_rows(["name", "what it is", "here"], [list(map(str, entry)) for entry in catalogue()])
