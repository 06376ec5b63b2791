"""Highway networks (Srivastava 2015), fully connected, for small images."""

import torch
from torch import Tensor, nn

from dnnlab.networks.blocks import Style, scaled
from dnnlab.networks.shape import GATE_BIAS


def plain(style: Style, inputs: int, units: int) -> nn.Sequential:
    """A linear layer, its normalisation and the activation, on ``[batch, unit]``; initialised as He 2015."""
    linear = nn.Linear(inputs, units)
    nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
    nn.init.zeros_(linear.bias)
    norm = nn.BatchNorm1d(units) if style.norm == "batch" else style.normalise(units)
    return nn.Sequential(linear, norm, style.activate())


class HighwayLayer(nn.Module):
    """``T(x) · H(x) + (1 − T(x)) · x`` of ``x [batch, unit]``, where H is a plain layer and T a sigmoid gate."""

    def __init__(self, style: Style, units: int) -> None:
        super().__init__()
        self.gate = nn.Linear(units, units)
        nn.init.constant_(self.gate.bias, GATE_BIAS)
        self.hidden = plain(style, units, units)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.gate(x))
        return gate * self.hidden(x) + (1 - gate) * x


class Highway(nn.Module):
    """A plain layer of ``units`` times ``width`` on ``input_size`` × ``input_size`` pixels, flattened, then
    ``depth`` − 1 highway layers, and a linear one.

    ``skip`` is ``none`` for the plain twin, of layers without gates; ``dropout`` is before the last layer.
    """

    def __init__(
        self,
        depth: int,
        units: int = 50,
        *,
        input_size: int = 28,
        num_classes: int = 10,
        in_chans: int = 3,
        act: str = "relu",
        norm: str = "none",
        skip: str = "highway",
        width: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        style = Style(act, norm)
        units = scaled(units, width)
        self.layers = nn.Sequential(
            plain(style, in_chans * input_size**2, units),
            *(HighwayLayer(style, units) if skip == "highway" else plain(style, units, units) for _ in range(1, depth)),
        )
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(units, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.dropout(self.layers(x.flatten(1))))
