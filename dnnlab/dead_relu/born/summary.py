"""The summary: the share of networks that are dead from birth, between proven bounds."""

import math
from typing import Any

import pandas as pd

from dnnlab.dead_relu.born import columns as c
from dnnlab.dead_relu.spec import Spec
from dnnlab.report.table import fit
from dnnlab.runner.summary import configurations, has_error, measured
from dnnlab.statistics.intervals import share_interval
from dnnlab.theory.death import born_dead_bounds

_POINT = ("width", "depth", "init", "nets")


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per point of the curve."""
    return fit(pd.DataFrame([_row(point, rows) for point, rows in configurations(cells, _POINT)]), c.SUMMARY)


def per_cell(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per block of networks; the block takes the place of a seed."""
    blocks = measured(cells).rename(columns={"block": "seed"})
    return blocks.assign(probability=blocks["dead"] / blocks["drawn"])


def _row(point: dict[str, Any], rows: pd.DataFrame) -> dict[str, Any]:
    failed = int(has_error(rows).any())
    lower, upper = born_dead_bounds([point["width"]] * point["depth"], point["init"])
    row = {**point, "n": 0, "lower_bound": lower, "upper_bound": upper, "verdict": c.NO_BOUND, "failed": failed}
    if failed:
        return row
    share = share_interval(int(rows["dead"].sum()), int(rows["drawn"].sum()))
    row |= {"n": share.n, **share.named("probability")}
    if not math.isnan(upper):
        outside = share.low > upper or share.high < lower
        row["verdict"] = c.OUTSIDE if outside else c.WITHIN
    return row
