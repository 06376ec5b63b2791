"""Networks: published ones by name, fully connected ones of any shape, and stacks of them that run side by side.

Take `create_model` for a published network. Take `MLPShape` with `MLP` for one fully connected network, or with
`StackedMLP` for many of one shape as a single tensor program. Search spaces are in `dnnlab.networks.spaces`.
"""

from typing import TYPE_CHECKING

from dnnlab.lazy import offers

if TYPE_CHECKING:
    from dnnlab.networks.activations import ACTIVATIONS
    from dnnlab.networks.catalogue import create_model
    from dnnlab.networks.initialisers import INITIALISERS
    from dnnlab.networks.members import MEMBERS
    from dnnlab.networks.mlp import MLP
    from dnnlab.networks.shape import MLPShape, Skip
    from dnnlab.networks.stacked import Batch, StackedMLP

__all__ = [
    "ACTIVATIONS",
    "INITIALISERS",
    "MEMBERS",
    "MLP",
    "Batch",
    "MLPShape",
    "Skip",
    "StackedMLP",
    "create_model",
]

__getattr__, __dir__ = offers(
    __name__,
    {
        "ACTIVATIONS": ("dnnlab.networks.activations", "ACTIVATIONS"),
        "INITIALISERS": ("dnnlab.networks.initialisers", "INITIALISERS"),
        "MEMBERS": ("dnnlab.networks.members", "MEMBERS"),
        "MLP": ("dnnlab.networks.mlp", "MLP"),
        "Batch": ("dnnlab.networks.stacked", "Batch"),
        "MLPShape": ("dnnlab.networks.shape", "MLPShape"),
        "Skip": ("dnnlab.networks.shape", "Skip"),
        "StackedMLP": ("dnnlab.networks.stacked", "StackedMLP"),
        "create_model": ("dnnlab.networks.catalogue", "create_model"),
    },
)
