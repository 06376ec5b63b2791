"""The gradients of a stack by hand against those by autograd, in turn: ``python -m benchmarks.stacked_step``.

One thread each, as where stacks are measured side by side.
"""

import torch

from benchmarks.timing import interleaved
from dnnlab.networks.shape import MLPShape
from dnnlab.networks.stacked import Batch, StackedMLP, losses
from dnnlab.runner.device import keep_freed_memory
from dnnlab.statistics.streams import stream
from dnnlab.training import gradients
from dnnlab.training.optimisers import ByShape

SIZES = ((5, 64, 5, 128), (8, 32, 10, 64), (8, 64, 5, 128), (25, 64, 10, 128), (8, 100, 20, 128))
"""Members, width, depth, and examples of a batch."""
STEPS = 30


def ratio(members: int, width: int, depth: int, size: int) -> float:
    """How many times as fast the way by hand is."""
    shape = MLPShape(64, 10, depth, width, ("relu",) * depth)
    stack = StackedMLP.draw(shape, ["he"] * members, [stream(0, m, "weights") for m in range(members)])
    layout = ByShape(stack.parameters)
    batch = Batch(torch.randn(members, size, 64), torch.randint(10, (members, size)))

    def by_autograd() -> None:
        for _ in range(STEPS):
            loss = losses(stack.forward(batch.x, training=True), batch.y)
            torch.autograd.grad(loss.sum(), list(stack.parameters.values()))

    def by_hand() -> None:
        for _ in range(STEPS):
            gradients.write(stack, batch, (), layout.places)

    autograd, hand = interleaved(by_autograd, by_hand, rounds=9)
    return autograd / hand


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    keep_freed_memory()
    for each in SIZES:
        print("gradients of {} networks of width {}, depth {}, batch {}:".format(*each), f"{ratio(*each):.2f}x")
