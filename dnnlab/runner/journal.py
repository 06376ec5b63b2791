"""The journal of a run: one JSON line a finished stack, append-only, the only primary record.

A line is written with one ``write`` and one ``fsync``, so a kill at any moment costs at most the stack in
flight. A last line that was cut short is dropped with a warning, and cut off before the next append; a line
that does not read anywhere else, or does not have its checksum, means that the file was damaged, and raises.
"""

import fcntl
import json
import os
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

FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """One stack: its rows, or why it has none."""

    stack: str
    rows: Rows
    seconds: float
    error: str = ""

    def checksum(self) -> int:
        """CRC-32 of the entry: one wrong digit would still read, and be believed."""
        return zlib.crc32(json.dumps([self.stack, self.rows, self.seconds, self.error]).encode())


class Journal:
    """The journal at ``path``, which need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Entry]:
        """The last entry of each stack.

        Raises:
            DnnlabError: a line other than a torn last one does not read.
        """
        return dict(self._entries())

    def _entries(self) -> Iterator[tuple[str, Entry]]:
        if not self.path.exists():
            return
        for number, line in enumerate(self._whole_lines(), 1):
            try:
                record = json.loads(line)
                entry = Entry(record["stack"], record["rows"], record["seconds"], record["error"])
                whole = record["format"] == FORMAT and record["crc"] == entry.checksum()
            except (ValueError, TypeError, KeyError, RecursionError):
                whole = False
            if not whole:
                raise DnnlabError(f"{self.path} is damaged at line {number}; restore it, or measure anew with --fresh.")
            yield entry.stack, entry

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
        record = {
            "format": FORMAT,
            "crc": entry.checksum(),
            "stack": entry.stack,
            "seconds": entry.seconds,
            "error": entry.error,
            "rows": entry.rows,
        }
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
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
