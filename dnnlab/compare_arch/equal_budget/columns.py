"""The columns of the main question: names, types, meanings."""

from dnnlab.compare_arch.trained_cell import CONFIGURATION, columns
from dnnlab.report.columns import (
    ANSWERS,
    DIVERGED_SEEDS,
    ERROR,
    NOTHING_VISIBLE,
    OVER_BOTH,
    SEED,
    SEEDS,
    UNCOUNTED,
    VISIBLE,
    Column,
    Schema,
    accuracy,
    estimate,
    verdict,
)
from dnnlab.report.numbers import Form
from dnnlab.statistics.quantity import ACCURACY

REFERENCE, BETTER, WORSE, SAME = "reference", "more accurate", "less accurate", "no difference"
UNDECIDED, DIVERGED, OUT_OF_MEMORY, UNTRAINED = "undecided", "diverged", "out of memory", "not trained"
TONES = {
    REFERENCE: "muted",
    BETTER: "good",
    WORSE: "bad",
    SAME: "warn",
    UNDECIDED: "muted",
    DIVERGED: "bad",
    OUT_OF_MEMORY: "bad",
    UNTRAINED: "muted",
}

COSTED = ("arch", "data", "batch_size", "optimizer")
"""The columns that the cost of a network depends on."""
COMPARED = ("data", "train_size", "budget")
"""Rows are compared where they agree in these columns."""
COSTS = ("params", "macs", "latency_ms")
"""The columns of the costs that Pareto fronts are drawn over."""

COUNTS = (
    Column("params", int, "trainable parameters that inference uses", screen="params", counted=True),
    Column(
        "auxiliary_params",
        int,
        "trainable parameters that inference does not use, such as those of auxiliary heads",
        counted=True,
    ),
    Column("buffers", int, "elements saved but not trained, such as statistics of batch normalisation", counted=True),
    Column("macs", int, "multiply–accumulates of one input forward", screen="MACs", counted=True),
    Column(
        "training_macs",
        int,
        "multiply–accumulates of one input forward and backward, where a gradient is needed",
        counted=True,
    ),
    Column(
        "activations", int, "elements put out by products with a trained matrix or kernel for one input", counted=True
    ),
    Column(
        "peak_memory_bytes",
        int,
        "most memory in training at this batch, predicted from the shapes of a step",
        unit="B",
        screen="peak memory",
        counted=True,
        form=Form.BYTES,
    ),
    Column(
        "measured_peak_bytes",
        float,
        "the same, measured; empty where it would take too long, and with --cost-only unless --measure-costs is given",
        unit="B",
        form=Form.BYTES,
    ),
    Column("parameters_bytes", int, "part of the prediction: parameters", unit="B", counted=True, form=Form.BYTES),
    Column("buffers_bytes", int, "part: buffers", unit="B", counted=True, form=Form.BYTES),
    Column("gradients_bytes", int, "part: gradients", unit="B", counted=True, form=Form.BYTES),
    Column("optimiser_bytes", int, "part: what the optimiser remembers", unit="B", counted=True, form=Form.BYTES),
    Column("saved_bytes", int, "part: activations kept for the backward pass", unit="B", counted=True, form=Form.BYTES),
)
SPEED = (
    Column(
        "latency_ms",
        float,
        "time of one input, median of timings in turns; with --cost-only this and what else is timed are empty unless "
        "--measure-costs is given",
        unit="ms",
        screen="latency",
    ),
    Column("latency_p95_ms", float, "its 95th percentile", unit="ms"),
    Column("latency_spread", float, "difference of its quartiles over the median", form=Form.SHARE),
    Column("warm_up_calls", int, "calls until the time stood still"),
    Column("throughput", float, "inputs a second at the batch size", unit="1/s", screen="throughput", form=Form.COUNT),
    Column(
        "peak_share",
        float,
        "multiply–accumulates a second at that batch over those of a large matrix product",
        form=Form.SHARE,
    ),
    Column("machine_macs_a_second", float, "the same product's, measured between the timings"),
    Column("machine_spread", float, "difference of its quartiles over the median", form=Form.SHARE),
)


