"""Layers as products of thinner ones: SVD for linear layers and 1×1 convolutions, Tucker-2 for others."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from dnnlab.compress.chain import Stage
from dnnlab.compress.recovery import Workshop
from dnnlab.compress.structure import linear_factors, pointwise_factors, replace, tucker_factors
from dnnlab.nets.cost import count

_HALVINGS = 12


def apply(model: nn.Module, stage: Stage, workshop: Workshop) -> nn.Module:
    """``model`` with every layer factorised that gets smaller by it, and trained again.

    A share is the energy that each factorisation keeps; a factor is how many times fewer multiply–accumulates the
    whole network takes, by the largest energy that does.
    """
    energy = stage.share
    if stage.share != stage.share:
        energy = _energy_for(model, stage.factor, workshop)
    changed = factorise(model, energy)
    workshop.train(changed, "lowrank", stage.epochs)
    return changed


def _energy_for(model: nn.Module, factor: float, workshop: Workshop) -> float:
    """The largest energy, by halving, at which the network takes ``factor`` times fewer MACs; else the smallest."""
    goal = count(model, workshop.data.shape).macs / factor
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if count(factorise(model, middle), workshop.data.shape).macs <= goal:
            low = middle
        else:
            high = middle
    return low


def factorise(model: nn.Module, energy: float) -> nn.Module:
    """A copy with its layers factorised at this share of their squared norm."""
    changed = copy.deepcopy(model)
    layers = [(name, m) for name, m in changed.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    for name, layer in layers[:-1]:  # the last one is small, and every logit needs it
        if isinstance(layer, nn.Linear):
            factors: nn.Sequential | None = _linear(layer, energy)
        elif layer.groups > 1:
            factors = None
        elif layer.kernel_size == (1, 1) and layer.padding in ((0, 0), "valid"):
            factors = _pointwise(layer, energy)
        else:
            factors = _tucker(layer, energy)
        if factors is not None and _size(factors) < _size(layer):
            replace(changed, name, factors)
    return changed


def _size(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def rank_for(singular: Tensor, energy: float) -> int:
    """How many of the descending singular values hold this share of the sum of squares; at least one."""
    shares = singular.double().square().cumsum(0)
    return min(int((shares < energy * shares[-1]).sum()) + 1, len(singular))


@torch.no_grad()
def _linear(layer: nn.Linear, energy: float) -> nn.Sequential:
    left, right = _svd(layer.weight, energy)
    return _filled(linear_factors(layer, right.shape[0]), [right, left], layer.bias)


@torch.no_grad()
def _pointwise(layer: nn.Conv2d, energy: float) -> nn.Sequential:
    left, right = _svd(layer.weight.flatten(1), energy)
    return _filled(
        pointwise_factors(layer, right.shape[0]), [right[:, :, None, None], left[:, :, None, None]], layer.bias
    )


def _svd(matrix: Tensor, energy: float) -> tuple[Tensor, Tensor]:
    """``left [out, rank]`` and ``right [rank, in]``, whose product is nearest to ``matrix`` (Eckart & Young 1936)."""
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    rank = rank_for(s, energy)
    root = s[:rank].sqrt()
    return u[:, :rank] * root, root[:, None] * v[:rank]


@torch.no_grad()
def _tucker(layer: nn.Conv2d, energy: float) -> nn.Sequential:
    """By the higher-order SVD of the output and the input mode (De Lathauwer 2000), as Kim 2016 factorises."""
    weight = layer.weight
    outputs = _basis(weight.flatten(1), energy)
    inputs = _basis(weight.transpose(0, 1).flatten(1), energy)
    core = torch.einsum("oihw,or,is->rshw", weight, outputs, inputs)
    factors = [inputs.T[:, :, None, None], core, outputs[:, :, None, None]]
    return _filled(tucker_factors(layer, inputs.shape[1], outputs.shape[1]), factors, layer.bias)


def _basis(unfolding: Tensor, energy: float) -> Tensor:
    """The leading left singular vectors ``[mode, rank]``."""
    u, s, _ = torch.linalg.svd(unfolding, full_matrices=False)
    return u[:, : rank_for(s, energy)]


def _filled(factors: nn.Sequential, values: list[Tensor], bias: Tensor | None) -> nn.Sequential:
    layers: list[Any] = list(factors)
    for layer, value in zip(layers, values, strict=True):
        layer.weight.copy_(value)
    if bias is not None:
        layers[-1].bias.copy_(bias)
    return factors
