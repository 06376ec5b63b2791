"""MobileNet v2 (Sandler 2018): inverted residuals with linear bottlenecks."""

from torch import Tensor, nn

from dnnlab.networks.blocks import InvertedResidual, Linear, Style, scaled

_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels, blocks, and stride of the first block."""


class MobileNetV2(nn.Module):
    """A 3×3 convolution, seven stages of `InvertedResidual`, a 1×1 convolution and a linear layer.

    The stem ``small`` has stride 1 in the first convolution and in the stage of 24 channels, as the field does for
    CIFAR: 32 px become 4. ``skip`` is ``none`` for the twin without sums; ``dropout`` is before the last layer.
    A ``width`` below 1 leaves the last convolution at 1280 channels, as in the paper.
    """

    def __init__(
        self,
        *,
        num_classes: int = 1000,
        in_chans: int = 3,
        act: str = "ReLU6",
        norm: str = "batch",
        skip: str = "residual",
        stem: str = "imagenet",
        width: float = 1.0,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        style = Style(act, norm)
        small = stem == "small"
        reached = scaled(32, width)
        layers: list[nn.Module] = [style.layer(in_chans, reached, 3, 1 if small else 2)]
        for i, (expansion, channels, count, striding) in enumerate(_STAGES):
            outputs = scaled(channels, width)
            for j in range(count):
                stride = striding if j == 0 and not (small and i == 1) else 1
                layers.append(
                    InvertedResidual(style, reached, expansion * reached, outputs, 3, stride, skip=skip, flat=True)
                )
                reached = outputs
        last = scaled(1280, max(1.0, width))
        self.features = nn.Sequential(*layers, style.layer(reached, last, 1))
        self.classifier = nn.Sequential(nn.Dropout(dropout), Linear(last, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))
