"""Each network at its own best training options, as ``--tune`` asks.

What a seed's network is trained with is chosen by the validation accuracy of the other seeds, and the accuracy is that
on the test split: neither the seed nor the examples that judge take part in the choice, so that trying more values
makes nobody luckier. A single seed can only choose for itself.
"""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from dnnlab.compare_arch.trained_cell import CONFIGURATION

CHOICE = "choice"
"""The column that tells what was chosen for the seed of a row."""

_Value = tuple[Any, ...]


def tuned(cells: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The rows of ``cells`` that were chosen, with `CHOICE`: of the trainings of each network and seed those with the
    best values of the options ``names``.

    In all of them these options have the values that are best over all seeds, so that a network is one configuration.
    Rows of failed trainings and of costs stay.
    """
    if not names:
        return cells.assign(**{CHOICE: ""})
    trained = cells["budget"] != ""
    arms = [name for name in CONFIGURATION if name not in names]
    chosen = [_of_arm(rows, list(names)) for _, rows in cells[trained].groupby(arms, sort=False, dropna=False)]
    return pd.concat([cells[~trained].assign(**{CHOICE: ""}), *chosen], ignore_index=True)


def _of_arm(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    values = pd.Series(rows[names].itertuples(index=False, name=None), index=rows.index)
    scores = _scores(rows, values)
    best = {seed: _best(scores, seed) for seed in rows["seed"].unique()}
    overall = _best(scores)
    kept = (values == rows["seed"].map(best)) | (rows["error"].fillna("") != "")
    told = values.map(lambda value: ", ".join(f"{each:g}" if isinstance(each, float) else str(each) for each in value))
    return rows[kept].assign(**{CHOICE: told[kept]}, **dict(zip(names, overall, strict=True)))


def _scores(rows: pd.DataFrame, values: "pd.Series[Any]") -> dict[_Value, dict[int, float]]:
    """For each value its validation accuracy by seed. A training that diverged counts as 0; one for which there was no
    memory, or that failed, is left out."""
    scores: dict[_Value, dict[int, float]] = {value: {} for value in values}
    ended = rows[rows["accuracy"].notna()]
    for value, seed, accuracy in zip(values[ended.index], ended["seed"], ended["validation_accuracy"], strict=True):
        scores[value][seed] = 0.0 if math.isnan(accuracy) else accuracy
    return scores


def _best(scores: dict[_Value, dict[int, float]], judged: int | None = None) -> _Value:
    """The value with the highest mean over the seeds, without the one that is ``judged`` where there are others; of
    equal ones the first."""
    alone = len({seed for by_seed in scores.values() for seed in by_seed}) < 2

    def mean(value: _Value) -> float:
        others = [score for seed, score in scores[value].items() if alone or seed != judged]
        return sum(others) / len(others) if others else -math.inf

    return max(scores, key=mean)
