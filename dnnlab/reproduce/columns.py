"""The columns of ``ledger.csv``."""

from dnnlab.report.columns import Column
from dnnlab.reproduce.judge import HOLDS, HOLDS_IF, NOT_DECIDED, NOT_RUN, REFUTED, REPORTED

FAILED = "failed"
TONES = {
    HOLDS: "good",
    HOLDS_IF: "warn",
    REFUTED: "bad",
    REPORTED: "muted",
    NOT_DECIDED: "muted",
    NOT_RUN: "muted",
    FAILED: "bad",
}

LEDGER = (
    Column("part", str, "part of the lecture: the folder of the recipe"),
    Column("recipe", str, "the recipe's name", screen="recipe"),
    Column("slide", str, "the slide's title"),
    Column("claim", str, "what is claimed", screen="claim"),
    Column(
        "verdict",
        str,
        "holds, holds if …, refuted, reported, not decided, not run, or failed",
        screen="verdict",
    ),
    Column(
        "circumstances",
        str,
        "of holds if: when it holds, when not, when that is open; of not decided: why, and what would decide it; of "
        "failed: why",
        screen="when, or why",
    ),
    Column("source", str, "what the verdict rests on: computed, measured here, reported by others"),
    Column("measured", str, "what was measured, with its interval", screen="measured"),
    Column("value", float, "the number that tells"),
    Column("low", float, "lower end of its 95 % interval"),
    Column("high", float, "upper end"),
    Column("n", int, "seeds or repetitions", screen="n"),
    Column("p", float, "p-value of what was measured against the limits of the claim, Holm-corrected inside the claim"),
    Column(
        "false_discovery",
        float,
        "of the claims of this ledger that are decided by measurement with as small a p, the share that would be wrong "
        "by chance (Benjamini & Hochberg 1995)",
    ),
    Column("published", str, "what others measured"),
    Column("note", str, "what a reader must know to believe the verdict"),
    Column(
        "digest", str, "digest of what the recipe asks and when the claim holds, of which the base of its seeds is made"
    ),
    Column("seconds", float, "time of the measurement", unit="s", screen="time"),
    Column("command", str, "what repeats it"),
    Column("run", str, "folder of its run, below the folder of all runs"),
)

CONDITIONS = Column(
    "conditions",
    str,
    "each condition in each row that it looks at, as a list in JSON: what was measured, whether the condition is met "
    "or why that is open and, where there is an interval, its numbers and the limits between which the claim wants "
    "them",
)
KEPT = (*LEDGER, CONDITIONS)
"""The columns of ``ledger.csv``, of which the page is made. Earlier versions wrote it without the last."""
