"""The columns of ``--preset separability``."""

from dnnlab.compare_arch.trained_cell import CONFIGURATION, columns
from dnnlab.report.columns import ERROR, OVER_BOTH, SEED, SEEDS, VISIBLE, Column, Schema, estimate, verdict
from dnnlab.report.numbers import Form
from dnnlab.statistics.quantity import Quantity

INPUTS, MORE, LESS, SAME, UNDECIDED = "inputs", "more separable", "less separable", "no difference", "undecided"
TONES = {INPUTS: "muted", MORE: "good", LESS: "bad", SAME: "warn", UNDECIDED: "muted"}

_LAYER = (
    Column("layer", int, "0 for the inputs, then the activations in their order", screen="layer"),
    Column("name", str, "the layer by name", screen="name"),
    Column("features", int, "numbers that the probe reads; maps of more than 2,048 are averaged to fewer positions"),
)
CELLS = (
    *columns(CONFIGURATION),
    SEED,
    *_LAYER,
    Column("untrained", float, "test accuracy of a linear classifier on this layer before training"),
    Column("untrained_right", str, "which of the test examples it gets right: their number, and a bit each in base64"),
    Column("trained", float, "the same accuracy after training"),
    Column("trained_right", str, "which it gets right then"),
    ERROR,
)


SUMMARY = (
    *columns(CONFIGURATION),
    *_LAYER,
    SEEDS,
    *estimate(
        "untrained",
        "test accuracy of a linear classifier on this layer before training",
        "untrained",
        interval=OVER_BOTH,
        form=Form.SHARE,
    ),
    *estimate("trained", "the same after training", "trained", interval=OVER_BOTH, form=Form.SHARE),
    *estimate(
        "gain",
        "trained, less the same classifier on the inputs, seed by seed",
        "over the inputs",
        interval=OVER_BOTH,
        form=Form.CHANGE,
    ),
    VISIBLE,
    Column("p", float, "p-value of no gain, Holm-corrected for the layers of the network"),
    verdict(
        "more or less separable than the inputs, or no difference; undecided under three seeds, and where nothing is "
        "shown and all seeds differ by the same"
    ),
    Column("failed", int, "seeds that failed, on the first row of their network and options; cells.csv says why"),
)
QUANTITIES = tuple(Quantity(name, share=True, right=f"{name}_right") for name in ("trained", "untrained"))

SCHEMA = Schema(
    CELLS,
    SUMMARY,
    TONES,
    (*CONFIGURATION, "layer", "name"),
    compared=QUANTITIES,
    first=("trained", "gain"),
    references=(INPUTS,),
    not_shown=(SAME,),
)
