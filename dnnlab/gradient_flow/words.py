"""The result in sentences. It needs the summary alone, so that a finished run is shown without torch."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from dnnlab.errors import counted, listing, some
from dnnlab.gradient_flow import columns as c
from dnnlab.gradient_flow.columns import CONFIGURATION
from dnnlab.gradient_flow.remedy import command
from dnnlab.gradient_flow.spec import Spec
from dnnlab.report.advice import Advice
from dnnlab.report.numbers import Form, exactly, number
from dnnlab.runner.summary import in_words, tally

_MOST_REMEDIES = 6
_MOST_LAYERS = 6
_MOST_LEFT_OUT = 6
_MOST_DIVERGED = 3
_LITTLE, _NEXT_TO_NOTHING = 0.01, 1e-4
"""Shares of the gradient at the last layer that arrive at the first."""
_LEVEL = 1.1
"""The rate below which percents tell it from 1 at a glance: 100.3 %, where a factor would read 1.00×."""
_ALL_DEAD = "In most seeds all units of some layer are dead, and such a layer learns nothing."
_ALL_ZERO = "In most seeds the gradient is exactly zero at every layer that reads the input: they learn nothing."
_INFINITE = f"In most seeds its loss or its gradient is {c.INFINITE}, so that there is nothing to learn from."

_SAYS = {
    c.VANISHING: ("loses the gradient", "lose the gradient"),
    c.HEALTHY: ("keeps the gradient", "keep the gradient"),
    c.EXPLODING: ("explodes", "explode"),
    c.DEAD: ("has a dead layer", "have a dead layer"),
    c.UNDECIDED: ("is not decided", "are not decided"),
}


def headline(summary: pd.DataFrame, spec: Spec) -> str:
    """The verdicts on the networks before training, in a few words: ``20 sigmoid layers lose the gradient``."""
    return _verdicts(summary) + (" before training" if spec is not None and spec.steps else "")


def _verdicts(summary: pd.DataFrame) -> str:
    if len(summary) > 1:
        return in_words(summary["verdict"], _SAYS)
    row = summary.iloc[0]
    if row["model"]:
        return f"{row['model']} {_SAYS[row['verdict']][0]}"
    several = row["depth"] != 1
    beside = [f"{name} {row[name]}" for name in ("norm", "skip") if row[name] != "none"]
    layers = f"{row['depth']} {row['act']} {'layers' if several else 'layer'}"
    layers += f" with {listing(beside)}" if beside else ""
    if row["verdict"] == c.DEAD:
        return f"In most seeds {'at least one of ' if several else ''}{layers} is dead"
    return f"{layers} {_SAYS[row['verdict']][int(several)]}"


def conclusions(summary: pd.DataFrame, spec: Spec) -> list[str]:
    """The verdicts; of the strongest effect what happens and why it matters; then what was tried on each unhealthy
    network."""
    row = summary.iloc[int(_strength(summary).to_numpy().argmax())]
    matters = " ".join(_matters(row))
    if not np.isfinite(row["rate"]):
        strongest = f"{_without_rate(row)} {matters}".rstrip()
    elif _agree(row):
        strongest = " ".join([*_happens(row), matters]).rstrip()
    else:
        strongest = f"{_name(row)}: {matters[0].lower()}{matters[1:]}"
    head = [f"{len(summary)} configurations: {tally(summary['verdict'])}."] if len(summary) > 1 else []
    ill = list(dict.fromkeys(tuple(_remedies(row, spec)) for _, row in summary[summary["remedy"] != ""].iterrows()))
    remedies = [line for lines in ill[:_MOST_REMEDIES] for line in lines]
    rest = [f"summary.csv has the remedies of {len(ill) - _MOST_REMEDIES} more."] if len(ill) > _MOST_REMEDIES else []
    return [" ".join([*head, strongest]), *_left_out(summary), *_diverged(summary), *remedies, *rest]


def _diverged(summary: pd.DataFrame) -> list[str]:
    """The networks whose loss left the range of numbers in training."""
    lost = [
        f"{row['diverged']} of {counted(int(row['seeds']), 'seed')} of {_name(row)}, lr {exactly(row['lr'])}"
        for _, row in summary[summary["diverged"] > 0].iterrows()
    ]
    more = f"; and of {len(lost) - _MOST_DIVERGED} more" if len(lost) > _MOST_DIVERGED else ""
    told = "; ".join(lost[:_MOST_DIVERGED]) + more
    return [f"In training the loss became infinite or not a number in {told}."] if lost else []


def _strength(summary: pd.DataFrame) -> "pd.Series[float]":
    """By how many e-folds the gradient of each network changes over all its layers."""
    with np.errstate(divide="ignore"):
        return (np.log(summary["rate"]).abs() * summary["depth"]).replace(math.inf, math.nan).fillna(0)


def _happens(row: pd.Series) -> list[str]:
    """What a layer does to the gradient, what theory expects, and why it is so."""
    rate, theory = row["rate"], row["rate_theory"]
    form = Form.SHARE if rate < _LEVEL else Form.FACTOR
    does = (
        f"passes on {number(rate, form)} of the gradient"
        if form is Form.SHARE
        else f"makes the gradient {number(rate, form)} as large"
    )
    expected = f", where theory expects {number(theory, form)}" if np.isfinite(theory) else ""
    return [f"{_name(row)}: {_where(row)}on average a layer {does}{expected}.", *_why(row)]


def _agree(row: pd.Series) -> bool:
    """Whether the mean over layers and the way from the last to the first agree; otherwise the mean says little."""
    ratio = row["first_last_ratio"]
    return (row["rate"] <= 1) == (ratio <= 1) or not np.isfinite(ratio)


def _where(row: pd.Series) -> str:
    """The seeds that the rate is of, where it is not of all. How many these are not says `_left_out`."""
    if row["model"] or not row["no_gradient"]:
        return ""
    return "in the seeds in which every hidden layer receives a finite gradient, "


def _why(row: pd.Series) -> list[str]:
    """The factors whose product the rate is, where they are known: of a network of one's own they are not."""
    factors = {name: row[term] for name, term in _TERMS.items() if np.isfinite(row[term])}
    if len(factors) < len(_TERMS):
        return []
    told = [f"the {name} by {number(factor)}" for name, factor in factors.items() if factor != 1]
    verb = "multiply" if factors["weights"] != 1 else "multiplies"
    return [f"In a layer {listing(told).replace(' by ', f' {verb} it by ', 1)}."] if told else []


