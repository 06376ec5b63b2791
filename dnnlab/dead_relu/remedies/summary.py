"""Rows to table: what each remedy changes, seed by seed, and a verdict a row."""

from typing import Any

import numpy as np
import pandas as pd

from dnnlab.dead_relu.census.summary import SLACK, per_cell, rows_of, usual
from dnnlab.dead_relu.remedies import columns as c
from dnnlab.dead_relu.remedy import NO_REMEDY
from dnnlab.dead_relu.spec import Spec
from dnnlab.report.table import fit
from dnnlab.statistics.intervals import ENOUGH, SIGNIFICANT, Comparison, holm, paired

__all__ = ["per_cell", "remedy_verdict", "summarise"]


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row a configuration and remedy."""
    return fit(_compared(rows_of(cells, spec), per_cell(cells, spec)), c.SUMMARY)


def _compared(table: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The rows with each remedy's paired change, verdict and rank: of a configuration the untreated row comes
    first, then the remedies from the best."""
    keys = list(c.CONFIGURATION)
    seeds = {key: rows.set_index("seed") for key, rows in cells.groupby([*keys, "remedy"], dropna=False)}
    pairs: dict[str, list[Comparison]] = {"dead": [], "accuracy": []}
    for values in table[[*keys, "remedy"]].itertuples(index=False, name=None):
        own, base = seeds.get(values), seeds.get((*values[:-1], NO_REMEDY))
        for quantity, found in pairs.items():
            if own is None or base is None or values[-1] == NO_REMEDY:
                found.append(paired([], []))
                continue
            before, after = base[quantity].align(own[quantity], join="inner")
            found.append(paired(before.tolist(), after.tolist()))
    for quantity, found in pairs.items():
        for end, name in (("mean", ""), ("low", "_lo"), ("high", "_hi")):
            table[f"{quantity}_change{name}"] = [getattr(pair.difference, end) for pair in found]
        table[f"{quantity}_p"] = holm([pair.p for pair in found])
    numbers = [pair.difference.n for pair in pairs["dead"]]
    table["verdict"] = [remedy_verdict(row, n) for (_, row), n in zip(table.iterrows(), numbers, strict=True)]
    order = [c.UNTREATED, c.CURES, c.HELPS, c.FEWER, c.COSTS, c.NO_EFFECT, c.UNDECIDED, c.HARMS, c.DIVERGED]
    ranked = table.assign(
        _base=table.groupby(keys, sort=False, dropna=False).ngroup(),
        _rank=table["verdict"].map(order.index),
        _accuracy=-table["accuracy"].fillna(-1),
    )
    return ranked.sort_values(["_base", "_rank", "_accuracy"], kind="stable", ignore_index=True)


def remedy_verdict(row: Any, pairs: int) -> str:
    """What a remedy did: to the dead, and to accuracy, against the same seeds without it."""
    if row["remedy"] == NO_REMEDY:
        return c.UNTREATED
    if row["seeds"] and row["diverged"] > row["seeds"] / 2:
        return c.DIVERGED
    if pairs < ENOUGH:
        return c.UNDECIDED

    def moved(quantity: str) -> float:
        return np.sign(row[f"{quantity}_change"]) if row[f"{quantity}_p"] < SIGNIFICANT else 0.0

    dead, accuracy = moved("dead"), moved("accuracy")
    if dead < 0:
        if accuracy <= 0:
            return c.COSTS if accuracy < 0 else c.FEWER
        return c.CURES if row["dead_hi"] <= usual(row) + SLACK else c.HELPS
    return c.HARMS if dead > 0 or accuracy < 0 else c.NO_EFFECT
