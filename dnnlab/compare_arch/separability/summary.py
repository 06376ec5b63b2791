"""Rows to table: each layer against the inputs, seed by seed."""

import math
from typing import Any

import pandas as pd

from dnnlab.compare_arch.separability import columns as c
from dnnlab.compare_arch.trained_cell import CONFIGURATION
from dnnlab.report.table import fit
from dnnlab.statistics.intervals import direction, holm, mean_share, paired


def summarise(cells: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """One row a network and layer."""
    rows: list[dict[str, Any]] = []
    for values, own in cells.groupby(list(CONFIGURATION), sort=False, dropna=False):
        configuration = dict(zip(CONFIGURATION, values, strict=True))
        rows += _rows(configuration, own)
    return fit(pd.DataFrame(rows), c.SUMMARY)


def per_cell(cells: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """One row a cell and layer."""
    return cells[cells["error"] == ""]


def _rows(configuration: dict[str, Any], cells: pd.DataFrame) -> list[dict[str, Any]]:
    failed = int((cells["error"] != "").sum())
    measured = cells[cells["error"] == ""]
    if measured.empty:
        return [configuration | {"layer": 0, "seeds": 0, "verdict": c.UNDECIDED, "failed": failed}]
    base = measured[measured["layer"] == 0].set_index("seed")["trained"]
    rows: list[dict[str, Any]] = []
    gains = []
    for layer, own in measured.groupby("layer"):
        a, b = base.align(own.set_index("seed")["trained"], join="inner")
        gains.append(paired(a.tolist(), b.tolist()))
        row = configuration | {"layer": layer, "name": own["name"].iloc[0], "features": int(own["features"].iloc[0])}
        row |= {"seeds": own["seed"].nunique(), "failed": 0 if rows else failed}
        for quantity in ("untrained", "trained"):
            row |= mean_share(own[quantity].tolist()).named(quantity)
        rows.append(row)
    ps = holm([math.nan, *(gain.p for gain in gains[1:])])
    for row, gain, p in zip(rows, gains, ps, strict=True):
        row |= {"verdict": c.INPUTS, "p": p}
        if row["layer"]:
            row |= gain.difference.named("gain") | {"verdict": _VERDICTS[direction(gain.difference, p)]}
    return rows


_VERDICTS = {None: c.UNDECIDED, 0: c.SAME, 1: c.MORE, -1: c.LESS}
