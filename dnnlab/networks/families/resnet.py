"""Residual networks (He 2016), with groups (ResNeXt, Xie 2017) and squeeze-and-excitation (Hu 2018), and plain ones."""

from collections.abc import Sequence

from torch import Tensor, nn

from dnnlab.networks.blocks import BasicBlock, Bottleneck, PaddedIdentity, Style, scaled


class ResNet(nn.Module):
    """Stages of residual blocks; the channels double, and the image halves, from one to the next.

    Args:
        block: ``basic`` or ``bottleneck``.
        layers: blocks of each stage.
        channels: of the first stage, before a bottleneck's expansion.
        shortcut: what goes where the shape changes, ``projection`` by a 1×1 convolution ("option B"), or
            ``identity`` with zeros for new channels ("option A").
        groups: of a bottleneck's 3×3 convolution (ResNeXt's cardinality).
        base_width: a bottleneck's inner channels per group, for each 64 that the stage has.
        squeeze: the reduction of squeeze-and-excitation; 0 for none.
        stride_in: see `Bottleneck`.
        skip: ``none`` for the plain twin, which has no shortcuts and no parameters of theirs.
        dropout: before the last layer.
    """

    def __init__(
        self,
        block: str,
        layers: Sequence[int],
        *,
        channels: int = 64,
        shortcut: str = "projection",
        groups: int = 1,
        base_width: int = 64,
        squeeze: int = 0,
        stride_in: int = 3,
        num_classes: int = 1000,
        in_chans: int = 3,
        act: str = "relu",
        norm: str = "batch",
        skip: str = "residual",
        stem: str = "imagenet",
        width: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        style = Style(act, norm)
        # The networks for CIFAR start from 16 channels: in eighths of 64 they could only be halved.
        channels = reached = scaled(channels, width, 8 if channels >= 64 else 1)
        small = stem == "small"
        self.conv1 = style.conv(in_chans, channels, 3) if small else style.conv(in_chans, channels, 7, 2)
        self.bn1 = style.normalise(channels)
        self.act1 = style.activate()
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
        self.stages = [f"layer{i}" for i in range(1, len(layers) + 1)]
        for i, (stage, count) in enumerate(zip(self.stages, layers, strict=True)):
            blocks: list[nn.Module] = []
            outputs = channels * (BasicBlock if block == "basic" else Bottleneck).expansion
            inner = channels * base_width // 64 * groups
            for j in range(count):
                stride = 2 if i > 0 and j == 0 else 1
                around = None if skip == "none" else _shortcut(shortcut, style, reached, outputs, stride)
                common = (style, reached, channels, stride, around, squeeze)
                if block == "basic":
                    blocks.append(BasicBlock(*common))
                else:
                    blocks.append(Bottleneck(*common, inner, groups, stride_in))
                reached = outputs
            setattr(self, stage, nn.Sequential(*blocks))
            channels *= 2
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(reached, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.act1(self.bn1(self.conv1(x))))
        for stage in self.stages:
            x = getattr(self, stage)(x)
        return self.fc(self.dropout(x.mean((2, 3))))


def _shortcut(kind: str, style: Style, inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    if kind == "identity":
        return PaddedIdentity(outputs - inputs, stride)
    return nn.Sequential(style.conv(inputs, outputs, 1, stride), style.normalise(outputs))
