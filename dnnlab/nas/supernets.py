"""Training the supernets: DARTS, where gradients mix the choices, and one-shot, where each step takes one path."""

import random
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from dnnlab.data.dataset import Dataset
from dnnlab.networks.spaces.space import Code, Space
from dnnlab.networks.spaces.supernet import one_hot
from dnnlab.training.batches import Batches
from dnnlab.training.evaluation import accuracy
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.networks import take
from dnnlab.training.step import Training

ALPHA_RATE, ALPHA_DECAY = 1e-2, 1e-3
"""Learning rate and weight decay of Adam on the mixture. Liu 2019 takes 3e-4 over forty times as many steps as small
data have."""
CLIP = 5.0
"""The largest gradient norm of the weights, as in Liu 2019."""


def train_darts(
    supernet: nn.Module,
    space: Space,
    data: Dataset,
    orders: tuple[Iterator[np.ndarray], Iterator[np.ndarray]],
    rate: float,
    steps: int,
) -> list[Tensor]:
    """Train by the first-order method: one half of the training split moves the mixture, the other the weights.

    A mixture that saw what the weights have learnt by heart would have nothing left to learn. Validation is for
    choosing at the end. ``orders`` give positions in the two halves. Gives the logits of the mixture, one
    tensor ``[choice]`` for each dimension.
    """
    alphas = [torch.zeros(size, device=data.x.device, requires_grad=True) for size in space.sizes]

    def loss(x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(supernet(x, [alpha.softmax(0) for alpha in alphas]), y)

    adam = torch.optim.Adam(alphas, lr=ALPHA_RATE, betas=(0.5, 0.999), weight_decay=ALPHA_DECAY)
    mixture = Training(adam, Batches(data, orders[:1], among=data.train[0::2]), loss)
    weights = _training_of_weights(supernet, loss, Batches(data, orders[1:], among=data.train[1::2]), rate)
    for step in range(steps):
        mixture.step(step / steps)
        weights.step(step / steps)
    return [alpha.detach().cpu() for alpha in alphas]


def _training_of_weights(
    supernet: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], batches: Batches, rate: float
) -> Training:
    hyper = Hyperparameters("adam", rate, schedule="cosine")
    return Training(torch.optim.Adam(supernet.parameters(), lr=rate), batches, loss, rate=hyper.rate, clip=CLIP)


def discretise(space: Space, alphas: Sequence[Tensor]) -> Code:
    """The architecture of the strongest choice in every dimension, without the choices that the space rules out."""
    code = []
    for (name, choices), alpha in zip(space.dimensions.items(), alphas, strict=True):
        barred = [choice for dimension, choice in space.unused if dimension == name]
        allowed = [i for i, choice in enumerate(choices) if choice not in barred]
        code.append(max(allowed, key=lambda i: float(alpha[i])))
    return tuple(code)


def train_paths(
    supernet: nn.Module,
    space: Space,
    data: Dataset,
    order: Iterator[np.ndarray],
    rng: random.Random,
    rate: float,
    steps: int,
) -> None:
    """Train one uniformly drawn architecture per step (Guo 2020)."""

    def loss(x: Tensor, y: Tensor) -> Tensor:
        code = tuple(rng.randrange(size) for size in space.sizes)
        return F.cross_entropy(supernet(x, one_hot(code, space.sizes, x)), y)

    take(_training_of_weights(supernet, loss, Batches(data, [order]), rate), steps)


def inherited(supernet: nn.Module, space: Space, code: Code, data: Dataset, batch_size: int = 256) -> float:
    """Validation accuracy of one path under the shared weights.

    Normalisation takes its statistics from the batch: the running ones are of all paths at once.
    """
    supernet.train()
    return float(accuracy(lambda x: supernet(x, one_hot(code, space.sizes, x)), data, data.validation, batch_size))


def macs_an_example(supernet: nn.Module, space: Space, data: Dataset, mixed: bool) -> float:
    """MACs of a forward and a backward pass of one example: of all operations at once, or of a path on average."""
    index = data.train[:2]
    rng = random.Random(0)
    codes = [tuple(rng.randrange(size) for size in space.sizes) for _ in range(1 if mixed else _PATHS)]
    x = data.inputs(index)
    with FlopCounterMode(display=False) as counter:
        for code in codes:
            mix = one_hot(code, space.sizes, x)
            if mixed:
                mix = [(each * 0 + 1 / len(each)).requires_grad_() for each in mix]
            F.cross_entropy(supernet(x, mix), data.y[index]).backward()
    supernet.zero_grad(set_to_none=True)
    return counter.get_total_flops() / 2 / len(index) / len(codes)


_PATHS = 16
