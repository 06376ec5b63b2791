"""LeNets as the literature on compression uses them: LeNet-300-100, and LeNet-5 as Caffe ships it."""

from collections.abc import Sequence

from torch import Tensor, nn

from dnnlab.networks.blocks import Conv2d, Style, scaled


class LeNet(nn.Module):
    """5×5 convolutions, each with a 2×2 pool and no activation (Caffe), then hidden layers of ``units``.

    LeNet-300-100 has 266 610 parameters and LeNet-5 431 080, for ten classes of 28 × 28 grey pixels (Han 2016).
    """

    def __init__(
        self,
        channels: Sequence[int] = (),
        units: Sequence[int] = (300, 100),
        *,
        input_size: int = 28,
        num_classes: int = 10,
        in_chans: int = 1,
        act: str = "relu",
        norm: str = "none",
        width: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        style = Style(act, norm)
        layers: list[nn.Module] = []
        inputs, side = in_chans, input_size
        for wanted in channels:
            outputs = scaled(wanted, width, 1)
            layers += [Conv2d(inputs, outputs, 5, bias=norm == "none")]
            layers += [style.normalise(outputs)] if norm != "none" else []
            layers += [nn.MaxPool2d(2, ceil_mode=True)]
            inputs, side = outputs, -(-(side - 4) // 2)
        self.features = nn.Sequential(*layers)
        features = inputs * side**2
        hidden: list[nn.Module] = []
        for wanted in units:
            outputs = scaled(wanted, width, 1)
            hidden += [nn.Linear(features, outputs, bias=norm == "none"), *_flat_norm(norm, outputs)]
            hidden += [style.activate(), *([nn.Dropout(dropout)] if dropout else [])]
            features = outputs
        self.classifier = nn.Sequential(*hidden, nn.Linear(features, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))


def _flat_norm(norm: str, units: int) -> list[nn.Module]:
    match norm:
        case "batch":
            return [nn.BatchNorm1d(units)]
        case "layer" | "group":  # for units without positions, groups would be small
            return [nn.LayerNorm(units)]
    return []