def _optional(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """The columns of costs that only rows of the part "cost" have. Whole numbers are floats there, since one may be
    missing."""
    return tuple(Column(c.name, float, c.help, c.unit) for c in columns)


_INPUT = Column("input", str, "the shape of one input at which the costs are counted", screen="input")

JUDGED = ("accuracy", *(column.name for column in ANSWERS))
"""The columns of a test accuracy."""

CELLS = (
    Column("part", str, "cost, or training"),
    *columns(CONFIGURATION),
    _INPUT,
    SEED,
    Column("step", int, "training steps taken before this look"),
    Column("epoch", float, "epochs until then"),
    Column("macs_spent", float, "multiply–accumulates of the training until then"),
    Column("seconds", float, "seconds of training until then", unit="s"),
    Column("loss", float, "training loss, mean since the look before", unit="nats"),
    Column("validation_accuracy", float, "share of validation examples classified right; empty where none were seen"),
    Column("validation_examples", float, "of so many: a fixed part of the split, or all of it after the last step"),
    Column("looking_seconds", float, "seconds until then that these looks took, beside the training", unit="s"),
    Column("accuracy", float, "after the last step: share of the test split classified right"),
    *ANSWERS,
    Column("outcome", str, "diverged or out of memory; else empty"),
    Column("fitting_batch", float, "out of memory: the largest batch that would fit"),
    *_optional(COUNTS),
    UNCOUNTED,
    *_optional(SPEED),
    Column("noisy", float, "1 where the machine's own speed varied by more than a tenth"),
    ERROR,
)

_ACCURACY = (
    SEEDS,
    *accuracy("test accuracy after the last step, mean over the seeds that learned"),
    *estimate(
        "difference",
        "accuracy less that of the reference, in the seeds that learned in both; of a network that learned in no seed, "
        "all count",
        "difference",
        interval=OVER_BOTH,
        form=Form.CHANGE,
    ),
    VISIBLE,
    Column(
        "p",
        float,
        "p-value of no difference, in accuracy and where some seeds did not learn in how often they do; Holm-corrected "
        "for the rows compared",
    ),
    Column(
        "superiority",
        float,
        "share of seeds in which it beats the reference, P(A > B); ties count half",
        form=Form.SHARE,
    ),
    Column(
        "rank",
        int,
        "place by accuracy under this budget, 1 for the best",
        screen="rank",
        low="rank_lo",
        high="rank_hi",
    ),
    Column("rank_lo", int, "the best place that the paired differences leave open"),
    Column("rank_hi", int, "the worst"),
    Column(
        "front",
        str,
        "the costs at which nothing as cheap is shown to be more accurate: the Pareto front, with its intervals",
        screen="on the front of",
    ),
    Column(
        "published_accuracy", float, "published, in its own recipe: not comparable", screen="published", form=Form.SHARE
    ),
    Column("published_on", str, "what that was measured on", screen="on"),
    verdict(
        "more accurate, less accurate or no difference against the reference, which is the first row of its budget "
        "that was trained to the end and did not diverge; undecided under three seeds, and where one is more accurate "
        f"but learns less often; {NOTHING_VISIBLE}; diverged, out of memory, not trained"
    ),
)

SUMMARY = (
    *columns(CONFIGURATION),
    _INPUT,
    *COUNTS,
    UNCOUNTED,
    *SPEED,
    Column(
        "time_over_macs",
        float,
        "time per multiply–accumulate at the batch size, over that of the reference",
        form=Form.FACTOR,
    ),
    Column("noisy", bool, "the machine's own speed varied by more than a tenth: measure again"),
    *_ACCURACY,
    Column("steps", float, "training steps, mean over seeds", form=Form.COUNT),
    Column("train_seconds", float, "seconds of training, mean over seeds", unit="s"),
    Column("looking_seconds", float, "seconds of looks at the validation split beside it, mean over seeds", unit="s"),
    Column("loss", float, "training loss at the end, mean over seeds", unit="nats"),
    DIVERGED_SEEDS,
    Column("fitting_batch", float, "out of memory: the largest batch that would fit", form=Form.COUNT),
    Column(
        "failed",
        int,
        "trainings that failed, and on a network's first row its costs, where they failed; cells.csv says why",
    ),
)

SCHEMA = Schema(
    CELLS,
    SUMMARY,
    TONES,
    CONFIGURATION,
    compared=(ACCURACY,),
    first=("accuracy", "params", "macs", "difference", "peak_memory_bytes"),
    references=(REFERENCE,),
    not_shown=(SAME,),
)
