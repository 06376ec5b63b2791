"""Rows to table: costs, accuracy with intervals, paired differences, ranks, Pareto fronts, and a verdict a row."""

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd

from dnnlab.compare_arch.equal_budget import columns as c
from dnnlab.compare_arch.trained_cell import CONFIGURATION
from dnnlab.networks import named
from dnnlab.report.table import fit
from dnnlab.statistics.intervals import ENOUGH, SIGNIFICANT, Comparison, holm, mean_interval, mean_share, paired


def summarise(cells: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """One row a network and its training options under one budget; without training one a network."""
    # Costs that failed have no part, but no budget either.
    costs = cells[cells["part"].eq("cost") | (cells["part"].eq("") & cells["budget"].eq(""))]
    costs = costs.drop_duplicates(list(c.COSTED)).set_index(list(c.COSTED))
    trained = cells[cells["budget"] != ""]
    if trained.empty:
        return fit(pd.DataFrame([_cost_row(key, row) for key, row in costs.iterrows()]), c.SUMMARY)
    rows = [_row(configuration, own, costs) for configuration, own in _configurations(trained)]
    table, finals = pd.DataFrame(rows), per_cell(cells, spec)
    seeds = {key: own.set_index("seed")["accuracy"] for key, own in finals.groupby(list(CONFIGURATION), dropna=False)}
    parts = [_compared(group.copy(), seeds) for _, group in table.groupby(list(c.COMPARED), sort=False, dropna=False)]
    table = pd.concat(parts, ignore_index=True)
    table["failed"] += _failed_costs(table, costs)
    return fit(table, c.SUMMARY)


def _failed_costs(table: pd.DataFrame, costs: pd.DataFrame) -> list[int]:
    """By row: 1 where the costs of its network failed, and no row before has them too."""
    failed = set(costs.index[costs["error"] != ""])
    keys = table[list(c.COSTED)].itertuples(index=False, name=None)
    return [int(first and key in failed) for first, key in zip(~table.duplicated(list(c.COSTED)), keys, strict=True)]


def _configurations(trained: pd.DataFrame) -> list[tuple[dict[str, Any], pd.DataFrame]]:
    names = list(CONFIGURATION)
    return [
        (dict(zip(names, values, strict=True)), rows)
        for values, rows in trained.groupby(names, sort=False, dropna=False)
    ]


def per_cell(cells: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """One row a training that came to its end: configuration, seed and test accuracy."""
    final = cells[cells["accuracy"].notna()]
    return final[[*CONFIGURATION, "seed", "accuracy", "loss"]].reset_index(drop=True)


def _costs_of(row: "pd.Series[Any]") -> dict[str, Any]:
    names = [column.name for column in (*c.COUNTS, *c.SPEED)]
    whole = {column.name for column in c.COUNTS if column.dtype is int} | {"warm_up_calls"}
    found = {name: float(row[name]) for name in names}
    return {name: int(v) if name in whole and not math.isnan(v) else v for name, v in found.items()} | {
        "noisy": row["noisy"] == 1.0
    }


def _cost_row(key: Any, row: "pd.Series[Any]") -> dict[str, Any]:
    named = dict(zip(c.COSTED, key, strict=True))
    return named | _head(named["arch"]) | _costs_of(row) | {"failed": int(row["error"] != "")}


def _head(arch: str) -> dict[str, Any]:
    accuracy, on = named.published(arch)
    return {
        "seeds": 0,
        "diverged": 0,
        "published_accuracy": accuracy,
        "published_on": on,
        "verdict": c.UNTRAINED,
    }


def _row(configuration: dict[str, Any], rows: pd.DataFrame, costs: pd.DataFrame) -> dict[str, Any]:
    row = configuration | _head(configuration["arch"])
    key = tuple(configuration[name] for name in c.COSTED)
    if key in costs.index:
        row |= _costs_of(costs.loc[key])
    final = rows[rows["accuracy"].notna()]
    accuracy = mean_share(final["accuracy"].tolist())
    row |= {
        "seeds": len(final),
        **accuracy.named("accuracy"),
        "steps": mean_interval(final["step"].astype(float).tolist()).mean,
        "train_seconds": mean_interval(final["seconds"].tolist()).mean,
        "loss": mean_interval(final["loss"].tolist()).mean,
        "diverged": int((final["outcome"] == c.DIVERGED).sum()),
        "out_of_memory": bool((rows["outcome"] == c.OUT_OF_MEMORY).any()),
        "fitting_batch": float(rows["fitting_batch"].min()),
        "failed": int((rows["error"] != "").groupby(rows["seed"]).any().sum()),
    }
    return row


def _compared(group: pd.DataFrame, seeds: dict[Any, pd.Series]) -> pd.DataFrame:
    """The rows of one budget with differences, ranks, fronts and verdicts."""
    none = pd.Series(dtype=float)
    keys = list(group[list(CONFIGURATION)].itertuples(index=False, name=None))
    # Whoever diverged shows its accuracy, but has no place among the others and is nobody's reference.
    trained = (group["accuracy"].notna() & ~_diverged(group)).to_numpy()
    accuracies = [seeds.get(key, none) if counts else none for key, counts in zip(keys, trained, strict=True)]
    reference = int(trained.argmax())

    def pair(a: int, b: int) -> Comparison:
        left, right = accuracies[a].align(accuracies[b], join="inner")
        return paired(left.tolist(), right.tolist())

    against = [paired([], []) if i == reference else pair(reference, i) for i in range(len(keys))]
    ps = holm([comparison.p for comparison in against])
    for end, name in (("mean", ""), ("low", "_lo"), ("high", "_hi")):
        group[f"difference{name}"] = [getattr(x.difference, end) for x in against]
    group["p"] = ps
    group["superiority"] = [x.superiority for x in against]
    beats = _beats(pair, len(keys))
    group["rank"] = group["accuracy"].where(trained).rank(ascending=False, method="min")
    if group["seeds"].max() >= ENOUGH:
        group["rank_lo"] = np.where(trained, 1 + beats.sum(0), math.nan)
        group["rank_hi"] = np.where(trained, trained.sum() - beats.sum(1), math.nan)
        group["front"] = [_front(i, group, beats) if trained[i] else "" for i in range(len(keys))]
    first = group.iloc[reference]
    group["time_over_macs"] = first["throughput"] * first["macs"] / (group["throughput"] * group["macs"])
    pairs = [x.difference.n for x in against]
    group["verdict"] = [
        c.REFERENCE if i == reference and trained[i] else _verdict(row, pairs[i], ps[i])
        for i, row in enumerate(group.to_dict("records"))
    ]
    return group


def _diverged(group: pd.DataFrame) -> pd.Series:
    """Which rows diverged in more than half of their seeds."""
    return group["diverged"] > group["seeds"] / 2


def _beats(pair: Any, count: int) -> np.ndarray:
    """``[i, j]``: row i is shown to be more accurate than row j, Holm-corrected over all pairs."""
    pairs = list(itertools.combinations(range(count), 2))
    found = [pair(a, b) for a, b in pairs]
    beats = np.zeros((count, count), dtype=bool)
    for (a, b), comparison, p in zip(pairs, found, holm([x.p for x in found]), strict=True):
        if comparison.difference.n >= ENOUGH and p < SIGNIFICANT:
            better, worse = (b, a) if comparison.difference.mean > 0 else (a, b)
            beats[better, worse] = True
    return beats


def _front(i: int, group: pd.DataFrame, beats: np.ndarray) -> str:
    """The costs on whose front row i is: nothing as cheap is shown to be more accurate."""

    def on(cost: str) -> bool:
        costs = group[cost].astype(float).to_numpy()
        return not math.isnan(costs[i]) and not bool((beats[:, i] & (costs <= costs[i])).any())

    return ", ".join(_SHORT[cost] for cost in c.COSTS if on(cost))


_SHORT = {"params": "params", "macs": "MACs", "latency_ms": "latency"}


def _verdict(row: dict[Any, Any], pairs: int, p: float) -> str:
    if row["out_of_memory"] and not row["seeds"]:
        return c.OUT_OF_MEMORY
    if row["seeds"] and row["diverged"] > row["seeds"] / 2:
        return c.DIVERGED
    if pairs < ENOUGH:
        return c.UNDECIDED
    if p < SIGNIFICANT:
        return c.BETTER if row["difference"] > 0 else c.WORSE
    return c.SAME
