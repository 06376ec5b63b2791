"""The quantities that PyTorch computes: parameters and multiply–accumulates of networks, slopes and moments of
activations."""

from fractions import Fraction
from functools import cache

import numpy as np
import torch
from scipy.special import ndtr
from torch import fx, nn

from dnnlab.errors import UsageError, unknown
from dnnlab.instruments import cost as costs
from dnnlab.instruments.memory import predict
from dnnlab.networks.activations import activation
from dnnlab.networks.catalogue import create_model, parse
from dnnlab.networks.meanfield import curve, moments
from dnnlab.networks.skeleton import Skeleton
from dnnlab.training.networks import cross_entropy
from dnnlab.training.optimisers import make_optimiser

_GRID = np.linspace(-30, 30, 600_001)
"""Points at which slopes are looked at; zero is one of them."""
_FINER = np.arange(-10_000, 10_001) * 1e-8
_MOST_PIECES = 8
"""Slopes that a piecewise linear function of torch.nn has at most; a smooth one has thousands on the grid."""

_KINK = 1e-4
"""A function has a kink where its slopes at the next numbers to the left and to the right differ by more than this."""

_WEIGHTED = (nn.Conv2d, nn.Linear)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, _WEIGHTED) or super().is_leaf_module(m, module_qualified_name)


@cache
def _cost(name: str) -> costs.Cost:
    return costs.cost(name)


def params(name: str) -> int:
    return _cost(name).parameters


def macs(name: str) -> int:
    return _cost(name).macs


def memory(name: str, batch: int) -> int:
    member, _ = parse(name)
    with Skeleton():
        model = create_model(name)
    taken = predict(
        model,
        member.shape,
        int(batch),
        cross_entropy,
        lambda parameters: make_optimiser("momentum", parameters, 0.1, 0.0),
        torch.int64 if member.vocabulary else torch.float32,
    )
    return taken.peak


def depth(name: str) -> int:
    """The number of convolutions and linear layers along the longest path of the traced graph."""
    with Skeleton():
        model = create_model(name).eval()
    modules = dict(model.named_modules())
    reached: dict[fx.Node, int] = {}
    for node in _Tracer().trace(model).nodes:
        weighted = node.op == "call_module" and isinstance(modules[node.target], _WEIGHTED)
        reached[node] = max((reached[other] for other in node.all_input_nodes), default=0) + weighted
    return max(reached.values())


def inputs(name: str, module: str) -> int:
    """The channels that the first convolution or linear layer of a module reads."""
    first = _weighted(name, module)[0]
    return first.in_channels if isinstance(first, nn.Conv2d) else first.in_features


def outputs(name: str, module: str) -> int:
    """The channels that the last convolution or linear layer of a module puts out."""
    last = _weighted(name, module)[-1]
    return last.out_channels if isinstance(last, nn.Conv2d) else last.out_features


def _weighted(name: str, module: str) -> list[nn.Conv2d | nn.Linear]:
    found = [part for part in _module(name, module).modules() if isinstance(part, _WEIGHTED)]
    if not found:
        raise UsageError(f"{module} of {name} has no convolution and no linear layer.")
    return found


def _module(name: str, module: str) -> nn.Module:
    modules = _modules(name)
    if module not in modules:
        raise unknown(f"module of {name}", module, filter(None, modules))
    return modules[module]


@cache
def _modules(name: str) -> dict[str, nn.Module]:
    with Skeleton():
        return dict(create_model(name).named_modules())


class _Parts(fx.Tracer):
    """Sees a module as its parts, and does not look into them."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return "." not in module_qualified_name


def connections(name: str, block: str) -> int:
    """How many tensors the parts of a module read, of its input and of what other parts put out: the traced graph is
    followed back from each part to these."""
    sources: dict[fx.Node, frozenset[fx.Node]] = {}
    read = 0
    for node in _Parts().trace(_module(name, block)).nodes:
        reached = frozenset().union(*(sources[other] for other in node.all_input_nodes))
        read += len(reached) if node.op == "call_module" else 0
        sources[node] = frozenset({node}) if node.op in ("placeholder", "call_module") else reached
    return read


def top1(name: str) -> Fraction:
    member, options = parse(name)
    if options or member.top1 is None:
        raise UsageError(f"no accuracy was published for {name}.")
    return Fraction(str(member.top1))  # exactly what was published


def value(act: str, x: float) -> float:
    return _exact_if_linear(act, curve(activation(act).name, np.array([float(x)]))[0][0])


@cache
def _piecewise_linear(name: str) -> bool:
    return len(np.unique(curve(name, _GRID)[1])) <= _MOST_PIECES


def _exact_if_linear(act: str, number: float) -> float:
    """A whole number where a piecewise linear function has one: there it is no rounded number, as 1 is of tanh."""
    whole = float(number).is_integer() and _piecewise_linear(activation(act).name)
    return int(number) if whole else float(number)


def slope(act: str, x: float) -> float:
    """The derivative at ``x``.

    Raises:
        UsageError: there is none, as the function has a kink or a jump there.
    """
    beside = np.array([np.nextafter(x, -np.inf), x, np.nextafter(x, np.inf)], dtype=float)
    left, here, right = curve(activation(act).name, beside)[1]
    if abs(right - left) > _KINK:
        raise UsageError(f"{act} has no derivative at {x:g}: it has a kink or a jump there.")
    return _exact_if_linear(act, here)


def largest_slope(act: str) -> float:
    return -_smallest(act, -1)


def smallest_slope(act: str) -> float:
    return _smallest(act, 1)


def _smallest(act: str, sign: int) -> float:
    """The smallest of the slopes times ``sign``: on the grid, and then on a finer one around that point."""
    name = activation(act).name
    at = _GRID[(sign * curve(name, _GRID)[1]).argmin()]
    return _exact_if_linear(act, (sign * curve(name, at + _FINER)[1]).min())


def mean(act: str) -> float:
    return moments(activation(act).name, 1.0).mean


def variance(act: str) -> float:
    m = moments(activation(act).name, 1.0)
    return m.square - m.mean**2


def zero_share(act: str) -> float:
    found = activation(act)
    if found.zero_within is not None:
        return float(ndtr(found.zero_within) - ndtr(-found.zero_within))
    return 0 if found.zero_up_to is None else float(ndtr(found.zero_up_to))
