"""Publishes a ledger: ``python -m docs.make_reference results/ledger-quick results/reference/cpu-quick``.

Its tables, CSV and JSON, and the summary of each run go into the second folder, with what they were measured on.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from dnnlab.report.table import fit, to_csv
from dnnlab.reproduce.columns import LEDGER
from dnnlab.runner.store import PROVENANCE, SUMMARY

KEY = ["part", "recipe"]


def publish(ledger: Path, reference: Path) -> None:
    """Copy what is worth keeping of ``ledger`` to ``reference``. Claims that are not in ``ledger`` stay as they are."""
    reference.mkdir(parents=True, exist_ok=True)
    rows = json.loads((ledger / "ledger.json").read_text())
    kept = reference / "ledger.json"
    merged = _merged(json.loads(kept.read_text()) if kept.exists() else [], rows)
    kept.write_text(json.dumps(merged, indent=2) + "\n")
    to_csv(fit(pd.DataFrame(merged), LEDGER), LEDGER, reference / "ledger.csv")
    measured = {}
    for row in rows:
        run = ledger.parent / row["run"]
        table = reference / row["part"] / f"{row['recipe']}.csv"
        table.parent.mkdir(exist_ok=True)
        shutil.copyfile(run / SUMMARY, table)
        record = json.loads((run / PROVENANCE).read_text())
        measured = {name: record[name] for name in ("versions", "machine")}
    _write_verdicts(ledger, reference / "other-seeds.csv")
    (reference / "provenance.json").write_text(json.dumps(measured, indent=2) + "\n")


def _merged(old: list[Any], new: list[Any]) -> list[Any]:
    """The rows of both by their claim; the new one where both have it."""
    rows = {tuple(row[name] for name in KEY): row for row in (*old, *new)}
    return [rows[key] for key in sorted(rows)]


def _write_verdicts(ledger: Path, file: Path) -> None:
    """A row a claim: its verdict, and a column each for the ledgers of other seeds beside it. Without any, what an
    earlier ledger said under other seeds is removed: it is not about this one."""
    others = sorted(ledger.parent.glob(f"{ledger.name}-seed-*"))
    if not others:
        file.unlink(missing_ok=True)
        return
    table = pd.read_csv(ledger / "ledger.csv")[[*KEY, "verdict"]]
    for other in others:
        own = pd.read_csv(other / "ledger.csv")[[*KEY, "verdict"]]
        table = table.merge(own.rename(columns={"verdict": other.name.rpartition("quick-")[2]}), on=KEY, how="left")
    old = pd.read_csv(file).to_dict("records") if file.exists() else []
    pd.DataFrame(_merged(old, table.to_dict("records"))).to_csv(file, index=False)


if __name__ == "__main__":
    publish(Path(sys.argv[1]), Path(sys.argv[2]))
