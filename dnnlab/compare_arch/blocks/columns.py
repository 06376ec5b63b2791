"""The columns of ``--block``."""

from dnnlab.report.columns import ERROR, FAILED_CELLS, Column, Schema, estimate, verdict
from dnnlab.report.numbers import Form
from dnnlab.statistics.quantity import Quantity

REFERENCE, AS_COUNTED, SLOWER, FASTER = "reference", "as counted", "slower than counted", "faster than counted"
UNDECIDED = "undecided"
TONES = {REFERENCE: "muted", AS_COUNTED: "good", SLOWER: "warn", FASTER: "good", UNDECIDED: "muted"}

_BLOCK = (
    Column("comparison", str, "what is compared", screen="comparison"),
    Column("block", str, "the block; the first of a comparison is the reference", screen="block"),
)
_COUNTS = (
    Column("params", int, "trainable parameters", screen="params", counted=True),
    Column("weights", int, "of those, weights of convolutions", counted=True),
    Column("macs", int, "multiply–accumulates of one input forward", screen="MACs", counted=True),
)
CELLS = (
    *_BLOCK,
    *(Column(column.name, float, column.help) for column in _COUNTS),
    Column("process", float, "times are taken in several processes, whose own drift is chance, too"),
    Column("round", int, "timings are taken in turns, each block once a round"),
    Column("forward_ms", float, "time of a batch of 16 images forward", unit="ms"),
    Column("training_ms", float, "time of the same batch forward and backward", unit="ms"),
    Column("machine_spread", float, "how the machine's own speed varied: difference of quartiles over median"),
    ERROR,
)
SUMMARY = (
    *_BLOCK,
    *_COUNTS,
    Column("params_ratio", float, "parameters over the reference's", counted=True, form=Form.FACTOR),
    Column("macs_ratio", float, "MACs over the reference's", screen="MACs ratio", counted=True, form=Form.FACTOR),
    Column("forward_ms", float, "time of a batch of 16 images forward, median", unit="ms", screen="forward"),
    Column("training_ms", float, "the same forward and backward, median", unit="ms", screen="training"),
    *estimate(
        "time_ratio",
        "training time over the reference's: of each process the median of the ratios round by round, and of the "
        "processes the geometric mean",
        "time ratio",
        interval="95 % interval over processes",
        form=Form.FACTOR,
    ),
    *estimate(
        "forward_ratio",
        "the same of the forward pass alone",
        "forward ratio",
        interval="95 % interval over processes",
        form=Form.FACTOR,
    ),
    Column("processes", int, "processes in which times were taken"),
    Column("noisy", bool, "the machine's own speed varied by more than a tenth: measure again"),
    verdict(
        "whether time follows the MACs: as counted, where the whole interval is within a quarter of them; slower or "
        "faster than counted, where all of it is beyond that; else undecided"
    ),
    FAILED_CELLS,
)
SCHEMA = Schema(
    CELLS,
    SUMMARY,
    TONES,
    ("comparison", "block"),
    compared=tuple(Quantity(name, log=True) for name in ("training_ms", "time_ratio", "forward_ratio")),
    first=("time_ratio", "macs_ratio", "forward_ratio"),
    count="processes",
    references=(REFERENCE,),
)
