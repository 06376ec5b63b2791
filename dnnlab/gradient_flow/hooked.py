"""The rows of a user's own network, measured through hooks."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from dnnlab.data.dataset import Dataset
from dnnlab.errors import UsageError
from dnnlab.gradient_flow.plan import Cell
from dnnlab.gradient_flow.spec import Spec
from dnnlab.instruments.hooks import Recorder
from dnnlab.networks import user_network
from dnnlab.runner.journal import Rows
from dnnlab.statistics.streams import stream, torch_seed
from dnnlab.training import hyperparameters
from dnnlab.training.batches import batch_order
from dnnlab.training.evaluation import accuracy, as_written, logits
from dnnlab.training.networks import PlainTraining

_LAYER = (
    *("weight_grad_norm", "delta_norm", "act_grad_norm"),
    *("mean", "variance", "saturation", "dead_fraction", "zero_fraction", "update_ratio"),
)
_NETWORK = (
    *("loss", "accuracy", "grad_norm", "clipped_norm", "clipped_share"),
    *("input_mean_square", "input_variance", "input_features", "classes"),
)


def measure(cells: Sequence[Cell], spec: Spec, data: Dataset, progress: Callable[[float], None]) -> Rows:
    """Rows of ``cells``, which share model and seed and are measured one after another.

    Raises:
        UsageError: the model cannot be made, does not fit the data, or owns no weights that take gradients.
    """
    rows: Rows = {}
    for number, cell in enumerate(cells):
        with torch.random.fork_rng():
            # Factories and dropout draw from torch's global stream, so each cell seeds it for itself.
            torch.manual_seed(torch_seed(spec.seed, cell.seed, "weights"))
            for row in _measure_cell(cell, spec, data, partial(_within, progress, number, len(cells))):
                for name in ("cell", "step", "layer", "name", "kind", "layer_act", *_LAYER, *_NETWORK):
                    rows.setdefault(name, []).append(number if name == "cell" else row.get(name, math.nan))
        progress((number + 1) / len(cells))
    return rows


def _within(progress: Callable[[float], None], number: int, cells: int, share: float) -> None:
    """Report that ``share`` of the cell ``number`` is done."""
    progress((number + share) / cells)


def _measure_cell(cell: Cell, spec: Spec, data: Dataset, progress: Callable[[float], None]) -> list[dict]:
    model = user_network.factory(cell.model, len(data.classes))().to(data.x.device)
    if spec.weights:
        user_network.load_weights(model, spec.weights)
    probe = _positions(spec, cell, data, "probe")
    index = data.train[torch.from_numpy(next(probe)).to(data.train.device)]
    batches = _positions(spec, cell, data, "batches")
    training = PlainTraining(model, data, batches, hyperparameters.of(cell))
    rows: list[dict] = []
    steps = spec.measured_steps()
    norms: list[tuple[float, float]] = []
    for step, following in zip(steps, [*steps[1:], steps[-1]], strict=True):
        layers, network = _pass(model, data, index)
        if spec.steps:
            network["accuracy"] = float(accuracy(as_written(model, data), data, data.validation))
        if norms:
            before, after = np.array(norms).T
            network |= {"grad_norm": before.mean(), "clipped_norm": after.mean()}
            network["clipped_share"] = float((after < before).mean())
        norms = []
        matrices = {name: p.detach().clone() for name, p in model.named_parameters() if p.ndim >= 2}
        for taken in range(following - step):
            norms.append(training.norms())
            if taken == 0:
                _add_update_ratios(model, matrices, layers)
            progress((step + taken + 1) / spec.steps)
        rows.append({"step": step, "layer": 0, "name": "network", "kind": "network", "layer_act": "", **network})
        rows += [{"step": step, "layer": i, **row, "layer_act": row["act"]} for i, row in enumerate(layers, 1)]
    return rows


def _positions(spec: Spec, cell: Cell, data: Dataset, purpose: str):  # type: ignore[no-untyped-def]
    return batch_order(len(data.train), cell.batch_size, stream(spec.seed, cell.seed, purpose))


def _pass(model: nn.Module, data: Dataset, index: torch.Tensor) -> tuple[list[dict], dict]:
    """One measured pass in training mode that leaves no trace in the model: no gradients, no running statistics,
    no draws from torch's stream."""
    model.train()
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with torch.random.fork_rng(), Recorder(model) as recorder:
        loss = F.cross_entropy(logits(model, data.inputs(index), data), data.y[index])
        if not loss.requires_grad:
            raise UsageError("the model has no parameters that take gradients, so there is nothing to measure.")
        loss.backward()
    rows = recorder.rows()
    if not rows:
        raise UsageError("no module of the model owns a weight matrix, so it has no layers to measure.")
    model.zero_grad(set_to_none=True)
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(buffers[name])
    x = data.inputs(index).flatten(1)
    network = {
        "loss": float(loss.detach()),
        "input_mean_square": float(x.square().mean()),
        "input_variance": float(x.var(0).mean()),
        "input_features": data.features,
        "classes": len(data.classes),
    }
    return rows, network


def _add_update_ratios(model: nn.Module, before: dict[str, torch.Tensor], layers: list[dict]) -> None:
    after = dict(model.named_parameters())
    for row in layers:
        name = row["name"].partition("#")[0]
        weight = (
            f"{name}.weight"
            if f"{name}.weight" in before
            else next((n for n in before if n.startswith(f"{name}.")), "")
        )
        if weight:
            change = torch.linalg.vector_norm(after[weight].detach() - before[weight])
            row["update_ratio"] = float(change / torch.linalg.vector_norm(before[weight]))
