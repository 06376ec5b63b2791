"""Each network at its own best training options, as ``--tune`` asks.

Some seeds choose, by their validation accuracy, and the others are judged: what judges has no part in the choice, so
that trying more values makes nobody luckier, and the seeds that are judged are independent of each other. (Where each
seed is judged at what the others chose, they are not: an interval over them holds the truth in .83 of all cases.)
"""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from dnnlab.compare_arch.trained_cell import CHOOSING, CONFIGURATION
from dnnlab.runner.summary import has_error

_Value = tuple[Any, ...]


def tuned(cells: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The rows of ``cells`` by which networks are judged: of the seeds that do not choose, those with the values of the
    options ``names`` that are best for the network.

    Rows of costs stay, and so do those of trainings that failed.
    """
    if not names:
        return cells
    trained = cells["budget"] != ""
    arms = [name for name in CONFIGURATION if name not in names]
    judged = [_of_arm(rows, list(names)) for _, rows in cells[trained].groupby(arms, sort=False, dropna=False)]
    return pd.concat([cells[~trained], *judged], ignore_index=True)


def _of_arm(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    values = pd.Series(rows[names].itertuples(index=False, name=None), index=rows.index)
    choosing = rows["seed"] < CHOOSING
    best = _best(rows[choosing], values[choosing])
    return rows[((values == best) & ~choosing) | has_error(rows)].assign(**dict(zip(names, best, strict=True)))


def _best(rows: pd.DataFrame, values: "pd.Series[Any]") -> _Value:
    """The value with the highest mean validation accuracy; of equal ones the first.

    A training that diverged counts as 0. Where there was no memory for one, or it failed, the value is not chosen
    unless all are so.
    """

    def mean(value: _Value) -> float:
        scores = rows.loc[values == value, "validation_accuracy"].fillna(0.0)
        ended = rows.loc[values == value, "accuracy"].notna()
        return float(scores.mean()) if ended.all() else -math.inf

    return max(dict.fromkeys(values), key=mean)
