"""The measurement: one row per cell, measured step and layer."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dnnlab.data import load
from dnnlab.data.dataset import Dataset
from dnnlab.dead_relu.census import hooked
from dnnlab.dead_relu.census.plan import Cell
from dnnlab.dead_relu.spec import Spec
from dnnlab.instruments import layerwise
from dnnlab.instruments.census import Census, silent_in_first_layer, take
from dnnlab.instruments.intervals import certified_dead
from dnnlab.networks.activations import activation, per_layer
from dnnlab.networks.stacked import StackedMLP
from dnnlab.runner.journal import Rows
from dnnlab.runner.rows import LayerRows
from dnnlab.statistics.streams import stream
from dnnlab.theory.death import expected_dead
from dnnlab.training import hyperparameters
from dnnlab.training.batches import batch_order
from dnnlab.training.evaluation import told
from dnnlab.training.stacked import StackedStep, StackedTraining, examples, right

_PROBED = 128
"""The number of examples on which gradients are measured."""


def measure(cells: Sequence[Cell], spec: Spec, device: str, progress: Callable[[float], None]) -> Rows:
    """Rows of one stack, at each of ``spec.measured_steps()``.

    Raises:
        UsageError: the user's model does not fit the data.
    """
    first = cells[0]
    trained = [cell.treated for cell in cells]
    data = load(first.data).to(device)
    inputs = fixed_inputs(data, spec)
    if first.model:
        return hooked.measure(trained, spec, data, inputs, progress)
    return _measure_stack(trained, spec, data, inputs, progress)


def fixed_inputs(data: Dataset, spec: Spec) -> Tensor:
    """The training examples ``[input]`` on which units are counted, the same for every seed and configuration."""
    if not 0 < spec.inputs < len(data.train):
        return data.train
    chosen = stream(spec.seed, 0, "inputs").permutation(len(data.train))[: spec.inputs]
    return data.train[torch.from_numpy(np.sort(chosen)).to(data.train.device)]


def training_inputs(data: Dataset) -> Iterator[Tensor]:
    """All training inputs, in parts ``[input, feature]``."""
    return (data.inputs(part).flatten(1) for part in data.train.split(1024))


def _measure_stack(
    cells: Sequence[Cell], spec: Spec, data: Dataset, inputs: Tensor, progress: Callable[[float], None]
) -> Rows:
    stack = StackedMLP.draw(
        cells[0].shape(data.features, len(data.classes)),
        [cell.init for cell in cells],
        [stream(spec.seed, cell.seed, "weights") for cell in cells],
        device=str(data.x.device),
    )
    orders = [batch_order(len(data.train), cell.batch_size, stream(spec.seed, cell.seed, "batches")) for cell in cells]
    training = StackedTraining(stack, data, [hyperparameters.of(cell) for cell in cells], orders)
    look = _Look(stack, data, inputs, [cell.init for cell in cells])
    depth = cells[0].depth
    names, acts = [f"hidden {i}" for i in range(1, depth + 1)], per_layer(cells[0].act, depth)
    table = LayerRows(len(cells), names, ["hidden"] * depth, acts)
    steps = spec.measured_steps()
    since: list[StackedStep] = []
    largest = _LargestUpdates(stack)
    for step, following in zip(steps, [*steps[1:], steps[-1]], strict=True):
        progress(step / max(1, spec.training_steps))
        table.add(step, look(largest) | _gradients(since))
        since, largest = [], _LargestUpdates(stack)
        for taken in range(following - step):
            since.append(training.step())
            largest.see(training.updates)
            progress((step + taken + 1) / spec.training_steps)
    return table.rows


class _LargestUpdates:
    """The largest step that each unit's incoming weights took, relative to their norm before all the steps."""

    def __init__(self, stack: StackedMLP) -> None:
        self.depth = stack.shape.depth
        self.norms = [square.sqrt() for square in self._squares(stack.parameters)]
        self.largest = [torch.zeros_like(norm) for norm in self.norms]
        """The largest squares so far, whose roots are taken once."""

    def _squares(self, tensors: "dict[str, Tensor]") -> list[Tensor]:
        """Of each layer the squared norm ``[member, unit]`` of weights and bias together."""
        layers = range(1, self.depth + 1)
        weights = [tensors[f"weight.{layer}"].detach() for layer in layers]
        biases = [tensors[f"bias.{layer}"].detach()[:, 0] for layer in layers]
        # This is twenty times as fast as torch.linalg.vector_norm(weight, dim=1).
        sums = [square.sum(1) for square in torch._foreach_mul(weights, weights)]
        return list(torch._foreach_add(sums, torch._foreach_mul(biases, biases)))

    def see(self, updates: dict[str, Tensor]) -> None:
        """Take one training step into account."""
        torch._foreach_maximum_(self.largest, self._squares(updates))

    def relative(self, layer: int) -> Tensor:
        """The largest relative step ``[member, unit]`` of layer 1 … depth."""
        return self.largest[layer - 1].sqrt() / self.norms[layer - 1]


