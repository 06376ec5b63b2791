"""VGG networks (Simonyan & Zisserman 2015), with and without batch normalisation."""

from collections.abc import Sequence

from torch import Tensor, nn

from dnnlab.networks.blocks import Linear, Style, scaled


class VGG(nn.Module):
    """Five stages of 3×3 convolutions, each ending in a 2×2 pool, and a head.

    Args:
        layers: convolutions of each stage.
        head: ``mlp``, the published two layers of 4096 with ``dropout`` on a 7×7 image, or ``linear``, one layer on
            the mean of the image, as the field does for small images.
    """

    def __init__(
        self,
        layers: Sequence[int],
        *,
        num_classes: int = 1000,
        in_chans: int = 3,
        act: str = "relu",
        norm: str = "none",
        order: str = "norm-act",
        head: str = "mlp",
        width: float = 1.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        style = Style(act, norm, bias=True, order=order)
        features: list[nn.Module] = []
        reached = in_chans
        for channels, count in zip((64, 128, 256, 512, 512), layers, strict=True):
            for _ in range(count):
                outputs = scaled(channels, width)
                features += style.flat_layer(reached, outputs, 3)
                reached = outputs
            features.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*features)
        if head == "linear":
            self.avgpool = nn.AdaptiveAvgPool2d(1)
            self.classifier = nn.Sequential(nn.Dropout(dropout), Linear(reached, num_classes))
        else:
            hidden = scaled(4096, width)
            self.avgpool = nn.AdaptiveAvgPool2d(7)
            self.classifier = nn.Sequential(
                *(Linear(reached * 7 * 7, hidden), style.activate(), nn.Dropout(dropout)),
                *(Linear(hidden, hidden), style.activate(), nn.Dropout(dropout)),
                Linear(hidden, num_classes),
            )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))
