"""ResNet-9 (Page 2018), which was designed to reach 94 % on CIFAR-10 in little time (DAWNBench)."""

from torch import Tensor, nn

from dnnlab.networks.blocks import ConvUnit, Style, scaled


class ActivatedResidual(nn.Module):
    """Two 3×3 convolutions, both normalised and activated, and the identity, which is added last: nothing activates
    the sum. ``skip`` as in `dnnlab.networks.families.resnet.ResNet`."""

    def __init__(self, style: Style, channels: int, skip: str) -> None:
        super().__init__()
        self.res1 = ConvUnit(style, channels, channels, 3)
        self.res2 = ConvUnit(style, channels, channels, 3)
        self.residual = skip == "residual"

    def forward(self, x: Tensor) -> Tensor:
        branch = self.res2(self.res1(x))
        return x + branch if self.residual else branch


class ResNet9(nn.Module):
    """A convolution, three layers that halve the image, and 0.125 times a linear layer without a bias of the maxima.

    Each of the three is a convolution, its normalisation and activation, and a 2×2 pool of the maximum; the first and
    the last end in an `ActivatedResidual`. The maxima are over all positions: 4 × 4 of an image of 32 px, and one of
    8 px, the smallest.

    All layers start as PyTorch's own do, and as published, with Var W = 1/(3 · fan_in).

    Args:
        dropout: before the last layer.
    """

    def __init__(
        self,
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
        first, second, third, fourth = (scaled(c, width) for c in (64, 128, 256, 512))
        self.prep = ConvUnit(style, in_chans, first, 3)
        self.layer1 = nn.Sequential(*_halving(style, first, second), ActivatedResidual(style, second, skip))
        self.layer2 = nn.Sequential(*_halving(style, second, third))
        self.layer3 = nn.Sequential(*_halving(style, third, fourth), ActivatedResidual(style, fourth, skip))
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(fourth, num_classes, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.Conv2d.reset_parameters(module)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(self.prep(x))))
        return 0.125 * self.linear(self.dropout(x.amax((2, 3))))


def _halving(style: Style, inputs: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    return ConvUnit(style, inputs, outputs, 3), nn.MaxPool2d(2)
