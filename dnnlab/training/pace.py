"""How fast a network trains on this machine: measured by some steps of it, for whoever asks before a long run."""

import time

from dnnlab.training.step import Training

ENOUGH = 0.7
"""Seconds of steps that tell."""
_MOST = 50


def seconds_a_step(training: Training) -> float:
    """Mean time of a training step, the first left out, which warms up."""
    float(training.step().loss)
    started, spent, taken = time.perf_counter(), 0.0, 0
    while spent < ENOUGH and taken < _MOST:
        float(training.step().loss)  # waits for a device that runs behind
        spent, taken = time.perf_counter() - started, taken + 1
    return spent / taken
