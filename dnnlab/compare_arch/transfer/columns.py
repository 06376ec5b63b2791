"""The columns of ``--preset transfer``."""

from dnnlab.compare_arch.trained_cell import CONFIGURATION, columns
from dnnlab.report.columns import (
    ANSWERS,
    ERROR,
    NOTHING_VISIBLE,
    OVER_BOTH,
    SEED,
    SEEDS,
    VISIBLE,
    Column,
    Schema,
    accuracy,
    estimate,
    verdict,
)
from dnnlab.report.numbers import Form
from dnnlab.statistics.quantity import ACCURACY

SCRATCH, FROZEN, TUNED, RANDOM = "from scratch", "frozen but for the head", "fine-tuned", "random, frozen"
TREATMENTS = (SCRATCH, FROZEN, TUNED, RANDOM)
REFERENCE, BETTER, WORSE, SAME, UNDECIDED = "reference", "helps", "harms", "no difference", "undecided"
TONES = {REFERENCE: "muted", BETTER: "good", WORSE: "bad", SAME: "warn", UNDECIDED: "muted"}

_TREATMENT = Column(
    "treatment",
    str,
    "from scratch; trained on the other classes and frozen but for the head, or fine-tuned; or random and frozen",
    screen="treatment",
)
CELLS = (
    *columns(CONFIGURATION),
    SEED,
    _TREATMENT,
    Column("trained_parameters", float, "parameters that are trained on the new task", counted=True),
    Column("source_accuracy", float, "test accuracy on the first half of the classes, after training there"),
    Column("accuracy", float, "test accuracy on the other half, after training there"),
    *ANSWERS,
    ERROR,
)


SUMMARY = (
    *columns(CONFIGURATION),
    _TREATMENT,
    Column("trained_parameters", int, "parameters that are trained on the new task", screen="trained", counted=True),
    SEEDS,
    Column(
        "source_accuracy", float, "test accuracy on the first half of the classes, mean over seeds", form=Form.SHARE
    ),
    *accuracy("test accuracy on the other half of the classes"),
    *estimate(
        "difference",
        "accuracy less that from scratch, seed by seed",
        "difference",
        interval=OVER_BOTH,
        form=Form.CHANGE,
    ),
    VISIBLE,
    Column("p", float, "p-value of no difference, Holm-corrected for the treatments"),
    verdict(f"helps, harms or no difference against training from scratch; {NOTHING_VISIBLE}"),
    Column("failed", int, "seeds that failed, on the first row of their network and options; cells.csv says why"),
)
SCHEMA = Schema(
    CELLS,
    SUMMARY,
    TONES,
    (*CONFIGURATION, "treatment"),
    compared=(ACCURACY,),
    first=("accuracy", "difference"),
    references=(REFERENCE,),
    not_shown=(SAME,),
)
