"""Activation functions by name: the lecture's nine, the linear control, and any of ``torch.nn``.

Importing this module does not import torch, so that the command line can list the names.
"""

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from dnnlab.errors import UsageError, unknown

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Activation:
    """One activation function."""

    name: str
    """Its name, as ``--act`` takes it."""
    module: str
    """The class in ``torch.nn`` that computes it."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments for that class."""
    saturated: "Callable[[Tensor, Tensor], Tensor] | None" = None
    """``saturated(u, h)`` marks the elements that the function holds flat, of its input ``u`` and its output ``h``.
    ``None`` where it holds none flat (the leaky ones), or where the field has no definition."""
    saturation: str = "never"
    """The same definition, in words for the docs."""
    zero_up_to: float | None = None
    """The largest input up to which the output is exactly zero, and a unit dead; ``None`` where it is not zero on the
    left."""
    zero_within: float | None = None
    """The distance from 0 up to which the output is exactly zero; ``None`` where it is not zero around 0."""

    @property
    def can_die(self) -> bool:
        """Whether its output is exactly zero on an interval, so that a unit can be zero on all of its inputs. Others
        are so by rounding alone: GELU far on the left, and what is cubic at zero close to it."""
        return self.zero_up_to is not None or self.zero_within is not None


def is_zero(u: "Tensor", h: "Tensor") -> "Tensor":
    """Marks the elements whose output is zero: ReLU is flat exactly there."""
    return h == 0


_SELU_FLOOR = -1.7580993408473766  # -λα: what SELU approaches on the left (Klambauer 2017)

ACTIVATIONS: dict[str, Activation] = {
    a.name: a
    for a in (
        Activation("linear", "Identity"),
        Activation("sigmoid", "Sigmoid", {}, lambda u, h: (h - 0.5).abs() > 0.47, "output below .03 or above .97"),
        Activation("tanh", "Tanh", {}, lambda u, h: h.abs() > 0.97, "|output| above .97"),
        Activation("relu", "ReLU", {}, is_zero, "output 0", zero_up_to=0.0),
        Activation("leaky_relu", "LeakyReLU"),
        Activation("prelu", "PReLU"),
        Activation("elu", "ELU", {}, lambda u, h: h < -0.97, "output within 3 % of its floor, -1"),
        Activation("selu", "SELU", {}, lambda u, h: h < 0.97 * _SELU_FLOOR, "output within 3 % of its floor, -1.758"),
        # The two smooth gates are flat where their slope is within ±.03, on the left of these points.
        Activation("swish", "SiLU", {}, lambda u, h: u < -4.83, "input below -4.83, where |slope| < .03"),
        Activation("gelu", "GELU", {}, lambda u, h: u < -2.61, "input below -2.61, where |slope| < .03"),
    )
}
"""The activation functions of the lecture, by name: what computes each, and when it is saturated or zero.

Wherever a name is asked for, a class of ``torch.nn`` such as ``Hardtanh`` or ``Mish`` will do as well.

>>> from dnnlab.networks import ACTIVATIONS
>>> [name for name, act in ACTIVATIONS.items() if act.can_die]
['relu']
>>> ACTIVATIONS["tanh"].saturation
'|output| above .97'
"""


@cache
def activation(name: str) -> Activation:
    """The activation called ``name``: one of `ACTIVATIONS`, or a class of ``torch.nn`` such as ``Hardtanh``.

    A class of ``torch.nn`` must work elementwise, without arguments, parameters or chance.

    Raises:
        UsageError: nobody knows the name, or the class is no elementwise function.
    """
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]
    import torch
    from torch.nn.modules import activation as torch_activations

    if name not in torch_activations.__all__:
        raise unknown("activation", name, [*ACTIVATIONS, *torch_activations.__all__])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Softmax and the like warn about inputs that are refused below anyhow
            module = getattr(torch.nn, name)()
            row = torch.linspace(-3, 3, 7, device="cpu")  # computed even inside a `Skeleton`
            alone = torch.cat([module(u.view(1)) for u in row])
            elementwise = torch.equal(module(row), alone) and not list(module.parameters())
    except (TypeError, RuntimeError, ValueError, IndexError):
        elementwise = False
    if not elementwise or name == "RReLU":  # RReLU draws its slopes
        raise UsageError(
            f"activation {name!r} is in torch.nn but is no fixed elementwise function; take one such as "
            "Hardtanh, Softplus or Mish."
        )
    return Activation(name, name, zero_up_to=ZERO_UP_TO.get(name.lower()), zero_within=ZERO_WITHIN.get(name.lower()))


ZERO_UP_TO = {"relu": 0.0, "relu6": 0.0, "hardswish": -3.0, "hardsigmoid": -3.0}
"""``Activation.zero_up_to`` of PyTorch's functions, by their names in small letters."""
ZERO_WITHIN = {"softshrink": 0.5, "hardshrink": 0.5}
"""``Activation.zero_within`` of the same."""


def build(name: str) -> "nn.Module":
    """A fresh ``torch.nn`` module that computes the activation."""
    from torch import nn

    chosen = activation(name)
    module: nn.Module = getattr(nn, chosen.module)(**chosen.options)
    return module


_TERM = re.compile(r"(?P<name>\w+)(\*(?P<count>\d+))?")


def per_layer(pattern: str, depth: int) -> tuple[str, ...]:
    """The activation of each hidden layer: ``relu``, or a sequence such as ``relu*10+gelu*10``.

    Raises:
        UsageError: the pattern does not read, a name is unknown, or the counts do not add up to ``depth``.
    """
    terms = [_TERM.fullmatch(part.strip()) for part in pattern.split("+")]
    if not all(terms):
        raise UsageError(f"activation {pattern!r} does not read; write a name, or a sequence such as relu*10+gelu*10.")
    parts = [(m["name"], m["count"]) for m in terms if m]
    for name, _ in parts:
        activation(name)
    if len(parts) == 1 and parts[0][1] is None:
        return (parts[0][0],) * depth
    total = sum(int(count or 1) for _, count in parts)
    if total != depth:
        raise UsageError(
            f"activation {pattern!r} describes {total} layers, but there are {depth}; make the counts add up."
        )
    return tuple(name for name, count in parts for _ in range(int(count or 1)))
