"""The columns of ``ledger.csv``."""

from dnnlab.report.columns import Column
from dnnlab.reproduce.judge import HOLDS, HOLDS_IF, NOT_DECIDED, NOT_RUN, REFUTED

FAILED = "failed"
TONES = {HOLDS: "good", HOLDS_IF: "warn", REFUTED: "bad", NOT_DECIDED: "muted", NOT_RUN: "muted", FAILED: "bad"}

LEDGER = (
    Column("part", str, "part of the lecture: the folder of the recipe"),
    Column("recipe", str, "the recipe's name", screen="recipe"),
    Column("slide", str, "the slide's title"),
    Column("claim", str, "what is claimed", screen="claim"),
    Column("verdict", str, "holds, holds if …, refuted, not decided, not run, or failed", screen="verdict"),
    Column(
        "circumstances",
        str,
        "of holds if: when it holds, when not, when that is open; of not decided and failed: why",
        screen="when, or why",
    ),
    Column("measured", str, "what was measured, with its interval", screen="measured"),
    Column("value", float, "the number that tells"),
    Column("low", float, "lower end of its 95 % interval"),
    Column("high", float, "upper end"),
    Column("n", int, "seeds or repetitions", screen="n"),
    Column("published", str, "what others measured"),
    Column("note", str, "what a reader must know to believe the verdict"),
    Column("seconds", float, "time of the measurement", unit="s", screen="time"),
    Column("command", str, "what repeats it"),
    Column("run", str, "folder of its run, below the folder of all runs"),
)
