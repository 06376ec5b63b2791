"""A stack of seeds is trained until all have solved the task, or the budget is spent."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from dnnlab.compare_arch.shallow_deep.plan import BATCH, UnitsCell
from dnnlab.data import load
from dnnlab.networks.shape import MLPShape
from dnnlab.networks.stacked import StackedMLP
from dnnlab.runner.journal import Rows
from dnnlab.statistics.streams import stream
from dnnlab.training.batches import batch_order
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.stacked import StackedTraining, accuracy

ENOUGH = {"parity": 1.0, "compositional": 0.95}
"""Accuracy at which a task counts as solved."""
_EVERY = 50
"""Training steps between two evaluations."""


def measure(cells: Sequence[UnitsCell], spec: Any, device: str, progress: Callable[[float], None]) -> Rows:
    """One row per cell."""
    first, settled = cells[0], spec.settled
    data = load(first.data).to(device)
    if first.task == "parity":  # all patterns: the question is whether the network can represent the function
        data = dataclasses.replace(data, train=torch.arange(len(data.y), device=device))
    shape = MLPShape(data.features, 2, first.depth, first.width, ("relu",) * first.depth)
    streams = [stream(spec.seed, cell.seed, "weights") for cell in cells]
    stack = StackedMLP.draw(shape, ["he"] * len(cells), streams, device=device)
    size = min(BATCH, len(data.train))
    orders = [batch_order(len(data.train), size, stream(spec.seed, cell.seed, "batches")) for cell in cells]
    count = len(cells)
    training = StackedTraining(stack, data, [Hyperparameters(settled.optimizer[0], *settled.lr)] * count, orders)
    steps = first.most_steps
    taken = [math.nan] * count
    best = [0.0] * count
    for step in range(1, steps + 1):
        training.step()
        if step % _EVERY and step < steps:
            continue
        for member, share in enumerate(accuracy(stack, data, data.train).tolist()):
            best[member] = max(best[member], share)
            if share >= ENOUGH[first.task] and math.isnan(taken[member]):
                taken[member] = float(step)
        progress(step / steps)
        if not any(map(math.isnan, taken)):
            break
    solved = [float(not math.isnan(step)) for step in taken]
    return {"cell": list(range(count)), "steps": taken, "accuracy": best, "solved": solved}
