"""The columns of ``cells.csv`` and ``summary.csv``."""

from dnnlab.report.columns import FAILED_CELLS, Column, Schema, verdict
from dnnlab.report.numbers import Form
from dnnlab.statistics.quantity import Quantity

HOLDS, REFUTED, UNDECIDED = "holds", "refuted", "undecided"
COMPUTED, REPORTED = "computed", "reported"
TONES = {HOLDS: "good", REFUTED: "bad", UNDECIDED: "muted"}

_STATEMENT = Column("statement", str, "what is claimed", screen="statement")
_SIDES = (
    Column("left", float, "what its left side comes to", screen="left", counted=True, form=Form.COUNT),
    Column("right", float, "its right side", screen="right", counted=True, form=Form.COUNT),
)
_DERIVATION = Column("derivation", str, "how both sides come about", screen="derivation")

CELLS = (
    _STATEMENT,
    *_SIDES,
    Column(
        "true",
        float,
        "1 where the statement is true, 0 where it is not, nothing where its sides are too close",
    ),
    _DERIVATION,
    Column("error", str, "why nothing came out"),
)
SUMMARY = (
    _STATEMENT,
    *_SIDES,
    _DERIVATION,
    Column("source", str, "computed, or reported where a side has an accuracy that others published"),
    Column("n", int, "times it was worked out"),
    verdict("holds, refuted, or undecided where its sides are too close to tell or nothing came out"),
    FAILED_CELLS,
)
SCHEMA = Schema(
    CELLS,
    SUMMARY,
    TONES,
    ("statement",),
    compared=(Quantity("left"),),
    count="n",
    reason="derivation",
    value="left",
    source="source",
)
