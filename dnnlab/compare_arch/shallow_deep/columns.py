"""The columns of ``--preset shallow-deep``."""

from dnnlab.report.columns import ERROR, FAILED_SEEDS, SEED, SEEDS, Column, Schema, estimate, verdict
from dnnlab.report.numbers import Form
from dnnlab.statistics.quantity import Quantity

AS_CLAIMED, SLOWER, FASTER, UNDECIDED = "as claimed", "slower than claimed", "faster than claimed", "undecided"
TONES = {AS_CLAIMED: "good", SLOWER: "warn", FASTER: "warn", UNDECIDED: "muted"}

ENDED, NOT_ENDED = "ended", "not ended"

CELLS = (
    Column("task", str, "parity of n bits, or a compositional function of n inputs"),
    Column("inputs", int, "n"),
    Column("kind", str, "shallow or deep"),
    Column("depth", int, "hidden layers"),
    Column("width", int, "units a hidden layer that were tried"),
    SEED,
    Column("most_steps", int, "training steps at most"),
    Column("steps", float, "training steps until it was solved; empty where it was not"),
    Column("accuracy", float, "the highest share classified right: of all patterns, or of examples not trained on"),
    Column("solved", float, "1 where the task was solved: parity without an error, the function to 90 %"),
    Column("ended", float, "1 where the task was solved or the loss had come to rest; 0 where the steps were spent"),
    ERROR,
)


SUMMARY = (
    Column("task", str, "parity of n bits, or a compositional function of n inputs", screen="task"),
    Column("kind", str, "shallow: one hidden layer; deep: three", screen="kind"),
    Column("depth", int, "hidden layers"),
    SEEDS,
    Column("needed", str, "inputs: hidden units that half of the seeds solve it with, all layers", screen="units by n"),
    *estimate(
        "factor", "factor by which the units needed grow with each input: units ∝ factorⁿ", "with each input",
        log=True, form=Form.FACTOR,
    ),
    *estimate("exponent", "exponent of the power law: units ∝ n^exponent", "n to the"),
    Column("freedom", float, "degrees of freedom of both intervals"),
    Column("exponential_likelihood", float, "logarithm of the likelihood of the exponential law"),
    Column("power_likelihood", float, "the same of the power law; a law fits better where it is larger by 3 (log 20)"),
    Column("half_factor", float, "the factor of what was solved within half of the steps", form=Form.FACTOR),
    Column("half_exponent", float, "the same of the exponent"),
    Column("training", str, "ended, where half of the steps give a factor and an exponent inside the intervals; else "
           "not ended, and more steps may change them; undecided where there are no intervals", screen="training"),
    Column("late", int, "seeds and sizes that would need wider layers with half of the steps"),
    Column("unended", int, "seeds and sizes whose widest network that failed still learned when steps were spent"),
    Column("sufficient", str, "inputs: units for which weights are known that solve it", screen="known to suffice"),
    Column("claim", str, "of the lecture", screen="claim"),
    verdict("as claimed, where the whole interval is within 5 % of the claimed factor or exponent, and the other law "
            "does not fit better; slower or faster than claimed, where all of it is beyond that; else undecided, also "
            "where training has not ended"),
    Column("censored", int, "seeds and sizes that no width tried solved within the steps"),
    FAILED_SEEDS,
)  # fmt: skip
SCHEMA = Schema(
    CELLS, SUMMARY, TONES, ("task", "kind"), compared=(Quantity("log2_units"),), first=("factor", "training", "needed")
)
