"""Rows to table: each block against the first of its comparison."""

import math
from typing import Any

import numpy as np
import pandas as pd

from dnnlab.compare_arch.blocks import columns as c
from dnnlab.compare_arch.spec import Spec
from dnnlab.instruments.speed import NOISE
from dnnlab.report.table import fit
from dnnlab.runner.summary import configurations, geometric, has_error
from dnnlab.statistics.intervals import mean_interval

SLACK = 1.25
"""Factor by which time may miss what the MACs say."""


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row a block."""
    rows = []
    for _, group in cells.groupby("comparison", sort=False):
        blocks = list(configurations(group, ("comparison", "block")))
        rows += [_row(block, own, blocks[0][1]) for block, own in blocks]
    return fit(pd.DataFrame(rows), c.SUMMARY)


def per_cell(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row a block and round, which takes the place of a seed."""
    return cells[cells["training_ms"].notna()].rename(columns={"round": "seed"})


def _row(block: dict[str, Any], own: pd.DataFrame, first: pd.DataFrame) -> dict[str, Any]:
    row: dict[str, Any] = block | {"n": 0, "failed": int(has_error(own).any())}
    if own["training_ms"].isna().all():
        return row | {"verdict": c.REFERENCE, "noisy": False}
    counts = {name: int(own[name].iloc[0]) for name in ("params", "weights", "macs")}
    before = {name: int(first[name].iloc[0]) for name in counts}
    row |= counts | {
        "params_ratio": counts["params"] / before["params"] if before["params"] else math.nan,
        "macs_ratio": counts["macs"] / before["macs"] if before["macs"] else 1.0,
        "forward_ms": float(own["forward_ms"].dropna().median()),
        "training_ms": float(own["training_ms"].dropna().median()),
        "n": len(own),
        "noisy": bool((own["machine_spread"] > NOISE).any()),
        "verdict": c.REFERENCE,
    }
    if own is first:
        return row
    logs = np.log(own["training_ms"].to_numpy() / first["training_ms"].to_numpy())
    ratio = geometric(mean_interval(logs.tolist()))
    said = row["macs_ratio"]
    verdict = c.SLOWER if ratio.low > said * SLACK else c.FASTER if ratio.high < said / SLACK else c.AS_SAID
    return row | ratio.named("time_ratio") | {"verdict": verdict}
