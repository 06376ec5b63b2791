"""The training of a stack: every member with its own batches and rates, all in one program."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dnnlab.data.dataset import Dataset
from dnnlab.networks.stacked import Batch, StackedMLP, losses
from dnnlab.training import evaluation, gradients
from dnnlab.training.batches import Batches
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.optimisers import ByShape, StackedOptimiser
from dnnlab.training.recorded import Recorded, sent


@dataclass(frozen=True)
class StackedStep:
    """The results of one training step, ``[member]`` each: the loss, and the global gradient norm before and after
    clipping."""

    loss: Tensor
    grad_norm: Tensor
    clipped_norm: Tensor


def gather(data: Dataset, positions: Sequence[np.ndarray]) -> Batch:
    """The training examples at ``positions [member][batch]``, as flat inputs."""
    return examples(data, data.train[torch.from_numpy(np.stack(positions)).to(data.train.device)])


def examples(data: Dataset, index: Tensor) -> Batch:
    """The examples ``index [member, batch]``, as flat inputs."""
    return Batch(data.inputs(index).flatten(2), data.y[index])


class StackedTraining:
    """Trains ``stack`` on ``data``. Member m draws its batches from ``orders[m]`` and its dropout masks from
    ``noise[m]``.

    Of its hyperparameters ``hyper[m]`` the rate, weight decay, dropout and clipping count. All members have one kind of
    optimiser, a constant rate, no augmentation, no label smoothing and no average of weights.
    """

    def __init__(
        self,
        stack: StackedMLP,
        data: Dataset,
        hyper: Sequence[Hyperparameters],
        orders: Sequence[Iterator[np.ndarray]],
        noise: Sequence[np.random.Generator] = (),
    ) -> None:
        self.stack, self.noise = stack, noise
        like = stack.parameters["weight.1"]

        def member_values(name: str) -> Tensor:
            return torch.tensor([getattr(each, name) for each in hyper], dtype=like.dtype, device=like.device)

        self.batches = Batches(data, orders, stacked=True)
        self.clips = any(math.isfinite(each.clip) for each in hyper)
        self.clip, self.dropout = member_values("clip"), [each.dropout for each in hyper]
        (optimiser,) = {each.optimizer for each in hyper}
        self.optimiser = StackedOptimiser(
            optimiser, stack.parameters, member_values("lr"), member_values("weight_decay")
        )
        self.recorded = Recorded(like.device)

    @property
    def updates(self) -> dict[str, Tensor]:
        """The update that the last step subtracted from each parameter of the stack; the next step overwrites it."""
        return self.optimiser.updates

    def step(self) -> StackedStep:
        """Take one step of every member."""
        draws = self.batches()
        return StackedStep(*self.recorded(self._take, draws, *self.masks(draws.shape[1])))

    def _take(self, draws: Tensor, *masks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, y = self.batches.examples(draws)
        layout = self.optimiser.layout
        if isinstance(layout, ByShape) and gradients.writes(self.stack.shape):
            loss = gradients.write(self.stack, Batch(x.flatten(2), y), masks, layout.places)
            grads = layout.grads
        else:
            loss = losses(self.stack.forward(x.flatten(2), training=True, dropout=masks), y)
            names, parameters = zip(*self.stack.parameters.items(), strict=True)
            grads = layout.gathered(dict(zip(names, torch.autograd.grad(loss.sum(), parameters), strict=True)))
        norm = clipped = layout.norm(grads)
        if self.clips:
            # As in torch.nn.utils.clip_grad_norm_, all layers have one factor, so that no ratio between them changes.
            factor = self.clip / (norm + 1e-6)
            factor = torch.where(factor < 1, factor, 1.0)
            layout.scale(grads, factor)
            clipped = norm * factor
        self.optimiser.step(grads)
        return loss.detach(), norm, clipped

    def masks(self, batch_size: int) -> list[Tensor]:
        """The next `dropout_masks` of its members."""
        return dropout_masks(self.stack, self.dropout, self.noise, batch_size)


def dropout_masks(
    stack: StackedMLP, dropout: Sequence[float], noise: Sequence[np.random.Generator], batch_size: int
) -> list[Tensor]:
    """One dropout mask ``[member, batch, width]`` per hidden layer, scaled by 1/(1 - p); none without dropout.

    Member m drops with probability ``dropout[m]``, by chance from ``noise[m]``.
    """
    if not any(dropout):
        return []
    shape, like = stack.shape, stack.parameters["weight.1"]
    draws = [
        (rng.random((shape.depth, batch_size, shape.width), dtype=np.float32) >= p) / (1 - p)
        for rng, p in zip(noise, dropout, strict=True)
    ]
    return list(sent(torch.from_numpy(np.stack(draws, axis=1)).to(like.dtype), like.device))


def accuracy(stack: StackedMLP, data: Dataset, index: Tensor) -> Tensor:
    """The share ``[member]`` of the examples ``index`` that each member gets right, in evaluation mode."""
    return right(stack, data, index).sum(-1).cpu().double() / len(index)


def right(stack: StackedMLP, data: Dataset, index: Tensor) -> Tensor:
    """Which of the examples ``index`` each member gets right in evaluation mode, bool ``[member, example]``."""

    def predict(x: Tensor) -> Tensor:
        return stack.forward(x.flatten(1).expand(stack.members, -1, -1))

    return evaluation.right(predict, data, index, batch_size=1024)
