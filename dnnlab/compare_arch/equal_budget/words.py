"""The result in sentences. It needs the summary alone."""

import itertools
import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from dnnlab.compare_arch.equal_budget import columns as c
from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import CHOOSING, name
from dnnlab.errors import counted, listing, some
from dnnlab.report.numbers import Form, number
from dnnlab.runner.summary import not_learned, of_seeds, tally, uncounted, unseen


def headline(summary: pd.DataFrame, spec: Spec) -> str:
    """The most accurate network under the first budget, if it is shown to be that."""
    if (summary["verdict"] == c.UNTRAINED).all():
        known = int(summary["macs"].notna().sum())
        return f"What {counted(known, 'network')} cost" if known else "No costs could be counted"
    _, rows = next(iter(summary.groupby(list(c.COMPARED), sort=False, dropna=False)))
    trained = rows[rows["rank"].notna()]
    if trained.empty:
        return "Nothing was trained to the end"
    best = _best(trained)
    if len(rows) == 1:
        return f"{name(best[0], summary)} reaches {c.SCHEMA.number(best[0], 'accuracy')}{of_seeds(best[0])}"
    if len(trained) == 1:
        return f"{name(best[0], rows)} is the only one of {len(rows)} networks with a result"
    among = f"{len(trained)} networks" + (" with a result" if len(trained) < len(rows) else "")
    if _ahead_of_all(best):
        return f"{name(best[0], rows)} is the most accurate of {among}"
    return f"None of {among} is shown to be the most accurate"


