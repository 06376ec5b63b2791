"""The columns of ``cells.csv`` and ``summary.csv`` for cheap scores beside trainings."""

from dnnlab.nas.proxy_names import PROXIES
from dnnlab.report.columns import ERROR, FAILED_SEEDS, SEED, Column, Schema, estimate, verdict
from dnnlab.statistics.quantity import Quantity

UNDECIDED = "undecided"
PREDICTS, AS_SIZE, USELESS, SIZE = "predicts", "no better than size", "useless", "size"
TONES = {PREDICTS: "good", AS_SIZE: "warn", USELESS: "bad", SIZE: "muted", UNDECIDED: "muted"}

FEW = 20
"""The number of architectures below which nothing is concluded."""
SHORT, SHARED = "short training", "shared weights"
SCORES = (*PROXIES, "parameters", "macs", SHORT, SHARED)
"""The scores that are correlated with trained accuracy."""

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
    Column("n", int, "different architectures that were scored and trained, in all seeds", screen="n"),
    *estimate(
        "tau",
        "Kendall's τ of score and accuracy",
        "Kendall τ",
        interval="95 % interval, by bootstrap over architectures",
    ),
    Column("spearman", float, "Spearman's correlation of the two", screen="Spearman"),
    Column("top", float, "Kendall's τ among the most accurate quarter", screen="top quarter"),
    *estimate(
        "over_size",
        "τ against that of parameters or MACs, whichever is higher",
        "over size",
        interval="95 % interval, by the same bootstrap",
    ),
    Column("seconds", float, "time of a score, mean", screen="seconds", unit="s"),
    verdict(
        "predicts: τ is shown to be above zero and above that of size; no better than size: above zero, not shown to "
        "be above that of size; useless: not shown to be above zero, and shown to be below .3; size; else undecided, "
        "as under 20 architectures. Holm-corrected for the scores of a data set"
    ),
    FAILED_SEEDS,
)

SCHEMA = Schema(
    CELLS,
    SUMMARY,
    TONES,
    ("space", "data", "score"),
    compared=(Quantity("tau"),),
    first=("tau", "over_size"),
    count="n",
    references=(SIZE,),
    not_shown=(AS_SIZE, USELESS),
)
