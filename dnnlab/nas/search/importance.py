"""Which dimension of a space matters, from architectures that nobody selected."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dnnlab.nas.codes import read_code
from dnnlab.nas.spec import Spec
from dnnlab.nas.strategies import RANDOM
from dnnlab.networks import spaces
from dnnlab.networks.spaces.space import Choices
from dnnlab.statistics.intervals import Comparison, unpaired

ABSENT = "absent"
"""The choice of a layer or stage that is not there."""
FEW = 20
"""Architectures under which nothing is said."""


class Effect(NamedTuple):
    """One dimension by itself."""

    dimension: str
    share: float
    """Of the variance of validation accuracy, the part between its choices (η²), less what chance would give (ω²)."""
    best: str
    """The choice with the highest mean."""


def architectures(cells: pd.DataFrame, spec: Spec, data: str) -> tuple[list[Choices], np.ndarray]:
    """What random search trained in full on ``data``, or all of a table; and the validation accuracies."""
    space = spaces.find(spec.space)
    if spec.table:
        held = spec.opened.validation[spec.opened.epochs]
        return [space.choices(code) for code in held], np.array(list(held.values()))
    rows = cells[(cells["data"] == data) & (cells["strategy"] == RANDOM) & (cells["phase"] == "search")]
    rows = rows[rows["validation"].notna()]
    return [space.choices(read_code(code)) for code in rows["code"]], rows["validation"].to_numpy(float)


def effects(choices: Sequence[Choices], accuracy: np.ndarray, spec: Spec) -> list[Effect]:
    """The dimensions, the most important first; none under `FEW` architectures."""
    if len(choices) < FEW:
        return []
    space = spaces.find(spec.space)
    kept = [canonical if isinstance(canonical := space.canonical(each), dict) else each for each in choices]
    found = [_effect(name, [str(each.get(name, ABSENT)) for each in kept], accuracy) for name in space.dimensions]
    return sorted(found, key=lambda effect: -effect.share)


def _effect(name: str, labels: list[str], accuracy: np.ndarray) -> Effect:
    """ω² (Hays 1963): η² is above zero by chance alone, the more the more choices there are."""
    groups = pd.Series(accuracy).groupby(labels)
    means, sizes = groups.mean(), groups.size()
    total = float(((accuracy - accuracy.mean()) ** 2).sum())
    between = float((sizes * (means - accuracy.mean()) ** 2).sum())
    free, left = len(means) - 1, len(accuracy) - len(means)
    if total == 0 or left < 1:
        return Effect(name, 0.0, str(means.idxmax()))
    error = (total - between) / left
    return Effect(name, max(0.0, (between - free * error) / (total + error)), str(means.idxmax()))


def mixed(choices: Sequence[Choices], accuracy: np.ndarray, spec: Spec) -> Comparison:
    """Networks of two or more activations against those of one, among those that have two or more layers or stages."""
    space = spaces.find(spec.space)
    groups: dict[bool, list[float]] = {False: [], True: []}
    for each, value in zip(choices, accuracy.tolist(), strict=True):
        kept: Any = space.canonical(each)
        acts = [choice for name, choice in kept.items() if name.startswith("act.")] if isinstance(kept, dict) else []
        if len(acts) > 1:
            groups[len(set(acts)) > 1].append(value)
    return unpaired(groups[False], groups[True])
