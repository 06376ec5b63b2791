"""Stacked measurement against the plain way, share of the machine's sgemm, and the cost of hooks; side by side.

python -m benchmarks.gradient_flow
"""

import copy
import itertools

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.timing import interleaved
from dnnlab.instruments import layerwise
from dnnlab.instruments.hooks import Recorder
from dnnlab.networks.mlp import MLP
from dnnlab.networks.shape import MLPShape
from dnnlab.networks.stacked import Batch, StackedMLP

DEPTH, BATCH, SEEDS = 20, 128, 32


def stacked_against_loop(width: int) -> None:
    shape = MLPShape(width, 10, DEPTH, width, ("relu",) * DEPTH)
    stack = StackedMLP.draw(shape, ["he"] * SEEDS, [np.random.default_rng(i) for i in range(SEEDS)])
    batch = Batch(torch.randn(SEEDS, BATCH, width), torch.randint(10, (SEEDS, BATCH)))
    models = [MLP.of_member(stack, member) for member in range(SEEDS)]

    def loop() -> None:
        for member, model in enumerate(models):
            model.zero_grad(set_to_none=True)
            with Recorder(model) as recorder:
                F.cross_entropy(model(batch.x[member]), batch.y[member]).backward()
            recorder.rows()

    matrix = torch.randn(2048, 2048)
    plain, ours, gemm = interleaved(loop, lambda: layerwise.measure(stack, batch), lambda: matrix @ matrix)
    # Forward, and twice that backward; the first layer's input needs no gradient.
    flops = 2 * 3 * BATCH * SEEDS * shape.macs()
    share = flops / ours / (2 * 2048**3 / gemm)
    print(
        f"width {width:4}: loop with hooks {plain * 1e3:7.1f} ms, stacked {ours * 1e3:7.1f} ms, "
        f"ratio {plain / ours:5.1f}x, {share:.0%} of the machine's sgemm"
    )


def hooks_against_bare_step() -> None:
    sizes = (784, 1000, 500, 100, 10)
    layers = [m for a, b in itertools.pairwise(sizes) for m in (nn.Linear(a, b), nn.ReLU(inplace=True))][:-1]
    bare_model = nn.Sequential(*layers)
    watched_model = copy.deepcopy(bare_model)
    x, y = torch.randn(BATCH, 784), torch.randint(10, (BATCH,))

    def step(model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        optimiser.zero_grad(set_to_none=True)
        F.cross_entropy(model(x), y).backward()
        optimiser.step()

    optimisers = [torch.optim.SGD(m.parameters(), lr=0.01, momentum=0.9) for m in (bare_model, watched_model)]

    def bare() -> None:
        for _ in range(20):
            step(bare_model, optimisers[0])

    def watched() -> None:
        for _ in range(20):
            with Recorder(watched_model) as recorder:
                step(watched_model, optimisers[1])
            recorder.rows()

    a, b = interleaved(bare, watched)
    print(f"hooks on 784-1000-500-100-10: bare step {a * 50:.2f} ms, watched {b * 50:.2f} ms, ratio {b / a:.2f}x")


if __name__ == "__main__":
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}")
    for width in (32, 64, 128):
        stacked_against_loop(width)
    hooks_against_bare_step()
