"""The result in sentences. It needs the summary alone, so that a finished run is shown without torch."""

import math
from pathlib import Path

import numpy as np
import pandas as pd

from dnnlab.errors import listing
from dnnlab.gradient_flow import columns as c
from dnnlab.gradient_flow.columns import CONFIGURATION
from dnnlab.gradient_flow.remedy import command
from dnnlab.gradient_flow.spec import Spec
from dnnlab.report.advice import Advice
from dnnlab.report.table import estimate
from dnnlab.runner.summary import in_words, tally

_MOST_REMEDIES = 6
_MOST_LAYERS = 6
_NOT_FINITE = "at some layer the gradient is zero, infinite or not a number"


_SAYS = {
    c.VANISHING: ("loses the gradient", "lose the gradient"),
    c.HEALTHY: ("keeps the gradient", "keep the gradient"),
    c.EXPLODING: ("lets the gradient explode", "let the gradient explode"),
    c.DEAD: ("has no gradient at all", "have no gradient at all"),
    c.UNDECIDED: ("is not decided", "are not decided"),
}


def headline(summary: pd.DataFrame, spec: Spec) -> str:
    """The verdicts in a few words: ``20 sigmoid layers lose the gradient``."""
    if len(summary) > 1:
        return in_words(summary["verdict"], _SAYS)
    row = summary.iloc[0]
    if row["model"]:
        return f"{row['model']} {_SAYS[row['verdict']][0]}"
    several = row["depth"] != 1
    layers = f"{row['depth']} {row['act']} {'layers' if several else 'layer'}"
    beside = [f"{name} {row[name]}" for name in ("norm", "skip") if row[name] != "none"]
    return f"{layers}{f' with {listing(beside)}' if beside else ''} {_SAYS[row['verdict']][int(several)]}"


def conclusions(summary: pd.DataFrame, spec: Spec) -> list[str]:
    """The verdicts and the strongest effect, then what was tried on each unhealthy network."""
    row = summary.iloc[int(_strength(summary).to_numpy().argmax())]
    theory = f", where theory expects {row['rate_theory']:.3g}" if np.isfinite(row["rate_theory"]) else ""
    strongest = (
        f"{_name(row)} changes the gradient by a factor of {row['rate']:.3g} a layer{theory}: of {row['depth']} "
        f"layers, the first receives {row['first_last_ratio']:.2g} times what the last does."
    )
    if not np.isfinite(row["rate"]):
        strongest = _without_rate(row)
    head = [f"{len(summary)} configurations: {tally(summary['verdict'])}."] if len(summary) > 1 else []
    ill = summary[summary["remedy"] != ""]
    remedies = [line for _, row in ill.head(_MOST_REMEDIES).iterrows() for line in _remedies(row, spec)]
    rest = [f"summary.csv has the remedies of {len(ill) - _MOST_REMEDIES} more."] if len(ill) > _MOST_REMEDIES else []
    return [" ".join([*head, strongest]), *_left_out(summary), *remedies, *rest]


def _strength(summary: pd.DataFrame) -> "pd.Series[float]":
    """By how many e-folds the gradient of each network changes over all its layers."""
    with np.errstate(divide="ignore"):
        return (np.log(summary["rate"]).abs() * summary["depth"]).replace(math.inf, math.nan).fillna(0)


def _remedies(row: pd.Series, spec: Spec) -> list[str]:
    """What was tried on one unhealthy network: a line for each remedy under which it is healthy, with its command, and
    one for the others."""
    lines, others = [], []
    configuration = {option: row[option] for option in CONFIGURATION}
    for told in row["remedy"].split("; "):
        name, healthy, rate = told.partition(": rate ")
        if healthy:
            lines.append(f"With {name} its rate is {rate}, healthy: `{command(spec, configuration, name)}`.")
        else:
            others.append(told)
    head = f"{_name(row)} is {row['verdict']}"
    if not lines:
        return [f"{head}, and no remedy is shown to heal it: {'; '.join(others)}."]
    rest = [f"Not so with {'; '.join(others)}."] if others else []
    return [f"{head}. Remedies were measured at initialisation, on the same seeds and batches.", *lines, *rest]


def _without_rate(row: pd.Series) -> str:
    if row["first_last_ratio"] == 0:
        return f"{_name(row)}: the gradient is exactly zero at every layer that reads the input."
    why = "less than two of its hidden layers received a gradient" if row["no_gradient"] else _NOT_FINITE
    return f"{_name(row)} gave no finite rate: {why}."


def _left_out(summary: pd.DataFrame) -> list[str]:
    """The layers that the rate leaves out, one line for each network."""
    lines = []
    for _, row in summary[summary["no_gradient"] != ""].iterrows():
        names = row["no_gradient"].split(", ")
        shown = listing(
            names if len(names) <= _MOST_LAYERS else [*names[:_MOST_LAYERS], f"{len(names) - _MOST_LAYERS} more"]
        )
        lines.append(f"{_name(row)}: no gradient reached {shown}, which the rate leaves out.")
    return lines


def _name(row: pd.Series) -> str:
    if row["model"]:
        return f"{row['model']} on {row['data']}"
    parts = [f"init {row['init']}", f"depth {row['depth']}"]
    parts += [f"{name} {row[name]}" for name in ("norm", "skip") if row[name] != "none"]
    return f"{row['act']} ({', '.join(parts)})"


def advice(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec, folder: Path) -> Advice | None:
    """The remedy under which the sickest network is healthy, and nearest to keeping its gradient level."""
    healed = summary[summary["remedy"].str.contains(": rate ", regex=False)]
    if healed.empty:
        return None
    row = healed.iloc[int(_strength(healed).to_numpy().argmax())]
    name, _, rate = row["remedy"].partition("; ")[0].partition(": rate ")
    option, _, value = name.partition(" ")
    before = estimate(row["rate"], row["rate_lo"], row["rate_hi"])
    return Advice(
        what=f"{_DO[option].format(value.partition(':')[2] or value)}. Of what was tried on {_name(row)}, at "
        "initialisation and on the same seeds and batches, this keeps its gradient most level.",
        command=command(spec, {each: row[each] for each in CONFIGURATION}, name),
        changes=[("factor a layer", before, rate), ("verdict", row["verdict"], c.HEALTHY)],
    )


_DO = {
    "init": "Initialise the weights by {}: just so large that neither signal nor gradient grows or fades",
    "norm": "Add {} normalisation to each hidden layer",
    "skip": "Add shortcuts around the layers, whose branches count {} times",
}
"""What each kind of remedy does, with its value."""
