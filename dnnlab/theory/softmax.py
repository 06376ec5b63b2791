"""Where gradients begin: p - e, the gradient of the cross-entropy at the logits, of Gaussian logits."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.random import default_rng

_DRAWS = 500
_STEPS = (2.0, 10.0)
"""Nodes per unit of ln q and of c: what is asked for is rounded to them."""


@dataclass(frozen=True)
class Start:
    """Of d = p - e, for two inputs."""

    alike: float
    """The mean squared product of their d over the squared mean of ‖d‖², where they have one label."""
    differ: float
    """Where they have two."""
    single: float
    """The same of an input with itself."""
    pull: float
    """The squared mean of d·logits over the means of ‖d‖² and of a logit's square: how far d lies along the logits."""


def start(log_q: float, c: float, classes: int) -> Start:
    """For logits of mean square exp(``log_q``), those of two inputs of correlation ``c``."""
    if not (math.isfinite(log_q) and math.isfinite(c)):
        return Start(*[math.nan] * 4)
    rounded = round(min(max(log_q, -10.0), 12.0) * _STEPS[0]), round(min(max(c, 0.0), 1.0) * _STEPS[1])
    return _start(*rounded, min(classes, 1000))


@lru_cache(maxsize=4096)
def _start(log_q: int, c: int, classes: int) -> Start:
    q, c = math.exp(log_q / _STEPS[0]), c / _STEPS[1]  # type: ignore[assignment]
    shared, *own = default_rng(0).standard_normal((3, _DRAWS, classes))
    logits = [math.sqrt(q) * (math.sqrt(c) * shared + math.sqrt(1 - c) * each) for each in own]
    powers = [np.exp(z - z.max(axis=1, keepdims=True)) for z in logits]
    p = [each / each.sum(axis=1, keepdims=True) for each in powers]
    e = np.eye(classes)
    square = float(np.mean(((p[0] - e[0]) ** 2).sum(1)))
    along = float(np.mean(((p[0] - e[0]) * logits[0]).sum(1)))

    def products(first: int, second: int, label: int) -> float:
        return float(np.mean(((p[first] - e[0]) * (p[second] - e[label])).sum(1) ** 2)) / square**2

    return Start(products(0, 1, 0), products(0, 1, 1 % classes), products(0, 0, 0), along**2 / (square * q))
