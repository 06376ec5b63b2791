"""Anytime curves: the best result so far against the budget spent, with a band over seeds."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dnnlab.nas.search import columns as c
from dnnlab.nas.search.fronts import scaled, volumes
from dnnlab.nas.spec import Spec
from dnnlab.nas.strategies import AVERAGE
from dnnlab.statistics.intervals import mean_share

POINTS = 100


@dataclass(frozen=True)
class Band:
    """Mean and 95 % interval over seeds, at places on the axis; the interval is nan for fewer than two seeds."""

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def bands(rows: pd.DataFrame, spec: Spec, by: str) -> dict[str, Band]:
    """The band of each strategy: its best so far against ``by``, the ``trainings`` or ``seconds`` spent in the
    search."""
    result = {}
    # In a table the last row says how long the search went on after its last improvement.
    later = () if spec.table else (c.RETRAIN, c.FINAL)
    searched = rows[~rows["phase"].isin(later) & (rows["strategy"] != AVERAGE)]
    volume = scaled(searched, spec) if spec.several else searched
    full = spec.opened.epochs if spec.table else spec.epochs
    for strategy, searches in searched.groupby("strategy", sort=False):
        steps = []
        for seed, search in searches.groupby("seed"):
            curve = _curve(search, volume[(volume["strategy"] == strategy) & (volume["seed"] == seed)], spec)
            x = curve["epochs"] / full if by == "trainings" else curve["seconds"]
            steps.append((x.to_numpy(), curve["best"].to_numpy()))
        if band := _band(steps):
            result[str(strategy)] = band
    return result


def _curve(search: pd.DataFrame, trained: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """Epochs and seconds spent by each row of one search, in its order, and the best accuracy so far."""
    search = search.sort_values("evaluation", kind="stable")
    curve = search[["epochs", "seconds"]].cumsum()
    if spec.several:
        values = pd.Series(volumes(trained, spec), index=trained.sort_values("evaluation").index)
        curve["best"] = values.reindex(search.index).ffill()
    elif spec.table:
        curve["best"] = search["test"]
    else:
        # The result of a search is the best validation accuracy among its full trainings.
        full = (search["phase"] == "search") & (search["epochs"] >= spec.epochs)
        curve["best"] = search["validation"].where(full).cummax().ffill()
    return curve.dropna(subset="best")


def _band(steps: list[tuple[np.ndarray, np.ndarray]]) -> Band | None:
    """The band from the place where every seed has a result to the end of the longest search; a search that has ended
    keeps its best."""
    steps = [(x, y) for x, y in steps if len(x)]
    if not steps:
        return None
    start, end = max(x[0] for x, _ in steps), max(x[-1] for x, _ in steps)
    grid = np.linspace(start, end, POINTS) if end > start else np.array([start])
    values = np.stack([y[np.searchsorted(x, grid * (1 + 1e-12), side="right") - 1] for x, y in steps])
    intervals = [mean_share(column.tolist()) for column in values.T]
    return Band(
        grid,
        np.array([i.mean for i in intervals]),
        np.array([i.low for i in intervals]),
        np.array([i.high for i in intervals]),
    )
