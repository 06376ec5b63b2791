"""Lists for the terminal: of runs, and of data sets."""

from pathlib import Path

from dnnlab.errors import DnnlabError
from dnnlab.runner import store
from dnnlab.runner.journal import Journal
from dnnlab.terminal import say, tell_rows


def show_runs(out: Path) -> None:
    """All runs under ``out``: experiment, name, state, cells and when it began."""
    rows = [_run(folder) for folder in store.every(out)]
    if rows:
        tell_rows(["experiment", "run", "state", "cells", "started"], rows)
    else:
        say(f"no runs under {out} yet")


def _run(folder: store.Folder) -> list[str]:
    experiment, run = folder.path.parent.name, folder.path.name
    try:
        record = folder.read_provenance()
    except DnnlabError:  # one damaged run does not hide the others
        return [experiment, run, "damaged", "", ""]
    if not record:
        return [experiment, run, "not begun", "", ""]
    return [experiment, run, state(folder, record["state"]), str(record["cells"]), record["sessions"][0]["started"]]


def state(folder: store.Folder, noted: str) -> str:
    """The state of a run whose provenance has the state ``noted``."""
    measured_now = noted == "running" and Journal(folder.path / store.JOURNAL).is_locked
    return noted if noted != "running" or measured_now else "interrupted"


def show_data() -> None:
    """Print the data sets: a description of each, and its place or how to get it."""
    from dnnlab.data import catalogue

    tell_rows(["name", "what it is", "here"], [list(map(str, entry)) for entry in catalogue()])
