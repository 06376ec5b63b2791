"""Candidates as one program, and in threads, against one after another; and searches of a table a second.

python -m benchmarks.nas

Fully connected candidates are of one depth and normalisation, with any widths and activations; convolutional ones are
of one structure, and worth stacking on small images only: `dnnlab.nas.evaluator` draws its line after these numbers.
On larger ones they are trained in threads.
"""

import dataclasses
import random
import time

import numpy as np
import torch
from torch import nn

from benchmarks.timing import interleaved
from dnnlab.data import load
from dnnlab.data.dataset import Dataset
from dnnlab.nas.problem import Outcome, Problem, Train
from dnnlab.nas.strategies import find
from dnnlab.networks.spaces import SPACES
from dnnlab.networks.spaces.space import Choices, Space
from dnnlab.networks.spaces.stack import SameStack
from dnnlab.runner.device import keep_freed_memory
from dnnlab.training.batches import batch_order
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.networks import train_together

STEPS = 20
HYPERPARAMETERS = Hyperparameters("adam", 0.003, 0.0, "cosine")


def drawn(space: Space, count: int, **fixed: object) -> list[Choices]:
    rng = random.Random(0)
    found: list[Choices] = []
    while len(found) < count:
        choices = space.choices(tuple(rng.randrange(size) for size in space.sizes))
        if all(choices[name] == value for name, value in fixed.items()):
            found.append(choices)
    return found


def seconds(space: Space, candidates: list[Choices], data: Dataset) -> tuple[float, float, float]:
    """Training one by one, as one program, and in threads of this process."""

    def run(together: bool, threads: bool) -> None:
        models: list[nn.Module] = [space.build(choices, data.shape, len(data.classes)) for choices in candidates]
        rngs = [np.random.default_rng(i) for i in range(len(models))]
        orders = [batch_order(len(data.train), 64, rng) for rng in rngs]
        stacked = (space.stack or SameStack) if together else None
        train_together(models, stacked, data, orders, HYPERPARAMETERS, rngs, STEPS, repeats=threads)

    alone, stacked, threads = interleaved(
        lambda: run(False, False), lambda: run(True, False), lambda: run(False, True), rounds=3
    )
    return alone, stacked, threads


def report(what: str, alone: float, stacked: float, threads: float) -> None:
    print(
        f"nas, {what}: one by one {alone:.2f} s, one program {stacked:.2f} s, {alone / stacked:.1f}x, "
        f"threads {threads:.2f} s, {alone / threads:.1f}x"
    )


def larger(data: Dataset, factor: int) -> Dataset:
    """The same images with every pixel repeated."""
    return dataclasses.replace(data, x=data.x.repeat_interleave(factor, 2).repeat_interleave(factor, 3))


if __name__ == "__main__":
    torch.manual_seed(0)
    keep_freed_memory()
    digits = load("digits")
    for norm in ("none", "batch"):
        for count in (8, 32):
            candidates = drawn(SPACES["mlp"], count, depth=3, norm=norm)
            report(f"{count} mlp of 3 layers, norm {norm}", *seconds(SPACES["mlp"], candidates, digits))
    (conv,) = drawn(SPACES["conv"], 1, stages=3)
    for size, data in ((8, digits), (16, larger(digits, 2)), (32, larger(digits, 4))):
        for count in (3, 9):
            report(f"{count} conv of one kind, {size} px", *seconds(SPACES["conv"], [conv] * count, data))
    for name in ("random", "evolution", "rl", "local"):
        started = time.perf_counter()
        for seed in range(20):
            problem = Problem(SPACES["cell"], random.Random(seed), 1.0, (1.0,), 1, 1, lambda: 200.0)
            search = find(name).search(problem)
            requests = next(search)
            for _ in range(200):
                codes = [request.code for request in requests if isinstance(request, Train)]
                requests = search.send([Outcome(code, (sum(code) / 24,)) for code in codes])
        print(f"nas, {name}: {20 * 200 / (time.perf_counter() - started):.0f} evaluations of a table a second")
