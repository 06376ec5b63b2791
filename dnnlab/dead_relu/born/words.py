"""How wide networks have to be to be rarely born dead, in sentences."""

import math

import pandas as pd

from dnnlab.dead_relu.born import columns as c
from dnnlab.dead_relu.spec import Spec
from dnnlab.errors import counted, listing
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
    first = measured.iloc[0]
    told = [
        f"Of {c.SCHEMA.number(first, 'n')} networks of width {first['width']} and {first['depth']} hidden layers, "
        f"{c.SCHEMA.estimate(first, 'probability')} are constant from birth."
    ]
    bounded = measured[measured["verdict"] != c.NO_BOUND]
    if bounded.empty:
        return [*told, "No bound is proven for these networks."]
    outside = int((bounded["verdict"] == c.OUTSIDE).sum())
    where = counted(len(bounded), "point") + (" with such bounds" if len(bounded) < len(measured) else "")
    deepest, kinds = int(bounded["depth"].max()), list(dict.fromkeys(bounded["init"]))
    return [
        *told,
        f"Of {where}, {outside or 'none'} {'are' if outside > 1 else 'is'} shown to be outside the proven bounds.",
        f"With {listing(kinds)}, a width of {math.ceil(math.log2(deepest / _RARE))} keeps it at "
        f"{number(_RARE, Form.SHARE)} at most for {deepest} hidden layers, by the proven bound: "
        "width ≥ log₂(depth / probability).",
    ]
