"""The summary: what each remedy changes, seed by seed, and one verdict per row."""

from typing import Any

import pandas as pd

from dnnlab.dead_relu.census.summary import FEW, TREATED, per_cell, rows_of, usual
from dnnlab.dead_relu.remedies import columns as c
from dnnlab.dead_relu.remedy import NO_REMEDY
from dnnlab.dead_relu.spec import Spec
from dnnlab.report.table import fit
from dnnlab.runner.summary import by_configuration, compared, corrected, decided, mostly_diverged, named
from dnnlab.statistics.comparisons import Comparison
from dnnlab.statistics.quantity import ACCURACY

__all__ = ["per_cell", "remedy_verdict", "summarise"]


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per configuration and remedy."""
    # Where every cell failed, the rows have no accuracy until they fit the schema.
    rows = fit(rows_of(cells, spec), c.SUMMARY)
    return fit(_compared(rows, per_cell(cells, spec)), c.SUMMARY)


def _compared(table: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The rows with each remedy's paired change, verdict and rank. For each configuration the untreated row is first,
    then the remedies from the best."""
    seeds = by_configuration(cells, TREATED)
    keys = list(table[list(TREATED)].itertuples(index=False, name=None))
    bases = [seeds.get((*key[:-1], NO_REMEDY)) if key[-1] != NO_REMEDY else None for key in keys]
    changes = {
        quantity.name: corrected(
            [compared(base, seeds.get(key), quantity) for base, key in zip(bases, keys, strict=True)]
        )
        for quantity in (c.DEAD, ACCURACY)
    }
    for quantity, comparison in changes.items():
        columns = named([x.difference.cut(-1.0, 1.0) for x in comparison], f"{quantity}_change")
        table = table.assign(**columns, **{f"{quantity}_p": [x.p for x in comparison]})
    table["verdict"] = [
        remedy_verdict(row, dead, accuracy)
        for row, dead, accuracy in zip(table.to_dict("records"), changes["dead"], changes["accuracy"], strict=True)
    ]
    order = [c.UNTREATED, c.CURES, c.HELPS, c.FEWER, c.COSTS, c.NO_EFFECT, c.UNDECIDED, c.HARMS, c.DIVERGED]
    ranked = table.assign(
        _base=table.groupby(list(c.CONFIGURATION), sort=False, dropna=False).ngroup(),
        _rank=table["verdict"].map(order.index),
        _accuracy=-table["accuracy"].fillna(-1),
    )
    return ranked.sort_values(["_base", "_rank", "_accuracy"], kind="stable", ignore_index=True)


def remedy_verdict(row: Any, dead: Comparison, accuracy: Comparison) -> str:
    """The verdict on a remedy: its effect on the dead units and on accuracy, against the same seeds without it."""
    if row["remedy"] == NO_REMEDY:
        return c.UNTREATED
    if mostly_diverged(row):
        return c.DIVERGED
    fewer, better = dead.direction, accuracy.direction
    if fewer is None or better is None:
        return c.UNDECIDED
    if fewer < 0:
        if better <= 0:
            return c.COSTS if better < 0 else c.FEWER
        return c.CURES if row["dead_hi"] <= usual(row) + FEW else c.HELPS
    if fewer > 0 or better < 0:
        return c.HARMS
    # Where most seeds collapsed with it or without, so few can be compared that no effect could have been seen.
    return c.UNDECIDED if None in (decided(dead), decided(accuracy)) else c.NO_EFFECT
