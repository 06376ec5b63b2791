"""Inception-ResNet-v2 (Szegedy 2017), for images of 299 px; submodules are named as in timm."""

from torch import Tensor, nn

from dnnlab.networks.blocks import Conv2d, Style, scaled
from dnnlab.networks.inception import Branches, Step, chain, second_stem

_STEM = ("conv2d_1a", "conv2d_2a", "conv2d_2b", "maxpool_3a", "conv2d_3b", "conv2d_4a", "maxpool_5a")

_Chains = tuple[tuple[Step, ...], ...]
_MIXED_5B: _Chains = ((Step(96, 1),), (Step(48, 1), Step(64, 5)), (Step(64, 1), Step(96, 3), Step(96, 3)))
_BLOCK_35: _Chains = ((Step(32, 1),), (Step(32, 1), Step(32, 3)), (Step(32, 1), Step(48, 3), Step(64, 3)))
_MIXED_6A: _Chains = ((Step(384, 3, 2, 0),), (Step(256, 1), Step(256, 3), Step(384, 3, 2, 0)))
_BLOCK_17: _Chains = ((Step(192, 1),), (Step(128, 1), Step(160, (1, 7)), Step(192, (7, 1))))
_MIXED_7A: _Chains = (
    (Step(256, 1), Step(384, 3, 2, 0)),
    (Step(256, 1), Step(288, 3, 2, 0)),
    (Step(256, 1), Step(288, 3), Step(320, 3, 2, 0)),
)
_BLOCK_8: _Chains = ((Step(192, 1),), (Step(192, 1), Step(224, (1, 3)), Step(256, (3, 1))))


class ScaledBlock(Branches):
    """Branches, a 1×1 convolution of them back to ``channels``, and the shortcut, to which ``scale`` of it is added.

    The block of a plain network, without a shortcut, does not scale.
    """

    def __init__(
        self, channels: int, branches: dict[str, nn.Module], read: int, scale: float, skip: str, act: nn.Module
    ) -> None:
        super().__init__(**branches)
        self.conv2d = Conv2d(read, channels, 1)
        self.scale = scale
        self.residual = skip == "residual"
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        branch = self.conv2d(super().forward(x))
        return self.act(x + branch * self.scale if self.residual else branch)


class InceptionResNetV2(nn.Module):
    """Three stages of 10, 20 and 10 residual blocks at 35×35, 17×17 and 8×8 pixels.

    ``skip`` as in `dnnlab.networks.families.resnet.ResNet`; ``dropout`` is before the last layer.
    """

    def __init__(
        self,
        *,
        num_classes: int = 1000,
        in_chans: int = 3,
        act: str = "relu",
        norm: str = "batch",
        skip: str = "residual",
        stem: str = "imagenet",
        width: float = 1.0,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        style = Style(act, norm, eps=0.001)

        def branches(inputs: int, chains: _Chains) -> tuple[dict[str, nn.Module], int]:
            """The branches by name, and the number of channels of all of them together."""
            built = {f"branch{i}": chain(style, width, inputs, *steps) for i, steps in enumerate(chains)}
            return built, sum(scaled(steps[-1].channels, width) for steps in chains)

        def block(channels: int, chains: _Chains, scale: float, act: nn.Module) -> ScaledBlock:
            return ScaledBlock(channels, *branches(channels, chains), scale, skip, act)

        def repeated(count: int, channels: int, chains: _Chains, scale: float) -> nn.Sequential:
            return nn.Sequential(*(block(channels, chains, scale, style.activate()) for _ in range(count)))

        for name, layer in zip(_STEM, second_stem(style, width, in_chans, stem == "small"), strict=True):
            self.add_module(name, layer)
        inputs = scaled(192, width)
        built, reached = branches(inputs, _MIXED_5B)
        average = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        self.mixed_5b = Branches(**built, branch3=chain(style, width, inputs, Step(64, 1), pool=average))
        reached += scaled(64, width)
        self.repeat = repeated(10, reached, _BLOCK_35, 0.17)
        built, new = branches(reached, _MIXED_6A)
        self.mixed_6a = Branches(**built, branch2=nn.MaxPool2d(3, 2))
        reached += new
        self.repeat_1 = repeated(20, reached, _BLOCK_17, 0.1)
        built, new = branches(reached, _MIXED_7A)
        self.mixed_7a = Branches(**built, branch3=nn.MaxPool2d(3, 2))
        reached += new
        self.repeat_2 = repeated(9, reached, _BLOCK_8, 0.2)
        self.block8 = block(reached, _BLOCK_8, 1.0, nn.Identity())
        self.conv2d_7b = Step(1536, 1).build(style, width, reached)
        self.dropout = nn.Dropout(dropout)
        self.classif = nn.Linear(scaled(1536, width), num_classes)

    def forward(self, x: Tensor) -> Tensor:
        for name in _STEM:
            x = getattr(self, name)(x)
        x = self.repeat(self.mixed_5b(x))
        x = self.repeat_1(self.mixed_6a(x))
        x = self.block8(self.repeat_2(self.mixed_7a(x)))
        return self.classif(self.dropout(self.conv2d_7b(x).mean((2, 3))))