_TERMS = {"weights": "weight_term", "activation": "act_term", "normalisation": "norm_term", "skip": "skip_term"}


def _matters(row: pd.Series) -> list[str]:
    """What that comes to over all layers, and what it means for learning where the verdict and the layers agree.
    Nothing is said where the first layer over the last is not known."""
    verdict, ratio = row["verdict"], row["first_last_ratio"]
    if verdict == c.DEAD:
        return [_ALL_DEAD]
    by_rate = row["rate_lo"] > 1 and math.log(row["rate_lo"]) * (row["depth"] - 1) > -math.log(_LITTLE)
    if verdict == c.EXPLODING and not by_rate:
        return [_INFINITE]
    if ratio == 0:
        return [_ALL_ZERO]
    if not np.isfinite(ratio):
        return []
    means = "."
    if verdict == c.VANISHING and ratio < _LITTLE:
        means = f": it has {'next to nothing' if ratio < _NEXT_TO_NOTHING else 'little'} to learn from."
    elif verdict == c.EXPLODING and ratio > 1 / _LITTLE:
        means = ": a step that suits the last layer is far too large for it."
    elif verdict == c.HEALTHY and _LITTLE <= ratio <= 1 / _LITTLE:
        means = ": on the way the gradient neither vanishes nor explodes."
    elif verdict == c.UNDECIDED:
        means = f": whether that is too {'little' if ratio < 1 else 'much'} is not decided."
    of, where = f"Of {row['depth']} layers the first", ""
    if row["no_gradient"] and row["model"]:
        of = "Of the layers that received a gradient the first"
    elif row["no_gradient"]:
        # They may be more than the seeds of the rate, as a layer between the two may receive none.
        where = ", in the seeds in which both receive a finite gradient"
    return [f"{of} receives {_part(ratio)} what the last does{where}{means}"]


