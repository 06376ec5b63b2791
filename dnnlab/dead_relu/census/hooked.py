"""The rows of a published network or a user's own: its ReLU-like activations are the layers, channels of convolutions
are units."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnnlab.data.dataset import Dataset
from dnnlab.dead_relu.census.plan import Cell
from dnnlab.dead_relu.spec import Spec
from dnnlab.errors import UsageError
from dnnlab.instruments.census import SiteCensus, take_of_module
from dnnlab.instruments.certified import certify
from dnnlab.instruments.traced import trace
from dnnlab.instruments.unread import unread
from dnnlab.networks import named, user_network
from dnnlab.runner.journal import Rows
from dnnlab.runner.rows import NetworkRows
from dnnlab.statistics.streams import stream, torch_seed
from dnnlab.training import hyperparameters
from dnnlab.training.batches import batch_order
from dnnlab.training.evaluation import as_written, check, right, told_of_one
from dnnlab.training.networks import PlainTraining

_BATCH = 256


def measure(
    cells: Sequence[Cell], spec: Spec, data: Dataset, inputs: Tensor, progress: Callable[[float], None]
) -> Rows:
    """Rows of the one cell of ``cells``.

    Raises:
        UsageError: the model cannot be made, does not fit the data, or has no activation whose units can die.
    """
    table = NetworkRows()
    for number, cell in enumerate(cells):
        with torch.random.fork_rng():
            # Factories and dropout draw from torch's global stream, so each cell seeds it for itself.
            torch.manual_seed(torch_seed(spec.seed, cell.seed, "weights"))
            for row in _measure_cell(cell, spec, data, inputs, progress):
                table.add(number, row)
    return table.rows


def _measure_cell(
    cell: Cell, spec: Spec, data: Dataset, inputs: Tensor, progress: Callable[[float], None]
) -> Iterator[dict]:
    model = named.build(cell.model, data.shape, len(data.classes)).to(data.x.device)
    look = _Look(model, data, inputs)
    if spec.weights:  # the same network with fresh weights says what to expect
        look.expected = {site.name: _share(site.dead) for site in census(model, data, inputs)}
        user_network.load_weights(model, spec.weights, partial(unread, data=data, training=True))
    order = batch_order(len(data.train), cell.batch_size, stream(spec.seed, cell.seed, "batches"))
    training = PlainTraining(model, data, order, hyperparameters.of(cell))
    norms: list[tuple[float, float]] = []
    steps = spec.measured_steps()
    for step, following in zip(steps, [*steps[1:], steps[-1]], strict=True):
        network, *layers = look()
        if norms:
            network |= dict(zip(("grad_norm", "clipped_norm"), np.mean(norms, axis=0), strict=True))
        yield from ({"step": step, "layer": i, **row} for i, row in enumerate([network, *layers]))
        norms = []
        for taken in range(following - step):
            norms.append(training.norms())
            progress((step + taken + 1) / spec.training_steps)


def census(model: nn.Module, data: Dataset, inputs: Tensor) -> list[SiteCensus]:
    """The activations of ``model`` whose units can die, counted on the examples ``inputs``. The model is in evaluation
    mode afterwards.

    Raises:
        UsageError: the model does not take the data, or has no such activation.
    """
    check(model, data)
    sites = take_of_module(model, (data.inputs(part) for part in inputs.split(_BATCH)))
    if not sites:
        raise UsageError(
            "no activation of the model is zero on an interval, so no unit of it can be dead; recognised are ReLU "
            "and all that computes the same (clamp, maximum, where, threshold, masks), ReLU6, hard-swish, "
            "hard-sigmoid, soft-shrink, hard-shrink and modules of one's own that are zero below a point."
        )
    return sites


@dataclass
class _Look:
    """Measures a module, and remembers which of its units were dead before."""

    model: nn.Module
    data: Dataset
    inputs: Tensor
    expected: dict[str, float] = field(default_factory=dict)
    born: dict[str, Tensor] = field(default_factory=dict)
    ever: dict[str, Tensor] = field(default_factory=dict)
    last: dict[str, Tensor] = field(default_factory=dict)

    def __call__(self) -> list[dict]:
        """The network's row, then one row per activation."""
        sites = census(self.model, self.data, self.inputs)
        certified = self._certified(sites)
        layers = []
        for site in sites:
            row: dict[str, Any] = {
                "certified_dead": certified.get(site.name, math.nan),
                "zero_fraction": site.zero_fraction,
                "units": math.nan if site.dead is None else len(site.dead),
                "expected_dead": self.expected.get(site.name, math.nan),
                "name": site.name,
                "kind": "activation",
                "layer_act": site.act,
            }
            layers.append(row if site.dead is None else row | self._shares(site.name, site.dead))
        return [{"name": "network", "kind": "network", "layer_act": "", **self._network()}, *layers]

    def _shares(self, name: str, now: Tensor) -> dict[str, float]:
        """Of the units of one activation: the dead ones, and what became of them since it was first seen."""
        born, ever, last = (before.setdefault(name, now) for before in (self.born, self.ever, self.last))
        self.ever[name], self.last[name] = ever | now, now
        masks = {
            "dead": now,
            "born_dead": born & now,
            "died": now & ~born,
            "revived": ever & ~now,
            "newly_dead": now & ~last,
        }
        return {share: _share(mask) for share, mask in masks.items()}

    def _certified(self, sites: Sequence[SiteCensus]) -> dict[str, float]:
        """The share of units that are certified dead, by activation, up to where the bounds end. None is where a unit
        that is proven dead is alive: the graph is then not of what runs."""
        if self.data.tokens:  # they have no bounds
            return {}
        try:
            proven = {site.name: site.dead for site in certify(trace(self.model), *self.data.box())}
        except UsageError:
            return {}
        seen = {site.name: site.alive for site in sites}
        refuted = (
            bool((dead & alive).any())
            for name, dead in proven.items()
            if dead is not None and (alive := seen.get(name)) is not None and len(dead) == len(alive)
        )
        return {} if any(refuted) else {name: _share(dead) for name, dead in proven.items()}

    @torch.no_grad()
    def _network(self) -> dict[str, Any]:
        predict, parts = as_written(self.model, self.data), self.inputs.split(_BATCH)
        losses = [
            F.cross_entropy(predict(self.data.inputs(part)), self.data.y[part], reduction="sum") for part in parts
        ]
        return {
            "loss": float(torch.stack(losses).sum()) / len(self.inputs),
            **told_of_one(right(predict, self.data, self.data.validation), self.data, self.data.validation),
        }


def _share(mask: Tensor | None) -> float:
    return math.nan if mask is None else float(mask.double().mean())
