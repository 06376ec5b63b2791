"""Networks of cells that a search found: NASNet-A (Zoph 2018) and AmoebaNet-A (Real 2019).

Submodules are named as in timm and pretrainedmodels. The auxiliary head and the drop path that the papers train with
are left out. Padding is TensorFlow's "same", in which at stride 2 an image of even size gets one pixel more on the
right than on the left.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnnlab.networks.blocks import Style, scaled


@dataclass(frozen=True)
class Cells:
    """The two cells of a network.

    A cell computes sums of two operations, each written as its name and the state that it reads. State 0 is the cell's
    input, 1 the input of the cell before, and the sums are states 2 to 6. What is concatenated is the cell's output.
    """

    normal: tuple[tuple[str, int], ...]
    normal_output: tuple[int, ...]
    reduction: tuple[tuple[str, int], ...]
    """It halves the image: what reads states 0 and 1 has stride 2."""
    reduction_output: tuple[int, ...]


CELLS = {
    "nasnet_a": Cells(
        normal=(
            *(("separable5", 0), ("separable3", 1), ("separable5", 1), ("separable3", 1), ("average", 0)),
            *(("none", 1), ("average", 1), ("average", 1), ("separable3", 0), ("none", 0)),
        ),
        normal_output=(1, 2, 3, 4, 5, 6),
        reduction=(
            *(("separable5", 0), ("separable7", 1), ("max3", 0), ("separable7", 1), ("average", 0)),
            *(("separable5", 1), ("none", 3), ("average", 2), ("separable3", 2), ("max3", 0)),
        ),
        reduction_output=(3, 4, 5, 6),
    ),
    "amoebanet_a": Cells(
        normal=(
            *(("average", 0), ("max3", 0), ("separable3", 1), ("none", 1), ("none", 0)),
            *(("average", 1), ("separable3", 0), ("separable5", 2), ("average", 5), ("separable3", 0)),
        ),
        normal_output=(1, 3, 4, 6),
        reduction=(
            *(("separable3", 1), ("average", 0), ("max3", 0), ("separable7", 2), ("max3", 1)),
            *(("max3", 0), ("separable3", 4), ("conv7", 0), ("average", 1), ("separable7", 0)),
        ),
        reduction_output=(2, 3, 4, 5, 6),
    ),
}


def same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's "same" padding on the left and on the right of ``size`` pixels, for a stride of 1 or 2."""
    total = kernel - stride + size % stride
    return total // 2, total - total // 2


def pad_same(x: Tensor, kernel: tuple[int, int], stride: tuple[int, int]) -> Tensor:
    """``x [batch, channel, height, width]`` with `same` padding of zeros, for a kernel of (height, width)."""
    tall, wide = (same(x.shape[2 + d], kernel[d], stride[d]) for d in (0, 1))
    return F.pad(x, (*wide, *tall))


class SamePool(nn.Module):
    """The maximum or the mean of windows, with `same` padding, which counts for nothing."""

    def __init__(self, kind: str, kernel: int, stride: int) -> None:
        super().__init__()
        self.kind, self.kernel, self.stride = kind, kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        left = tuple(same(x.shape[d], self.kernel, self.stride)[0] for d in (2, 3))
        # What is missing on the right, ceil_mode gives.
        if self.kind == "max":
            return F.max_pool2d(x, self.kernel, self.stride, left, ceil_mode=True)
        return F.avg_pool2d(x, self.kernel, self.stride, left, ceil_mode=True, count_include_pad=False)


