"""Wide residual networks (Zagoruyko & Komodakis 2016), pre-activation form, for images of 32 px."""

from torch import Tensor, nn

from dnnlab.networks.blocks import Style, scaled


class WideBlock(nn.Module):
    """Normalisation, activation, 3×3 convolution, twice; where the shape changes, the shortcut is a 1×1 convolution
    of the activated input, otherwise the identity."""

    def __init__(self, style: Style, inputs: int, channels: int, stride: int, skip: str, dropout: float) -> None:
        super().__init__()
        self.bn1 = style.normalise(inputs)
        self.act1 = style.activate()
        self.conv1 = style.conv(inputs, channels, 3, stride)
        self.bn2 = style.normalise(channels)
        self.act2 = style.activate()
        self.dropout = nn.Dropout(dropout)
        self.conv2 = style.conv(channels, channels, 3)
        self.residual = skip == "residual"
        changes = inputs != channels or stride != 1
        self.shortcut = style.conv(inputs, channels, 1, stride) if self.residual and changes else None

    def forward(self, x: Tensor) -> Tensor:
        activated = self.act1(self.bn1(x))
        branch = self.conv2(self.dropout(self.act2(self.bn2(self.conv1(activated)))))
        if not self.residual:
            return branch
        return branch + (x if self.shortcut is None else self.shortcut(activated))


class WideResNet(nn.Module):
    """WRN-``depth``-``factor``: three stages of ``(depth - 4) / 6`` blocks with ``factor`` times 16, 32, 64 channels.

    ``dropout`` is inside the blocks; ``skip`` as in `dnnlab.networks.families.resnet.ResNet`.
    """

    def __init__(
        self,
        depth: int,
        factor: int,
        *,
        num_classes: int = 10,
        in_chans: int = 3,
        act: str = "relu",
        norm: str = "batch",
        skip: str = "residual",
        width: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        style = Style(act, norm)
        reached = scaled(16, width)
        self.conv1 = style.conv(in_chans, reached, 3)
        blocks: list[nn.Module] = []
        for i in range(3):
            channels = scaled(16 * factor * 2**i, width)
            for j in range((depth - 4) // 6):
                stride = 2 if i > 0 and j == 0 else 1
                blocks.append(WideBlock(style, reached, channels, stride, skip, dropout))
                reached = channels
        self.blocks = nn.Sequential(*blocks)
        self.bn1 = style.normalise(reached)
        self.act1 = style.activate()
        self.fc = nn.Linear(reached, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act1(self.bn1(self.blocks(self.conv1(x))))
        return self.fc(x.mean((2, 3)))
