"""Makes the summary of blocks, each compared with the first of its comparison."""

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
"""The factor by which time may differ from what the MACs predict."""


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per block."""
    rows = []
    for _, group in cells.groupby("comparison", sort=False):
        blocks = list(configurations(group, ("comparison", "block")))
        rows += [_row(block, timings, blocks[0][1]) for block, timings in blocks]
    return fit(pd.DataFrame(rows), c.SUMMARY)


def per_cell(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per block and process, with the median of its rounds; the process takes the place of a seed."""
    timed = cells[cells["training_ms"].notna()]
    timed = timed.assign(seed=_process(timed))
    return timed.groupby(["comparison", "block", "seed"], sort=False)["training_ms"].median().reset_index()


def ratios(rows: pd.DataFrame, first: pd.DataFrame) -> np.ndarray:
    """How many times as long a step takes as that of the ``first`` block: of each process the median of its rounds."""
    ratios = pd.Series(rows["training_ms"].to_numpy() / first["training_ms"].to_numpy())
    return ratios.groupby(_process(rows).to_numpy()).median().to_numpy()


def _process(rows: pd.DataFrame) -> pd.Series:
    """The process of each row; of earlier versions, which timed in one process, the round."""
    return rows["process"].fillna(rows["round"])


def _row(block: dict[str, Any], rows: pd.DataFrame, first: pd.DataFrame) -> dict[str, Any]:
    row: dict[str, Any] = block | {"n": 0, "failed": int(has_error(rows).any())}
    if rows["training_ms"].isna().all():
        return row | {"verdict": c.REFERENCE, "noisy": False}
    counts = {name: int(rows[name].iloc[0]) for name in ("params", "weights", "macs")}
    before = {name: int(first[name].iloc[0]) for name in counts}
    row |= counts | {
        "params_ratio": counts["params"] / before["params"] if before["params"] else math.nan,
        "macs_ratio": counts["macs"] / before["macs"] if before["macs"] else 1.0,
        "forward_ms": float(rows["forward_ms"].dropna().median()),
        "training_ms": float(rows["training_ms"].dropna().median()),
        "n": _process(rows).nunique(),
        "noisy": bool((rows["machine_spread"] > NOISE).any()),
        "verdict": c.REFERENCE,
    }
    if rows is first:
        return row
    ratio = geometric(mean_interval(np.log(ratios(rows, first))))
    expected = row["macs_ratio"]
    verdict = c.SLOWER if ratio.low > expected * SLACK else c.FASTER if ratio.high < expected / SLACK else c.AS_COUNTED
    return row | ratio.named("time_ratio") | {"verdict": verdict}
