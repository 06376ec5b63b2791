"""Schedules of the learning rate. Importing this module does not import torch."""

import math
from collections.abc import Callable

WARM_UP = 0.3
"""The share of a one-cycle schedule in which the rate climbs (Smith 2018)."""


def _cosine(done: float) -> float:
    """The cosine schedule of Loshchilov & Hutter 2017, without restarts."""
    return 0.5 * (1 + math.cos(math.pi * done))


def _onecycle(done: float) -> float:
    if done < WARM_UP:
        return 0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi * done / WARM_UP))
    return 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))


def _constant(done: float) -> float:
    return 1.0


_SCHEDULES: dict[str, Callable[[float], float]] = {"cosine": _cosine, "onecycle": _onecycle, "constant": _constant}
SCHEDULES = tuple(_SCHEDULES)


def rate(schedule: str, done: float) -> float:
    """The learning rate, as a share of its peak, when the share ``done`` of the budget is spent."""
    return _SCHEDULES[schedule](done)
