"""Lists for the terminal: the runs there are, the data there are."""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dnnlab.errors import DnnlabError
from dnnlab.runner import store
from dnnlab.runner.journal import Journal


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _print(table: Table) -> None:
    """In full, whether or not stdout is a terminal."""
    width = None if sys.stdout.isatty() else 400
    Console(width=width, soft_wrap=not sys.stdout.isatty()).print(table)


def show_runs(out: Path) -> None:
    """All runs under ``out``: experiment, name, state, cells and when it began."""
    table = _table("experiment", "run", "state", "cells", "started")
    for folder in store.every(out):
        experiment, run = folder.path.parent.name, folder.path.name
        try:
            record = folder.read_provenance()
        except DnnlabError:  # one damaged run does not hide the others
            table.add_row(experiment, run, "damaged", "", "")
            continue
        state = record["state"]
        if state == "running" and not Journal(folder.path / store.JOURNAL).held:
            state = "interrupted"
        table.add_row(experiment, run, state, str(record["cells"]), record["sessions"][0]["started"])
    if table.row_count:
        _print(table)
    else:
        print(f"no runs under {out} yet", file=sys.stderr)


def show_data() -> None:
    """The data sets: what each is, and where it is or how to get it."""
    from dnnlab.data import catalogue

    table = _table("name", "what it is", "here")
    for entry in catalogue():
        table.add_row(*map(str, entry))
    _print(table)
