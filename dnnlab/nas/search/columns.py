"""The columns of ``cells.csv`` and ``summary.csv``: names, types, meanings. The docs are made from here."""

import math
from typing import Any

from dnnlab.report.columns import (
    ANSWERS,
    ERROR,
    FAILED_SEEDS,
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
from dnnlab.statistics.quantity import Quantity

BETTER, WORSE, NO_BETTER, BASELINE = "better", "worse", "no better", "baseline"
COLLAPSED, UNDECIDED = "collapsed", "undecided"
TONES = {
    BETTER: "good",
    NO_BETTER: "warn",
    WORSE: "bad",
    COLLAPSED: "bad",
    BASELINE: "muted",
    UNDECIDED: "muted",
}

PHASES = {"Train": "search", "Score": "score", "Supernet": "supernet", "Inherit": "inherit"}
"""The phase of a row by the class of its request."""
RETRAIN, FINAL = "retrain", "final"

CONFIGURATION = ("strategy", "space", "data", "budget")

REQUEST = (
    Column("strategy", str, "how the space was searched; average for architectures that nobody chose", screen="search"),
    Column("space", str, "what was searched", screen="space"),
    Column("data", str, "data set, or published table", screen="data"),
    Column("budget", str, "what a search may spend", screen="budget"),
)

CELLS = (
    *REQUEST,
    SEED,
    Column("evaluation", int, "what the search asked for, counted"),
    Column(
        "phase",
        str,
        "search: a training; score: a zero-cost proxy; supernet; inherit: accuracy under shared weights; retrain: from "
        "fresh weights; final: the test",
    ),
    Column("architecture", str, "the network in one line"),
    Column("id", str, "hash that equal networks share"),
    Column("code", str, "of each dimension the number of its choice"),
    Column("validation", float, "validation accuracy after training"),
    Column("test", float, "test accuracy; read for what a search ended in alone"),
    *ANSWERS,
    Column("score", float, "of a proxy, or validation accuracy under shared weights"),
    Column("skips", float, "share of operations that are mere skips, where a supernet ended"),
    Column("parameters", float, "trainable numbers"),
    Column("net_macs", float, "multiply–accumulates of one example's forward pass"),
    Column("bytes", float, "of parameters and buffers in float32"),
    Column("latency", float, "time of one example on this machine, where it is an objective", unit="ms"),
    Column("epochs", float, "passes over the training data that this took"),
    Column("macs", float, "multiply–accumulates that this took, forward and backward"),
    Column("seconds", float, "time that this took; of networks trained together, an equal share"),
    Column("problem", str, "why the architecture failed, or diverged"),
    ERROR,
)
MEASURED: dict[str, Any] = {
    "code": "",
    "right": "",
    **dict.fromkeys(
        ("validation", "test", "score", "skips", "parameters", "net_macs", "bytes", "latency", "guessing"), math.nan
    ),
    **dict.fromkeys(("epochs", "macs", "seconds"), 0.0),
    "problem": "",
}
"""The columns that a row measures, and their values where it does not."""

SPENT = (
    Column(
        "evaluations",
        float,
        "trainings from scratch in the search, short ones too, or look-ups in a table; mean over seeds",
        screen="trainings",
        form=Form.COUNT,
    ),
    Column("epochs", float, "passes over the training data, proxies, supernets and retraining included; mean"),
    Column("macs", float, "multiply–accumulates of the same; mean"),
    Column("seconds", float, "time of the same; mean", screen="seconds", unit="s"),
    Column("failures", int, "trainings that failed or diverged; they count like the others"),
    FAILED_SEEDS,
)
RESULT = (
    Column("found", str, "what the seed with the best retrained validation accuracy ended in"),
    Column("found_seed", int, "that seed"),
    Column("found_parameters", float, "trainable numbers of it", form=Form.COUNT),
    Column("found_macs", float, "multiply–accumulates of its forward pass", form=Form.COUNT),
)
MATTERS = (
    Column(
        "importance",
        str,
        "random: the dimensions that explain more of the variance of validation accuracy by themselves than chance "
        "does (by ranks, Holm-corrected); of the first three the share (ω²) and the choice of the highest mean, and "
        "how many more there are",
    ),
    *estimate(
        "mixed_gain",
        "random: validation accuracy of networks of several activations against those of one that are as deep",
        interval="95 % interval over architectures, Welch's",
        form=Form.CHANGE,
    ),
)

OVER = f"{OVER_BOTH}; of a table, over seeds alone"
P = Column("p", float, "p-value of no such gain, paired by seed, Holm-corrected for all rows", screen="p")
VALIDATION = Column(
    "best_validation",
    float,
    "best validation accuracy in the search, mean over seeds",
    screen="validation",
    form=Form.SHARE,
)

SUMMARY = (
    *REQUEST,
    SEEDS,
    VALIDATION,
    *accuracy("test accuracy of what a search ended in, retrained", "test", interval=OVER),
    *estimate(
        "gain_over_random",
        "test accuracy against random search, seed by seed",
        "gain",
        ends="gain",
        interval=OVER,
        form=Form.CHANGE,
    ),
    VISIBLE,
    P,
    *estimate(
        "gain_over_average",
        "test accuracy against the average architecture, seed by seed",
        "over average",
        interval=OVER,
        form=Form.CHANGE,
    ),
    verdict(
        "better, no better or worse than random search; collapsed: most supernets ended in more than half skips; "
        f"baseline; {NOTHING_VISIBLE}"
    ),
    Column("tau", float, "Kendall's τ of the strategy's cheap scores with trainings, mean over seeds", screen="τ"),
    Column("tau_n", int, "architectures that had both, and that no proxy or shared weights chose; in all seeds"),
    Column("skips", float, "share of skips that supernets ended in, mean", screen="skips", form=Form.SHARE),
    Column("supernets", int, "supernets that ended in an architecture"),
    Column("collapsed", int, "of these, those that ended in more than half skips"),
    *RESULT,
    *SPENT,
    *MATTERS,
)

TEST = Quantity("test", share=True, right="right", guessing="guessing")
SCHEMA = Schema(
    CELLS,
    SUMMARY,
    TONES,
    CONFIGURATION,
    compared=(TEST, Quantity("best_validation", share=True)),
    first=("test", "gain_over_random"),
    references=(BASELINE,),
    not_shown=(NO_BETTER,),
)
