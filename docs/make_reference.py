"""Publishes a ledger: ``python -m docs.make_reference results/ledger-quick results/reference/cpu-quick``.

Its tables, CSV and JSON, and the summary of each run go into the second folder, with what they were measured on.
"""

import json
import shutil
import sys
from pathlib import Path

import pandas as pd

from dnnlab.runner.store import PROVENANCE, SUMMARY


def publish(ledger: Path, reference: Path) -> None:
    """Copy what is worth keeping of ``ledger`` to ``reference``, in the place of what was there."""
    shutil.rmtree(reference, ignore_errors=True)
    reference.mkdir(parents=True)
    for name in ("ledger.csv", "ledger.json"):
        shutil.copyfile(ledger / name, reference / name)
    measured = {}
    for row in pd.read_csv(ledger / "ledger.csv").to_dict("records"):
        run = ledger.parent / row["run"]
        table = reference / row["part"] / f"{row['recipe']}.csv"
        table.parent.mkdir(exist_ok=True)
        shutil.copyfile(run / SUMMARY, table)
        record = json.loads((run / PROVENANCE).read_text())
        measured = {name: record[name] for name in ("versions", "machine")}
    _verdicts(ledger).to_csv(reference / "other-seeds.csv", index=False)
    (reference / "provenance.json").write_text(json.dumps(measured, indent=2) + "\n")


def _verdicts(ledger: Path) -> pd.DataFrame:
    """A row a claim: its verdict, and a column each for the ledgers of other seeds beside it."""
    key = ["part", "recipe"]
    table = pd.read_csv(ledger / "ledger.csv")[[*key, "verdict"]]
    for other in sorted(ledger.parent.glob(f"{ledger.name}-seed-*")):
        own = pd.read_csv(other / "ledger.csv")[[*key, "verdict"]]
        table = table.merge(own.rename(columns={"verdict": other.name.rpartition("quick-")[2]}), on=key, how="left")
    return table


if __name__ == "__main__":
    publish(Path(sys.argv[1]), Path(sys.argv[2]))
