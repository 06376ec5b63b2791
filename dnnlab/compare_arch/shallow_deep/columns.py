"""The columns of ``--preset shallow-deep``."""

from dnnlab.report.columns import ERROR, FAILED_SEEDS, SEED, SEEDS, Column, Schema, estimate, verdict
from dnnlab.statistics.quantity import Quantity

AS_CLAIMED, SLOWER, FASTER, UNDECIDED = "as claimed", "slower than claimed", "faster than claimed", "undecided"
TONES = {AS_CLAIMED: "good", SLOWER: "warn", FASTER: "warn", UNDECIDED: "muted"}

CELLS = (
    Column("task", str, "parity of n bits, or a compositional function of n inputs"),
    Column("inputs", int, "n"),
    Column("kind", str, "shallow or deep"),
    Column("depth", int, "hidden layers"),
    Column("width", int, "units a hidden layer"),
    SEED,
    Column("steps", float, "training steps until it was solved; empty where it never was"),
    Column("accuracy", float, "share of all patterns, or of the training examples, classified right at the end"),
    Column("solved", float, "1 where the task was solved: parity without an error, the function to 95 %"),
    ERROR,
)


SUMMARY = (
    Column("task", str, "parity of n bits, or a compositional function of n inputs", screen="task"),
    Column("kind", str, "shallow: one hidden layer; deep: three", screen="kind"),
    Column("depth", int, "hidden layers"),
    SEEDS,
    Column("needed", str, "inputs: hidden units that half of the seeds solve it with, all layers", screen="units by n"),
    *estimate("factor", "factor by which the units needed grow with each input: units ∝ factorⁿ", "× an input"),
    *estimate("exponent", "exponent of the power law: units ∝ n^exponent", "n to the"),
    Column("exponential_error", float, "mean square error of the exponential fit, in log₂ units"),
    Column("power_error", float, "the same of the power law"),
    Column("sufficient", str, "inputs: units for which weights are known that solve it", screen="known to suffice"),
    Column("claim", str, "of the lecture", screen="claim"),
    verdict("as claimed, slower or faster than claimed by the interval; else undecided"),
    Column("censored", int, "seeds and sizes that no width tried solved; they count as twice the widest"),
    FAILED_SEEDS,
)
SCHEMA = Schema(CELLS, SUMMARY, TONES, ("task", "kind"), compared=(Quantity("log2_units"),))
