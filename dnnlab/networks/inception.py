"""The common parts of the Inception networks: chains of convolutions as tables, branches, and their stems."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from dnnlab.networks.blocks import ConvUnit, Style, scaled


class Step(NamedTuple):
    """A `ConvUnit` in a table."""

    channels: int
    """Output channels at width 1."""
    kernel: int | tuple[int, int]
    stride: int = 1
    padding: int | None = None

    def build(self, style: Style, width: float, inputs: int) -> ConvUnit:
        return ConvUnit(style, inputs, scaled(self.channels, width), self.kernel, self.stride, padding=self.padding)


def chain(style: Style, width: float, inputs: int, *steps: Step, pool: nn.Module | None = None) -> nn.Module:
    """The units of ``steps`` one after another, after ``pool`` if there is one; a single unit is not wrapped."""
    built = [] if pool is None else [pool]
    for step in steps:
        built.append(step.build(style, width, inputs))
        inputs = scaled(step.channels, width)
    return built[0] if len(built) == 1 else nn.Sequential(*built)


class Branches(nn.Module):
    """Branches that read the same input; what they put out is concatenated (Szegedy 2015)."""

    def __init__(self, **branches: nn.Module) -> None:
        super().__init__()
        self.branches = list(branches)
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([getattr(self, name)(x) for name in self.branches], 1)


def first_stem(style: Style, width: float, in_chans: int, small: bool) -> list[nn.Module]:
    """The stem of v1 and v2: an eighth of the image at 192 channels by convolution, pool, two convolutions, pool.

    For small images the first convolution is 3×3, and nothing strides.
    """
    return [
        Step(64, 3 if small else 7, 1 if small else 2).build(style, width, in_chans),
        nn.Identity() if small else nn.MaxPool2d(3, 2, ceil_mode=True),
        Step(64, 1).build(style, width, scaled(64, width)),
        Step(192, 3).build(style, width, scaled(64, width)),
        nn.Identity() if small else nn.MaxPool2d(3, 2, ceil_mode=True),
    ]


def second_stem(style: Style, width: float, in_chans: int, small: bool) -> list[nn.Module]:
    """The stem of v3 and Inception-ResNet: 299 px to 35 at 192 channels by 3×3 convolutions, some of them without
    padding.

    For small images all are padded, and nothing strides.
    """
    stride, bare = (1, None) if small else (2, 0)
    steps = Step(32, 3, stride, bare), Step(32, 3, 1, bare), Step(64, 3), Step(80, 1), Step(192, 3, 1, bare)
    inputs = [in_chans, *(scaled(step.channels, width) for step in steps)]
    built: list[nn.Module] = [step.build(style, width, i) for step, i in zip(steps, inputs, strict=False)]
    for after in (3, 6):
        built.insert(after, nn.Identity() if small else nn.MaxPool2d(3, 2))
    return built