def _part(ratio: float) -> str:
    """A ratio before what it is of: ``12 % of``, ``3·10⁵×``."""
    return f"{number(ratio, Form.SHARE)} of" if ratio <= 1 else number(ratio, Form.FACTOR)


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
    why = ""
    if row["depth"] == 1:
        why = ": it has one layer, and a rate is that from one to another"
    elif row["model"] and row["no_gradient"]:
        why = ": in no seed did two of its hidden layers receive a finite gradient"
    elif row["no_gradient"]:
        why = ": in no seed does every hidden layer receive a finite gradient"
    return f"{_name(row)} gave no finite rate{why}."


def _left_out(summary: pd.DataFrame) -> list[str]:
    """The layers and seeds that rates leave out, a line for each network. Options of training change none of them."""
    lines = list(dict.fromkeys(_lost(row) for _, row in summary[summary["no_gradient"] != ""].iterrows()))
    rest = len(lines) - _MOST_LEFT_OUT
    return lines if rest <= 0 else [*lines[:_MOST_LEFT_OUT], f"summary.csv has this of {rest} more, as no_gradient."]


def _lost(row: pd.Series) -> str:
    rated, told = np.isfinite(row["rate"]), row["no_gradient"]
    if not row["model"]:
        left_out = "; the rate leaves these seeds out" if rated else ""
        return f"{_name(row)}: at some hidden layer the gradient is {told.replace('; ', ' and ')}{left_out}."
    names, infinite, seeds = told.partition(c.INFINITE)
    said = []
    if names := names.removesuffix("; "):
        shown = some(names.split(", "), _MOST_LAYERS)
        said.append(f"no gradient reached {shown}{', which the rate leaves out' if rated else ''}")
    if infinite:
        said.append(f"its loss or its gradient is {infinite}{seeds}")
    return f"{_name(row)}: {'; '.join(said)}."


def _name(row: pd.Series) -> str:
    if row["model"]:
        return f"{row['model']} on {row['data']}"
    parts = [f"init {row['init']}", f"depth {row['depth']}"]
    parts += [f"{name} {row[name]}" for name in ("norm", "skip") if row[name] != "none"]
    return f"{row['act']} ({', '.join(parts)})"


def advice(cells: Callable[[], pd.DataFrame], summary: pd.DataFrame, spec: Spec, folder: Path) -> Advice | None:
    """The remedy under which the sickest network is healthy, and nearest to keeping its gradient level."""
    healed = summary[summary["remedy"].str.contains(": rate ", regex=False)]
    if healed.empty:
        return None
    row = healed.iloc[int(_strength(healed).to_numpy().argmax())]
    name, _, rate = row["remedy"].partition("; ")[0].partition(": rate ")
    option, _, value = name.partition(" ")
    before = c.SCHEMA.estimate(row, "rate")
    return Advice(
        what=f"{_do(option, value, row)}. Of what was tried on {_name(row)}, at initialisation and on the same seeds "
        "and batches, this has the mean rate nearest to 1.",
        command=command(spec, {each: row[each] for each in CONFIGURATION}, name),
        changes=[("factor a layer", before, rate), ("verdict", row["verdict"], c.HEALTHY)],
    )


def _do(option: str, value: str, row: pd.Series) -> str:
    """What a remedy changes, in words."""
    if option == "init":
        return f"Draw the weights with --init {value}, under which theory expects a wide network to keep its gradient"
    if option == "norm":
        instead = f" in place of {row['norm']} normalisation" if row["norm"] != "none" else " in each hidden layer"
        return f"Take {value} normalisation{instead}"
    scale = value.partition(":")[2]
    instead = f" in place of {row['skip']}" if row["skip"] != "none" else ""
    return f"Add the input of each layer to its output, with the branch multiplied by {scale}{instead}"
