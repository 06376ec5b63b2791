"""Xception (Chollet 2017): depthwise separable convolutions, in residual blocks."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from dnnlab.networks.blocks import Style, scaled


def separable(style: Style, inputs: int, outputs: int) -> nn.Sequential:
    """A depthwise 3×3 convolution and a 1×1 one with nothing between them, and the normalisation."""
    depthwise = style.conv(inputs, inputs, 3, groups=inputs)
    return nn.Sequential(depthwise, style.conv(inputs, outputs, 1), style.normalise(outputs))


class XceptionBlock(nn.Module):
    """Activation and separable convolution from each of ``channels`` to the next, and the shortcut.

    With ``stride`` 2 a 3×3 pool ends the branch, and the shortcut is a 1×1 convolution. The first activation is
    left out where the input ``is_activated``.
    """

    def __init__(
        self, style: Style, channels: Sequence[int], stride: int, skip: str, *, is_activated: bool = False
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(channels):
            layers += [style.activate(), separable(style, inputs, outputs)]
        if stride > 1:
            layers.append(nn.MaxPool2d(3, stride, 1))
        self.branch = nn.Sequential(*layers[is_activated:])
        self.shortcut: nn.Module | None = None
        if skip == "residual":
            around = style.layer(channels[0], channels[-1], 1, stride, linear=True)
            self.shortcut = around if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        branch = self.branch(x)
        return branch if self.shortcut is None else branch + self.shortcut(x)


class Xception(nn.Module):
    """Entry flow of two convolutions and three blocks that halve the image, ``middle`` blocks, and an exit flow of
    one block that halves the image and two separable convolutions.

    The stem ``small`` has the first two convolutions padded and at stride 1: 32 px become 2. ``skip`` is ``none``
    for the twin without shortcuts and their parameters; ``dropout`` is before the last layer.
    """

    def __init__(
        self,
        middle: int = 8,
        *,
        num_classes: int = 1000,
        in_chans: int = 3,
        act: str = "relu",
        norm: str = "batch",
        skip: str = "residual",
        stem: str = "imagenet",
        width: float = 1.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        style = Style(act, norm)
        stride, padding = (1, 1) if stem == "small" else (2, 0)
        c32, c64, c128, c256, c728, c1024, c1536, c2048 = (
            scaled(c, width) for c in (32, 64, 128, 256, 728, 1024, 1536, 2048)
        )
        self.stem = nn.Sequential(
            *style.flat_layer(in_chans, c32, 3, stride, padding), *style.flat_layer(c32, c64, 3, 1, padding)
        )
        self.blocks = nn.Sequential(
            XceptionBlock(style, (c64, c128, c128), 2, skip, is_activated=True),
            XceptionBlock(style, (c128, c256, c256), 2, skip),
            XceptionBlock(style, (c256, c728, c728), 2, skip),
            *(XceptionBlock(style, (c728, c728, c728, c728), 1, skip) for _ in range(middle)),
            XceptionBlock(style, (c728, c728, c1024), 2, skip),
        )
        self.exit = nn.Sequential(
            *(separable(style, c1024, c1536), style.activate()), *(separable(style, c1536, c2048), style.activate())
        )
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(c2048, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.exit(self.blocks(self.stem(x)))
        return self.fc(self.dropout(x.mean((2, 3))))
