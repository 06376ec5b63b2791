"""The result in sentences. It needs the summary alone, so that a finished run is shown without torch."""

import math

import pandas as pd

from dnnlab.dead_relu.census import columns as c
from dnnlab.dead_relu.census.summary import FEW, usual
from dnnlab.dead_relu.spec import Spec
from dnnlab.errors import are, counted, some
from dnnlab.report.numbers import Form, exactly, number
from dnnlab.runner.summary import in_words, tally
from dnnlab.statistics.intervals import ENOUGH

_SAYS = {
    c.HEALTHY: ("keeps its units", "keep their units"),
    c.EXPECTED: (
        "has about as many dead units as chance leaves at birth, or fewer",
        "have about as many dead units as chance leaves at birth, or fewer",
    ),
    c.DYING: ("has units that die", "have units that die"),
    c.COLLAPSED: ("collapses", "collapse"),
    c.DIVERGED: ("diverges", "diverge"),
    c.UNDECIDED: ("is not decided", "are not decided"),
}


def headline(summary: pd.DataFrame, spec: Spec) -> str:
    """The verdicts in a few words, of one network also the share of dead units, in the seeds that did not collapse."""
    says = _SAYS if spec is None or spec.training_steps else _SAYS | {c.DYING: ("has dead units", "have dead units")}
    if len(summary) > 1:
        return in_words(summary["verdict"], says)
    row = summary.iloc[0]
    of = _of(row)
    share = "" if math.isnan(row["dead"]) else f": {of and f'{of}, '}{c.SCHEMA.number(row, 'dead')} are dead"
    return f"{name(row)} {says[row['verdict']][0]}{share}"


def _of(row: pd.Series) -> str:
    """The seeds that the shares of units dead after training are of, where they are not of all: ``in the 2 of 7 …``."""
    stayed = int(row["seeds"] - round(row["collapsed"] * row["seeds"])) if row["collapsed"] > 0 else 0
    return f"in the {stayed} of {counted(int(row['seeds']), 'seed')} that did not collapse" if stayed else ""


def conclusions(summary: pd.DataFrame, spec: Spec) -> list[str]:
    """The verdicts, and the most notable rows."""
    worst = summary.iloc[int(summary["dead"].fillna(-1).to_numpy().argmax())]
    head = f"{len(summary)} configurations: {tally(summary['verdict'])}. " if len(summary) > 1 else ""
    if math.isnan(worst["dead"]):
        unknown = summary[summary["not_known"] != ""]
        no = "No other network" if len(unknown) else "No network"
        nothing = [] if len(unknown) == len(summary) else [f"{head}{no} stayed within the range of numbers."]
        return [*nothing, *_not_known(unknown)]
    shares = ("expected_dead", "born_dead", "died", "revived", "zero_fraction", "pushed_down", "certified_dead")
    share = {name: c.SCHEMA.number(worst, name) for name in shares}
    against = (
        f", where {share['expected_dead']} are expected at birth" if not math.isnan(worst["expected_dead"]) else ""
    )
    of = _of(worst)
    fate = (
        f": {share['died']} of all units were alive before training and are dead now, and {share['revived']} were dead "
        f"at some look and are alive now. In all seeds {share['born_dead']} were dead before training"
    )
    diverged = summary[summary["diverged"] > 0]
    sentences = [
        f"In {row['diverged']} of {row['seeds']} seeds the loss of {name(row)} is no number: what its units do there "
        "says little."
        for _, row in diverged.head(1).iterrows()
    ]
    sentences += [
        f"{head}{name(worst)} has {c.SCHEMA.estimate(worst, 'dead')} dead units{of and f' {of}'}{against}"
        f"{fate if spec.training_steps else ''}. {'In all seeds z' if of else 'Z'}ero outputs are "
        f"{share['zero_fraction']}, which by itself says nothing of death."
    ]
    sentences += _open(summary, spec)
    if not math.isnan(worst["fatal_update"]) and not math.isnan(worst["survived_update"]):
        times = worst["fatal_update"] / worst["survived_update"] if worst["survived_update"] else math.inf
        excess = worst["pushed_more"]
        meanwhile = f" ({c.SCHEMA.number(worst, 'pushed_more')} against the units beside them that lived)"
        meanwhile = "" if math.isnan(excess) else meanwhile
        # Where no unit of these seeds died, it is the collapsed ones whose deaths are told of.
        pushed = f"{of}, {share['pushed_down']}" if of and worst["died"] > 0 else share["pushed_down"]
        sentences.append(
            f"The largest step of a unit's weights before it died was {c.SCHEMA.number(worst, 'fatal_update')} of "
            f"their norm on average, {number(times, Form.FACTOR)} that of units that lived; {pushed} of "
            f"the dying had their mean pre-activation pushed down{meanwhile}."
        )
    unknown = summary[summary["expected_dead"].isna() & summary["born_dead"].notna() & (summary["model"] == "")]
    if len(unknown):
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        sentences.append(
            f"What chance leaves dead at birth is not known for {name(unknown.iloc[0])}{more}: to draw enough networks "
            "takes too long, their numbers leave the range of float32, or the run is of an earlier version. The "
            "verdict takes the units that were dead before training instead."
        )
    sentences += _not_known(summary[summary["not_known"] != ""])
    if worst["certified_dead"] > 0:
        every = "In all seeds " if of else ""
        sentences.append(f"{every}{share['certified_dead']} are proven dead on the whole box of the data.")
    return sentences


def _open(summary: pd.DataFrame, spec: Spec) -> list[str]:
    """Which limit leaves a row undecided, where enough seeds did not collapse. A network of one's own that is neither
    trained nor came with weights has nothing but itself to be compared with."""
    stayed = summary["seeds"] - (summary["collapsed"] * summary["seeds"]).round()
    compared = (summary["model"] == "") | summary["expected_dead"].notna() | (spec.training_steps > 0)
    undecided = (summary["verdict"] == c.UNDECIDED) & summary["dead"].notna()
    rows = summary[undecided & compared & (stayed >= ENOUGH)]
    if rows.empty:
        return []
    row = rows.iloc[0]
    of = _of(row)
    more = f" {len(rows) - 1} more {are(len(rows) - 1)} undecided, too." if len(rows) > 1 else ""
    return [
        f"Whether {name(row)} has more dead units than is usual at birth is not decided: the limit is "
        f"{number(usual(row) + FEW, Form.SHARE)}, one percentage point above what is usual, and "
        f"{of and f'{of}, '}{c.SCHEMA.estimate(row, 'dead')} are dead. More seeds may decide it.{more}"
    ]


def _not_known(rows: pd.DataFrame) -> list[str]:
    """The activations of one's own networks whose units were not found, one line for each network."""
    lines = []
    for _, row in rows.iterrows():
        names = row["not_known"].split(", ")
        rest = "it out" if len(names) == 1 else "them out"
        lines.append(
            f"{name(row)}: it is not known which dimension of {some(names)} holds the units, so that the shares leave "
            f"{rest}."
        )
    return lines


def name(row: pd.Series) -> str:
    if row["model"]:
        return f"{row['model']} on {row['data']}"
    parts = [f"init {row['init']}", f"lr {exactly(row['lr'])}", f"depth {row['depth']}"]
    parts += [f"{name} {row[name]}" for name in ("norm", "skip") if row[name] != "none"]
    return f"{row['act']} ({', '.join(parts)})"
