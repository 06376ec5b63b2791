"""Progress on stderr: a bar on a terminal, elsewhere one line a finished stack."""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dnnlab.errors import plain
from dnnlab.terminal import say

_EVERY = 5.0
"""Seconds between two lines about parts, which may be many."""


class Meter:
    """Counts cells; `fraction` moves the bar within a stack."""

    def __init__(self, total: int, done: int) -> None:
        self.total, self.done = total, done

    def fraction(self, share: float, of: int) -> None:
        """``share`` of the next ``of`` cells is done."""

    def part(self, what: str) -> None:
        """One more part of the stack called ``what`` is on the disk."""

    def finished(self, cells: int, what: str, seconds: float) -> None:
        """``cells`` cells, called ``what``, are measured and on the disk."""
        self.done += cells


class _Lines(Meter):
    def __init__(self, total: int, done: int) -> None:
        super().__init__(total, done)
        self.parts: Counter[str] = Counter()
        self.said = time.monotonic()

    def part(self, what: str) -> None:
        self.parts[what] += 1
        if time.monotonic() - self.said > _EVERY:
            self.said = time.monotonic()
            say(f"[{self.done}/{self.total}] {what}: part {self.parts[what]}")

    def finished(self, cells: int, what: str, seconds: float) -> None:
        super().finished(cells, what, seconds)
        say(f"[{self.done}/{self.total}] {what}: {cells} cells in {seconds:.1f} s")


class _Bar(Meter):
    def __init__(self, total: int, done: int, progress: Progress) -> None:
        super().__init__(total, done)
        self.progress = progress
        self.task = progress.add_task("measuring", total=total, completed=done)

    def fraction(self, share: float, of: int) -> None:
        self.progress.update(self.task, completed=self.done + share * of)

    def part(self, what: str) -> None:
        self.progress.update(self.task, description=plain(what))

    def finished(self, cells: int, what: str, seconds: float) -> None:
        super().finished(cells, what, seconds)
        self.progress.update(self.task, completed=self.done, description=plain(what))


@contextmanager
def meter(total: int, done: int, quiet: bool) -> Iterator[Meter]:
    """A meter over ``total`` cells, of which ``done`` are there already."""
    if quiet or done == total:
        yield Meter(total, done)
    elif sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            yield _Bar(total, done, progress)
    else:
        yield _Lines(total, done)
