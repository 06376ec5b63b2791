"""How wide networks have to be to be rarely born dead, in sentences."""

import math

import pandas as pd

from dnnlab.dead_relu.born import columns as c
from dnnlab.dead_relu.spec import Spec
from dnnlab.report.numbers import Form, number

_RARE = 0.01
"""The chance of a dead network that the design rule for width aims at."""


def headline(summary: pd.DataFrame, spec: Spec) -> str:
    """The share that is born dead at the first point."""
    measured = summary[summary["n"] > 0]
    if measured.empty:
        return "No point was measured"
    row = measured.iloc[0]
    share = c.SCHEMA.number(row, "probability")
    return f"{share} of networks {row['width']} wide and {row['depth']} deep are born dead"


def conclusions(summary: pd.DataFrame, spec: Spec) -> list[str]:
    """The result at the first point, and the width that keeps dead networks rare."""
    measured = summary[summary["n"] > 0]
    if measured.empty:
        return ["No point was measured."]
    outside = int((summary["verdict"] == c.OUTSIDE).sum())
    bounds = "all within the proven bounds" if not outside else f"{outside} outside the proven bounds"
    first = measured.iloc[0]
    deepest = int(measured["depth"].max())
    return [
        f"Of {c.SCHEMA.number(first, 'n')} networks of width {first['width']} and {first['depth']} hidden layers, "
        f"{c.SCHEMA.estimate(first, 'probability')} are constant from birth; {bounds}.",
        f"A width of {math.ceil(math.log2(deepest / _RARE))} keeps that under {number(_RARE, Form.SHARE)} at {deepest} "
        "hidden layers: width ≥ log₂(depth / probability).",
    ]
