"""The summary: costs, accuracy with intervals, paired differences, ranks, Pareto fronts, and one verdict per row."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dnnlab.compare_arch.equal_budget import columns as c
from dnnlab.compare_arch.equal_budget.tuning import tuned
from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import CONFIGURATION
from dnnlab.networks.named import published
from dnnlab.report.table import fit
from dnnlab.runner.summary import (
    against,
    by_configuration,
    configurations,
    corrected,
    decided,
    failed,
    has_error,
    learned,
    mean,
    mostly_diverged,
    named,
)
from dnnlab.statistics.comparisons import Comparison
from dnnlab.statistics.intervals import ENOUGH
from dnnlab.statistics.quantity import ACCURACY
from dnnlab.statistics.samples import compare, nothing, sample


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per network, training options and budget; without training, one row per network."""
    cells = tuned(cells, spec.tune)
    # Failed rows of costs have neither a part nor a budget.
    costs = cells[cells["part"].eq("cost") | (cells["part"].eq("") & cells["budget"].eq(""))]
    costs = costs.drop_duplicates(list(c.COSTED)).set_index(list(c.COSTED))
    costs = costs.assign(lost=has_error(costs))
    trained = cells[cells["budget"] != ""]
    if trained.empty:
        return fit(pd.DataFrame([_cost_row(key, row) for key, row in costs.iterrows()]), c.SUMMARY)
    rows = [_row(configuration, group, costs) for configuration, group in configurations(trained, CONFIGURATION)]
    table, seeds = pd.DataFrame(rows), by_configuration(_completed(cells), CONFIGURATION)
    parts = [_compared(group, seeds) for _, group in table.groupby(list(c.COMPARED), sort=False, dropna=False)]
    table = pd.concat(parts, ignore_index=True)
    table["failed"] += _failed_costs(table, costs)
    return fit(table, c.SUMMARY)


def _failed_costs(table: pd.DataFrame, costs: pd.DataFrame) -> list[int]:
    """For each row 1 where the costs of its network failed and no earlier row counts that, else 0."""
    lost = set(costs.index[costs["lost"]])
    keys = table[list(c.COSTED)].itertuples(index=False, name=None)
    return [int(first and key in lost) for first, key in zip(~table.duplicated(list(c.COSTED)), keys, strict=True)]


def per_cell(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per training that was completed, of those by which networks are judged: configuration, seed and test
    accuracy."""
    return _completed(tuned(cells, spec.tune))


def _completed(cells: pd.DataFrame) -> pd.DataFrame:
    final = cells[cells["accuracy"].notna()]
    return final[[*CONFIGURATION, "seed", *c.JUDGED, "loss"]].reset_index(drop=True)


def _costs_of(row: "pd.Series[Any]") -> dict[str, Any]:
    names = [column.name for column in (*c.COUNTS, *c.SPEED)]
    whole = {column.name for column in c.COUNTS if column.dtype is int} | {"warm_up_calls"}
    costs = {name: float(row[name]) for name in names}
    return {name: int(v) if name in whole and not math.isnan(v) else v for name, v in costs.items()} | {
        "noisy": None if math.isnan(row["noisy"]) else row["noisy"] == 1.0,
        "uncounted": row["uncounted"],
        "input": row["input"],
    }


def _cost_row(key: Any, row: "pd.Series[Any]") -> dict[str, Any]:
    costed = dict(zip(c.COSTED, key, strict=True))
    return costed | _head(costed["arch"]) | _costs_of(row) | {"failed": int(row["lost"])}


def _head(arch: str) -> dict[str, Any]:
    accuracy, on = published(arch)
    return {
        "seeds": 0,
        "learned": 0,
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
    accuracies = sample(final, ACCURACY)
    row |= {
        "seeds": len(final),
        **learned(accuracies),
        **accuracies.interval.named("accuracy"),
        "steps": mean(final["step"]),
        "train_seconds": mean(final["seconds"]),
        "looking_seconds": mean(final["looking_seconds"]),
        "loss": mean(final["loss"]),
        "diverged": int((final["outcome"] == c.DIVERGED).sum()),
        "out_of_memory": bool((rows["outcome"] == c.OUT_OF_MEMORY).any()),
        "fitting_batch": float(rows["fitting_batch"].min()),
        "failed": failed(rows),
    }
    return row


def _compared(group: pd.DataFrame, seeds: Mapping[Any, pd.DataFrame]) -> pd.DataFrame:
    """The rows of one budget with differences, ranks, fronts and verdicts."""
    keys = list(group[list(CONFIGURATION)].itertuples(index=False, name=None))
    # A network that diverged has an accuracy, but no rank, and it is not the reference.
    trained = (group["accuracy"].notna() & ~mostly_diverged(group)).to_numpy()
    rows = [seeds.get(key) if counts else None for key, counts in zip(keys, trained, strict=True)]
    reference = int(trained.argmax())
    comparisons = against(rows, ACCURACY, reference)
    group = group.assign(
        **named([x.difference for x in comparisons], "difference"),
        visible=[x.visible for x in comparisons],
        p=[x.p for x in comparisons],
        superiority=[x.superiority for x in comparisons],
    )
    beats = _beats(rows)
    group["rank"] = group["accuracy"].where(trained).rank(ascending=False, method="min")
    if group["seeds"].max() >= ENOUGH:
        group["rank_lo"] = np.where(trained, 1 + beats.sum(0), math.nan)
        group["rank_hi"] = np.where(trained, trained.sum() - beats.sum(1), math.nan)
        group["front"] = [_front(i, group, beats) if trained[i] else "" for i in range(len(keys))]
    first = group.iloc[reference]
    group["time_over_macs"] = first["throughput"] * first["macs"] / (group["throughput"] * group["macs"])
    group["verdict"] = [
        c.REFERENCE if i == reference and trained[i] else _verdict(row, comparisons[i])
        for i, row in enumerate(group.to_dict("records"))
    ]
    return group


def _beats(rows: Sequence[pd.DataFrame | None]) -> np.ndarray:
    """``[i, j]``: row i is shown to be more accurate than row j, Holm-corrected over all pairs."""
    pairs = list(itertools.combinations(range(len(rows)), 2))
    samples = [nothing(ACCURACY) if each is None else sample(each, ACCURACY) for each in rows]
    comparisons = corrected([compare(samples[a], samples[b]) for a, b in pairs])
    beats = np.zeros((len(rows), len(rows)), dtype=bool)
    for (a, b), comparison in zip(pairs, comparisons, strict=True):
        moved = comparison.direction
        if moved:
            beats[(b, a) if moved > 0 else (a, b)] = True
    return beats


def _front(i: int, group: pd.DataFrame, beats: np.ndarray) -> str:
    """The costs by which row i is on the Pareto front: no row that is as cheap is shown to be more accurate."""

    def on(cost: str) -> bool:
        costs = group[cost].astype(float).to_numpy()
        return not math.isnan(costs[i]) and not bool((beats[:, i] & (costs <= costs[i])).any())

    return ", ".join(_SHORT[cost] for cost in c.COSTS if on(cost))


_SHORT = {"params": "params", "macs": "MACs", "latency_ms": "latency"}


_VERDICTS = {None: c.UNDECIDED, 0: c.SAME, 1: c.BETTER, -1: c.WORSE}


def _verdict(row: dict[Any, Any], comparison: Comparison) -> str:
    if row["out_of_memory"] and not row["seeds"]:
        return c.OUT_OF_MEMORY
    return c.DIVERGED if mostly_diverged(row) else _VERDICTS[decided(comparison)]
