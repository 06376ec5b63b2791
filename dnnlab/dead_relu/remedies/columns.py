"""The columns of ``cells.csv`` and ``summary.csv`` for a comparison of remedies."""

from dnnlab.dead_relu.census import columns as census
from dnnlab.report.columns import OVER_BOTH, Column, Schema, estimate, verdict
from dnnlab.report.numbers import Form
from dnnlab.runner import configuration

CONFIGURATION = census.CONFIGURATION
DIVERGED, UNDECIDED = census.DIVERGED, census.UNDECIDED
UNTREATED, CURES, HELPS, FEWER = "untreated", "cures", "helps", "fewer dead"
COSTS, NO_EFFECT, HARMS = "costs accuracy", "no effect", "harms"
TONES = {
    UNTREATED: "muted",
    CURES: "good",
    HELPS: "good",
    FEWER: "warn",
    COSTS: "warn",
    NO_EFFECT: "warn",
    HARMS: "bad",
    DIVERGED: "bad",
    UNDECIDED: "muted",
}

SUMMARY = (
    *configuration.columns(CONFIGURATION),
    census.REMEDY,
    *census.STATE,
    *estimate(
        "dead_change",
        "change of the dead share against no remedy, in the seeds that collapsed neither with it nor without; where "
        "all collapsed on one side, all of its seeds count",
        "Δ dead",
        form=Form.CHANGE,
    ),
    Column(
        "dead_p",
        float,
        "p-value of no such change, and where some seeds collapsed of none in how often they do; Holm-corrected for "
        "all rows",
    ),
    *census.ACCURACY,
    *estimate(
        "accuracy_change",
        "change of accuracy against no remedy, in the seeds that learned with it and without; where none learned on "
        "one side, all of its seeds count",
        "Δ accuracy",
        interval=OVER_BOTH,
        form=Form.CHANGE,
    ),
    Column(
        "accuracy_p",
        float,
        "p-value of no such change, and where some seeds did not learn of none in how often they do; Holm-corrected "
        "for all rows",
    ),
    verdict(
        "cures (more accurate, and about as many dead as expected at birth, or fewer), helps (more accurate and fewer "
        "dead), fewer dead (and no more accurate), costs accuracy (fewer dead but less accurate), no effect (neither "
        "more nor fewer dead, and no loss of accuracy; also where no unit was dead to begin with), harms, diverged; "
        "untreated for the network as asked for; undecided under three seeds, where one is better by value but worse "
        "by how many seeds collapse or learn, and where no effect is shown and none could have been, since fewer than "
        "three seeds can be compared, or they all differ by the same"
    ),
    *census.END,
)

DEAD = census.DEAD

SCHEMA = Schema(
    census.CELLS,
    SUMMARY,
    TONES,
    (*CONFIGURATION, "remedy"),
    compared=census.QUANTITIES,
    first=("dead", "accuracy", "accuracy_change"),
    references=(UNTREATED,),
    not_shown=(NO_EFFECT,),
)
