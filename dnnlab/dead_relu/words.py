"""What came out, in sentences. Needs the summary alone, so that a finished run is shown without torch."""

import math

import pandas as pd

from dnnlab.dead_relu import columns as c
from dnnlab.dead_relu.remedies import REMEDIES
from dnnlab.dead_relu.spec import Spec

_RARE = 0.01
"""The chance of a dead network that the design rule for width aims at."""


def conclusions(summary: pd.DataFrame, spec: Spec) -> list[str]:
    """The verdicts and what stands out; of remedies which to take; of born-dead nets how wide to be."""
    if spec.born:
        return _born(summary)
    return _remedies(summary) if spec.remedies else _states(summary, spec)


def _states(summary: pd.DataFrame, spec: Spec) -> list[str]:
    worst = summary.iloc[int(summary["dead"].fillna(-1).to_numpy().argmax())]
    counts = ", ".join(f"{count} {word}" for word, count in summary["verdict"].value_counts().items())
    head = f"{len(summary)} configurations: {counts}. " if len(summary) > 1 else ""
    if math.isnan(worst["dead"]):
        return [f"{head}No network stayed within the range of numbers."]
    expected = worst["expected_dead"]
    against = f", where {expected:.1%} are expected at birth" if not math.isnan(expected) else ""
    fate = (
        f": {worst['born_dead']:.1%} were dead before training, {worst['died']:.1%} died in it, "
        f"{worst['revived']:.1%} revived"
    )
    diverged = summary[summary["diverged"] > 0]
    sentences = [
        f"In {row['diverged']} of {row['seeds']} seeds the loss of {_name(row)} is no number: what its units do there "
        "says little."
        for _, row in diverged.head(1).iterrows()
    ]
    sentences += [
        f"{head}{_name(worst)} has {worst['dead']:.1%} dead units{against}{fate if spec.taken_steps else ''}. Zero "
        f"outputs are {worst['zero_fraction']:.0%}, which by itself says nothing of death."
    ]
    if not math.isnan(worst["fatal_update"]) and not math.isnan(worst["survived_update"]):
        times = worst["fatal_update"] / worst["survived_update"] if worst["survived_update"] else math.inf
        sentences.append(
            f"Before dying, a unit's weights had taken a largest step of {worst['fatal_update']:.2g} of their norm, "
            f"{times:.2g} times that of units that lived; {worst['pushed_down']:.0%} of the dying had their mean "
            "pre-activation pushed down."
        )
    if worst["certified_dead"] > 0:
        sentences.append(f"{worst['certified_dead']:.1%} are proven dead on the whole box of the data.")
    return sentences


def _remedies(summary: pd.DataFrame) -> list[str]:
    sentences = []
    for _, rows in summary.groupby(list(c.CONFIGURATION), sort=False, dropna=False):
        base, tried = rows[rows["verdict"] == c.UNTREATED], rows[rows["verdict"] != c.UNTREATED]
        if base.empty or tried.empty:
            continue
        untreated = base.iloc[0]
        start = f"{_name(untreated)}: {untreated['dead']:.1%} dead, accuracy {untreated['accuracy']:.3f}"
        good = tried[tried["verdict"].isin((c.CURES, c.HELPS, c.FEWER))]
        if good.empty:
            sentences.append(f"{start}; no remedy is shown to keep units alive.")
            continue
        best = good.iloc[0]
        sentences.append(
            f"{start}. Take {best['remedy']}: {best['dead']:.1%} dead, accuracy {best['accuracy']:.3f} "
            f"({best['accuracy_change']:+.3f} [{best['accuracy_change_lo']:+.3f}, {best['accuracy_change_hi']:+.3f}])."
        )
        lecture = [remedy.name for remedy in REMEDIES if remedy.source == "lecture"]
        told = tried[tried["remedy"].isin(lecture)]
        words = "; ".join(f"{row['remedy']}: {row['verdict']}" for _, row in told.iterrows())
        sentences.append(f"Of the lecture's own: {words}.")
    return sentences


def _born(summary: pd.DataFrame) -> list[str]:
    measured = summary[summary["n"] > 0]
    if measured.empty:
        return ["No point was measured."]
    outside = int((summary["verdict"] == c.OUTSIDE).sum())
    bounds = "all within the proven bounds" if not outside else f"{outside} outside the proven bounds"
    first = measured.iloc[0]
    deepest = int(measured["depth"].max())
    return [
        f"Of {first['n']} networks of width {first['width']} and {first['depth']} hidden layers, "
        f"{first['probability']:.1%} are constant from birth; {bounds}.",
        f"A width of {math.ceil(math.log2(deepest / _RARE))} keeps that under {_RARE:.0%} at {deepest} hidden layers: "
        "width ≥ log₂(depth / probability).",
    ]


def _name(row: pd.Series) -> str:
    if row["model"]:
        return f"{row['model']} on {row['data']}"
    parts = [f"init {row['init']}", f"lr {row['lr']:g}", f"depth {row['depth']}"]
    parts += [f"{name} {row[name]}" for name in ("norm", "skip") if row[name] != "none"]
    return f"{row['act']} ({', '.join(parts)})"
