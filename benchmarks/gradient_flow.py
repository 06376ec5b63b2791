"""Stacked measurement against the plain way, its share of what the machine can do, and what watching a network costs.

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
from dnnlab.networks import create_model
from dnnlab.networks.families.vit import VisionTransformer
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


def networks() -> dict[str, tuple[nn.Module, torch.Tensor]]:
    """The networks whose steps are watched, each with a batch of inputs."""
    sizes = (784, 1000, 500, 100, 10)
    layers = [m for a, b in itertools.pairwise(sizes) for m in (nn.Linear(a, b), nn.ReLU(inplace=True))][:-1]
    tiny = VisionTransformer(12, 3, 8, input_size=64, num_classes=10)
    return {
        "784-1000-500-100-10": (nn.Sequential(*layers), torch.randn(BATCH, 784)),
        "ResNet-18 at 32 px": (create_model("resnet18", num_classes=10), torch.randn(32, 3, 32, 32)),
        "ViT-tiny at 64 px": (tiny, torch.randn(16, 3, 64, 64)),
    }


def watched_against_bare_step(name: str, bare_model: nn.Module, x: torch.Tensor) -> None:
    watched_model = copy.deepcopy(bare_model)
    y = torch.randint(10, (len(x),))
    optimisers = [torch.optim.SGD(m.parameters(), lr=0.01, momentum=0.9) for m in (bare_model, watched_model)]

    def step(model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        optimiser.zero_grad(set_to_none=True)
        F.cross_entropy(model(x), y).backward()
        optimiser.step()

    def watched() -> None:
        with Recorder(watched_model) as recorder:
            step(watched_model, optimisers[1])
        recorder.rows()

    a, b = interleaved(lambda: step(bare_model, optimisers[0]), watched, rounds=15)
    print(f"{name}: bare step {a * 1e3:.1f} ms, watched {b * 1e3:.1f} ms, ratio {b / a:.2f}x")


if __name__ == "__main__":
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}")
    for width in (32, 64, 128):
        stacked_against_loop(width)
    for name, (model, x) in networks().items():
        watched_against_bare_step(name, model, x)
