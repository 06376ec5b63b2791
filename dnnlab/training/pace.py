"""How fast a network trains on this machine, measured by some steps of it."""

import time

from dnnlab.training.step import Training

ENOUGH = 0.7
"""Seconds of steps that are enough for an estimate."""
_MOST = 50


def seconds_a_step(training: Training) -> float:
    """Mean seconds of a training step, without the first, which warms up."""
    float(training.step().loss)
    started, spent, taken = time.perf_counter(), 0.0, 0
    while spent < ENOUGH and taken < _MOST:
        float(training.step().loss)  # waits for work that the device has not yet done
        spent, taken = time.perf_counter() - started, taken + 1
    return spent / taken
