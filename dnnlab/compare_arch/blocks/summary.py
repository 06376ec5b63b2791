"""Makes the summary of blocks, each compared with the first of its comparison."""

import math
from typing import Any

import numpy as np
import pandas as pd

from dnnlab.compare_arch.blocks import columns as c
from dnnlab.compare_arch.spec import Spec
from dnnlab.instruments.speed import NOISE
from dnnlab.report.table import fit
from dnnlab.runner.summary import by_configuration, configurations, geometric, has_error
from dnnlab.statistics.intervals import Interval, mean_interval

SLACK = 1.25
"""The factor by which time may differ from what the MACs predict."""


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per block."""
    rows = []
    processes = by_configuration(per_cell(cells, spec), ("comparison", "block"))
    for _, group in cells.groupby("comparison", sort=False):
        blocks = list(configurations(group, ("comparison", "block")))
        rows += [_row(block, timings, blocks[0][1], processes.get(tuple(block.values()))) for block, timings in blocks]
    return fit(pd.DataFrame(rows), c.SUMMARY)


def per_cell(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per block and process, with the median of its rounds, and of the ratios to the first block of its
    comparison round by round; the process takes the place of a seed."""
    timed = cells[cells["training_ms"].notna()]
    parts = []
    for _, group in timed.groupby("comparison", sort=False):
        blocks = list(configurations(group, ("comparison", "block")))
        parts += [_by_process(block, rows, blocks[0][1]) for block, rows in blocks]
    return pd.concat(parts, ignore_index=True) if parts else timed


_RATIOS = {"time_ratio": "training_ms", "forward_ratio": "forward_ms"}


def _by_process(block: dict[str, Any], rows: pd.DataFrame, first: pd.DataFrame) -> pd.DataFrame:
    ratios = {name: rows[ms].to_numpy() / first[ms].to_numpy() for name, ms in _RATIOS.items()}
    times = pd.DataFrame({"seed": _process(rows).to_numpy(), "training_ms": rows["training_ms"].to_numpy(), **ratios})
    return times.groupby("seed", sort=False).median().reset_index().assign(**block)


def _process(rows: pd.DataFrame) -> pd.Series:
    """The process of each row; of earlier versions, which timed in one process, the round."""
    return rows["process"].fillna(rows["round"])


def _row(
    block: dict[str, Any], rows: pd.DataFrame, first: pd.DataFrame, processes: pd.DataFrame | None
) -> dict[str, Any]:
    row: dict[str, Any] = block | {"processes": 0, "failed": int(has_error(rows).any())}
    if processes is None:
        return row | {"verdict": c.REFERENCE, "noisy": False}
    counts = {name: int(rows[name].iloc[0]) for name in ("params", "weights", "macs")}
    before = {name: int(first[name].iloc[0]) for name in counts}
    row |= counts | {
        "params_ratio": counts["params"] / before["params"] if before["params"] else math.nan,
        "macs_ratio": counts["macs"] / before["macs"] if before["macs"] else 1.0,
        "forward_ms": float(rows["forward_ms"].dropna().median()),
        "training_ms": float(rows["training_ms"].dropna().median()),
        "processes": len(processes),
        "noisy": bool((rows["machine_spread"] > NOISE).any()),
        "verdict": c.REFERENCE,
    }
    if rows is first:
        return row
    ratio, forward = (geometric(mean_interval(np.log(processes[name].to_numpy()))) for name in _RATIOS)
    verdict = _verdict(ratio, row["macs_ratio"])
    return row | ratio.named("time_ratio") | forward.named("forward_ratio") | {"verdict": verdict}


def _verdict(ratio: Interval, expected: float) -> str:
    """Where the whole interval of the ``ratio`` of times lies beside the ratio of MACs; undecided without one."""
    slowest, fastest = expected * SLACK, expected / SLACK
    if ratio.low > slowest:
        return c.SLOWER
    if ratio.high < fastest:
        return c.FASTER
    return c.AS_COUNTED if fastest <= ratio.low and ratio.high <= slowest else c.UNDECIDED