def _best(trained: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """The rows with the highest accuracy: more than one where it is exactly the same."""
    return trained[trained["accuracy"] == trained["accuracy"].max()].to_dict("records")


def _ahead_of_all(best: Sequence[Mapping[Hashable, Any]]) -> bool:
    """Whether the best row is shown to be ahead of all others; of one seed no rank is shown."""
    return len(best) == 1 and bool(pd.notna(best[0]["rank_hi"]) and best[0]["rank_hi"] == 1)


def _ahead(one: Mapping[Hashable, Any], other: Mapping[Hashable, Any]) -> bool:
    """Whether the first of two rows of a budget is shown to be more accurate than the other: where either is the
    reference by the verdict, and else where all places that are open to it lie before those of the other."""
    if (one["verdict"], other["verdict"]) in ((c.REFERENCE, c.WORSE), (c.BETTER, c.REFERENCE)):
        return True
    return bool(pd.notna(one["rank_hi"]) and pd.notna(other["rank_lo"]) and one["rank_hi"] < other["rank_lo"])


def conclusions(summary: pd.DataFrame, spec: Spec) -> Sequence[str]:
    """The most accurate under each budget, what differs from the reference, whether the order changes."""
    if (summary["verdict"] == c.UNTRAINED).all():
        return [*_costs(summary), *uncounted(summary)]
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


def _costs(summary: pd.DataFrame) -> list[str]:
    """What the networks cost whose costs are known, and which others there are."""
    networks = summary.drop_duplicates(["arch", "data"])  # what one input costs does not hang on the batch
    known = networks["macs"].notna()
    lost = [name(row, networks) for row in networks[~known].to_dict("records")]
    failed = [f"The costs of {some(lost)} could not be counted; cells.csv says why."] if lost else []
    return [_cheapest(networks[known]), *failed] if known.any() else failed


def _cheapest(networks: pd.DataFrame) -> str:
    inputs = networks["input"].unique()  # runs of earlier versions have none
    where = f" at {inputs[0]}" if len(inputs) == 1 and inputs[0] else ", each at its own input" if inputs[0] else ""
    macs = networks["macs"].astype(float)
    few = networks[macs == macs.min()]
    counts = f"{c.SCHEMA.number(few.iloc[0], 'macs')} multiply–accumulates"
    names = [name(row, networks) for row in few.to_dict("records")]
    timed = networks[networks["latency_ms"].notna()]
    quick = timed.iloc[int(timed["latency_ms"].to_numpy().argmin())] if len(timed) else None
    took = "" if quick is None else f"{c.SCHEMA.number(quick, 'latency_ms')} ms for one input"
    if len(networks) == 1:
        return f"{names[0]} takes {counts}{where}{f', and {took}' if took else ''}."
    time = "" if quick is None else f"; {name(quick, networks)} was the quickest when they were timed ({took})"
    if len(few) == len(networks):
        return f"All {len(networks)} networks take {counts}{where}{time}."
    take = "takes" if len(few) == 1 else "take"
    return f"Of {len(networks)} networks {some(names)} {take} the fewest, {counts}{where}{time}."


def _group(rows: pd.DataFrame, place: str) -> str:
    trained = rows[rows["rank"].notna()]
    if trained.empty:
        return f"At {place}: nothing was trained to the end, or all of it diverged."
    best = _best(trained)
    shown = c.SCHEMA.estimate(best[0], "accuracy") + of_seeds(best[0])
    if len(rows) == 1:
        return f"At {place}: {name(best[0], rows)} reaches {shown}."
    first = rows[rows["verdict"] == c.REFERENCE].iloc[0]
    against = tally(rows["verdict"].drop(first.name))
    said = f" Against {name(first, rows)}: {against}." if against else ""
    said = " ".join([said, *unseen(rows, c.SAME)])
    if len(best) > 1:
        names = some([name(row, rows) + of_seeds(row) for row in best])
        highest = c.SCHEMA.number(best[0], "accuracy")
        return f"At {place}: {names} have the same accuracy, {highest}, and none has a higher one.{said}"
    if len(trained) == 1:
        how = "is the only one with a result"
    elif _ahead_of_all(best):
        how = "is the most accurate"
    else:
        how = "has the highest accuracy, but is not shown to be ahead of all others"
    return f"At {place}: {name(best[0], rows)} {how}, {shown}.{said}"


def _orders(groups: Sequence[tuple[Any, pd.DataFrame]]) -> list[str]:
    """Whether the networks are shown to come in another order when something else is equal, on each data set by
    itself; of networks that have a result under all budgets."""
    by_data: dict[tuple[Any, Any], dict[str, dict[str, Mapping[Hashable, Any]]]] = {}
    for (data, size, budget), rows in groups:
        ranked = rows[rows["rank"].notna()].sort_values("accuracy", ascending=False, kind="stable")
        by_data.setdefault((data, size), {})[str(budget)] = {name(r, rows): r for r in ranked.to_dict("records")}
    sentences = []
    for on, ranked_by in zip(_data(list(by_data)), by_data.values(), strict=True):
        names = [each for each in next(iter(ranked_by.values())) if all(each in rows for rows in ranked_by.values())]
        if len(ranked_by) < 2 or len(names) < 2:
            continue
        start = f"On {on} the" if on else "The"
        pairs = list(itertools.permutations(names, 2))
        shown = {(a, b): [by for by, rows in ranked_by.items() if _ahead(rows[a], rows[b])] for a, b in pairs}
        swapped = [(a, b) for a, b in itertools.combinations(names, 2) if shown[a, b] and shown[b, a]]
        if swapped:
            told = "; ".join(
                f"{a} is ahead of {b} at {shown[a, b][0]} and behind at {shown[b, a][0]}" for a, b in swapped
            )
            sentences.append(f"{start} order depends on what is equal: {told}.")
        elif all(len(shown[pair]) == len(ranked_by) for pair in itertools.combinations(names, 2)):
            sentences.append(f"{start} order is the same under every budget: {' > '.join(names)}.")
        else:
            sentences.append(f"{start} ranks do not tell whether the order depends on what is equal.")
    return sentences


_KINDS = {"plain": "plain", "resnet": "residual"}


def _degradation(groups: Sequence[tuple[Any, pd.DataFrame]]) -> list[str]:
    """What more depth does to plain and to residual networks (He 2016)."""
    sentences = []
    for place, (_, rows) in zip(_places(groups), groups, strict=True):
        by_name = {row["arch"]: row for row in rows[rows["rank"].notna()].to_dict("records")}
        told = []
        for family, kind in _KINDS.items():
            depths = sorted(int(arch[len(family) :]) for arch in by_name if re.fullmatch(rf"{family}\d+", arch))
            if len(depths) > 1:
                ends = {depth: by_name[f"{family}{depth}"] for depth in (depths[0], depths[-1])}
                told.append(_from_to(kind, ends))
        if told:
            sentences.append(f"From the shallowest to the deepest, at {place}: {'; '.join(told)}.")
    return sentences


def _from_to(kind: str, ends: Mapping[int, Mapping[Hashable, Any]]) -> str:
    """What the shallowest and the deepest network of a ``kind`` reach, by their layers, and whether one is ahead."""
    shallow, deep = ends.values()
    reached = [
        f"{c.SCHEMA.estimate(row, 'accuracy')} with {depth} layers{of_seeds(row)}" for depth, row in ends.items()
    ]
    moved = "gain" if _ahead(deep, shallow) else "are not shown to lose or to gain"
    does = "lose" if _ahead(shallow, deep) else moved
    return f"{kind} networks {does}: {listing(reached)}"
