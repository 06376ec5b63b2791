"""The columns of ``cells.csv`` and ``summary.csv``: names, types, meanings. The docs are made from here."""

from dnnlab.report.columns import (
    ANSWERS,
    ERROR,
    FAILED_SEEDS,
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
from dnnlab.statistics.quantity import ACCURACY, Quantity

BASELINE, HOLDS, LOSES, NO_SMALLER = "baseline", "holds", "loses", "no smaller"
UNDECIDED, DIVERGED = "undecided", "diverged"
TONES = {
    BASELINE: "muted",
    HOLDS: "good",
    LOSES: "bad",
    NO_SMALLER: "warn",
    UNDECIDED: "muted",
    DIVERGED: "bad",
}

ZSTD = "zstd-19"
"""The control that is the network itself in fewer bytes."""
SMALL = "small dense"
"""The control that is a narrower network of as many bytes."""
CONFIGURATION = ("arch", "data", "recipe", "role", "stage", "method")
"""The columns that name a row of the summary."""

_NETWORK = (
    Column("arch", str, "the network: of the catalogue, or the user's own", screen="arch"),
    Column("data", str, "data set", screen="data"),
)
_RECIPE = Column("recipe", str, "the chain that was asked for; empty for the network itself")
_ROLE = Column("role", str, "baseline, chain, control, or trial of a search (in cells.csv alone)")
_STAGE = Column("stage", int, "stages of the chain that are done")
_METHOD = Column("method", str, "the last stage, or what the control is", screen="method")
_CHAIN = Column("chain", str, "the stages until here, with what a search chose", screen="chain")
_FORM = Column("form", str, "dense, sparse, shared, coded or int8; empty under zstd")

_SIZES = (
    Column("params", float, "parameters that inference uses, zeros included", form=Form.COUNT),
    Column("nonzeros", float, "parameters that are not zero", screen="non-zeros", form=Form.COUNT),
    Column("macs", float, "multiply–accumulates of one input, zeros included", counted=True, form=Form.COUNT),
    UNCOUNTED,
    Column(
        "bytes",
        float,
        "bytes of the file, with all that it takes to read it back",
        unit="B",
        screen="bytes",
        form=Form.BYTES,
    ),
    Column(
        "ratio",
        float,
        "4 bytes for each parameter that the network itself uses, over those bytes",
        screen="ratio",
        form=Form.FACTOR,
    ),
    Column(
        "ratio_onnx", float, "bytes of the network's own FP32 ONNX file, stripped, over those bytes", form=Form.FACTOR
    ),
    Column("bits_per_weight", float, "in a container: bits an entry, indices included"),
    Column("entropy_bound", float, "the same by the entropy of its numbers, each on its own", unit="bit"),
)
_TIMES = (
    Column("latency_ms", float, "one input in ONNX Runtime on one thread, median", unit="ms", screen="latency"),
    Column("latency_min_ms", float, "the least", unit="ms"),
    Column("latency_p95_ms", float, "95th percentile", unit="ms"),
    Column("base_latency_ms", float, "the network itself, timed in turns with it", unit="ms"),
    Column("speedup", float, "base_latency_ms over latency_ms: above 1 is faster", screen="speedup", form=Form.FACTOR),
    Column("latency32_ms", float, "32 inputs at once, median", unit="ms"),
    Column("latency32_min_ms", float, "the least", unit="ms"),
    Column("latency32_p95_ms", float, "95th percentile", unit="ms"),
    Column("base_latency32_ms", float, "the network itself, timed in turns with it", unit="ms"),
    Column("speedup32", float, "base_latency32_ms over latency32_ms: above 1 is faster", form=Form.FACTOR),
)
_OVER_PROCESSES = "95 % interval over seeds, each timed in a process of its own"
_SUMMARY_TIMES = tuple(
    part
    for column in _TIMES
    for part in (
        estimate(
            column.name,
            f"{column.help}; geometric mean over seeds",
            column.screen,
            interval=_OVER_PROCESSES,
            form=column.form,
        )
        if column.name.startswith("speedup")
        else (column,)
    )
)
_INT8 = (
    Column(
        "int8_share",
        float,
        "share of the multiply–accumulates that ONNX Runtime executes in eight bits",
        form=Form.SHARE,
    ),
    Column("int8_kind", str, "signs of activations and weights, U8S8 or S8S8, where quantised ahead"),
    Column("in_floats", str, "of an eight-bit file: operators that multiply floats, each with its share"),
    Column("judged_batch", float, "inputs a call at which accuracy was judged, where those of one call share a range"),
)
_MEMORY = Column(
    "memory_bytes",
    float,
    "resident memory that ONNX Runtime takes more in a process of its own, with the file loaded and one input run; "
    "measured on Linux alone",
    unit="B",
    form=Form.BYTES,
)
_TOLD = (
    Column("left", str, "layers that the last stage left as they were, each with the reason"),
    Column("missed", str, "what was asked of the last stage, or of a search for the whole chain, and not reached"),
    Column(
        "unread",
        str,
        "tensors on which the logits do not depend; params, nonzeros, ratio and a .dnnz are without them",
    ),
)

CELLS = (
    *_NETWORK,
    _RECIPE,
    SEED,
    _ROLE,
    Column("stage", float, "stages of the chain that are done"),
    _METHOD,
    _CHAIN,
    _FORM,
    Column("strength", float, "trial: from 0, gentle, to 1"),
    *_SIZES,
    Column("validation_accuracy", float, "share of the validation split that the file gets right"),
    Column("validation_drop", float, "what that is below the network itself's"),
    Column("accuracy", float, "share of the test split that the file gets right, read back"),
    *ANSWERS,
    Column("tested", float, "test examples"),
    Column("errors", float, "of those, wrong"),
    Column("base_errors", float, "wrong by the network itself"),
    Column("gained", float, "right here, wrong by the network itself"),
    Column("lost", float, "wrong here, right by the network itself"),
    Column("diverged", float, "1 where logits are not numbers"),
    *_TIMES,
    *_INT8,
    _MEMORY,
    *_TOLD,
    Column("noisy", float, "1 where the machine's own speed varied by more than a tenth"),
    Column("seconds", float, "of training and measuring this row", unit="s"),
    Column("file", str, "the file, from the run's folder"),
    ERROR,
)

SUMMARY = (
    *_NETWORK,
    _RECIPE,
    _ROLE,
    _STAGE,
    _METHOD,
    _CHAIN,
    _FORM,
    SEEDS,
    *_SIZES,
    *accuracy("share of the test split that the file gets right, read back, mean over the seeds that learned"),
    *estimate(
        "accuracy_drop",
        "what that is below the network itself's, example by example, in the seeds in which both learned",
        "drop",
        ends="drop",
        interval=OVER_BOTH,
        form=Form.POINTS,
    ),
    VISIBLE,
    Column("p", float, "p-value of no change of accuracy, Holm-corrected for all rows"),
    Column("errors", float, "test examples wrong, mean over seeds", screen="errors", form=Form.COUNT),
    Column("errors_lo", float, "the fewest of a seed", form=Form.COUNT),
    Column("errors_hi", float, "the most", form=Form.COUNT),
    Column("base_errors", float, "wrong by the network itself, mean over seeds", form=Form.COUNT),
    Column("tested", int, "test examples", screen="of"),
    *_SUMMARY_TIMES,
    *_INT8,
    _MEMORY,
    *_TOLD,
    Column("noisy", bool, "the machine's own speed varied by more than a tenth: times are doubtful"),
    Column("file", str, "the file of the first seed, from the run's folder"),
    verdict(
        "holds (smaller, and shown to lose less than a point), loses (shown to lose more), no smaller, diverged, "
        "undecided; baseline for the network itself"
    ),
    Column("diverged", int, "seeds whose logits are not numbers"),
    FAILED_SEEDS,
)

SPEEDUP, SPEEDUP32 = (Quantity(name, log=True) for name in ("speedup", "speedup32"))
QUANTITIES = (
    ACCURACY,
    # A file is a byte larger or smaller, and nothing between.
    *(Quantity(name, step=f"step_of_{name}") for name in ("bytes", "params", "ratio", "ratio_onnx")),
    SPEEDUP,
    SPEEDUP32,
)

SCHEMA = Schema(
    CELLS,
    SUMMARY,
    TONES,
    CONFIGURATION,
    compared=QUANTITIES,
    first=("ratio", "accuracy_drop", "bytes", "speedup"),
    references=(BASELINE,),
)
