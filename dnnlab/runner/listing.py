"""Lists for the terminal: the runs there are, the data there are."""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dnnlab.runner import store


def _print(table: Table) -> None:
    """In full, whether or not stdout is a terminal."""
    width = None if sys.stdout.isatty() else 400
    Console(width=width, soft_wrap=not sys.stdout.isatty()).print(table)


def show_runs(out: Path) -> None:
    """All runs under ``out``: experiment, name, state, cells and when it began."""
    table = Table("experiment", "run", "state", "cells", "started", box=None, pad_edge=False)
    for folder in store.every(out):
        record = folder.read_provenance()
        started = record["sessions"][0]["started"]
        table.add_row(record["experiment"], folder.path.name, record["state"], str(record["cells"]), started)
    if table.row_count:
        _print(table)
    else:
        print(f"no runs under {out} yet", file=sys.stderr)


def show_data() -> None:
    """The data sets: what each is, and where it is or how to get it."""
    from dnnlab.data import catalogue

    table = Table("name", "what it is", "here", box=None, pad_edge=False)
    for entry in catalogue():
        table.add_row(*map(str, entry))
    _print(table)
