"""EfficientNet (Tan & Le 2019): one network found by search, scaled in width, depth and image size together."""

import math

from torch import Tensor, nn

from dnnlab.networks.blocks import InvertedResidual, Linear, SqueezeExcite, Style, scaled

_STAGES = (
    *((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3)),
    *((6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)),
)
"""The stages of B0: expansion, kernel, stride of the first block, channels, blocks."""


class EfficientNet(nn.Module):
    """A 3×3 convolution, seven stages of `InvertedResidual` with squeeze-and-excitation, a 1×1 convolution and a
    linear layer.

    The stem ``small`` has the first convolution at stride 1, as the field does for CIFAR: 32 px become 2.

    Args:
        wider: compound scaling's factor on channels, which ``width`` multiplies.
        deeper: its factor on blocks, rounded up.
        eps: of batch normalisation, as is ``momentum``; torchvision's differ from B5 on.
        stochastic_depth: the probability of leaving the last block out; that of the others falls linearly to 0.
        skip: ``none`` for the twin without sums, and so without stochastic depth.
        dropout: before the last layer.
    """

    def __init__(
        self,
        wider: float = 1.0,
        deeper: float = 1.0,
        *,
        eps: float = 1e-5,
        momentum: float = 0.1,
        stochastic_depth: float = 0.2,
        num_classes: int = 1000,
        in_chans: int = 3,
        act: str = "swish",
        norm: str = "batch",
        skip: str = "residual",
        stem: str = "imagenet",
        width: float = 1.0,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        style = Style(act, norm, eps, momentum)
        width *= wider
        counts = [math.ceil(count * deeper) for *_, count in _STAGES]
        reached = scaled(32, width)
        features: list[nn.Module] = [style.layer(in_chans, reached, 3, 1 if stem == "small" else 2)]
        index = 0
        for (expansion, kernel, striding, channels, _), count in zip(_STAGES, counts, strict=True):
            outputs = scaled(channels, width)
            blocks: list[nn.Module] = []
            for j in range(count):
                expanded = expansion * reached
                squeeze = SqueezeExcite(expanded, max(1, reached // 4), act)
                stride = striding if j == 0 else 1
                drop = stochastic_depth * index / sum(counts)
                blocks.append(InvertedResidual(style, reached, expanded, outputs, kernel, stride, squeeze, skip, drop))
                reached = outputs
                index += 1
            features.append(nn.Sequential(*blocks))
        last = 4 * reached
        self.features = nn.Sequential(*features, style.layer(reached, last, 1))
        self.classifier = nn.Sequential(nn.Dropout(dropout), Linear(last, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))
