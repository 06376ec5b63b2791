"""The columns of the files of cheap scores beside trainings."""

from dnnlab.nas.proxy_names import PROXIES
from dnnlab.nas.search.columns import ERROR, SEED
from dnnlab.report.columns import Column, Schema

UNDECIDED = "undecided"
PREDICTS, AS_SIZE, USELESS, SIZE = "predicts", "no better than size", "useless", "size"
TONES = {PREDICTS: "good", AS_SIZE: "warn", USELESS: "bad", SIZE: "muted", UNDECIDED: "muted"}

SHORT, SHARED = "short training", "shared weights"
SCORES = (*PROXIES, "parameters", "macs", SHORT, SHARED)
"""What is correlated with trained accuracy."""

CELLS = (
    Column("space", str, "what the architectures are drawn from"),
    Column("data", str, "data set"),
    SEED,
    Column("architecture", str, "the network in one line"),
    Column("id", str, "hash that equal networks share"),
    Column("score", str, "what scores it: a zero-cost proxy, parameters, macs, a short training or shared weights"),
    Column("value", float, "the score"),
    Column("validation", float, "validation accuracy after a full training"),
    Column("seconds", float, "time that the score took"),
    ERROR,
)
SUMMARY = (
    Column("space", str, "what the architectures are drawn from", screen="space"),
    Column("data", str, "data set", screen="data"),
    Column("score", str, "what scores an untrained architecture", screen="score"),
    Column("n", int, "architectures that were scored and trained", screen="n"),
    Column("tau", float, "Kendall's τ of score and accuracy", screen="Kendall τ", low="tau_lo", high="tau_hi"),
    Column("tau_lo", float, "lower end of its 95 % interval, by bootstrap over architectures"),
    Column("tau_hi", float, "upper end"),
    Column("spearman", float, "Spearman's correlation of the two", screen="Spearman"),
    Column("top", float, "Kendall's τ among the most accurate quarter", screen="top quarter"),
    Column("over_size", float, "τ against that of parameters or MACs, whichever is higher", screen="over size",
           low="over_size_lo", high="over_size_hi"),
    Column("over_size_lo", float, "lower end of its 95 % interval, by the same bootstrap"),
    Column("over_size_hi", float, "upper end"),
    Column("seconds", float, "time of a score, mean", screen="seconds", unit="s"),
    Column(
        "verdict",
        str,
        "predicts: τ above zero and above that of size; no better than size; useless: τ not above zero; size; "
        "undecided under 20 architectures",
        screen="verdict",
    ),
    Column("failed", int, "cells that failed; cells.csv says why"),
)  # fmt: skip

SCHEMA = Schema(CELLS, SUMMARY, TONES, ("space", "data", "score"), compared=("tau",), count="n")
