"""The columns of ``cells.csv`` and ``summary.csv`` for a search with several objectives."""

from dnnlab.nas.search import columns as search
from dnnlab.report.columns import SEEDS, VISIBLE, Column, Schema, accuracy, estimate, verdict
from dnnlab.report.numbers import Form
from dnnlab.statistics.quantity import Quantity

SUMMARY = (
    *search.REQUEST,
    SEEDS,
    Column("objectives", str, "what was pursued", screen="objectives"),
    *estimate(
        "hypervolume",
        "share of the box between the worst and the best that anybody found which the front covers; mean over seeds",
        "hypervolume",
        form=Form.SHARE,
    ),
    *estimate(
        "gain_over_random", "hypervolume against random search, seed by seed", "gain", ends="gain", form=Form.CHANGE
    ),
    VISIBLE,
    search.P,
    Column("front", float, "architectures on the front, mean over seeds", screen="front"),
    search.VALIDATION,
    *accuracy("test accuracy of the most accurate on the front, retrained", "test", interval=search.OVER),
    verdict("better, no better or worse than random search; baseline; undecided"),
    *search.RESULT,
    *search.SPENT,
    *search.MATTERS,
)

HYPERVOLUME = Quantity("hypervolume", share=True)
SCHEMA = Schema(
    search.CELLS,
    SUMMARY,
    search.TONES,
    search.CONFIGURATION,
    compared=(HYPERVOLUME, search.TEST),
    first=("hypervolume", "gain_over_random"),
    references=(search.BASELINE,),
    not_shown=(search.NO_BETTER,),
)
