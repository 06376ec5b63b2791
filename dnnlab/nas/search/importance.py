"""Which dimensions of a space matter, from architectures that are drawn at random."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dnnlab.nas.codes import each_once, read_code, write_code
from dnnlab.nas.spec import Spec
from dnnlab.nas.strategies import RANDOM
from dnnlab.networks import spaces
from dnnlab.networks.spaces.space import Choices
from dnnlab.statistics.comparisons import holm, welch
from dnnlab.statistics.intervals import SIGNIFICANT, Interval
from dnnlab.statistics.streams import stream

ABSENT = "absent"
"""The value of a choice of a layer or stage that the network does not have."""
FEW = 20
"""The number of different architectures below which nothing is concluded."""


class Effect(NamedTuple):
    """The effect of one dimension by itself."""

    dimension: str
    share: float
    """The part of the variance of validation accuracy between its choices (η²), without what chance gives (ω²)."""
    best: str
    """The choice with the highest mean accuracy."""
    p: float
    """The p-value of no effect, by ranks, since accuracies of networks that failed lie far from all others (Kruskal &
    Wallis 1952); Holm-corrected for the dimensions."""

    @property
    def shown(self) -> bool:
        """Whether it explains more than chance does."""
        return self.share > 0 and self.p < SIGNIFICANT


def architectures(cells: pd.DataFrame, spec: Spec, data: str) -> tuple[list[Choices], np.ndarray]:
    """The choices of all architectures that random search trained in full on ``data``, or of all in a table, and their
    mean validation accuracies; equal networks are one."""
    space = spaces.find(spec.space)
    if spec.table:
        rows = _tabled(spec)
    else:
        rows = cells[(cells["data"] == data) & (cells["strategy"] == RANDOM) & (cells["phase"] == "search")]
        rows = rows[rows["validation"].notna()]
    codes = rows.drop_duplicates("id")["code"]
    return [space.choices(read_code(code)) for code in codes], each_once(rows).to_numpy(float)


def _tabled(spec: Spec) -> pd.DataFrame:
    """The entries of a table, each of which was a training of its own. They are in an order drawn at random: of choices
    that make one network the first ones speak for it, and in the table's own order all of these would be zeros."""
    space = spaces.find(spec.space)
    entries = list(spec.opened.validation[spec.opened.epochs].items())
    entries = [entries[i] for i in stream(spec.seed, 0, "importance").permutation(len(entries))]
    return pd.DataFrame(
        [
            {"seed": i, "id": space.identity(code), "code": write_code(code), "validation": value}
            for i, (code, value) in enumerate(entries)
        ]
    )


def effects(choices: Sequence[Choices], accuracy: np.ndarray, spec: Spec) -> list[Effect]:
    """The effects of the dimensions, the largest first; none below `FEW` architectures."""
    if len(choices) < FEW:
        return []
    space = spaces.find(spec.space)
    named = [canonical if isinstance(canonical := space.canonical(each), dict) else each for each in choices]
    result = [_effect(name, [str(each.get(name, ABSENT)) for each in named], accuracy) for name in space.dimensions]
    ps = holm([effect.p for effect in result])
    result = [effect._replace(p=p) for effect, p in zip(result, ps, strict=True)]
    return sorted(result, key=lambda effect: -effect.share)


def _effect(name: str, labels: list[str], accuracy: np.ndarray) -> Effect:
    """The effect of a dimension, its p-value by itself. The share is ω² (Hays 1963), since η² is above zero by chance
    alone, the more the more choices there are."""
    from scipy.stats import kruskal

    groups = pd.Series(accuracy).groupby(labels)
    means, sizes = groups.mean(), groups.size()
    total = float(((accuracy - accuracy.mean()) ** 2).sum())
    between = float((sizes * (means - accuracy.mean()) ** 2).sum())
    free, left = len(means) - 1, len(accuracy) - len(means)
    if total == 0 or left < 1 or free < 1:
        return Effect(name, 0.0, str(means.idxmax()), 1.0)
    error = (total - between) / left
    share = max(0.0, (between - free * error) / (total + error))
    p = float(kruskal(*(group for _, group in groups)).pvalue)
    return Effect(name, share, str(means.idxmax()), p)


def mixed(choices: Sequence[Choices], accuracy: np.ndarray, spec: Spec) -> Interval:
    """The difference of networks of two or more activations from those of one that have as many layers or stages.

    It is the mean of the differences at each depth, weighted by what each of them is worth: most mixtures are deep, so
    that over all depths together, depth would be compared. A depth counts where both kinds were drawn twice or more.
    """
    space = spaces.find(spec.space)
    depths: dict[int, dict[bool, list[float]]] = {}
    for each, value in zip(choices, accuracy.tolist(), strict=True):
        named: Any = space.canonical(each)
        acts = [choice for name, choice in named.items() if name.startswith("act.")] if isinstance(named, dict) else []
        depths.setdefault(len(acts), {False: [], True: []})[len(set(acts)) > 1].append(value)
    pairs = [(kinds[True], kinds[False]) for kinds in depths.values() if min(map(len, kinds.values())) > 1]
    if not pairs:
        return Interval(math.nan, math.nan, math.nan, 0)
    worth = np.array([1 / (1 / len(a) + 1 / len(b)) for a, b in pairs])
    weights = worth / worth.sum()
    mean = sum(w * (np.mean(a) - np.mean(b)) for w, (a, b) in zip(weights, pairs, strict=True))
    groups = [(w, each) for w, pair in zip(weights, pairs, strict=True) for each in pair]
    variances = [w**2 * np.var(each, ddof=1) / len(each) for w, each in groups]
    return welch(float(mean), variances, [len(each) - 1 for _, each in groups], sum(len(each) for _, each in groups))
