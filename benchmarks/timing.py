"""Timing side by side."""

import time
from collections.abc import Callable

import numpy as np


def interleaved(*ways: Callable[[], object], rounds: int = 5) -> list[float]:
    """Median seconds of each way, run in turn so that a machine whose speed drifts is fair to all."""
    for way in ways:
        way()
    seconds: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for way, taken in zip(ways, seconds, strict=True):
            started = time.perf_counter()
            way()
            taken.append(time.perf_counter() - started)
    return [float(np.median(taken)) for taken in seconds]
