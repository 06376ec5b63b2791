"""Weight sharing: every weight has one of a few values, which are trained (Han 2016)."""

import functools
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dnnlab.compress.files import write_container
from dnnlab.compress.recovery import Retraining
from dnnlab.compress.stages import Stage
from dnnlab.compress.structure import biases, weights
from dnnlab.training.optimisers import make_optimiser

BIAS_LEVELS = 7
"""Entries of the codebook of all biases together."""
_ROUNDS = 60

write = write_container


def apply(model: nn.Module, stage: Stage, retraining: Retraining) -> nn.Module:
    """``model`` with one codebook for the weights of each layer, and one for all biases; zeros stay zeros.

    Codebooks are trained, and what is neither, such as normalisation, is rounded to half precision at the end.
    """
    books = [Codebook([weight], stage.levels) for weight in weights(model).values()]
    if others := list(biases(model).values()):
        books.append(Codebook(others, BIAS_LEVELS))
    wrap = functools.partial(_Shared, books=books, model=model, retraining=retraining)
    retraining.train(model, "share", stage.epochs, wrap=wrap, rate=0.3)
    round_to_half(model, books)
    return model


def k_means(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """The ``count`` centroids of values on a line, ascending (Lloyd 1982), from evenly spaced ones.

    Evenly spaced ones keep the rare large weights apart, which matter most (Han 2016).
    """
    distinct = np.unique(values)
    if len(distinct) <= count:
        return distinct
    centroids = np.linspace(distinct[0], distinct[-1], count)
    ordered = np.sort(values)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    for _ in range(_ROUNDS):
        edges = np.searchsorted(ordered, (centroids[1:] + centroids[:-1]) / 2)
        bounds = np.concatenate([[0], edges, [len(ordered)]])
        counts, totals = np.diff(bounds), np.diff(sums[bounds])
        moved = np.where(counts > 0, totals / np.maximum(counts, 1), centroids)
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    # A centroid that is nearest to no value would only take space.
    return centroids[np.unique(np.searchsorted((centroids[1:] + centroids[:-1]) / 2, values))]


class Codebook:
    """The few values that all entries of some tensors share; entry 0 is zero, and stays."""

    def __init__(self, tensors: list[nn.Parameter], levels: int) -> None:
        self.tensors = tensors
        values = torch.cat([t.detach().flatten() for t in tensors]).double().cpu().numpy()
        nonzero = values != 0
        centroids = k_means(values[nonzero], levels) if nonzero.any() else np.zeros(0)
        edges = (centroids[1:] + centroids[:-1]) / 2
        numbers = np.where(nonzero, np.searchsorted(edges, values) + 1, 0)
        device = tensors[0].device
        self.numbers = [n.to(device) for n in torch.from_numpy(numbers).split([t.numel() for t in tensors])]
        self.values = nn.Parameter(torch.tensor([0.0, *centroids], dtype=torch.float32, device=device))
        self.write()

    def gather(self) -> None:
        """Compute the gradient of each shared value: the sum over the entries that share it."""
        grad = torch.zeros_like(self.values)
        for tensor, numbers in zip(self.tensors, self.numbers, strict=True):
            if tensor.grad is not None:
                # The gradient is read in the storage order of the parameter, whatever layout it has itself.
                grad.index_add_(0, numbers, tensor.grad.reshape(-1))
        grad[0] = 0
        self.values.grad = grad

    @torch.no_grad()
    def write(self) -> None:
        """Set the tensors to their shared values."""
        self.values[0] = 0
        for tensor, numbers in zip(self.tensors, self.numbers, strict=True):
            tensor.copy_(self.values[numbers].view(tensor.shape))


class _Shared:
    """An optimiser of codebooks and of the tensors without one, in the place of the network's own."""

    def __init__(self, inner: Any, books: list[Codebook], model: nn.Module, retraining: Retraining) -> None:
        shared = {id(t) for book in books for t in book.tensors}
        free = [p for p in model.parameters() if id(p) not in shared]
        self.books, self.outer = books, inner
        hyper = retraining.hyper
        # No decay: a shared value would be pulled to zero once for each weight that shares it.
        self.inner = make_optimiser(hyper.optimizer, [book.values for book in books] + free, hyper.lr, 0.0)

    @property
    def param_groups(self) -> Any:
        return self.inner.param_groups

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.outer.zero_grad(set_to_none=set_to_none)

    def step(self) -> None:
        for book in self.books:
            book.gather()
        self.inner.step()
        for book in self.books:
            book.write()


@torch.no_grad()
def round_to_half(model: nn.Module, books: list[Codebook]) -> None:
    """Round everything to half precision, as the file will hold it: codebooks, normalisation and its statistics."""
    for book in books:
        book.values.copy_(book.values.half().float())
        book.write()
    shared = {id(t) for book in books for t in book.tensors}
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point() and id(tensor) not in shared:
            halved = tensor.half()
            tensor.copy_(torch.where(halved.isfinite(), halved.to(tensor.dtype), tensor))
