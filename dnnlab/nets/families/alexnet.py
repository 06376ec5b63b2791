"""AlexNet (Krizhevsky 2012), in the form for one device that torchvision has (Krizhevsky 2014)."""

from torch import Tensor, nn

from dnnlab.nets.blocks import Linear, Style, scaled


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
        channels = [in_chans, *(scaled(c, width) for c in (64, 192, 384, 256, 256))]
        kernels, strides, paddings = (11, 5, 3, 3, 3), (4, 1, 1, 1, 1), (2, 2, 1, 1, 1)
        pooled = {0, 1, 4}
        if stem == "small":
            kernels, strides, paddings = (3, *kernels[1:]), (1, *strides[1:]), (1, *paddings[1:])
            pooled = {1, 4}
        features: list[nn.Module] = []
        for i, settings in enumerate(zip(kernels, strides, paddings, strict=True)):
            kernel, stride, padding = settings
            features.append(style.conv(channels[i], channels[i + 1], kernel, stride, padding=padding))
            if norm != "none":  # without it torchvision counts on without a gap
                features.append(style.normalise(channels[i + 1]))
            features.append(style.activate())
            if i in pooled:
                features.append(nn.MaxPool2d(3, 2))
        self.features = nn.Sequential(*features)
        if head == "linear":
            self.avgpool = nn.AdaptiveAvgPool2d(1)
            self.classifier = nn.Sequential(nn.Dropout(dropout), Linear(channels[-1], num_classes))
        else:
            hidden = scaled(4096, width)
            self.avgpool = nn.AdaptiveAvgPool2d(6)
            self.classifier = nn.Sequential(
                *(nn.Dropout(dropout), Linear(channels[-1] * 6 * 6, hidden), style.activate()),
                *(nn.Dropout(dropout), Linear(hidden, hidden), style.activate()),
                Linear(hidden, num_classes),
            )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))
