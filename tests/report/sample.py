"""A small summary, its schema, and what a page says of it: shared by the tests of this folder."""

import math

import pandas as pd

from dnnlab.report.columns import Column

TONES = {"vanishes": "bad", "steady": "good", "unclear": "warn"}

COLUMNS = [
    Column("act", str, "The activation.", screen="act"),
    Column("data", str, "The data.", screen="data"),
    Column("width", int, "Units a layer.", screen="width"),
    Column("rate", float, "Factor a layer.", screen="rate", low="rate_lo", high="rate_hi"),
    Column("rate_lo", float, "Lower end of the interval."),
    Column("rate_hi", float, "Upper end of the interval."),
    Column("time", float, "Time a seed.", unit="s", screen="time"),
    Column("finite", bool, "No NaN met.", screen="finite"),
    Column("verdict", str, "By the interval of rate.", screen="verdict"),
    Column("remedy", str, "What to try.", screen="remedy"),
]

FRAME = pd.DataFrame(
    {
        "act": ["sigmoid", "<script>alert('relu')</script>", "[red]tanh[/red] :smile:"],
        "data": ["digits"] * 3,
        "width": [64] * 3,
        "rate": [0.408123456789, 1.0002, math.nan],
        "rate_lo": [0.4012, 0.981, math.nan],
        "rate_hi": [0.4153, 1.02, math.nan],
        "time": [0.0000123, 4321.9, math.inf],
        "finite": [True, True, False],
        "verdict": ["vanishes", "steady", "unclear"],
        "remedy": ["Use he, or a skip connection around every layer: the rate is then near 1.", "", "More."],
    }
)