class ActConv(nn.Module):
    """Activation, convolution with `same` padding, normalisation."""

    def __init__(
        self,
        style: Style,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int] = (1, 1),
        stride: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__()
        self.act = style.activate()
        self.kernel, self.stride, self.halves = kernel, stride, max(stride) > 1
        self.conv = style.conv(inputs, outputs, kernel, padding=0 if self.halves else None)
        self.conv.stride = stride
        self.bn = style.normalise(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(x)
        return self.bn(self.conv(pad_same(x, self.kernel, self.stride) if self.halves else x))


class SeparableConv(nn.Module):
    """A depthwise convolution with `same` padding, and a 1×1 one with nothing between them."""

    def __init__(self, style: Style, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = (kernel, kernel), (stride, stride)
        self.depthwise_conv2d = style.conv(inputs, inputs, kernel, stride, inputs, 0 if stride > 1 else None)
        self.pointwise_conv2d = style.conv(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride != (1, 1):
            x = pad_same(x, self.kernel, self.stride)
        return self.pointwise_conv2d(self.depthwise_conv2d(x))


class TwiceSeparable(nn.Module):
    """Activation, separable convolution and normalisation, twice; the first has the ``stride``."""

    def __init__(self, style: Style, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.act_1 = style.activate()
        self.separable_1 = SeparableConv(style, inputs, outputs, kernel, stride)
        self.bn_sep_1 = style.normalise(outputs)
        self.act_2 = style.activate()
        self.separable_2 = SeparableConv(style, outputs, outputs, kernel, 1)
        self.bn_sep_2 = style.normalise(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn_sep_1(self.separable_1(self.act_1(x)))
        return self.bn_sep_2(self.separable_2(self.act_2(x)))


class FactorizedReduction(nn.Module):
    """Halves the image: two 1×1 convolutions of stride 2, of which the second begins one pixel later."""

    def __init__(self, style: Style, inputs: int, outputs: int) -> None:
        super().__init__()
        self.act = style.activate()
        self.path_1 = nn.Sequential()
        self.path_1.add_module("conv", style.conv(inputs, outputs // 2, 1, 2))
        self.path_2 = nn.Sequential()
        self.path_2.add_module("conv", style.conv(inputs, outputs - outputs // 2, 1, 2))
        self.final_path_bn = style.normalise(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(x)
        later = F.pad(x, (-1, 1, -1, 1))
        return self.final_path_bn(torch.cat([self.path_1(x), self.path_2(later)], 1))


def _operation(name: str, style: Style, inputs: int, channels: int, stride: int) -> nn.Module:
    """The operation ``name`` of `Cells` on ``inputs`` channels, which puts out ``channels``."""
    match name:
        case "none":
            return nn.Identity()
        case "average" | "max3":
            pool = SamePool("max" if name == "max3" else "mean", 3, stride)
            narrowed = (pool, style.conv(inputs, channels, 1), style.normalise(channels))
            return pool if inputs == channels else nn.Sequential(*narrowed)
        case "conv7":  # on a quarter of the channels
            quarter = channels // 4
            return nn.Sequential(
                ActConv(style, inputs, quarter),
                ActConv(style, quarter, quarter, (1, 7), (1, stride)),
                ActConv(style, quarter, quarter, (7, 1), (stride, 1)),
                ActConv(style, quarter, channels),
            )
    return TwiceSeparable(style, inputs, channels, int(name.removeprefix("separable")), stride)


class Cell(nn.Module):
    """A cell of `Cells`, of ``channels``: what it reads is first brought to as many, and to one size.

    Args:
        style: of its layers.
        cells: the two cells, of which it is one.
        reduction: whether it is the one that halves the image.
        inputs: channels of its input.
        before: channels of the input of the cell before; ``None`` where there is no such cell, and the input itself,
            as it is, stands for it.
        channels: of every state.
        halve: whether the input of the cell before has twice the size.
    """

    def __init__(
        self,
        style: Style,
        cells: Cells,
        reduction: bool,
        inputs: int,
        before: int | None,
        channels: int,
        halve: bool,
    ) -> None:
        super().__init__()
        self.conv_prev_1x1: nn.Module = nn.Identity()
        wide = channels
        if before is None:
            wide = inputs
        elif halve:
            self.conv_prev_1x1 = FactorizedReduction(style, before, channels)
        else:
            self.conv_prev_1x1 = ActConv(style, before, channels)
        self.conv_1x1 = ActConv(style, inputs, channels)
        pairs = cells.reduction if reduction else cells.normal
        self.reads = [state for _, state in pairs]
        self.concatenated = cells.reduction_output if reduction else cells.normal_output
        self.operations = [f"comb_iter_{i // 2}_{'right' if i % 2 else 'left'}" for i in range(len(pairs))]
        for place, (name, state) in zip(self.operations, pairs, strict=True):
            stride = 2 if reduction and state < 2 else 1
            self.add_module(place, _operation(name, style, wide if state == 1 else channels, channels, stride))

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        states = [self.conv_1x1(x), self.conv_prev_1x1(before)]
        results = zip(self.operations, self.reads, strict=True)
        for (left, one), (right, other) in zip(results, results, strict=True):
            states.append(getattr(self, left)(states[one]) + getattr(self, right)(states[other]))
        return torch.cat([states[i] for i in self.concatenated], 1)


class NASNet(nn.Module):
    """A convolution, two reduction cells, then three stages of ``repeat`` normal cells with a reduction cell between
    them, which doubles the channels, and a linear layer.

    The stem ``small`` has the convolution padded and at stride 1, and no reduction cells: 32 px become 8.

    Args:
        cells: a key of `CELLS`.
        repeat: normal cells of each stage.
        channels: of a state in the first stage.
        stem_channels: of the convolution.
        skip_reduction: whether the cell behind a reduction reads, as the input of the cell before, what the reduction
            itself read as such, and not the reduction's input.
        dropout: before the last layer.
    """

    def __init__(
        self,
        cells: str,
        repeat: int,
        channels: int,
        stem_channels: int,
        *,
        skip_reduction: bool = False,
        num_classes: int = 1000,
        in_chans: int = 3,
        act: str = "relu",
        norm: str = "batch",
        stem: str = "imagenet",
        width: float = 1.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        style = Style(act, norm, eps=0.001)
        found = CELLS[cells]
        channels, reached = scaled(channels, width), scaled(stem_channels, width)
        small = stem == "small"
        self.skip_reduction = skip_reduction
        self.conv0 = nn.Sequential()
        self.conv0.add_module("conv", style.conv(in_chans, reached, 3, 1 if small else 2, padding=1 if small else 0))
        self.conv0.add_module("bn", style.normalise(reached))
        self.cells: list[str] = []
        before: int | None = reached if small else None
        halve = False

        def add(name: str, reduction: bool, channels: int) -> None:
            nonlocal before, reached, halve
            self.add_module(name, Cell(style, found, reduction, reached, before, channels, halve))
            self.cells.append(name)
            if not self._skips(name):
                before = reached
            outputs = found.reduction_output if reduction else found.normal_output
            reached, halve = channels * len(outputs), reduction

        if not small:
            add("cell_stem_0", True, channels // 4)
            add("cell_stem_1", True, channels // 2)
        for stage in range(3):
            if stage:
                add(f"reduction_cell_{stage - 1}", True, channels * 2**stage)
            for i in range(repeat):
                add(f"cell_{6 * stage + i}", False, channels * 2**stage)
        self.act = style.activate()
        self.dropout = nn.Dropout(dropout)
        self.last_linear = nn.Linear(reached, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        before = x = self.conv0(x)
        for name in self.cells:
            out = getattr(self, name)(x, before)
            before, x = before if self._skips(name) else x, out
        return self.last_linear(self.dropout(self.act(x).mean((2, 3))))

    def _skips(self, cell: str) -> bool:
        """Whether the cell behind ``cell`` reads as the input of the cell before what ``cell`` itself read as such."""
        return self.skip_reduction and cell.startswith("reduction")
