"""Which examples a network classifies correctly, and the check that its outputs are logits."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dnnlab.data.dataset import Dataset
from dnnlab.errors import UsageError, of_users_code, users_code
from dnnlab.networks import outputs
from dnnlab.networks.remembered import in_mode, same_state
from dnnlab.statistics.answers import packed

Predict = Callable[[Tensor], Tensor]
"""Gives the logits ``[member?, batch, class]`` of standardised inputs ``[batch, *shape]``."""


@torch.no_grad()
def right(predict: Predict, data: Dataset, index: Tensor, batch_size: int = 256) -> Tensor:
    """Which of the examples ``index`` are classified correctly, bool ``[member?, example]``."""
    parts = [predict(data.inputs(part)).argmax(-1) == data.y[part] for part in index.split(batch_size)]
    return torch.cat(parts, dim=-1)


def accuracy(predict: Predict, data: Dataset, index: Tensor, batch_size: int = 256) -> Tensor:
    """The share of the examples ``index`` that are classified correctly, float64 ``[member?]`` on the host; nan for no
    examples."""
    return right(predict, data, index, batch_size).sum(-1).cpu().double() / len(index)


def told(right: Tensor, data: Dataset, index: Tensor) -> dict[str, list[Any]]:
    """The columns of an accuracy, a value per member, from which of the examples ``index`` it got ``right``, bool
    ``[member, example]``: ``accuracy``; ``right``, as text; and ``guessing``, the share of the most frequent class."""
    labels = data.y[index]
    most = float(labels.bincount().max()) / len(labels) if len(labels) else math.nan
    answered = right.cpu().numpy()
    return {
        "accuracy": [float(each.mean()) if len(each) else math.nan for each in answered],
        "right": [packed(each) for each in answered],
        "guessing": [most] * len(answered),
    }


def told_of_one(right: Tensor, data: Dataset, index: Tensor) -> dict[str, Any]:
    """The columns of `told` for one network, from ``right [example]``."""
    return {name: value for name, (value,) in told(right[None], data, index).items()}


def logits(model: nn.Module, x: Tensor, data: Dataset) -> Tensor:
    """The logits ``[batch, class]`` of ``model`` on inputs ``x [batch, *shape]`` of ``data``.

    Raises:
        UsageError: the model does not take inputs of this shape, or gives no logits for these classes.
    """
    try:
        out = model(x)
    except (RuntimeError, ValueError, TypeError, IndexError) as problem:
        raise UsageError(f"{_refused(x, data)}: {of_users_code(problem)}.") from problem
    out = outputs.logits(out)
    if not isinstance(out, Tensor) or out.ndim != 2 or out.shape[0] != len(x) or out.shape[1] < len(data.classes):
        got = list(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise UsageError(
            f"the model gives {got} for {len(x)} inputs of {data.name}; it should give logits "
            f"[{len(x)}, {len(data.classes)}]."
        )
    return out


def as_written(model: nn.Module, data: Dataset) -> Predict:
    """A function that gives the `logits` of ``model`` in evaluation mode, as its owner wrote it."""
    return lambda x: logits(model.eval(), x, data)


@torch.no_grad()
def check(model: nn.Module, data: Dataset) -> None:
    """Raise a `UsageError` unless ``model`` takes the inputs of ``data`` and gives logits for its classes. It is in
    evaluation mode afterwards."""
    x = data.inputs(data.train[:2])
    with users_code(_refused(x, data)):
        logits(model.eval(), x, data)


@torch.no_grad()
def check_in_training(model: nn.Module, data: Dataset) -> None:
    """Raise a `UsageError` unless ``model`` gives logits in training mode, too. It is left as it was."""
    x = data.inputs(data.train[:2])
    with in_mode(model, training=True), same_state(model), torch.random.fork_rng():
        try:
            with users_code(_refused(x, data)):
                logits(model, x, data)
        except UsageError as problem:
            raise UsageError(f"in training {problem}") from problem


def _refused(x: Tensor, data: Dataset) -> str:
    return f"the model refuses inputs {list(x.shape)} of {data.name}"
