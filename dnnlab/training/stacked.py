"""The training loop of a stack: every member on its own batches, all in one program."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dnnlab.data.dataset import Dataset
from dnnlab.networks.stacked import Batch, StackedMLP, losses
from dnnlab.training.optimisers import StackedOptimiser
from dnnlab.training.recorded import Ahead, Recorded, sent


@dataclass(frozen=True)
class Hyperparameters:
    """How each member is trained, ``[member]`` values; ``clip`` is infinite where gradients are not clipped."""

    optimiser: str
    lr: Sequence[float]
    weight_decay: Sequence[float]
    dropout: Sequence[float]
    clip: Sequence[float]


@dataclass(frozen=True)
class Step:
    """What one training step saw, ``[member]`` each: the loss, and the global gradient norm before and after
    clipping."""

    loss: Tensor
    grad_norm: Tensor
    clipped_norm: Tensor


def batch_order(count: int, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Positions ``[batch]`` of one batch after another, epoch after epoch; a last short batch is left out."""
    while True:
        order = rng.permutation(count)
        yield from (order[i : i + batch_size] for i in range(0, count - batch_size + 1, batch_size))


def gather(data: Dataset, positions: Sequence[np.ndarray]) -> Batch:
    """The training examples at ``positions [member][batch]``, as flat inputs."""
    return examples(data, data.train[torch.from_numpy(np.stack(positions)).to(data.train.device)])


def examples(data: Dataset, index: Tensor) -> Batch:
    """The examples ``index [member, batch]``, as flat inputs."""
    return Batch(data.inputs(index).flatten(2), data.y[index])


class StackedTraining:
    """Trains ``stack`` on ``data``; member m draws its batches from ``orders[m]`` and its dropout masks from
    ``noise[m]``."""

    def __init__(
        self,
        stack: StackedMLP,
        data: Dataset,
        hyper: Hyperparameters,
        orders: Sequence[Iterator[np.ndarray]],
        noise: Sequence[np.random.Generator],
    ) -> None:
        self.stack, self.data, self.noise = stack, data, noise
        like = stack.parameters["weight.1"]

        def member_values(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, dtype=like.dtype, device=like.device)

        self.positions = Ahead(lambda: np.stack([next(order) for order in orders]), like.device)
        self.clips = any(map(math.isfinite, hyper.clip))
        self.clip, self.dropout = member_values(hyper.clip), hyper.dropout
        self.optimiser = StackedOptimiser(
            hyper.optimiser,
            stack.parameters,
            member_values(hyper.lr),
            member_values(hyper.weight_decay),
        )
        self.recorded = Recorded(like.device)
        self.updates: dict[str, Tensor] = {}
        """What the last step took away from each parameter of the stack."""

    def step(self) -> Step:
        """One step of every member."""
        positions = self.positions()
        return Step(*self.recorded(self._take, positions, *self.masks(positions.shape[1])))

    def _take(self, positions: Tensor, *masks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        batch = examples(self.data, self.data.train[positions])
        logits = self.stack.forward(batch.x, training=True, dropout=masks)
        loss = losses(logits, batch.y)
        names, parameters = zip(*self.stack.parameters.items(), strict=True)
        grads = dict(zip(names, torch.autograd.grad(loss.sum(), parameters), strict=True))
        pieces = self.optimiser.gathered(grads)
        norms = torch.stack([torch.linalg.vector_norm(piece, dim=tuple(range(1, piece.ndim))) for piece in pieces])
        norm = clipped = torch.linalg.vector_norm(norms, dim=0)
        if self.clips:
            # As torch.nn.utils.clip_grad_norm_: all layers by the one factor, so that no ratio between them changes.
            factor = self.clip / (norm + 1e-6)
            factor = torch.where(factor < 1, factor, 1.0)
            pieces = [piece * factor.view(-1, *[1] * (piece.ndim - 1)) for piece in pieces]
            clipped = norm * factor
        self.updates = self.optimiser.step(pieces)
        return loss.detach(), norm, clipped

    def masks(self, batch_size: int) -> list[Tensor]:
        """A dropout mask ``[member, batch, width]`` a hidden layer, scaled by 1/(1 - p); none without dropout."""
        if not any(self.dropout):
            return []
        shape, like = self.stack.shape, self.stack.parameters["weight.1"]
        drawn = [
            (rng.random((shape.depth, batch_size, shape.width), dtype=np.float32) >= p) / (1 - p)
            for rng, p in zip(self.noise, self.dropout, strict=True)
        ]
        return list(sent(torch.from_numpy(np.stack(drawn, axis=1)).to(like.dtype), like.device))


@torch.no_grad()
def accuracy(stack: StackedMLP, data: Dataset, index: Tensor, batch_size: int = 1024) -> Tensor:
    """Share ``[member]`` of the examples ``index`` that each member gets right, in evaluation mode."""
    right = torch.zeros(stack.members, dtype=torch.float64, device=index.device)
    for part in index.split(batch_size):
        x = data.inputs(part).flatten(1).expand(stack.members, -1, -1)
        right += (stack.forward(x).argmax(-1) == data.y[part]).sum(1)
    return right / len(index)
