"""The rows of a published network or a user's own, measured through hooks."""

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
from dnnlab.instruments.norms import norm
from dnnlab.instruments.unread import unread
from dnnlab.networks import named, user_network
from dnnlab.networks.remembered import same_buffers
from dnnlab.runner.journal import Rows
from dnnlab.runner.rows import NetworkRows
from dnnlab.statistics.streams import stream, torch_seed
from dnnlab.training import hyperparameters
from dnnlab.training.batches import batch_order
from dnnlab.training.evaluation import as_written, check, logits, right, told_of_one
from dnnlab.training.networks import PlainTraining


def measure(cells: Sequence[Cell], spec: Spec, data: Dataset, progress: Callable[[float], None]) -> Rows:
    """Rows of ``cells``, which share model and seed and are measured one after another.

    Raises:
        UsageError: the model cannot be made, does not fit the data, or owns no weights that take gradients.
    """
    table = NetworkRows()
    for number, cell in enumerate(cells):
        with torch.random.fork_rng():
            # Factories and dropout draw from torch's global stream, so each cell seeds it for itself.
            torch.manual_seed(torch_seed(spec.seed, cell.seed, "weights"))
            for row in _measure_cell(cell, spec, data, partial(_within, progress, number, len(cells))):
                table.add(number, row)
        progress((number + 1) / len(cells))
    return table.rows


def _within(progress: Callable[[float], None], number: int, cells: int, share: float) -> None:
    """Report that ``share`` of the cell ``number`` is done."""
    progress((number + share) / cells)


def _measure_cell(cell: Cell, spec: Spec, data: Dataset, progress: Callable[[float], None]) -> list[dict]:
    model = named.build(cell.model, data.shape, len(data.classes)).to(data.x.device)
    if spec.weights:
        user_network.load_weights(model, spec.weights, partial(unread, data=data, training=True))
    with torch.random.fork_rng(), same_buffers(model):
        check(model, data)
    probe = _positions(spec, cell, data, "probe")
    index = data.train[torch.from_numpy(next(probe)).to(data.train.device)]
    batches = _positions(spec, cell, data, "batches")
    training = PlainTraining(model, data, batches, hyperparameters.of(cell))
    rows: list[dict] = []
    initial = {name: weight.detach().clone() for name, weight in model.named_parameters()} if spec.steps else {}
    steps = spec.measured_steps()
    norms: list[tuple[float, float]] = []
    for step, following in zip(steps, [*steps[1:], steps[-1]], strict=True):
        layers, network = _pass(model, data, index)
        if spec.steps:
            answered = right(as_written(model, data), data, data.validation)
            network |= told_of_one(answered, data, data.validation)
            _add_changes("weight_change", model, initial, layers)
        if norms:
            before, after = np.array(norms).T
            network |= {"grad_norm": before.mean(), "clipped_norm": after.mean()}
            network["clipped_share"] = float((after < before).mean())
        norms = []
        matrices = {name for row in layers for name in row["matrices"]}
        before_step = {name: model.get_parameter(name).detach().clone() for name in matrices}
        for taken in range(following - step):
            norms.append(training.norms())
            if taken == 0:
                _add_changes("update_ratio", model, before_step, layers)
            progress((step + taken + 1) / spec.steps)
        rows.append(
            {"step": step, "layer": 0, "name": "network", "kind": "network", "place": "", "layer_act": "", **network}
        )
        for i, row in enumerate(layers, 1):
            told = {name: value for name, value in row.items() if name not in ("act", "matrices")}
            rows.append({"step": step, "layer": i, **told, "layer_act": row["act"]})
    return rows


def _positions(spec: Spec, cell: Cell, data: Dataset, purpose: str):  # type: ignore[no-untyped-def]
    return batch_order(len(data.train), cell.batch_size, stream(spec.seed, cell.seed, purpose))


def _pass(model: nn.Module, data: Dataset, index: torch.Tensor) -> tuple[list[dict], dict]:
    """One measured pass in training mode that leaves no trace in the model: no gradients, no changed or new buffers,
    no draws from torch's stream."""
    recorder = Recorder(model.train())
    with torch.random.fork_rng(), same_buffers(model), recorder:
        loss = F.cross_entropy(logits(model, data.inputs(index), data), data.y[index])
        if not loss.requires_grad:
            raise UsageError("no parameter of the model that takes gradients has a part in its outputs.")
        loss.backward()
    rows = recorder.rows()
    if not rows:
        raise UsageError("the model multiplies by no trained matrix, so it has no layers to measure.")
    model.zero_grad(set_to_none=True)
    network = {"loss": float(loss.detach()), "input_features": data.features, "classes": len(data.classes)}
    if not data.tokens:  # which are not computed with
        x = data.inputs(index).flatten(1)
        network |= {"input_mean_square": float(x.square().mean()), "input_variance": float(x.var(0).mean())}
    return rows, network


def _add_changes(column: str, model: nn.Module, before: dict[str, torch.Tensor], layers: list[dict]) -> None:
    """Add to each layer by how much its matrices have changed since ``before``, relative to them."""
    for row in layers:
        names = row["matrices"]
        change = math.hypot(*(float(norm(model.get_parameter(name).detach() - before[name])) for name in names))
        size = math.hypot(*(float(norm(before[name])) for name in names))
        row[column] = change / size if size else math.nan
