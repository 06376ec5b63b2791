"""The factors of one layer: SVD for linear layers and 1×1 convolutions, Tucker-2 or CP for others."""

from typing import Any

import torch
from torch import Tensor, nn

from dnnlab.compress.structure import cp_factors, linear_factors, pointwise_factors, tucker_factors

_SWEEPS = 50
"""Rounds of alternating least squares."""


def factorised(layer: nn.Linear | nn.Conv2d, energy: float, form: str) -> nn.Sequential | None:
    """Layers whose product keeps this share of the squared norm of ``layer``; ``None`` where it has no such form.

    ``form`` is that of convolutions larger than 1×1: ``tucker``, or ``cp`` at the size that Tucker-2 has there.
    """
    if isinstance(layer, nn.Linear):
        return _linear(layer, energy)
    if layer.groups > 1:
        return None
    if layer.kernel_size == (1, 1) and layer.padding in ((0, 0), "valid"):
        return _pointwise(layer, energy)
    return _cp(layer, energy) if form == "cp" else _tucker(layer, energy)


def rank_for(singular: Tensor, energy: float) -> int:
    """The number of the descending singular values that together hold this share of the sum of squares; at least
    one."""
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
    """The Tucker-2 factors, by the higher-order SVD of the output and the input mode (De Lathauwer 2000), as Kim 2016
    factorises."""
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


@torch.no_grad()
def _cp(layer: nn.Conv2d, energy: float) -> nn.Sequential:
    """The factors of CP: a sum of products of an output, an input and a kernel part, by alternating least squares
    (Lebedev 2015). No rank of CP belongs to an energy, so its rank is that of as many weights as Tucker-2 has at this
    energy.
    """
    from tensorly.decomposition import parafac

    cube = layer.weight.flatten(2)
    size = sum(p.numel() for name, p in _tucker(layer, energy).named_parameters() if name.endswith("weight"))
    rank = max(1, size // sum(cube.shape))
    start = "svd" if rank <= min(cube.shape) else "random"
    weights, (outputs, inputs, kernel) = parafac(
        cube.double().cpu().numpy(), rank, n_iter_max=_SWEEPS, init=start, normalize_factors=True, random_state=0
    )
    # The factors of a product have the same norm, so that all of them learn at the same speed.
    inputs, kernel, outputs = (torch.from_numpy(f * weights ** (1 / 3)).to(cube) for f in (inputs, kernel, outputs))
    values = [inputs.T[:, :, None, None], kernel.T.view(rank, 1, *layer.weight.shape[2:]), outputs[:, :, None, None]]
    return _filled(cp_factors(layer, rank), values, layer.bias)


def _filled(factors: nn.Sequential, values: list[Tensor], bias: Tensor | None) -> nn.Sequential:
    layers: list[Any] = list(factors)
    for layer, value in zip(layers, values, strict=True):
        layer.weight.copy_(value)
    if bias is not None:
        layers[-1].bias.copy_(bias)
    return factors
