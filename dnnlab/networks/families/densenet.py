"""Densely connected networks (Huang 2017)."""

from collections.abc import Sequence

from torch import Tensor, nn

from dnnlab.networks.blocks import DenseBlock, Style, scaled


class DenseNet(nn.Module):
    """Blocks in which every layer reads what all before it put out; between them, the image halves.

    Args:
        layers: of each block.
        growth: channels that each layer adds, the paper's k.
        channels: that the first convolution puts out.
        bottleneck: before each 3×3 convolution a 1×1 to ``4 · growth`` channels, the paper's "B".
        compression: the share of channels that a transition between blocks keeps, the paper's θ.
        dropout: at the end of each layer of a block.
    """

    def __init__(
        self,
        layers: Sequence[int],
        *,
        growth: int = 32,
        channels: int = 64,
        bottleneck: bool = True,
        compression: float = 0.5,
        num_classes: int = 1000,
        in_chans: int = 3,
        act: str = "relu",
        norm: str = "batch",
        stem: str = "imagenet",
        width: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        # layers put out fewer channels than they read: by fan-out, each would have larger outputs than the last
        style = Style(act, norm, fan_in=True)
        growth, reached = scaled(growth, width, 1), scaled(channels, width)
        self.features = nn.Sequential()
        if stem == "small":  # the first dense layer normalises and activates
            self.features.add_module("conv0", style.conv(in_chans, reached, 3))
        else:
            self.features.add_module("conv0", style.conv(in_chans, reached, 7, 2))
            self.features.add_module("norm0", style.normalise(reached))
            self.features.add_module("relu0", style.activate())
            self.features.add_module("pool0", nn.MaxPool2d(3, 2, 1))
        for i, count in enumerate(layers, 1):
            block = DenseBlock(style, reached, count, growth, bottleneck, dropout)
            self.features.add_module(f"denseblock{i}", block)
            reached += count * growth
            if i < len(layers):
                narrowed = int(reached * compression)
                self.features.add_module(f"transition{i}", _transition(style, reached, narrowed))
                reached = narrowed
        self.features.add_module("norm5", style.normalise(reached))
        self.act5 = style.activate()
        self.classifier = nn.Linear(reached, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.act5(self.features(x)).mean((2, 3)))


def _transition(style: Style, inputs: int, outputs: int) -> nn.Sequential:
    transition = nn.Sequential()
    transition.add_module("norm", style.normalise(inputs))
    transition.add_module("relu", style.activate())
    transition.add_module("conv", style.conv(inputs, outputs, 1))
    transition.add_module("pool", nn.AvgPool2d(2, 2))
    return transition
