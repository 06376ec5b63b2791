"""The blocks that the families are built of. Shapes are ``[batch, channel, height, width]`` throughout.

Names of submodules equal torchvision's where it has the block, so that its checkpoints load.
"""

import math
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from dnnlab.nets import activations


class Conv2d(nn.Conv2d):
    """A convolution initialised as He 2015: normal, Var W = 2/fan_out, which keeps gradients their size; no bias.

    The fan-out is of one group, the outputs that an input really reaches.
    """

    def reset_parameters(self) -> None:
        fan_out = self.out_channels // self.groups * math.prod(self.kernel_size)
        nn.init.normal_(self.weight, 0.0, math.sqrt(2 / fan_out))
        if self.bias is not None:
            nn.init.zeros_(self.bias)


@dataclass(frozen=True)
class Style:
    """Makes the layers that a network's options ``act`` and ``norm`` choose."""

    act: str
    norm: str
    eps: float = 1e-5
    """Of batch normalisation, as is ``momentum``."""
    momentum: float = 0.1
    bias: bool = False
    """Convolutions have one even before a normalisation."""

    def conv(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> Conv2d:
        """A padded convolution before `normalise`, which stands in for its bias unless there is none."""
        bias = self.bias or self.norm == "none"
        return Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=bias)

    def normalise(self, channels: int) -> nn.Module:
        match self.norm:
            case "batch":
                return nn.BatchNorm2d(channels, self.eps, self.momentum)
            case "layer":
                return nn.GroupNorm(1, channels)
            case "group":
                return nn.GroupNorm(math.gcd(32, channels), channels)
        return nn.Identity()

    def activate(self) -> nn.Module:
        return activations.build(self.act)


def scaled(channels: int, width: float) -> int:
    """``channels`` times ``width``, to the nearest multiple of 8 that is not more than 10 % below (Howard 2017)."""
    if width == 1:
        return channels
    rounded = max(8, int(channels * width + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels * width else rounded + 8


class SqueezeExcite(nn.Module):
    """Scales every channel by a number in (0, 1) that is learned from the means of all (Hu 2018)."""

    def __init__(self, channels: int, squeezed: int, act: str) -> None:
        super().__init__()
        self.fc1 = Conv2d(channels, squeezed, 1)
        self.act = activations.build(act)
        self.fc2 = Conv2d(squeezed, channels, 1)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean((2, 3), keepdim=True)
        return x * self.gate(self.fc2(self.act(self.fc1(means))))


class PaddedIdentity(nn.Module):
    """The parameter-free shortcut between stages, "option A" of He 2016: every ``stride``-th pixel, and channels of
    zeros for those that are new."""

    def __init__(self, new_channels: int, stride: int) -> None:
        super().__init__()
        self.new_channels, self.stride = new_channels, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new_channels))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions, and the shortcut (He 2016); without one, ``None``, it is the block of a plain network."""

    expansion = 1

    def __init__(
        self, style: Style, inputs: int, channels: int, stride: int, shortcut: nn.Module | None, squeeze: int = 0
    ) -> None:
        super().__init__()
        self.conv1 = style.conv(inputs, channels, 3, stride)
        self.bn1 = style.normalise(channels)
        self.act1 = style.activate()
        self.conv2 = style.conv(channels, channels, 3)
        self.bn2 = style.normalise(channels)
        self.se = SqueezeExcite(channels, channels // squeeze, style.act) if squeeze else nn.Identity()
        self.downsample = shortcut
        self.act2 = style.activate()

    def forward(self, x: Tensor) -> Tensor:
        branch = self.act1(self.bn1(self.conv1(x)))
        branch = self.se(self.bn2(self.conv2(branch)))
        return self.act2(branch if self.downsample is None else branch + self.downsample(x))


class Bottleneck(nn.Module):
    """1×1 to few channels, 3×3, 1×1 to ``4 · channels``, and the shortcut (He 2016); in groups as of Xie 2017.

    ``stride_in`` is the kernel size of the convolution that strides: 3 in torchvision, 1 in the paper.
    """

    expansion = 4

    def __init__(
        self,
        style: Style,
        inputs: int,
        channels: int,
        stride: int,
        shortcut: nn.Module | None,
        squeeze: int = 0,
        inner: int | None = None,
        groups: int = 1,
        stride_in: int = 3,
    ) -> None:
        super().__init__()
        inner, outputs = inner or channels, channels * self.expansion
        self.conv1 = style.conv(inputs, inner, 1, stride if stride_in == 1 else 1)
        self.bn1 = style.normalise(inner)
        self.act1 = style.activate()
        self.conv2 = style.conv(inner, inner, 3, stride if stride_in == 3 else 1, groups)
        self.bn2 = style.normalise(inner)
        self.act2 = style.activate()
        self.conv3 = style.conv(inner, outputs, 1)
        self.bn3 = style.normalise(outputs)
        self.se = SqueezeExcite(outputs, outputs // squeeze, style.act) if squeeze else nn.Identity()
        self.downsample = shortcut
        self.act3 = style.activate()

    def forward(self, x: Tensor) -> Tensor:
        branch = self.act1(self.bn1(self.conv1(x)))
        branch = self.act2(self.bn2(self.conv2(branch)))
        branch = self.se(self.bn3(self.conv3(branch)))
        return self.act3(branch if self.downsample is None else branch + self.downsample(x))