@dataclass
class _History:
    """Whether each unit of one layer was dead or alive so far, ``[member, unit]``."""

    born: Tensor
    dead: Tensor
    ever: Tensor
    mean: Tensor


@dataclass
class _Look:
    """Measures a stack in training, and remembers the state of its units before."""

    stack: StackedMLP
    data: Dataset
    inputs: Tensor
    inits: Sequence[str]
    history: list[_History] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.x = self.data.inputs(self.inputs).flatten(1)
        expected = [expected_dead(self.stack.shape, init, self.x) for init in self.inits]
        self.expected = torch.tensor(expected, dtype=torch.float64)
        self.low, self.high = (end.flatten() for end in self.data.box())
        # Gradients are of the same examples at every step, the first of the fixed ones.
        self.probe = examples(self.data, self.inputs[:_PROBED].expand(self.stack.members, -1))

    def __call__(self, largest: _LargestUpdates) -> dict[str, Any]:
        """All that is measured now: of layers ``[member, depth]``, of the network ``[member]``."""
        stack, depth = self.stack, self.stack.shape.depth
        seen = take(stack, self.x)
        certified = certified_dead(stack, self.low, self.high, seen)
        passed = layerwise.measure(stack, self.probe)
        finite = passed.loss.isfinite()
        if not self.history:
            self.history = [_History(c.dead, c.dead, c.dead, c.mean) for c in seen]
        rows = [
            self._layer(layer, census, proof, largest)
            for layer, census, proof in zip(range(1, depth + 1), seen, certified, strict=True)
        ]
        layers = {name: torch.stack([row[name] for row in rows], dim=1) for name in rows[0]}
        # The units of a network that has left the range of numbers are neither dead nor alive.
        layers = {name: torch.where(finite[:, None], value, math.nan) for name, value in layers.items()}
        for name in ("weight_grad_norm", "delta_norm"):
            layers[name] = passed.layers[name][:, :depth]
        answered = told(right(stack, self.data, self.data.validation), self.data, self.data.validation)
        return layers | {"loss": passed.loss, **answered, "expected_dead": self.expected}

    def _layer(self, layer: int, census: Census, certified: Tensor, largest: _LargestUpdates) -> dict[str, Tensor]:
        past, dead = self.history[layer - 1], census.dead
        fresh, living = dead & ~past.dead, ~dead & ~past.dead
        update = largest.relative(layer)
        shares = {
            "dead": dead,
            "born_dead": past.born & dead,
            "died": dead & ~past.born,
            "revived": past.ever & ~dead,
            "newly_dead": fresh,
            "certified_dead": certified,
            "inactive": census.inactive,
        }
        values = {name: mask.double().mean(1) for name, mask in shares.items()}
        values["units"] = torch.full_like(values["dead"], self.stack.shape.width)
        values["irreversible"] = self._irreversible(layer, dead)
        values["zero_fraction"] = census.zero_fraction
        values["fatal_update"] = _mean_where(update, fresh)
        values["survived_update"] = _mean_where(update, living)
        fell = (census.mean < past.mean).double()
        values["pushed_down"], values["survivors_down"] = _mean_where(fell, fresh), _mean_where(fell, living)
        self.history[layer - 1] = _History(past.born, dead, past.ever | dead, census.mean)
        return values

    def _irreversible(self, layer: int, dead: Tensor) -> Tensor:
        stack = self.stack
        frozen = layer == 1 and stack.shape.norm == "none" and activation(stack.shape.acts[0]).zero_up_to == 0
        if not frozen or not bool(dead.any()):
            return torch.full_like(dead[:, 0], 0.0 if frozen else math.nan, dtype=torch.float64)
        return (dead & silent_in_first_layer(stack, training_inputs(self.data))).double().mean(1)


def _mean_where(values: Tensor, mask: Tensor) -> Tensor:
    """Mean ``[member]`` of ``values [member, unit]`` where ``mask`` is True; nan where it is True nowhere."""
    total = torch.where(mask, values.double(), 0.0).sum(1)
    return total / mask.sum(1)


def _gradients(steps: Sequence[StackedStep]) -> dict[str, Tensor]:
    """Mean global gradient norm before and after clipping over ``steps``."""
    if not steps:
        return {}
    return {
        "grad_norm": torch.stack([step.grad_norm for step in steps]).mean(0),
        "clipped_norm": torch.stack([step.clipped_norm for step in steps]).mean(0),
    }
