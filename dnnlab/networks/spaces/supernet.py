"""The common parts of the supernets of the spaces.

A supernet is a module ``(x, mix)`` → logits, where ``mix`` holds for each dimension of the space the weights of its
choices: a softmax in DARTS, one choice with weight 1 in a one-shot search.
"""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from dnnlab.networks.spaces.space import Code


def mixed(operations: Iterable[Callable[[Tensor], Tensor]], x: Tensor, weights: Tensor) -> Tensor:
    """The weighted sum of the outputs of ``operations`` on ``x``; operations of weight 0 are not computed."""
    terms = [
        weight * operation(x)
        for weight, operation in zip(weights, operations, strict=True)
        if weight.requires_grad or bool(weight)
    ]
    return torch.stack(terms).sum(0)


def one_hot(code: Code, sizes: Sequence[int], like: Tensor) -> list[Tensor]:
    """The mix that is the single network of ``code``."""
    return [F.one_hot(torch.tensor(i), size).to(like) for i, size in zip(code, sizes, strict=True)]
