"""GoogLeNet, Inception v1 (Szegedy 2015), with batch normalisation as torchvision has it."""

from torch import Tensor, nn

from dnnlab.networks.blocks import Style, WithAux, scaled
from dnnlab.networks.inception import Branches, Step, chain, first_stem

_STAGES: tuple[dict[str, int | tuple[int, ...]], ...] = (
    {
        "inception3a": (64, 96, 128, 16, 32, 32),
        "inception3b": (128, 128, 192, 32, 96, 64),
        "maxpool3": 3,
        "inception4a": (192, 96, 208, 16, 48, 64),
    },
    {
        "inception4b": (160, 112, 224, 24, 64, 64),
        "inception4c": (128, 128, 256, 24, 64, 64),
        "inception4d": (112, 144, 288, 32, 64, 64),
    },
    {
        "inception4e": (256, 160, 320, 32, 128, 128),
        "maxpool4": 2,
        "inception5a": (256, 160, 320, 32, 128, 128),
        "inception5b": (384, 192, 384, 48, 128, 128),
    },
)
"""Channels of the 1×1; before and after the 3×3; before and after the "5×5"; after the pool. Or a pool's kernel.

After the first and the second stage there are auxiliary heads.
"""


class Head(nn.Module):
    """Logits of an inner image: a mean of 4×4 pixels, and two layers with much dropout (Szegedy 2015)."""

    def __init__(self, style: Style, width: float, inputs: int, num_classes: int) -> None:
        super().__init__()
        hidden = scaled(1024, width)
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.conv = Step(128, 1).build(style, width, inputs)
        self.fc1 = nn.Linear(16 * scaled(128, width), hidden)
        self.act = style.activate()
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.pool(x)).flatten(1)
        return self.fc2(self.dropout(self.act(self.fc1(x))))


class GoogLeNet(nn.Module):
    """Nine modules of four branches each; two heads inside help to train it.

    Args:
        aux: whether it has them, ``true`` or ``false``. In training it puts out `WithAux` then.
        dropout: before the last layer; that of the auxiliary heads stays as published.
    """

    def __init__(
        self,
        *,
        num_classes: int = 1000,
        in_chans: int = 3,
        act: str = "relu",
        norm: str = "batch",
        stem: str = "imagenet",
        aux: str = "true",
        width: float = 1.0,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        style = Style(act, norm, eps=0.001)
        first = first_stem(style, width, in_chans, stem == "small")
        self.conv1, self.maxpool1, self.conv2, self.conv3, self.maxpool2 = first
        reached = scaled(192, width)
        taps: list[int] = []
        for stage in _STAGES:
            for name, channels in stage.items():
                if isinstance(channels, int):
                    self.add_module(name, nn.MaxPool2d(channels, 2, ceil_mode=True))
                else:
                    module = _module(style, width, reached, channels)
                    self.add_module(name, module)
                    reached = sum(scaled(channels[i], width) for i in (0, 2, 4, 5))
            taps.append(reached)
        self.has_aux = aux == "true"
        if self.has_aux:
            self.aux1, self.aux2 = (Head(style, width, channels, num_classes) for channels in taps[:2])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(reached, num_classes)

    def forward(self, x: Tensor) -> Tensor | WithAux:
        x = self.maxpool1(self.conv1(x))
        x = self.maxpool2(self.conv3(self.conv2(x)))
        ends: list[Tensor] = []
        for stage in _STAGES:
            for name in stage:
                x = getattr(self, name)(x)
            ends.append(x)
        logits = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        if self.training and self.has_aux:
            return WithAux(logits, (self.aux1(ends[0]), self.aux2(ends[1])), (0.3, 0.3))
        return logits


def _module(style: Style, width: float, inputs: int, channels: tuple[int, ...]) -> Branches:
    ones, before_threes, threes, before_fives, fives, pooled = channels
    pool = nn.MaxPool2d(3, 1, 1, ceil_mode=True)
    return Branches(
        branch1=chain(style, width, inputs, Step(ones, 1)),
        branch2=chain(style, width, inputs, Step(before_threes, 1), Step(threes, 3)),
        # 5×5 in the paper; torchvision's weights are of a network that has 3×3 here, too
        branch3=chain(style, width, inputs, Step(before_fives, 1), Step(fives, 3)),
        branch4=chain(style, width, inputs, Step(pooled, 1), pool=pool),
    )
