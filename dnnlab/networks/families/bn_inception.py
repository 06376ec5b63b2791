"""BN-Inception, Inception v2 (Ioffe & Szegedy 2015)."""

from torch import Tensor, nn

from dnnlab.networks.blocks import Style, scaled
from dnnlab.networks.inception import Branches, Step, chain, first_stem

_MODULES = {
    "inception3a": (64, 64, 64, 64, 96, 32),
    "inception3b": (64, 64, 96, 64, 96, 64),
    "inception3c": (0, 128, 160, 64, 96, 0),
    "inception4a": (224, 64, 96, 96, 128, 128),
    "inception4b": (192, 96, 128, 96, 128, 128),
    "inception4c": (160, 128, 160, 128, 160, 128),
    "inception4d": (96, 128, 192, 160, 192, 128),
    "inception4e": (0, 128, 192, 192, 256, 0),
    "inception5a": (352, 192, 320, 160, 224, 128),
    "inception5b": (352, 192, 320, 192, 224, 128),
}
"""Channels of the 1×1; before and after the 3×3; before and after the two 3×3; after the pool.

Without a 1×1, the module halves the image, and its pool passes the channels on.
"""


class BNInception(nn.Module):
    """Ten modules of four branches, in which two 3×3 convolutions stand for GoogLeNet's 5×5.

    ``dropout`` is before the last layer; the paper found that normalisation makes it unnecessary.
    """

    def __init__(
        self,
        *,
        num_classes: int = 1000,
        in_chans: int = 3,
        act: str = "relu",
        norm: str = "batch",
        stem: str = "imagenet",
        width: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        style = Style(act, norm, bias=True)  # the published count has biases before the normalisations
        self.stem = nn.Sequential(*first_stem(style, width, in_chans, stem == "small"))
        reached = scaled(192, width)
        for name, channels in _MODULES.items():
            self.add_module(name, _module(style, width, reached, channels, last=name == "inception5b"))
            passed_on = 0 if channels[0] else reached
            reached = passed_on + sum(scaled(channels[i], width) for i in (0, 2, 4, 5) if channels[i])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(reached, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for name in _MODULES:
            x = getattr(self, name)(x)
        return self.fc(self.dropout(self.avgpool(x).flatten(1)))


def _module(style: Style, width: float, inputs: int, channels: tuple[int, ...], last: bool) -> Branches:
    ones, before_threes, threes, before_doubles, doubles, pooled = channels
    stride = 1 if ones else 2
    branch2 = chain(style, width, inputs, Step(before_threes, 1), Step(threes, 3, stride))
    branch3 = chain(style, width, inputs, Step(before_doubles, 1), Step(doubles, 3), Step(doubles, 3, stride))
    if not ones:
        return Branches(branch2=branch2, branch3=branch3, branch4=nn.MaxPool2d(3, 2, 1))
    return Branches(
        branch1=chain(style, width, inputs, Step(ones, 1)),
        branch2=branch2,
        branch3=branch3,
        branch4=chain(
            style, width, inputs, Step(pooled, 1), pool=nn.MaxPool2d(3, 1, 1) if last else nn.AvgPool2d(3, 1, 1)
        ),
    )
