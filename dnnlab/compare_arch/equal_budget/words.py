"""The result in sentences. It needs the summary alone."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from dnnlab.compare_arch.equal_budget import columns as c
from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import CHOOSING, name
from dnnlab.errors import counted, listing, some
from dnnlab.report.numbers import Form, number
from dnnlab.runner.summary import not_learned, tally, uncounted, unseen


def headline(summary: pd.DataFrame, spec: Spec) -> str:
    """The most accurate network under the first budget, if it is shown to be that."""
    if (summary["verdict"] == c.UNTRAINED).all():
        return f"What {counted(len(summary), 'network')} cost"
    _, rows = next(iter(summary.groupby(list(c.COMPARED), sort=False, dropna=False)))
    trained = rows[rows["rank"].notna()]
    if trained.empty:
        return "Nothing was trained to the end"
    best, alone = _best(trained)
    if len(rows) == 1:
        return f"{name(best, summary)} reaches {c.SCHEMA.number(best, 'accuracy')}"
    if alone:
        return f"{name(best, rows)} is the most accurate of {len(rows)} networks"
    return f"None of {len(rows)} networks is shown to be the most accurate"


def _best(trained: pd.DataFrame) -> tuple[pd.Series, bool]:
    """The row with the highest accuracy, and whether it is shown to be ahead of all others."""
    best = trained.iloc[int(trained["accuracy"].to_numpy().argmax())]
    # Of one seed no rank is shown.
    return best, len(trained) == 1 or bool(pd.notna(best["rank_hi"]) and best["rank_hi"] == 1)


def conclusions(summary: pd.DataFrame, spec: Spec) -> Sequence[str]:
    """The most accurate under each budget, what differs from the reference, whether the order changes."""
    if (summary["verdict"] == c.UNTRAINED).all():
        return [_costs(summary), *uncounted(summary)]
    sentences = []
    groups = list(summary.groupby(list(c.COMPARED), sort=False, dropna=False))
    for place, (_, rows) in zip(_places(groups), groups, strict=True):
        sentences.append(_group(rows, place))
    sentences += _tuned(summary, spec)
    sentences += _orders(groups)
    if spec.preset == "depth":
        sentences += _degradation(groups)
    sentences += not_learned(summary, lambda row: name(row, summary))
    sentences += _looking(summary)
    sentences += uncounted(summary)
    if summary["noisy"].fillna(False).any():
        sentences.append("The machine's own speed varied by more than a tenth while times were taken: measure again.")
    return sentences


def _tuned(summary: pd.DataFrame, spec: Spec) -> list[str]:
    """How options were chosen, and which networks do best at the end of what was tried."""
    if not spec.tune:
        return []
    options = listing(option.replace("_", " ") for option in spec.tune)
    chosen = f"chosen by the validation accuracy of {CHOOSING} seeds; the others are judged"
    sentences = [f"Each network has its own best {options}, {chosen}."]
    for option in spec.tune:
        values = [value for value in getattr(spec.settled, option) if isinstance(value, int | float)]
        ends = {min(values), max(values)} - {0.0} if values else set()  # there is nothing to try below zero
        there = [name(row, summary) for row in summary.to_dict("records") if row[option] in ends and row["seeds"]]
        if there:
            does = "does" if len(there) == 1 else "do"
            sentences.append(
                f"{some(there)} {does} best at an end of the values tried: one beyond may be better still."
            )
    return sentences


def _looking(summary: pd.DataFrame) -> list[str]:
    """The share of the time that went into looks at the validation split."""
    seconds = summary[["looking_seconds", "train_seconds"]].mul(summary["seeds"], axis=0).sum()
    if not seconds["looking_seconds"] > 0:
        return []
    share = number(seconds["looking_seconds"] / seconds.sum(), Form.SHARE)
    return [f"Looks at the validation split took {share} of the time of all trainings."]


def _places(groups: Sequence[tuple[Any, pd.DataFrame]]) -> list[str]:
    """The budget of each group, with the data and training examples where these differ between groups."""
    where = _data([(data, size) for (data, size, _), _ in groups])
    return [f"{budget} on {on}" if on else str(budget) for ((_, _, budget), _), on in zip(groups, where, strict=True)]


def _data(keys: Sequence[tuple[Any, Any]]) -> list[str]:
    """The name of each pair of data set and training examples, with only what tells the pairs apart."""
    sets, sizes = ({key[part] for key in keys} for part in (0, 1))
    if len(sizes) > 1:
        return [f"{f'{size} examples' if size else 'all examples'} of {data}" for data, size in keys]
    return [str(data) if len(sets) > 1 else "" for data, _ in keys]


def _costs(summary: pd.DataFrame) -> str:
    few = summary.iloc[int(summary["macs"].astype(float).to_numpy().argmin())]
    inputs = summary["input"].unique()  # runs of earlier versions have none
    where = f" at {inputs[0]}" if len(inputs) == 1 and inputs[0] else ", each at its own input" if inputs[0] else ""
    macs = c.SCHEMA.number(few, "macs")
    if len(summary) == 1:
        time = "" if math.isnan(few["latency_ms"]) else f", and {c.SCHEMA.number(few, 'latency_ms')} ms for one input"
        return f"{few['arch']} takes {macs} multiply–accumulates{where}{time}."
    least = f"{len(summary)} networks: {few['arch']} takes the fewest multiply–accumulates ({macs}{where})"
    if summary["latency_ms"].isna().all():  # nothing was timed
        return f"{least}."
    quick = summary.iloc[int(summary["latency_ms"].fillna(math.inf).to_numpy().argmin())]
    return f"{least}, {quick['arch']} the least time ({c.SCHEMA.number(quick, 'latency_ms')} ms for one input)."


def _group(rows: pd.DataFrame, place: str) -> str:
    trained = rows[rows["rank"].notna()]
    if trained.empty:
        return f"At {place}: nothing was trained to the end, or all of it diverged."
    best, alone = _best(trained)
    shown = c.SCHEMA.estimate(best, "accuracy")
    if len(rows) == 1:
        return f"At {place}: {name(best, rows)} reaches {shown}."
    first = rows[rows["verdict"] == c.REFERENCE].iloc[0]
    against = tally(rows["verdict"].drop(first.name))
    said = f" Against {name(first, rows)}: {against}." if against else ""
    said = " ".join([said, *unseen(rows, c.SAME)])
    how = "is the most accurate" if alone else "has the highest accuracy, but is not shown to be ahead of all others"
    return f"At {place}: {name(best, rows)} {how}, {shown}.{said}"


def _orders(groups: Sequence[tuple[Any, pd.DataFrame]]) -> list[str]:
    """Whether the networks come in another order when something else is equal, on each data set by itself."""
    by_data: dict[tuple[Any, Any], dict[str, str]] = {}
    for (data, size, budget), rows in groups:
        ranked = rows[rows["rank"].notna()].sort_values("accuracy", ascending=False, kind="stable")
        order = " > ".join(name(row, rows) for row in ranked.to_dict("records"))
        by_data.setdefault((data, size), {})[str(budget)] = order
    sentences = []
    for on, orders in zip(_data(list(by_data)), by_data.values(), strict=True):
        if len(orders) < 2:
            continue
        start = f"On {on} the" if on else "The"
        if len(set(orders.values())) == 1:
            sentences.append(f"{start} order is the same under every budget: {next(iter(orders.values()))}.")
            continue
        told = "; ".join(f"{budget}: {order}" for budget, order in orders.items())
        sentences.append(f"{start} order depends on what is equal: {told}.")
    return sentences


def _degradation(groups: Sequence[tuple[Any, pd.DataFrame]]) -> list[str]:
    """What more depth does to plain and to residual networks (He 2016)."""
    sentences = []
    for place, (_, rows) in zip(_places(groups), groups, strict=True):
        by_name = {row["arch"]: row for row in rows.to_dict("records")}
        told = []
        for kind in ("plain", "resnet"):
            depths = sorted(
                int(arch[len(kind) :]) for arch in by_name if arch.startswith(kind) and arch[len(kind) :].isdigit()
            )
            if len(depths) > 1:
                low, high = (by_name[f"{kind}{depth}"]["accuracy"] for depth in (depths[0], depths[-1]))
                if not math.isnan(low) and not math.isnan(high):
                    moved = number(abs(high - low), Form.POINTS)
                    told.append(f"{kind} networks {'lose' if high < low else 'gain'} {moved}")
        if told:
            sentences.append(f"From the shallowest to the deepest, at {place}: {', '.join(told)}.")
    return sentences
