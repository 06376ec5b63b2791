"""A run while it is measured, seen from another terminal: what is there so far, and about how long the rest takes."""

import datetime
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from dnnlab.errors import DnnlabError
from dnnlab.report.screen import lines
from dnnlab.runner import listing, reopening, store
from dnnlab.runner.experiment import Experiment
from dnnlab.runner.rehearsal import spoken
from dnnlab.stops import stops
from dnnlab.terminal import one_line, tell

_PAUSE = 1.0
"""Seconds between two looks at the journal."""


def follow(experiment: Experiment, folder: store.Folder) -> None:
    """Show the run in ``folder`` until nobody measures it any more: on a terminal as a table that grows, else a line
    whenever something was measured.

    Raises:
        UsageError, DnnlabError: as `reopening.so_far`.
    """
    usual, stops.sentence = stops.sentence, "no longer followed; the run itself goes on."
    _follow(experiment, folder)
    stops.sentence = usual


def _follow(experiment: Experiment, folder: store.Folder) -> None:
    if not sys.stdout.isatty():
        for record, done in _looks(folder):
            tell(progress(record, done))
            sys.stdout.flush()
        return
    console = Console(file=sys.stdout)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        for record, done in _looks(folder):
            live.update(_picture(experiment, folder, progress(record, done), console.width), refresh=True)


def _looks(folder: store.Folder) -> Iterator[tuple[dict[str, Any], int]]:
    """The provenance of a run and the number of its cells that are measured, whenever that is another."""
    seen = -1
    while listing.state(folder, (record := folder.read_provenance()).get("state", "")) == "running":
        if (done := listing.measured(folder, record)) != seen:
            yield record, done
        seen = done
        time.sleep(_PAUSE)


def progress(record: Mapping[str, Any], done: int) -> str:
    """How many cells of a run are measured, and about how long the others take if they are like those of this
    session."""
    session, total = record["sessions"][-1], record["cells"]
    text = f"{done} of {total} cells"
    here = done - session.get("there", done)
    if here <= 0 or done == total:
        return text
    begun = datetime.datetime.fromisoformat(session["started"])
    passed = (datetime.datetime.now().astimezone() - begun).total_seconds()
    return f"{text}, {spoken(passed / here * (total - done))} left"


def _picture(experiment: Experiment, folder: store.Folder, told: str, room: int) -> Group:
    """The table so far, below how far the run is."""
    title = Text(f"{experiment.name} · {one_line(folder.path.name)}: {told}", no_wrap=True)
    try:
        with warnings.catch_warnings(action="ignore"):
            spec, summary = reopening.so_far(experiment, folder)
    except DnnlabError as problem:
        return Group(title, Text(f"no table yet: {one_line(str(problem))}", style="dim"))
    schema = spec.question.schema
    if summary.empty:
        return Group(title, Text("no row yet", style="dim"))
    rows = lines(summary, schema.summary, "so far", schema.tones, schema.configuration, schema.first, room)
    for row in rows:
        row.no_wrap, row.overflow = True, "ellipsis"
    return Group(title, *rows)
