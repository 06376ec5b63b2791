"""Training one network as a cell asks: what every question of compare-arch that trains has in common."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import nn

from dnnlab import memory
from dnnlab.compare_arch.trained_cell import BODY, FRESH
from dnnlab.data import load
from dnnlab.data.dataset import Dataset
from dnnlab.errors import UsageError
from dnnlab.instruments.cost import Cost, count
from dnnlab.networks.heads import freeze_body, load_parent
from dnnlab.networks.named import build, in_catalogue, is_users, published_classes, refusing, vocabulary
from dnnlab.statistics.streams import stream, torch_seed
from dnnlab.training import budget, hyperparameters, networks
from dnnlab.training.batches import batch_order
from dnnlab.training.checks import check_batch, check_labels, check_network, check_numbers
from dnnlab.training.evaluation import check, check_in_training


class TrainingOptions(Protocol):
    """The options of one training, as a cell has them."""

    @property
    def arch(self) -> str: ...
    @property
    def weights(self) -> str: ...
    @property
    def freeze(self) -> str: ...
    @property
    def data(self) -> str: ...
    @property
    def train_size(self) -> int: ...
    @property
    def budget(self) -> str: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def optimizer(self) -> str: ...
    @property
    def lr(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def schedule(self) -> str: ...
    @property
    def label_smoothing(self) -> float: ...
    @property
    def augment(self) -> str: ...
    @property
    def ema(self) -> float: ...
    @property
    def seed(self) -> int: ...


@dataclass(frozen=True)
class Input:
    """What a network is counted on."""

    shape: tuple[int, ...]
    """Of one input."""
    classes: int
    """How many classes there are."""
    dtype: torch.dtype = torch.float32

    @classmethod
    def of(cls, data: Dataset) -> Self:
        """The inputs of ``data``."""
        return cls(data.shape, len(data.classes), data.dtype)

    @classmethod
    def published(cls, arch: str, shape: tuple[int, ...]) -> Self:
        """Inputs of ``shape`` in the type, and with the classes, that ``arch`` was published for."""
        return cls(shape, published_classes(arch), torch.int64 if vocabulary(arch) else torch.float32)


def input_of(arch: str, name: str) -> Input:
    """What ``arch`` gets of the data called ``name``.

    Raises:
        UsageError: that are tokens, which it cannot take.
    """
    data = load(name)
    check_numbers(data, arch)
    return Input.of(data)


@functools.lru_cache(maxsize=256)
def counted(arch: str, on: Input, freeze: str = "none") -> Cost:
    """The cost of ``arch`` on an input, of which all or only the head is trained."""
    # A network of the user's own keeps its numbers, since what it does may depend on them.
    model = build(arch, on.shape, on.classes, skeleton=in_catalogue(arch))
    if freeze == BODY:
        freeze_body(model)
    with refusing(arch):
        return count(model, on.shape, on.dtype)


def check_memory(arch: str, on: Input) -> None:
    """Raise a `UsageError` where the memory that is left does not hold what a training of ``arch`` remembers."""
    # Weights, gradients and momentum, in float32.
    memory.require(12 * counted(arch, on).parameters, f"training {arch}")


def check_training(cell: TrainingOptions) -> None:
    """Raise a `UsageError` unless there is a whole batch, the budget pays for a step, weights from a file fit, and
    what is augmented are images."""
    data = load(cell.data)
    check_labels(data, cell.arch)
    if cell.augment != "none" and len(data.shape) != 3:
        raise UsageError(
            f"--augment {cell.augment} changes images, and the inputs of {data.name} are none; leave out the option, "
            "or the preset that asks for it."
        )
    check_batch(data, cell.batch_size, examples(cell, data))
    if is_users(cell.arch):
        _check_outputs(cell.arch, cell.data)
    training_macs(cell)
    if (cell.weights, cell.freeze) != (FRESH, "none"):
        initialised(cell, data, 0)


@functools.lru_cache(maxsize=256)
def _check_outputs(arch: str, name: str) -> None:
    """Raise a `UsageError` unless the user's network ``arch`` gives logits for the classes of the data called ``name``,
    also in training."""
    data = load(name)
    model = check_network(arch, "", data)
    with refusing(arch):
        check_in_training(model, data)


def examples(cell: TrainingOptions, data: Dataset) -> int:
    """How many of the training examples of ``data`` the cell uses."""
    return min(cell.train_size or len(data.train), len(data.train))


def macs_a_step(cell: TrainingOptions, data: Dataset) -> int:
    """Multiply–accumulates of one training step; a frozen body has no backward pass."""
    return counted(cell.arch, Input.of(data), cell.freeze).training_macs * cell.batch_size


def training_macs(cell: TrainingOptions) -> float:
    """Multiply–accumulates of the whole training; nan where the budget is in seconds."""
    data = load(cell.data)
    return steps(cell, data, examples(cell, data)) * macs_a_step(cell, data)


def steps(cell: TrainingOptions, data: Dataset, count: int) -> float:
    """Steps of the training on ``count`` examples of ``data``; nan where the budget is in seconds.

    Raises:
        UsageError: the budget does not pay for one.
    """
    bought = budget.parse(cell.budget).steps(cell.arch, count // cell.batch_size, macs_a_step(cell, data))
    return math.nan if bought is None else float(bought)


def initialised(cell: TrainingOptions, data: Dataset, base: int) -> nn.Module:
    """The network of ``cell`` at the start of its training: drawn from the seed or loaded from its file of weights,
    with all of it or only the head to be trained. Afterwards nothing else draws from PyTorch's own stream.

    Raises:
        UsageError: the file's tensors are not this network's, or there is no head.
    """
    torch.manual_seed(torch_seed(base, cell.seed, "weights"))
    model = build(cell.arch, data.shape, len(data.classes))
    if cell.weights != FRESH:
        load_parent(model, cell.weights)
    if cell.freeze == BODY:
        freeze_body(model)
    return model


def prepare(model: nn.Module, data: Dataset, cell: TrainingOptions, base: int) -> networks.NetworkTraining:
    """``model`` ready to be trained on ``data`` as ``cell`` asks; every network sees the same batches.

    Raises:
        UsageError: the batch is larger than the training split, or the model does not take the data.
    """
    check_batch(data, cell.batch_size)
    training = networks.NetworkTraining(
        model,
        data,
        batch_order(len(data.train), cell.batch_size, stream(base, cell.seed, "batches")),
        hyperparameters.of(cell),
        stream(base, cell.seed, "augmentation"),
        repeats=in_catalogue(cell.arch),
    )
    check(training.model, data)  # a user's network may not fit the data
    return training


def spend(
    training: networks.NetworkTraining,
    cell: TrainingOptions,
    look: Callable[[int, float, float], None],
    looks: int,
    progress: Callable[[float], None],
) -> None:
    """Spend the whole budget of ``cell``, as `networks.run` does.

    Raises:
        UsageError: it does not pay for one step.
    """
    data = training.data
    macs = macs_a_step(cell, data)
    allowed = budget.parse(cell.budget)
    steps = allowed.steps(cell.arch, len(data.train) // cell.batch_size, macs)
    networks.run(training, steps, allowed.amount, looks, look, progress)
