"""Progress on stderr: a bar on a terminal, elsewhere lines, at least one every half minute."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from dnnlab.errors import counted
from dnnlab.terminal import one_line, say

_EVERY = 5.0
"""Seconds between two lines about parts, which may be many."""
QUIET = 30.0
"""Seconds without a line after which one names the stack that is being measured."""


class Meter:
    """Counts cells that are measured. ``names`` are those of the stacks to be measured, in their order."""

    def __init__(self, total: int, done: int, names: Sequence[str] = ()) -> None:
        self.total, self.done = total, done
        self.waiting = list(names)

    def fraction(self, share: float, of: int, stacks: int = 1) -> None:
        """Report that ``share`` of the ``of`` cells under way is measured; they are those of so many ``stacks``."""

    def part(self, what: str, part: str) -> None:
        """Report that one more part of the stack called ``what`` is on the disk; ``part`` describes it in words."""

    def finished(self, cells: int, what: str, seconds: float) -> None:
        """Report that ``cells`` cells, called ``what``, are measured and on the disk."""
        self.done += cells
        if what in self.waiting:
            self.waiting.remove(what)


class Heartbeat:
    """Prints messages on stderr; where none came for `QUIET` seconds, it prints ``doing()``."""

    def __init__(self, doing: Callable[[], str], quiet: bool = False) -> None:
        self.doing, self.quiet = doing, quiet
        self.last_message = time.monotonic()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "Heartbeat":
        if not self.quiet:
            self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        if not self.quiet:
            self.thread.join()

    def say(self, message: str) -> None:
        """Print ``message``; the next half minute begins."""
        self.last_message = time.monotonic()
        say(message, self.quiet)

    def _beat(self) -> None:
        while not self.over.wait(max(0.0, self.last_message + QUIET - time.monotonic())):
            if time.monotonic() - self.last_message >= QUIET:
                self.say(self.doing())


class _Lines(Meter):
    """Prints one line per stack, and at least one every half minute."""

    def __init__(self, total: int, done: int, names: Sequence[str]) -> None:
        super().__init__(total, done, names)
        self.begun, self.share, self.stacks = time.monotonic(), 0.0, 1
        self.beat = Heartbeat(self._doing)

    def fraction(self, share: float, of: int, stacks: int = 1) -> None:
        self.share, self.stacks = share, stacks

    def part(self, what: str, part: str) -> None:
        if time.monotonic() - self.beat.last_message > _EVERY:
            self._say(f"{what}: {part}")

    def finished(self, cells: int, what: str, seconds: float) -> None:
        super().finished(cells, what, seconds)
        self.begun, self.share = time.monotonic(), 0.0
        self._say(f"{what}: {cells} cell{'s'[: cells != 1]} in {seconds:.1f} s")

    def _say(self, message: str) -> None:
        self.beat.say(f"[{self.done}/{self.total}] {message}")

    def _doing(self) -> str:
        what = self.waiting[0] if self.waiting else "tables and figures"
        if self.waiting and self.stacks > 1:
            what = counted(self.stacks, "stack")
        share = f"{self.share:.0%} of {'it' if self.stacks == 1 else 'them'}, " if self.share else ""
        return f"[{self.done}/{self.total}] {what}: {share}{time.monotonic() - self.begun:.0f} s so far"


_BAR = 20
_BESIDE = 26
"""The characters of the bar, and those of the count and the time that is left, at most."""


class _Bar(Meter):
    def __init__(self, total: int, done: int, names: Sequence[str], progress: Progress) -> None:
        super().__init__(total, done, names)
        self.progress = progress
        self.task = progress.add_task(one_line(names[0]), total=total, completed=done)

    def fraction(self, share: float, of: int, stacks: int = 1) -> None:
        self.progress.update(self.task, completed=self.done + share * of)

    def part(self, what: str, part: str) -> None:
        self.progress.update(self.task, description=one_line(f"{what}: {part}"))

    def finished(self, cells: int, what: str, seconds: float) -> None:
        super().finished(cells, what, seconds)
        doing = self.waiting[0] if self.waiting else what
        self.progress.update(self.task, completed=self.done, description=one_line(doing))


@contextmanager
def meter(total: int, done: int, names: Sequence[str], quiet: bool) -> Iterator[Meter]:
    """A meter over ``total`` cells, of which ``done`` are measured; ``names`` are those of the stacks to come."""
    if quiet or not names:
        yield Meter(total, done)
    elif sys.stderr.isatty():
        console = Console(stderr=True)
        # The bar, the count and the time that is left are what one looks at: what is measured has the rest of the line.
        rest = Column(no_wrap=True, overflow="ellipsis", max_width=max(12, console.width - _BAR - _BESIDE))
        columns = (
            TextColumn("{task.description}", table_column=rest),
            BarColumn(_BAR),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            yield _Bar(total, done, names, progress)
    else:
        lines = _Lines(total, done, names)
        with lines.beat:
            yield lines
