"""Rows to table: each treatment against training from scratch, seed by seed."""

import math
from typing import Any

import pandas as pd

from dnnlab.compare_arch.trained_cell import CONFIGURATION
from dnnlab.compare_arch.transfer import columns as c
from dnnlab.report.table import fit
from dnnlab.statistics.intervals import direction, holm, mean_share, paired


def summarise(cells: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """One row a network and treatment."""
    rows: list[dict[str, Any]] = []
    for values, own in cells.groupby(list(CONFIGURATION), sort=False, dropna=False):
        rows += _rows(dict(zip(CONFIGURATION, values, strict=True)), own)
    return fit(pd.DataFrame(rows), c.SUMMARY)


def per_cell(cells: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """One row a cell and treatment."""
    return cells[cells["error"] == ""]


def _rows(configuration: dict[str, Any], cells: pd.DataFrame) -> list[dict[str, Any]]:
    failed = int((cells["error"] != "").sum())
    measured = cells[cells["error"] == ""]
    if measured.empty:
        return [configuration | {"treatment": c.SCRATCH, "seeds": 0, "verdict": c.UNDECIDED, "failed": failed}]
    groups = {str(name): own.set_index("seed") for name, own in measured.groupby("treatment", sort=False)}
    base = groups[c.SCRATCH]["accuracy"]
    pairs = [paired(*(s.tolist() for s in base.align(own["accuracy"], join="inner"))) for own in groups.values()]
    ps = holm([math.nan, *(pair.p for pair in pairs[1:])])
    rows: list[dict[str, Any]] = []
    for (treatment, own), pair, p in zip(groups.items(), pairs, ps, strict=True):
        row = configuration | {
            "treatment": treatment,
            "trained_parameters": int(own["trained_parameters"].iloc[0]),
            "seeds": len(own),
            "source_accuracy": float(own["source_accuracy"].mean()),
            "p": p,
            "verdict": c.REFERENCE,
            "failed": 0 if rows else failed,
            **mean_share(own["accuracy"].tolist()).named("accuracy"),
        }
        if treatment != c.SCRATCH:
            row |= pair.difference.named("difference") | {"verdict": _VERDICTS[direction(pair.difference, p)]}
        rows.append(row)
    return rows


_VERDICTS = {None: c.UNDECIDED, 0: c.SAME, 1: c.BETTER, -1: c.WORSE}
