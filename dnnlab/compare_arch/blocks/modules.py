"""The blocks themselves: each a module and the shape of one input."""

import torch
from torch import Tensor, nn

from dnnlab.networks import activations
from dnnlab.networks.blocks import BasicBlock, Bottleneck, Style

_STYLE = Style("relu", "batch")

Block = tuple[nn.Module, tuple[int, int, int]]


def make(comparison: str, block: str) -> Block:
    """The block of that name in `plan.COMPARISONS`, freshly drawn."""
    match comparison.split(",")[0]:
        case "residual block":
            return _residual(comparison, block)
        case "1×1 before 3×3":
            return _reduced(block, 3, 64), (256, 28, 28)
        case "1×1 before 5×5":
            return _reduced(block, 5, 32), (256, 28, 28)
        case "Inception module 3a":
            return _Inception(reduce=block.startswith("with 1×1")), (192, 28, 28)
        case "convolution":
            inputs, outputs, size = (64, 128, 56) if "64 to 128" in comparison else (256, 256, 14)
            return _convolution(block, inputs, outputs), (inputs, size, size)
        case "skip at equal MACs":
            return (BasicBlock(_STYLE, 64, 64, 1, nn.Identity()) if block == "additive" else _Dense(64, 47)), (
                64,
                56,
                56,
            )
        case "batch norm":
            return _normalised(block), (64, 56, 56)
    return activations.build(block), (64, 56, 56)


def _residual(comparison: str, block: str) -> Block:
    if "56 px" in comparison:
        small = BasicBlock(_STYLE, 64, 64, 1, nn.Identity())
        return (small, (64, 56, 56)) if block.startswith("basic") else (_bottleneck(), (256, 56, 56))
    return (BasicBlock(_STYLE, 256, 256, 1, nn.Identity()) if block == "basic" else _bottleneck()), (256, 14, 14)


def _bottleneck() -> nn.Module:
    return Bottleneck(_STYLE, 256, 64, 1, nn.Identity())


def _conv(inputs: int, outputs: int, kernel: int, groups: int = 1) -> nn.Sequential:
    conv = _STYLE.conv(inputs, outputs, kernel, groups=groups)
    return nn.Sequential(conv, _STYLE.normalise(outputs), _STYLE.activate())


def _reduced(block: str, kernel: int, inner: int) -> nn.Module:
    """256 channels to 64 by one large convolution, with or without a 1×1 before it."""
    if block.startswith("1×1"):
        return nn.Sequential(_conv(256, inner, 1), _conv(inner, 64, kernel))
    return _conv(256, 64, kernel)


def _convolution(block: str, inputs: int, outputs: int) -> nn.Module:
    """A standard convolution, or one kernel per channel and then 1×1 (Howard 2017)."""
    if block == "standard":
        return _conv(inputs, outputs, 3)
    return nn.Sequential(_conv(inputs, inputs, 3, groups=inputs), _conv(inputs, outputs, 1))


def _normalised(block: str) -> nn.Module:
    conv = Style("relu", "none" if block == "none" else "batch").conv(64, 64, 3)
    norm, act = nn.BatchNorm2d(64), nn.ReLU()
    order = {"none": (act,), "before the activation": (norm, act), "after the activation": (act, norm)}
    return nn.Sequential(conv, *order[block])


class _Inception(nn.Module):
    """Module 3a of Szegedy 2015: 192 channels in, 256 out; without reduction the pool passes all 192 on."""

    def __init__(self, reduce: bool) -> None:
        super().__init__()

        def branch(inner: int, outputs: int, kernel: int) -> nn.Module:
            if reduce:
                return nn.Sequential(_conv(192, inner, 1), _conv(inner, outputs, kernel))
            return _conv(192, outputs, kernel)

        pool = nn.MaxPool2d(3, 1, 1)
        self.branches = nn.ModuleList(
            [
                _conv(192, 64, 1),
                branch(96, 128, 3),
                branch(16, 32, 5),
                nn.Sequential(pool, _conv(192, 32, 1)) if reduce else pool,
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class _Dense(nn.Module):
    """Two layers that each add ``growth`` channels to all before them (Huang 2017)."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([_conv(inputs, growth, 3), _conv(inputs + growth, growth, 3)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.cat([x, layer(x)], dim=1)
        return x
