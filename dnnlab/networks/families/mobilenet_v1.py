"""MobileNet (Howard 2017): depthwise separable convolutions, each normalised and activated."""

from torch import Tensor, nn

from dnnlab.networks.blocks import Linear, Style, scaled

_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
"""Channels and stride of each block."""


class MobileNetV1(nn.Module):
    """A 3×3 convolution, thirteen blocks, and a linear layer on the mean of the image.

    The stem ``small`` has the first convolution at stride 1, as the field does for CIFAR: 32 px become 2.

    Args:
        conv: the blocks are ``separable``, a depthwise 3×3 layer and a 1×1 one, or for comparison ``standard``, one
            3×3 layer.
        dropout: before the last layer.
    """

    def __init__(
        self,
        *,
        num_classes: int = 1000,
        in_chans: int = 3,
        act: str = "relu",
        norm: str = "batch",
        conv: str = "separable",
        stem: str = "imagenet",
        width: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        style = Style(act, norm)
        reached = scaled(32, width)
        layers: list[nn.Module] = [style.layer(in_chans, reached, 3, 1 if stem == "small" else 2)]
        for channels, stride in _BLOCKS:
            outputs = scaled(channels, width)
            if conv == "standard":
                layers.append(style.layer(reached, outputs, 3, stride))
            else:
                layers += [style.layer(reached, reached, 3, stride, reached), style.layer(reached, outputs, 1)]
            reached = outputs
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout), Linear(reached, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))
