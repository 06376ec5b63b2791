"""The columns of the files of a search for several objectives."""

from dnnlab.nas.search import columns as search
from dnnlab.report.columns import Column, Schema, estimate

SUMMARY = (
    *search.ASKED,
    Column("seeds", int, "seeds that were searched", screen="seeds"),
    Column("objectives", str, "what was pursued", screen="objectives"),
    *estimate(
        "hypervolume",
        "share of the box between the worst and the best that anybody found which the front covers; mean over seeds",
        "hypervolume",
    ),
    Column("gain_over_random", float, "hypervolume against random search, seed by seed", screen="gain", low="gain_lo",
           high="gain_hi"),
    Column("gain_lo", float, "lower end of its 95 % interval over seeds"),
    Column("gain_hi", float, "upper end"),
    Column("p", float, "p-value of no such gain, paired by seed, Holm-corrected for all rows", screen="p"),
    Column("front", float, "architectures on the front, mean over seeds", screen="front"),
    Column("best_validation", float, "best validation accuracy in the search, mean over seeds", screen="validation"),
    *estimate("test", "test accuracy of the most accurate on the front, retrained; mean over seeds", "test"),
    Column("verdict", str, "better, no better or worse than random search; baseline; undecided", screen="verdict"),
    *search.FOUND,
    *search.SPENT,
    *search.MATTERS,
)  # fmt: skip

SCHEMA = Schema(search.CELLS, SUMMARY, search.TONES, search.CONFIGURATION, compared=("hypervolume", "test"))
