"""The journal of a run: one JSON line per finished stack, append-only, the only primary record.

A line is written with one ``write`` and one ``fsync``, so a kill at any moment costs at most the stack in
flight. A last line that was cut short is dropped with a warning, and cut off before the next append. A line
that does not read anywhere else, does not have its checksum, or holds what no measurement gives, is `Damage`: what it
held is measured again, and all other lines count.
"""

import dataclasses
import json
import os
import re
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dnnlab import atomic, locks, memory
from dnnlab.errors import DnnlabError

Rows = dict[str, list[Any]]
"""Columns of equal length; ``cell`` is the number of the cell within its stack."""

FORMAT = 2
_LINE = re.compile(rb'\{"format":%d,"crc":(\d+),"entry":(.*)\}' % FORMAT, re.DOTALL)


class BusyError(DnnlabError):
    """Another process is measuring the run."""


@dataclass(frozen=True)
class Entry:
    """One stack: its rows, or why it has none."""

    stack: str
    rows: Rows
    seconds: float
    error: str = ""
    parts: int = 0
    """The number of parts, in the entry that ends a stack that came in parts; else 0."""

    def line(self) -> bytes:
        """The entry as a line with the CRC-32 of its text, since an entry with a damaged digit could still be read."""
        text = json.dumps(dataclasses.asdict(self), separators=(",", ":")).encode()
        return b'{"format":%d,"crc":%d,"entry":%s}\n' % (FORMAT, zlib.crc32(text), text)


def _read(line: bytes) -> Entry | None:
    """The entry on ``line``; `None` where it is none."""
    match = _LINE.fullmatch(line)
    if match is None or zlib.crc32(match[2]) != int(match[1]):
        return None
    try:
        entry = Entry(**json.loads(match[2]))
    except (ValueError, TypeError, RecursionError):
        return None
    if not _has_types(entry):
        return None
    # Names of layers and the like occur a million times.
    return dataclasses.replace(entry, rows={name: _interned(values) for name, values in entry.rows.items()})


def _has_types(entry: Entry) -> bool:
    """Whether the fields have their types. The experiment's schema says what the columns hold."""
    return (
        isinstance(entry.stack, str)
        and isinstance(entry.error, str)
        and isinstance(entry.seconds, int | float)
        and isinstance(entry.parts, int)
        and isinstance(entry.rows, dict)
        and all(isinstance(column, list) for column in entry.rows.values())
    )


def _interned(values: list[Any]) -> list[Any]:
    if not values or type(values[0]) is not str:
        return values
    return [sys.intern(value) if type(value) is str else value for value in values]


@dataclass(frozen=True)
class Damage:
    """A line that is not what was written."""

    line: int
    why: str


Fault = Callable[[Entry], str]
"""Describes what is wrong with an entry whose checksum is right; empty where nothing is."""


class Journal:
    """The journal at ``path``, which need not exist yet. ``fault`` checks the entries against the plan of the run."""

    def __init__(self, path: Path, fault: Fault = lambda entry: "") -> None:
        self.path, self.fault = path, fault

    def read(self) -> dict[str, Entry]:
        """The last entry of each stack."""
        return {entry.stack: entry for entry in self.entries()}

    def entries(self) -> Iterator[Entry]:
        """All entries in their order; the last entry of a stack counts."""
        return (line for line in self._lines() if isinstance(line, Entry))

    def damage(self) -> list[Damage]:
        """The lines that are not what was written."""
        return [line for line in self._lines() if isinstance(line, Damage)]

    def _lines(self) -> Iterator[Entry | Damage]:
        for number, line in enumerate(self._whole_lines(), 1):
            entry = _read(line)
            why = "it does not read" if entry is None else self.fault(entry)
            yield Damage(number, why) if entry is None or why else entry

    def _whole_lines(self) -> Iterator[bytes]:
        """The lines without their ends.

        Raises:
            UsageError: the file is larger than the memory.
        """
        if not self._exists:
            return
        memory.require(self.path.stat().st_size, str(self.path))
        with self.path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    warnings.warn(f"{self.path}: the last line was cut short and is measured again", stacklevel=2)
                    return
                yield line[:-1]

    @property
    def _exists(self) -> bool:
        """Whether there is a regular file at its path, and no link, folder or device."""
        return self.path.is_file() and not self.path.is_symlink()

    @property
    def is_locked(self) -> bool:
        """Whether a process writes it now."""
        return self._exists and atomic.is_held(self.path)

    @contextmanager
    def writing(self) -> Iterator["Writer"]:
        """Open for appending, alone; cuts off a torn last line first.

        Raises:
            BusyError: another process is writing this run.
            DnnlabError: something else than a file lies there.
        """
        if os.path.lexists(self.path) and not self._exists:
            # A link could lead to somebody else's file.
            raise DnnlabError(f"{self.path} is no file; put the journal itself there, or remove what lies there.")
        afterwards: list[Callable[[], None]] = []
        with ExitStack() as stack:
            stack.callback(lambda: [action() for action in afterwards])  # called when the file is closed
            file = stack.enter_context(self.path.open("a+b"))
            if not _locked(file.fileno()):
                raise BusyError(
                    f"another process is measuring {self.path.parent}; wait for it, or take --name or --out."
                )
            file.truncate(sum(len(line) + 1 for line in self._whole_lines()))
            atomic.sync_folder(self.path.parent)
            yield Writer(file.fileno(), afterwards)


_PATIENCE = 1.0
"""Seconds for which a process that only checks the lock may hold it; it takes some microseconds."""


def _locked(descriptor: int) -> bool:
    """Lock an open file, unless another process writes it."""
    end = time.monotonic() + _PATIENCE
    while not locks.SYSTEM.take(descriptor):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@dataclass(frozen=True)
class Writer:
    """Appends entries to an open journal."""

    descriptor: int
    afterwards: list[Callable[[], None]] = field(default_factory=list)

    def remove(self, action: Callable[[], None]) -> None:
        """Call ``action``, which removes the journal with its folder, while no other process can write it. Where the
        system removes no open file, it is called when the journal is closed, which others may open by then."""
        if locks.SYSTEM.removes_open_files:
            action()
        else:
            self.afterwards.append(action)

    def append(self, entry: Entry) -> None:
        """Write one entry, and return when it is on the disk."""
        line = entry.line()
        written = os.write(self.descriptor, line)
        while written < len(line):  # a signal or a nearly full disk can split the write
            written += os.write(self.descriptor, line[written:])
        os.fsync(self.descriptor)
