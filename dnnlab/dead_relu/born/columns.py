"""The columns of ``cells.csv`` and ``summary.csv`` for networks born dead."""

from dnnlab.report.columns import ERROR, FAILED_CELLS, Column, Schema, estimate, verdict
from dnnlab.report.numbers import Form
from dnnlab.runner import configuration
from dnnlab.statistics.quantity import Quantity

WITHIN, OUTSIDE, NO_BOUND = "within bounds", "outside bounds", "no bound"
TONES = {WITHIN: "good", OUTSIDE: "bad", NO_BOUND: "muted"}

_SHAPE = configuration.columns(("width", "depth", "init"))

CELLS = (
    *_SHAPE,
    Column("nets", int, "networks of this point"),
    Column("block", int, "part of them"),
    Column("drawn", float, "networks in this part"),
    Column("dead", float, "of those, constant from birth"),
    ERROR,
)
SUMMARY = (
    *_SHAPE,
    Column("n", int, "networks drawn", screen="n"),
    *estimate(
        "probability",
        "share of networks that are constant from birth",
        "born dead",
        interval="exact 95 % interval",
        form=Form.SHARE,
    ),
    Column(
        "lower_bound",
        float,
        "proven lower bound (Lu 2019); empty where none holds",
        screen="at least",
        counted=True,
        form=Form.SHARE,
    ),
    Column(
        "upper_bound",
        float,
        "proven upper bound (Rister & Rubin 2020, Lu 2019)",
        screen="at most",
        counted=True,
        form=Form.SHARE,
    ),
    verdict("outside bounds where the whole interval is, within bounds where it is not, or no bound"),
    FAILED_CELLS,
)

SCHEMA = Schema(
    CELLS, SUMMARY, TONES, ("width", "depth", "init"), compared=(Quantity("probability", share=True),), count="n"
)
