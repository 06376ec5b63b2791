"""The ledger on the disk: several processes may write it at once, and no verdict is lost when one of them is killed."""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnnlab import atomic
from dnnlab.report.table import csv_parts, read_csv, to_json
from dnnlab.reproduce import ledger, page
from dnnlab.reproduce.columns import KEPT, LEDGER
from dnnlab.reproduce.judge import NOT_RUN
from dnnlab.runner import provenance
from dnnlab.runner.device import choose
from dnnlab.terminal import say

LEDGER_CSV, LEDGER_JSON, LEDGER_PAGE = "ledger.csv", "ledger.json", "ledger.html"
_CHECKSUMS = ".ledger.sha256"
"""The file of the checksums that ``ledger.csv`` may have: the one it has, and the one it is about to have."""
_SHORT = 1000
"""The most bytes of a file of checksums."""
_EVERY = 30.0
"""Seconds between two writings of the page, which takes in the figures of all runs."""

Row = dict[str, Any]


@dataclass
class Book:
    """The ledger in ``folder``. Each verdict is on the disk as soon as it is known."""

    folder: Path
    title: str
    profile: str
    user_recipes: bool
    """Whether the recipes are a user's own, which are named by their file, and not the lecture's, which are named by
    part and name."""
    published: float = 0.0

    def begin(self, tasks: Sequence[ledger.Task], whole: bool) -> None:
        """Enter the claims of ``tasks`` that have no verdict yet as not run. Where the ledger is to be ``whole``,
        claims that no longer exist are left out."""
        with self._open() as rows:
            fresh = {self._key(row): row for row in map(ledger.not_run, tasks)}
            others = {key: row for key, row in rows.items() if key in fresh or not whole}
            rows.clear()
            rows |= {**fresh, **others}

    def enter(self, row: Row) -> None:
        """Write down a verdict; the page is written from time to time. *Not run* does not replace a verdict."""
        with self._open() as rows:
            known = rows.get(self._key(row))
            # What cannot be run here, such as without a GPU, may have been decided elsewhere, on the same seeds.
            if not (known and row["verdict"] == NOT_RUN and known["digest"] == row["digest"]):
                rows[self._key(row)] = row
        if time.monotonic() - self.published > _EVERY:
            self.publish()

    def publish(self) -> None:
        """Write the ledger also as JSON and as a page."""
        with self._open() as rows:
            ordered = _sorted(rows)
            atomic.write(self.folder / LEDGER_JSON, f"{to_json(ledger.table(ordered))}\n".encode())
            record = {**provenance.versions(), **_flat(provenance.machine(choose("auto").name))}
            page.write(self.page, self.title, ordered, self.profile, record | _flat(provenance.git()))
        self.published = time.monotonic()

    @property
    def page(self) -> Path:
        """The path of the ledger's page."""
        return self.folder / LEDGER_PAGE

    def _key(self, row: Row) -> tuple[str, ...]:
        return (row["command"],) if self.user_recipes else (row["part"], row["recipe"])

    @contextmanager
    def _open(self) -> Iterator[dict[tuple[str, ...], Row]]:
        """The rows by their claim, while nobody else changes them; what was changed is written."""
        with atomic.locked(self.folder / ".lock"):
            before = self._read()
            rows = {self._key(row): row for row in before}
            yield rows
            if list(rows.values()) != before:
                self._write(_sorted(rows))

    def _read(self) -> list[Row]:
        file, checksums = self.folder / LEDGER_CSV, self.folder / _CHECKSUMS
        for name in (LEDGER_CSV, LEDGER_JSON, LEDGER_PAGE, _CHECKSUMS):
            atomic.make_way(self.folder / name)
        if not file.exists():
            return []
        try:
            # The first version wrote no checksums.
            if not checksums.exists() or atomic.sha256(file).encode() in atomic.read(checksums, _SHORT).split():
                return read_rows(file)
        except ValueError:
            fault = "does not read"
        else:
            fault = "is not as it was written"
        copy = atomic.aside(file)
        say(f"{file} {fault}; it is kept as {copy.name}, and begun anew. Finished runs are not measured again.")
        return []

    def _write(self, rows: Sequence[Row]) -> None:
        file, checksums = self.folder / LEDGER_CSV, self.folder / _CHECKSUMS
        content = b"".join(csv_parts(ledger.table(rows, KEPT), KEPT))
        digests = [atomic.sha256(file)] if file.exists() else []
        atomic.write(checksums, " ".join([*digests, hashlib.sha256(content).hexdigest()]).encode())
        atomic.write(file, content)


def read_rows(file: Path) -> list[Row]:
    """The rows in ``file``, also where a version wrote it that did not keep the conditions.

    Raises:
        ValueError: it is no ledger.
    """
    try:
        table = read_csv(file, KEPT)
    except ValueError:
        table = read_csv(file, LEDGER)
    rows: list[dict[Any, Any]] = table.to_dict("records")
    return rows


def _sorted(rows: dict[tuple[str, ...], Row]) -> list[Row]:
    return sorted(rows.values(), key=lambda row: (row["part"], row["recipe"]))  # whatever the order of the verdicts


def _flat(record: dict[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in record.items()}
