"""Publishes ledgers: ``python -m docs.make_reference results/ledger-quick results/reference/cpu-quick``.

Its tables, CSV and JSON, and the summary of each run go into the last folder, with what they were measured on. Ledgers
under other seeds, whose folders end in ``-seed-N``, are added to ``other-seeds.csv`` there.
"""

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dnnlab.report.table import to_csv, to_json
from dnnlab.reproduce.book import LEDGER_CSV, LEDGER_JSON, Row, read_rows
from dnnlab.reproduce.columns import KEPT
from dnnlab.reproduce.ledger import table
from dnnlab.runner.store import PROVENANCE, SUMMARY

KEY = ["part", "recipe"]
SAID = ["verdict", "circumstances", "measured", "p", "digest"]
"""What is kept of a claim under other seeds."""


def publish(ledgers: Sequence[Path], reference: Path) -> None:
    """Copy what is worth keeping of ``ledgers`` to ``reference``. Claims that are not in them stay as they are."""
    reference.mkdir(parents=True, exist_ok=True)
    for ledger in ledgers:
        if "-seed-" in ledger.name:
            _add_seed(ledger, reference / "other-seeds.csv")
        else:
            _publish(ledger, reference)


def _publish(ledger: Path, reference: Path) -> None:
    rows = [row for row in read_rows(ledger / LEDGER_CSV) if row["run"]]  # without what was not run
    kept = reference / LEDGER_CSV
    before = read_rows(kept) if kept.exists() else []
    merged = _merged(before, rows)
    _drop_seeds(reference / "other-seeds.csv", before, merged)
    to_csv(table(merged, KEPT), KEPT, kept)
    (reference / LEDGER_JSON).write_text(to_json(table(merged)) + "\n")
    measured = {}
    for row in rows:
        run = ledger.parent / row["run"]
        summary = reference / row["part"] / f"{row['recipe']}.csv"
        summary.parent.mkdir(exist_ok=True)
        shutil.copyfile(run / SUMMARY, summary)
        record = json.loads((run / PROVENANCE).read_text())
        measured = {name: record[name] for name in ("versions", "machine")}
    if measured:
        (reference / "provenance.json").write_text(json.dumps(measured, indent=2) + "\n")


def _merged(old: list[Row], new: list[Row]) -> list[Row]:
    """The rows of both by their claim; the new one where both have it."""
    rows = {tuple(row[name] for name in KEY): row for row in (*old, *new)}
    return [rows[key] for key in sorted(rows)]


def _drop_seeds(file: Path, before: list[Row], after: list[Row]) -> None:
    """Remove what was said under other seeds of claims that are no longer asked as they were."""
    if file.exists():
        digests = {(row["part"], row["recipe"]): row["digest"] for row in before}
        changed = {key for row in after if digests.get(key := (row["part"], row["recipe"])) != row["digest"]}
        seeds = pd.read_csv(file)
        seeds[[key not in changed for key in zip(seeds["part"], seeds["recipe"], strict=True)]].to_csv(
            file, index=False
        )


def _add_seed(ledger: Path, file: Path) -> None:
    """Enter what a ledger under other seeds says, in place of what it said there before."""
    seed = int(ledger.name.rpartition("-")[2])
    new = pd.read_csv(ledger / LEDGER_CSV)[[*KEY, *SAID]].assign(seed=seed)
    old = pd.read_csv(file) if file.exists() else new.iloc[:0]
    both = pd.concat([old[old["seed"] != seed], new]) if len(old) else new
    both.sort_values(["seed", *KEY])[["seed", *KEY, *SAID]].to_csv(file, index=False)


if __name__ == "__main__":
    publish([Path(name) for name in sys.argv[1:-1]], Path(sys.argv[-1]))
