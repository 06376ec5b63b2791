"""A grid of 8 learning rates x 3 initialisers x 10 seeds: one stack against a loop over models, side by side.

python -m benchmarks.dead_relu

The loop trains each of some of the 240 networks with torch.optim and counts its dead units at the same steps; its
time is scaled to all of them.
"""

import torch
from torch import nn

from benchmarks.timing import interleaved
from dnnlab.data import load
from dnnlab.dead_relu.census.measure import fixed_inputs, measure
from dnnlab.dead_relu.census.plan import Cell
from dnnlab.dead_relu.spec import Spec
from dnnlab.networks.mlp import MLP
from dnnlab.networks.shape import MLPShape
from dnnlab.registry import find
from dnnlab.runner.device import keep_freed_memory
from dnnlab.runner.plan import make
from dnnlab.statistics.streams import stream
from dnnlab.training.batches import batch_order
from dnnlab.training.evaluation import accuracy, as_written
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.networks import PlainTraining

SHARE = 10  # every tenth network is trained in the loop


def dead_fraction(model: nn.Module, x: torch.Tensor) -> float:
    masks: list[torch.Tensor] = []
    handles = [
        m.register_forward_hook(lambda module, args, out: masks.append((out == 0).all(0)))
        for m in model.modules()
        if isinstance(m, nn.ReLU)
    ]
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return float(torch.stack(masks).double().mean())


def alone(cell: Cell, spec: Spec) -> list[float]:
    data = load(cell.data)
    model = MLP(MLPShape(data.features, len(data.classes), cell.depth, cell.width, ("relu",) * cell.depth))
    order = batch_order(len(data.train), cell.batch_size, stream(spec.seed, cell.seed, "batches"))
    training = PlainTraining(model, data, order, Hyperparameters("sgd", cell.lr))
    x = data.inputs(fixed_inputs(data, spec)).flatten(1)
    dead = []
    steps = spec.measured_steps()
    for step, following in zip(steps, [*steps[1:], steps[-1]], strict=True):
        dead.append(dead_fraction(model, x))
        accuracy(as_written(model, data), data, data.validation)
        for _ in range(following - step):
            training.step()
    return dead


if __name__ == "__main__":
    torch.manual_seed(0)
    grid = Spec(lr=tuple(10 ** (-i / 3) for i in range(8)), init=("he", "xavier", "lecun"), seeds=10)
    plan = make(find("dead-relu"), grid, "cpu")
    keep_freed_memory()
    loop, stacked = interleaved(
        lambda: [alone(cell, grid) for cell in plan.cells[::SHARE]],
        lambda: [measure(stack.cells, grid, "cpu", lambda share: None) for stack in plan.stacks],
        rounds=3,
    )
    print(
        f"dead-relu, {len(plan.cells)} networks of depth 5 and width 64, 500 steps: loop {loop * SHARE:.0f} s, "
        f"stacked {stacked:.1f} s, ratio {loop * SHARE / stacked:.1f}x"
    )
