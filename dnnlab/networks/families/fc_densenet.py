"""Fully convolutional DenseNets, "the one hundred layers tiramisu" (Jégou 2017): a class for every pixel."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dnnlab.networks.blocks import DenseBlock, Style, scaled


class Enlarge(nn.ConvTranspose2d):
    """Enlarges an image to twice its size and one pixel more."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 3, 2)

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, 0.0, math.sqrt(4 / (9 * self.in_channels)))
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class FCDenseNet(nn.Module):
    """Dense blocks down to a 32nd of the image and up again: ``[batch, in_chans, height, width]`` → logits
    ``[batch, class, height, width]``.

    On the way up, each block reads what the last one added, enlarged, and what the block of that size on the way
    down put out.

    Args:
        layers: of each dense block, down and up again; the middle one is at the bottom.
        growth: channels that each layer adds.
        dropout: at the end of each layer, and in the transitions down.
    """

    def __init__(
        self,
        layers: Sequence[int],
        *,
        growth: int = 16,
        num_classes: int = 12,
        in_chans: int = 3,
        act: str = "relu",
        norm: str = "batch",
        width: float = 1.0,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        style = Style(act, norm, bias=True, fan_in=True)  # as in DenseNet
        growth, reached = scaled(growth, width, 1), scaled(48, width)
        half = len(layers) // 2
        self.first = style.conv(in_chans, reached, 3)
        self.down_blocks, self.downs = nn.ModuleList(), nn.ModuleList()
        skipped: list[int] = []
        for count in layers[:half]:
            self.down_blocks.append(DenseBlock(style, reached, count, growth, False, dropout))
            reached += count * growth
            skipped.append(reached)
            self.downs.append(_down(style, reached, dropout))
        self.bottom = DenseBlock(style, reached, layers[half], growth, False, dropout)
        self.ups, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        for before, count, skip in zip(layers[half:], layers[half + 1 :], reversed(skipped), strict=False):
            new = before * growth
            self.ups.append(Enlarge(new))
            reached = new + skip
            self.up_blocks.append(DenseBlock(style, reached, count, growth, False, dropout))
        self.last = nn.Conv2d(reached + layers[-1] * growth, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        skips: list[Tensor] = []
        for block, down in zip(self.down_blocks, self.downs, strict=True):
            skips.append(block(x))
            x = down(skips[-1])
        read, x = x, self.bottom(x)
        for up, block in zip(self.ups, self.up_blocks, strict=True):
            skip = skips.pop()
            larger = up(x[:, read.shape[1] :])  # only what the last block added, or channels would grow too many
            read = torch.cat([larger[:, :, : skip.shape[2], : skip.shape[3]], skip], 1)
            x = block(read)
        return self.last(x)


def _down(style: Style, channels: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        *(style.normalise(channels), style.activate(), style.conv(channels, channels, 1)),
        *(nn.Dropout(dropout), nn.MaxPool2d(2, 2)),
    )
