"""AlexNet (Krizhevsky 2012), in the form for one device that torchvision has (Krizhevsky 2014)."""

from torch import Tensor, nn

from dnnlab.networks.blocks import Linear, Style, scaled

_STEM, _SMALL_STEM = (64, 11, 4, 2, True), (64, 3, 1, 1, False)
_OTHERS = ((192, 5, 1, 2, True), (384, 3, 1, 1, False), (256, 3, 1, 1, False), (256, 3, 1, 1, True))
"""Channels, kernel, stride and padding of each convolution, and whether a pool follows."""


class AlexNet(nn.Module):
    """Five convolutions, overlapping 3×3 pools at stride 2 after the first, second and last, and a head.

    The stem ``small`` is a 3×3 convolution at stride 1 without the first pool: 32 px become 7.

    Args:
        head: ``mlp``, the published two layers of 4096 with ``dropout`` before each on a 6×6 image, or ``linear``,
            one layer on the mean of the image.
    """

    def __init__(
        self,
        *,
        num_classes: int = 1000,
        in_chans: int = 3,
        act: str = "relu",
        norm: str = "none",
        stem: str = "imagenet",
        head: str = "mlp",
        width: float = 1.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        style = Style(act, norm, bias=True)
        reached = in_chans
        features: list[nn.Module] = []
        for channels, kernel, stride, padding, is_pooled in (_SMALL_STEM if stem == "small" else _STEM, *_OTHERS):
            outputs = scaled(channels, width)
            features += style.flat_layer(reached, outputs, kernel, stride, padding)
            if is_pooled:
                features.append(nn.MaxPool2d(3, 2))
            reached = outputs
        self.features = nn.Sequential(*features)
        if head == "linear":
            self.avgpool = nn.AdaptiveAvgPool2d(1)
            self.classifier = nn.Sequential(nn.Dropout(dropout), Linear(reached, num_classes))
        else:
            hidden = scaled(4096, width)
            self.avgpool = nn.AdaptiveAvgPool2d(6)
            self.classifier = nn.Sequential(
                *(nn.Dropout(dropout), Linear(reached * 6 * 6, hidden), style.activate()),
                *(nn.Dropout(dropout), Linear(hidden, hidden), style.activate()),
                Linear(hidden, num_classes),
            )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))
