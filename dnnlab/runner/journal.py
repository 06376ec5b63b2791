"""The journal of a run: one JSON line a finished stack, append-only, the only primary record.

A line is written with one ``write`` and one ``fsync``, so a kill at any moment costs at most the stack in
flight. A last line that was cut short is dropped with a warning, and cut off before the next append; a line
that does not read anywhere else, or does not have its checksum, means that the file was damaged, and raises.
"""

import dataclasses
import fcntl
import json
import os
import re
import sys
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnnlab.errors import DnnlabError

Rows = dict[str, list[Any]]
"""Columns of equal length; ``cell`` is the number of the cell within its stack."""

FORMAT = 2
_LINE = re.compile(rb'\{"format":%d,"crc":(\d+),"entry":(.*)\}' % FORMAT, re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """One stack: its rows, or why it has none."""

    stack: str
    rows: Rows
    seconds: float
    error: str = ""

    def line(self) -> bytes:
        """The entry as a line, with the CRC-32 of its text: one wrong digit would still read, and be believed."""
        text = json.dumps(dataclasses.asdict(self), separators=(",", ":")).encode()
        return b'{"format":%d,"crc":%d,"entry":%s}\n' % (FORMAT, zlib.crc32(text), text)


def _read(line: bytes) -> Entry | None:
    """The entry on ``line``, or `None` where it is none."""
    found = _LINE.fullmatch(line)
    if found is None or zlib.crc32(found[2]) != int(found[1]):
        return None
    try:
        entry = Entry(**json.loads(found[2]))
    except (ValueError, TypeError, RecursionError):
        return None
    # Names of layers and the like come a million times.
    return dataclasses.replace(entry, rows={name: _interned(values) for name, values in entry.rows.items()})


def _interned(values: list[Any]) -> list[Any]:
    if not values or type(values[0]) is not str:
        return values
    return [sys.intern(value) if type(value) is str else value for value in values]


class Journal:
    """The journal at ``path``, which need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Entry]:
        """The last entry of each stack.

        Raises:
            DnnlabError: a line other than a torn last one does not read.
        """
        return {entry.stack: entry for entry in self.entries()}

    def entries(self) -> Iterator[Entry]:
        """All entries in their order; of one stack the last counts.

        Raises:
            DnnlabError: a line other than a torn last one does not read.
        """
        if not self.path.exists():
            return
        for number, line in enumerate(self._whole_lines(), 1):
            entry = _read(line)
            if entry is None:
                raise DnnlabError(f"{self.path} is damaged at line {number}; restore it, or measure anew with --fresh.")
            yield entry

    def _whole_lines(self) -> list[bytes]:
        *lines, rest = self.path.read_bytes().split(b"\n")
        if rest:
            warnings.warn(f"{self.path}: the last line was cut short and is measured again", stacklevel=2)
        return lines

    @property
    def held(self) -> bool:
        """Whether a process is writing it now."""
        if not self.path.exists():
            return False
        with self.path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    @contextmanager
    def writing(self) -> Iterator["Writer"]:
        """Open for appending, alone; cuts off a torn last line first.

        Raises:
            DnnlabError: another process is writing this run.
        """
        with self.path.open("a+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DnnlabError(
                    f"another process is measuring {self.path.parent}; wait for it, or take --name or --out."
                ) from None
            file.truncate(sum(len(line) + 1 for line in self._whole_lines()))
            sync_folder(self.path.parent)
            yield Writer(file.fileno())


@dataclass(frozen=True)
class Writer:
    """Appends entries to an open journal."""

    descriptor: int

    def append(self, entry: Entry) -> None:
        """Write one entry, and return when it is on the disk."""
        line = entry.line()
        written = os.write(self.descriptor, line)
        while written < len(line):  # a signal or a nearly full disk can split the write
            written += os.write(self.descriptor, line[written:])
        os.fsync(self.descriptor)


def sync_folder(folder: Path) -> None:
    """Make the entries of ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
