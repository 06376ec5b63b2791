"""The building blocks of the families. Shapes are ``[batch, channel, height, width]`` throughout.

Names of submodules equal torchvision's where it has the block, so that its checkpoints load.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnnlab.networks import activations


class Conv2d(nn.Conv2d):
    """A convolution initialised as He 2015: normal, Var W = 2/fan_out, which keeps gradients their size; no bias.

    The fan-out is of one group, the outputs that an input really reaches.
    """

    def reset_parameters(self) -> None:
        fan_out = self.out_channels // self.groups * math.prod(self.kernel_size)
        nn.init.normal_(self.weight, 0.0, math.sqrt(2 / fan_out))
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class Linear(nn.Linear):
    """A layer of a classifier, initialised as of AlexNet: normal with deviation 0.01, biases zero."""

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, 0.0, 0.01)
        if self.bias is not None:
            nn.init.zeros_(self.bias)


@dataclass(frozen=True)
class Style:
    """Makes the layers that a network's options ``act`` and ``norm`` choose."""

    act: str
    norm: str
    eps: float = 1e-5
    """Added to the variance in batch normalisation; ``momentum`` is that of its running statistics."""
    momentum: float = 0.1
    bias: bool = False
    """Whether convolutions have a bias even before a normalisation."""
    fan_in: bool = False
    """Whether convolutions have Var W = 2/fan_in instead, which keeps activations their size."""
    order: str = "norm-act"
    """The order of normalisation and activation in `layer` and `flat_layer`: ``norm-act`` or ``act-norm``."""

    def conv(
        self,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        groups: int = 1,
        padding: int | None = None,
    ) -> Conv2d:
        """A convolution before `normalise`, which stands in for its bias unless there is none.

        It is padded to keep the image its size, but for the stride, unless ``padding`` says otherwise.
        """
        bias = self.bias or self.norm == "none"
        tall, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
        around = ((tall - 1) // 2, (wide - 1) // 2) if padding is None else padding
        made = Conv2d(inputs, outputs, kernel, stride, around, groups=groups, bias=bias)
        if self.fan_in:
            nn.init.kaiming_normal_(made.weight)
        return made

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

    def layer(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, *, linear: bool = False
    ) -> nn.Sequential:
        """A convolution, its normalisation and, unless it is ``linear``, the activation."""
        conv, norm = self.conv(inputs, outputs, kernel, stride, groups), self.normalise(outputs)
        return nn.Sequential(conv, norm) if linear else nn.Sequential(conv, *self._ordered(norm))

    def _ordered(self, *norm: nn.Module) -> list[nn.Module]:
        return [self.activate(), *norm] if self.order == "act-norm" else [*norm, self.activate()]

    def flat_layer(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int | None = None
    ) -> list[nn.Module]:
        """The parts of `layer` for a longer sequence, in which torchvision leaves no gap where there is no
        normalisation."""
        norm = [] if self.norm == "none" else [self.normalise(outputs)]
        return [self.conv(inputs, outputs, kernel, stride, padding=padding), *self._ordered(*norm)]


def scaled(channels: int, width: float, multiple: int = 8) -> int:
    """``channels`` times ``width``, rounded by `nearest_multiple` unless ``width`` is 1."""
    return channels if width == 1 else nearest_multiple(channels * width, multiple)


def nearest_multiple(channels: float, multiple: int = 8) -> int:
    """The nearest multiple of 8 that is not more than 10 % below, and at least 8 (Howard 2017).

    Other multiples are for numbers that a network adds up itself, such as 1 for a growth rate.
    """
    rounded = max(multiple, int(channels + multiple / 2) // multiple * multiple)
    return rounded if rounded >= 0.9 * channels else rounded + multiple


class WithAux(NamedTuple):
    """The outputs of a network with auxiliary heads in training; otherwise it gives the logits alone."""

    logits: Tensor
    """Logits ``[batch, class]`` of the network's own head."""
    aux: tuple[Tensor, ...]
    """Logits of the auxiliary heads, each ``[batch, class]``."""
    weights: tuple[float, ...]
    """The weights of the auxiliary losses, which are added to the loss of ``logits``."""


class SqueezeExcite(nn.Module):
    """Scales every channel by a number in (0, 1) that is learned from the means of all (Hu 2018).

    ``gate`` makes what maps to (0, 1).
    """

    def __init__(self, channels: int, squeezed: int, act: str, gate: Callable[[], nn.Module] = nn.Sigmoid) -> None:
        super().__init__()
        self.fc1 = Conv2d(channels, squeezed, 1)
        self.act = activations.build(act)
        self.fc2 = Conv2d(squeezed, channels, 1)
        self.gate = gate()

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


class StochasticDepth(nn.Module):
    """In training, leaves a branch out with ``probability``, drawn for each example (Huang 2016).

    Those that stay are scaled up, so that the mean is that of evaluation, where all stay as they are.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.probability == 0:
            return x
        stays = 1 - self.probability
        return x * x.new_empty(len(x), *(1,) * (x.ndim - 1)).bernoulli_(stays).div_(stays)


class InvertedResidual(nn.Module):
    """1×1 to many channels, depthwise, 1×1 to few without an activation, and the identity (Sandler 2018).

    There is no first 1×1 where it would widen nothing, and no identity where the shape changes.

    Args:
        squeeze_excite: goes after the depthwise convolution (Howard 2019).
        skip: ``none`` leaves the identity out.
        drop: of `StochasticDepth`, where there is an identity.
        flat: torchvision's names in MobileNet v2, where the branch is ``conv`` and its last layer not nested;
            elsewhere it is ``block``.
    """

    def __init__(
        self,
        style: Style,
        inputs: int,
        expanded: int,
        outputs: int,
        kernel: int,
        stride: int,
        squeeze_excite: SqueezeExcite | None = None,
        skip: str = "residual",
        drop: float = 0.0,
        *,
        flat: bool = False,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [style.layer(inputs, expanded, 1)] if expanded != inputs else []
        layers.append(style.layer(expanded, expanded, kernel, stride, expanded))
        if squeeze_excite is not None:
            layers.append(squeeze_excite)
        project = style.layer(expanded, outputs, 1, linear=True)
        self.branch = "conv" if flat else "block"
        setattr(self, self.branch, nn.Sequential(*layers, *(project if flat else (project,))))
        self.residual = skip == "residual" and stride == 1 and inputs == outputs
        self.drop = StochasticDepth(drop)

    def forward(self, x: Tensor) -> Tensor:
        branch = getattr(self, self.branch)(x)
        return x + self.drop(branch) if self.residual else branch


class ConvUnit(nn.Module):
    """Convolution, normalisation, activation."""

    def __init__(
        self,
        style: Style,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        padding: int | None = None,
    ) -> None:
        super().__init__()
        self.conv = style.conv(inputs, outputs, kernel, stride, padding=padding)
        self.bn = style.normalise(outputs)
        self.act = style.activate()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))


class DenseLayer(nn.Module):
    """Normalisation, activation, 3×3 convolution to ``growth`` channels, which are put out alone (Huang 2017).

    A bottleneck has the same before, by 1×1 to ``4 · growth`` channels.
    """

    def __init__(self, style: Style, inputs: int, growth: int, bottleneck: bool, dropout: float) -> None:
        super().__init__()
        inner = 4 * growth if bottleneck else inputs
        self.norm1 = style.normalise(inputs)
        self.relu1 = style.activate()
        if bottleneck:
            self.conv1 = style.conv(inputs, inner, 1)
            self.norm2 = style.normalise(inner)
            self.relu2 = style.activate()
        self.conv2 = style.conv(inner, growth, 3)
        self.dropout = nn.Dropout(dropout)
        self.bottleneck = bottleneck

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu1(self.norm1(x))
        if self.bottleneck:
            x = self.relu2(self.norm2(self.conv1(x)))
        return self.dropout(self.conv2(x))


class DenseBlock(nn.Module):
    """Dense layers, each of which reads the block's input and what all before it put out; puts out all of these."""

    def __init__(self, style: Style, inputs: int, layers: int, growth: int, bottleneck: bool, dropout: float) -> None:
        super().__init__()
        for i in range(layers):
            layer = DenseLayer(style, inputs + i * growth, growth, bottleneck, dropout)
            self.add_module(f"denselayer{i + 1}", layer)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.children():
            x = torch.cat([x, layer(x)], 1)
        return x
