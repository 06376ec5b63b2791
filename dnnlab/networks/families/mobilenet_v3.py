"""MobileNet v3 (Howard 2019): inverted residuals found by search, with squeeze-and-excitation and Hardswish."""

from torch import Tensor, nn

from dnnlab.networks.blocks import InvertedResidual, Linear, SqueezeExcite, Style, nearest_multiple, scaled

# Kernel, expanded channels, channels, with squeeze-and-excitation, with Hardswish, and stride of each block.
_LARGE = (
    *((3, 16, 16, False, False, 1), (3, 64, 24, False, False, 2), (3, 72, 24, False, False, 1)),
    *((5, 72, 40, True, False, 2), (5, 120, 40, True, False, 1), (5, 120, 40, True, False, 1)),
    *((3, 240, 80, False, True, 2), (3, 200, 80, False, True, 1)),
    *((3, 184, 80, False, True, 1), (3, 184, 80, False, True, 1)),
    *((3, 480, 112, True, True, 1), (3, 672, 112, True, True, 1)),
    *((5, 672, 160, True, True, 2), (5, 960, 160, True, True, 1), (5, 960, 160, True, True, 1)),
)
_SMALL = (
    *((3, 16, 16, True, False, 2), (3, 72, 24, False, False, 2), (3, 88, 24, False, False, 1)),
    *((5, 96, 40, True, True, 2), (5, 240, 40, True, True, 1), (5, 240, 40, True, True, 1)),
    *((5, 120, 48, True, True, 1), (5, 144, 48, True, True, 1)),
    *((5, 288, 96, True, True, 2), (5, 576, 96, True, True, 1), (5, 576, 96, True, True, 1)),
)


class MobileNetV3(nn.Module):
    """A 3×3 convolution, `InvertedResidual` blocks, a 1×1 convolution, and two linear layers.

    The stem ``small`` has the first convolution at stride 1: 32 px become 2.

    Args:
        size: ``large`` or ``small``.
        act: of every hidden layer; the published networks have ReLU in early blocks and in squeeze-and-excitation, and
            Hardswish elsewhere.
        skip: ``none`` for the twin without sums.
        dropout: before the last layer.
    """

    def __init__(
        self,
        size: str,
        *,
        num_classes: int = 1000,
        in_chans: int = 3,
        act: str | None = None,
        norm: str = "batch",
        skip: str = "residual",
        stem: str = "imagenet",
        width: float = 1.0,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        early, late = (Style(act or published, norm, eps=1e-3, momentum=0.01) for published in ("relu", "Hardswish"))
        blocks, hidden = (_LARGE, 1280) if size == "large" else (_SMALL, 1024)
        reached, hidden = scaled(16, width), scaled(hidden, width)
        layers: list[nn.Module] = [late.layer(in_chans, reached, 3, 1 if stem == "small" else 2)]
        for kernel, wide, channels, squeezes, is_late, stride in blocks:
            expanded, outputs = scaled(wide, width), scaled(channels, width)
            squeezed = nearest_multiple(expanded // 4)
            squeeze = SqueezeExcite(expanded, squeezed, early.act, nn.Hardsigmoid) if squeezes else None
            style = late if is_late else early
            layers.append(InvertedResidual(style, reached, expanded, outputs, kernel, stride, squeeze, skip))
            reached = outputs
        last = 6 * reached
        self.features = nn.Sequential(*layers, late.layer(reached, last, 1))
        self.classifier = nn.Sequential(
            Linear(last, hidden), late.activate(), nn.Dropout(dropout), Linear(hidden, num_classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))
