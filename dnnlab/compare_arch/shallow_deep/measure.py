"""Widths are tried one after another, each by all seeds that need to know whether it is enough."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dnnlab.compare_arch.shallow_deep.plan import BATCH, WIDEST, UnitsCell
from dnnlab.data import load
from dnnlab.data.dataset import Dataset
from dnnlab.networks.shape import MLPShape
from dnnlab.networks.stacked import StackedMLP
from dnnlab.runner.journal import Rows
from dnnlab.statistics.streams import stream
from dnnlab.training.batches import batch_order
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.stacked import StackedTraining, accuracy

ENOUGH = {"parity": 1.0, "compositional": 0.9}
"""Accuracy at which a task counts as solved: all patterns of parity, and nine of ten examples of a function that were
not trained on. For nineteen of twenty, one layer of 512 units was still learning after 10,000 steps at 8 inputs."""
_EVERY = 50
"""Training steps between two evaluations."""
_PATIENCE = 2000
"""A training has come to rest when its loss was no lower than before for so many steps, however many may be taken …"""
_LOWER = 0.99
"""… where lower means by a hundredth."""


@dataclass
class Attempt:
    """The training of one network."""

    solved: bool = False
    steps: float = math.nan
    """After how many steps it had solved the task, or come to rest; nan where it did neither."""
    accuracy: float = 0.0
    """The highest."""
    lowest: float = math.inf
    """The lowest loss, as a mean over the steps between two evaluations."""
    since: int = 0
    """The step at which that was."""

    @property
    def ended(self) -> bool:
        return not math.isnan(self.steps)

    def see(self, step: int, loss: float, accuracy: float, enough: float) -> None:
        """Take in what an evaluation after ``step`` steps says."""
        if self.ended:
            return
        self.accuracy = max(self.accuracy, accuracy)
        if loss < _LOWER * self.lowest:
            self.lowest, self.since = loss, step
        self.solved = accuracy >= enough
        if self.solved or step - self.since >= _PATIENCE:
            self.steps = float(step)


def measure(cells: Sequence[UnitsCell], spec: Any, device: str, progress: Callable[[float], None]) -> Rows:
    """One row per cell and width that was tried."""
    first = cells[0]
    data = load(first.data).to(device)
    if first.task == "parity":  # all patterns: the question is whether the network can represent the function
        everything = torch.arange(len(data.y), device=device)
        data = dataclasses.replace(data, train=everything, test=everything)
    most = WIDEST[first.kind]
    tried: list[dict[int, Attempt]] = [{} for _ in cells]
    done, expected = 0, most.bit_length() + 1
    while wanted := {i: width for i, each in enumerate(tried) if (width := next_width(each, first.inputs, most))}:
        width = min(wanted.values())
        members = [i for i, each in wanted.items() if each == width]

        def report(share: float, done: int = done) -> None:
            progress(min(1.0, (done + share) / expected))

        found = _attempts([cells[i] for i in members], width, data, spec, report)
        for i, attempt in zip(members, found, strict=True):
            tried[i][width] = attempt
        done += 1
    rows = [(i, width, attempt) for i, each in enumerate(tried) for width, attempt in sorted(each.items())]
    return {
        "cell": [i for i, _, _ in rows],
        "width": [width for _, width, _ in rows],
        "steps": [attempt.steps if attempt.solved else math.nan for _, _, attempt in rows],
        "accuracy": [attempt.accuracy for _, _, attempt in rows],
        "solved": [float(attempt.solved) for _, _, attempt in rows],
        "ended": [float(attempt.ended) for _, _, attempt in rows],
    }


def next_width(tried: Mapping[int, Attempt], inputs: int, most: int) -> int | None:
    """The width to try next: about as many units as ``inputs``, then twice or half as many until the narrowest that
    solves the task stands beside one that failed, and last three quarters of it. None where there is no more to try."""
    solved = [width for width, attempt in tried.items() if attempt.solved]
    if not tried:
        return 1 << inputs.bit_length() - 1
    if not solved:
        return 2 * max(tried) if 2 * max(tried) <= most else None
    narrowest = min(width for width in solved if width.bit_count() == 1)
    if narrowest == min(tried):
        return narrowest // 2 or None
    between = narrowest * 3 // 4
    return between if narrowest > 2 and between not in tried else None


def _attempts(
    cells: Sequence[UnitsCell], width: int, data: Dataset, spec: Any, progress: Callable[[float], None]
) -> list[Attempt]:
    """Train networks of one ``width``, one for each cell, until all have solved the task or come to rest, or all steps
    are taken."""
    first, settled, device = cells[0], spec.settled, data.x.device
    shape = MLPShape(data.features, 2, first.depth, width, ("relu",) * first.depth)
    # A seed has other numbers at each size and width, so that what it needs at one says nothing of the others.
    network = f"{first.task} {first.inputs} {first.depth} {width}"
    streams = [stream(spec.seed, cell.seed, f"weights {network}") for cell in cells]
    stack = StackedMLP.draw(shape, ["he"] * len(cells), streams, device=str(device))
    size = min(BATCH, len(data.train))
    orders = [batch_order(len(data.train), size, stream(spec.seed, cell.seed, f"batches {network}")) for cell in cells]
    hyperparameters = [Hyperparameters(settled.optimizer[0], *settled.lr)] * len(cells)
    training = StackedTraining(stack, data, hyperparameters, orders)
    attempts = [Attempt() for _ in cells]
    steps, taken = first.most_steps, 0
    loss = torch.zeros(len(cells), device=device)
    for step in range(1, steps + 1):
        loss += training.step().loss
        taken += 1
        if step % _EVERY and step < steps:
            continue
        shares = accuracy(stack, data, data.test).tolist()
        for attempt, share, mean in zip(attempts, shares, (loss / taken).tolist(), strict=True):
            attempt.see(step, mean, share, ENOUGH[first.task])
        loss.zero_()
        taken = 0
        progress(step / steps)
        if all(attempt.ended for attempt in attempts):
            break
    return attempts
