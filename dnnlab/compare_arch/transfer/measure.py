"""A network learns one half of the classes, and is carried over to the other half in several ways."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dnnlab.compare_arch import fitting
from dnnlab.compare_arch.fitting import examples, initialised, macs_a_step, prepare, spend
from dnnlab.compare_arch.trained_cell import BODY, TrainedCell
from dnnlab.compare_arch.transfer import columns as c
from dnnlab.data import load
from dnnlab.data.dataset import Dataset
from dnnlab.errors import UsageError
from dnnlab.networks.heads import freeze_body, head
from dnnlab.networks.remembered import copied
from dnnlab.runner.journal import Rows
from dnnlab.training import networks
from dnnlab.training.checks import check_batch
from dnnlab.training.evaluation import right, told_of_one
from dnnlab.training.parts import part_of


def measure(cells: Sequence[TrainedCell], spec: Any, device: str, progress: Callable[[float], None]) -> Rows:
    """One row per treatment.

    Raises:
        UsageError: the data have fewer than four classes, or the network has no linear head.
    """
    (cell,) = cells
    source, target = halves(load(cell.data))
    source = part_of(source, 0, spec.settled.test_size, spec.seed).to(device)
    target = part_of(target, cell.train_size, spec.settled.test_size, spec.seed, cell.seed).to(device)
    fresh = initialised(cell, source, spec.seed)
    learned = copied(fresh)

    trained = 0

    def step_on(share: float) -> None:
        nonlocal trained
        progress((trained + share) / (1 + len(c.TREATMENTS)))
        trained += share == 1

    known = _trained(learned, source, cell, spec, step_on)["accuracy"]
    rows: list[dict[str, Any]] = []
    for treatment in c.TREATMENTS:
        model = copied(fresh if treatment in (c.SCRATCH, c.RANDOM) else learned)
        _new_head(model, fresh)
        if treatment in _HEAD_ALONE:
            freeze_body(model)
        parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
        row = {"cell": 0, "treatment": treatment, "trained_parameters": parameters, "source_accuracy": known}
        rows.append(row | _trained(model, target, cell, spec, step_on))
    return {name: [row[name] for row in rows] for name in rows[0]}


_HEAD_ALONE = (c.FROZEN, c.RANDOM)


def macs(cell: TrainedCell) -> float:
    """Multiply–accumulates of the training on the first half and of one training for each treatment; nan where the
    budget is in seconds.

    Raises:
        UsageError: as `measure`; or a half has no whole batch, or the budget does not pay for a step.
    """
    source, target = halves(load(cell.data))
    first, count = len(source.train), examples(cell, target)
    check_batch(source, cell.batch_size, first)
    check_batch(target, cell.batch_size, count)
    # Frozen networks take as many steps as the others, whatever their steps cost.
    whole, head_alone = (macs_a_step(each, target) for each in (cell, dataclasses.replace(cell, freeze=BODY)))
    treated = sum(head_alone if treatment in _HEAD_ALONE else whole for treatment in c.TREATMENTS)
    first_half = fitting.steps(cell, source, first) * macs_a_step(cell, source)
    return first_half + fitting.steps(cell, target, count) * treated


def halves(data: Dataset) -> tuple[Dataset, Dataset]:
    """The examples of the first and of the second half of the classes; of an odd number the last is left out.

    Raises:
        UsageError: there are fewer than four.
    """
    half = len(data.classes) // 2
    if half < 2:
        raise UsageError(f"--preset transfer halves the classes; {data.name} has only {len(data.classes)}.")
    return classes(data, 0, half), classes(data, half, 2 * half)


def classes(data: Dataset, first: int, end: int) -> Dataset:
    """The examples of the classes ``first`` … ``end - 1``, numbered from 0."""

    def those(index: Tensor) -> Tensor:
        y = data.y[index]
        return index[(y >= first) & (y < end)]

    return dataclasses.replace(
        data,
        y=(data.y - first).clamp(0, end - first - 1),
        train=those(data.train),
        validation=those(data.validation),
        test=those(data.test),
        classes=data.classes[first:end],
    )


def _new_head(model: nn.Module, fresh: nn.Module) -> None:
    """Replace the head by that of the fresh network, since the other classes are new."""
    head(model)[1].load_state_dict(head(fresh)[1].state_dict())


def _trained(
    model: nn.Module, data: Dataset, cell: TrainedCell, spec: Any, progress: Callable[[float], None]
) -> dict[str, Any]:
    """The columns of the test accuracy of ``model`` after it has spent the budget on ``data``."""
    training = prepare(model, data, cell, spec.seed)
    torch.manual_seed(cell.seed)  # independent of what dropout drew for the treatment before
    spend(training, cell, lambda step, seconds, loss: None, 1, progress)
    return told_of_one(right(networks.inference(training.evaluated), data, data.test), data, data.test)
