"""Fully connected networks, the baseline of every other family."""

from torch import nn

from dnnlab.networks.activations import per_layer
from dnnlab.networks.blocks import scaled
from dnnlab.networks.mlp import MLP, Normed
from dnnlab.networks.shape import MLPShape, parse_skip


class FullyConnected(MLP):
    """``depth`` hidden layers of ``units`` times ``width``, on ``input_size`` × ``input_size`` pixels, flattened.

    It is the network of `MLPShape`, in which an activation belongs to the layer that reads it; ``act`` is one for all
    layers, or a sequence such as ``relu+gelu*2``. ``dropout`` is after every one.
    """

    def __init__(
        self,
        depth: int,
        units: int = 512,
        *,
        input_size: int = 28,
        num_classes: int = 10,
        in_chans: int = 3,
        act: str = "relu",
        norm: str = "none",
        skip: str = "none",
        width: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        inputs = in_chans * input_size**2
        shape = MLPShape(
            inputs, num_classes, depth, scaled(units, width), per_layer(act, depth), norm, parse_skip(skip)
        )
        super().__init__(shape)
        for module in list(self.modules()):
            if isinstance(module, Normed):
                module.append(nn.Dropout(dropout))
