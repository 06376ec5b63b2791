"""Bounds of what the ReLUs of a user's own module read, over a box of inputs.

Boxes run through the layers and operations of the module's graph that are named here. Where the graph reaches another,
or something that it does not show, such as a hook or a tensor that was overwritten, the bounds end: nothing behind it
is certified.
"""

import contextlib
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from dnnlab.instruments.axes import by_unit
from dnnlab.instruments.census import site_name
from dnnlab.instruments.follow import Follow
from dnnlab.instruments.intervals import MONOTONE, UNIT, Box, activate, affine
from dnnlab.instruments.origin import Origin
from dnnlab.instruments.reads import overwritten, reads_of_overwritten
from dnnlab.instruments.recognise import Recognised, recognise_function
from dnnlab.instruments.traced import FLATTENS, POOL_FUNCTIONS, POOLS, SAME, SHAPE_ATTRIBUTES, SHAPE_METHODS, is_changed
from dnnlab.networks.narrowed import BATCH_NORM, CONVOLUTION

_TRANSPOSED = (nn.modules.conv._ConvTransposeNd,)
_RESHAPES = (
    *(torch.reshape, torch.squeeze, torch.unsqueeze, "view", "reshape", "squeeze", "unsqueeze", "contiguous"),
    *(torch.transpose, torch.permute, "transpose", "permute", torch.unflatten, "unflatten"),
)
_MEANS = (torch.mean, "mean")
_ADDS = (operator.add, operator.iadd, torch.add, "add", "add_")
_TRANSPOSITIONS = ("T", "mT", "H", "mH")
_MONOTONE_ON = torch.cat([torch.linspace(-8, 8, 321, dtype=torch.float64), torch.tensor([-1e3, 1e3])]).sort().values
"""Where it is tried whether an activation with the parameters of this call never falls."""


@dataclass(frozen=True)
class Site:
    """One call of an activation that is zero on an interval: the node, and the units that are certified dead."""

    node: fx.Node
    name: str
    """As `dnnlab.instruments.census.SiteCensus` calls it."""
    dead: Tensor | None
    """``[unit]``; ``None`` where it is not known along which dimension units lie."""


class _Unbounded(Exception):
    """The bounds end here."""


@torch.no_grad()
def certify(graph: fx.GraphModule, low: Tensor, high: Tensor) -> list[Site]:
    """The activations whose units can die, in the order of execution up to where the bounds end, with the units
    ``[unit]`` that are zero on every input between ``low`` and ``high [*shape]``."""
    changed = frozenset(name for name, module in graph.named_modules() if is_changed(module))
    with Follow(graph) as follow, contextlib.suppress(_Unbounded):
        bounds = _Bounds(graph, follow, changed)
        ends = low.unsqueeze(0), high.unsqueeze(0)
        follow.start(ends)
        bounds.run(Box.between(*ends))
    return bounds.sites


class _Bounds(fx.Interpreter):
    """Runs the graph on a `Box` instead of a tensor; ``follow`` says where units lie in it, and ``changed`` are the
    names of the modules that do something else than their class."""

    def __init__(self, graph: fx.GraphModule, follow: Follow, changed: frozenset[str]) -> None:
        super().__init__(graph)
        self.follow, self.changed = follow, changed
        self.sites: list[Site] = []
        self.calls: dict[str, int] = {}
        self.stale = reads_of_overwritten(graph)

    def run_node(self, n: fx.Node) -> Any:
        self.node = n
        if n in self.stale:
            raise _Unbounded
        try:
            return super().run_node(n)
        except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as problem:
            # A function that takes the tensors of the network need not take what stands for them here.
            raise _Unbounded from problem

    def output(self, target: Any, args: Any, kwargs: Any) -> Any:
        return None

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        module, box = self.fetch_attr(target), args[0] if args else kwargs.get("input")
        others = bool(args[1:]) if args else len(kwargs) > 1
        if (
            not isinstance(box, Box)
            or others
            or module.training
            or target in self.changed
            or getattr(module, "return_indices", False)
        ):
            raise _Unbounded
        if isinstance(module, nn.Linear | CONVOLUTION) and not isinstance(module, _TRANSPOSED):
            apply = cast(Callable, F.linear if isinstance(module, nn.Linear) else module._conv_forward)
            known = self.follow.origin(apply(box.centre, module.weight.double(), None))
            with self.follow.paused():  # the three products that a box takes are one layer
                result = affine(box, apply, module.weight, module.bias, module.weight[0].numel())
            return self._known(result, known)
        if isinstance(module, BATCH_NORM):
            return _batch_norm(box, module)
        if isinstance(module, nn.LayerNorm):  # of n numbers with mean 0 and mean square 1, none is larger than √n
            return self._known(_layer_norm(box, module), self.follow.origin(box.centre))
        if isinstance(module, SAME):
            return box
        if isinstance(module, POOLS):
            return _both_ends(box, module).widened(_pool_error(box))
        if isinstance(module, nn.Flatten | nn.Unflatten):
            return _both_ends(box, module)
        raise _Unbounded

    def _known(self, box: Box, origin: Origin | None) -> Box:
        """``box``, of whose numbers ``origin`` is known though they were computed out of sight."""
        if origin is not None:
            self.follow.label(box.centre, origin)
        return box

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        return self._call(target, target, args, kwargs)

    def call_method(self, target: Any, args: Any, kwargs: Any) -> Any:
        return self._call(target, getattr(Tensor, target, None), args, kwargs)

    def _call(self, name: Any, function: Any, args: Any, kwargs: Any) -> Any:
        """``name`` is the function, or the name of the tensor method."""
        box = args[0] if args else kwargs.get("input")
        boxes = [item for item in (box if isinstance(box, list | tuple) else [*args, box]) if isinstance(item, Box)]
        if not boxes:
            with torch.random.fork_rng(devices=[]):
                before = torch.random.get_rng_state()
                constant = function(*args, **kwargs)
                drawn = not torch.equal(before, torch.random.get_rng_state())
            changed = overwritten(cast(fx.GraphModule, self.module), self.node) is not None
            return self._end() if drawn or changed else constant
        rest = args[1:]
        if name is torch.cat:
            joined = (torch.cat([getattr(b, end) for b in boxes], *rest, **kwargs) for end in ("centre", "radius"))
            return Box(*joined) if len(boxes) == len(box) else self._end()
        if name in _ADDS and len(args) == 2 and not kwargs:
            return _sum(*args)
        if not isinstance(box, Box):
            return self._end()
        if name is getattr:
            return self._attribute(box, *rest)
        if name in SHAPE_METHODS:
            return function(box.centre, *rest, **kwargs)
        if any(isinstance(value, torch.dtype) for value in (*rest, *kwargs.values())):
            return self._end()
        found = recognise_function(function, box.centre, rest, kwargs)
        if found is not None:
            if found.can_die:
                self._site(box, found)
            act = _in_float64(function, rest, kwargs)
            if found.name in MONOTONE and not _never_falls(act):  # such as a leaky ReLU whose slope is negative
                return self._end()
            return activate(box, found.name, act)
        if name in FLATTENS or name in _RESHAPES:
            return _both_ends(box, lambda x: function(x, *rest, **kwargs))
        if name in POOL_FUNCTIONS or name in _MEANS:
            return _both_ends(box, lambda x: function(x, *rest, **kwargs)).widened(_pool_error(box))
        if name is F.dropout and not (rest[1] if len(rest) > 1 else kwargs.get("training", True)):
            return box
        return self._end()

    def _attribute(self, box: Box, name: str, *default: Any) -> Any:
        if name in SHAPE_ATTRIBUTES:
            return getattr(box.centre, name)
        if name in _TRANSPOSITIONS:
            return _both_ends(box, lambda x: getattr(x, name))
        return box if name == "data" else self._end()

    def _end(self) -> Any:
        raise _Unbounded

    def _site(self, box: Box, found: Recognised) -> None:
        zero = torch.zeros_like(box.high, dtype=torch.bool)
        if found.zero_up_to is not None:
            zero = box.high < found.zero_up_to
        elif found.zero_within is not None:
            zero = torch.maximum(box.high, -box.low) < found.zero_within
        known = self.follow.origin(box.centre)
        units = None if known is None or known.axes is None else by_unit(zero, known.axes).all(1)
        self.sites.append(Site(self.node, site_name(known, self.calls), units))


def _both_ends(box: Box, function: Callable[[Tensor], Tensor]) -> Box:
    """A function that keeps order, elementwise, of a box."""
    return Box.between(function(box.low), function(box.high))


def _never_falls(function: Callable[[Tensor], Tensor]) -> bool:
    return bool((function(_MONOTONE_ON).diff() >= 0).all())


def _pool_error(box: Box) -> Tensor:
    return box.largest.amax() * UNIT * box.centre[0].numel()


def _in_float64(function: Callable, rest: Any, kwargs: Mapping[str, Any]) -> Callable[[Tensor], Tensor]:
    def doubled(value: Any) -> Any:
        return value.double() if isinstance(value, Tensor) else value

    others = {name: doubled(value) for name, value in kwargs.items() if name not in ("inplace", "input")}
    # A method or function that works in place gets a copy, for the box is still read.
    return lambda u: function(u.clone(), *map(doubled, rest), **others)


def _sum(left: Any, right: Any) -> Box:
    if isinstance(left, Box) and isinstance(right, Box):
        total = Box(left.centre + right.centre, left.radius + right.radius)
        return total.widened(UNIT * 2 * total.largest)
    box, constant = (left, right) if isinstance(left, Box) else (right, left)
    shifted = Box(box.centre + constant, box.radius + torch.zeros_like(box.centre + constant))
    return shifted.widened(UNIT * 2 * shifted.largest)


def _batch_norm(box: Box, module: Any) -> Box:
    if module.running_mean is None:  # it normalises by the batch even in evaluation, and no box says which
        raise _Unbounded
    each = (1, -1, *[1] * (box.centre.ndim - 2))
    mean, var = module.running_mean.double(), module.running_var.double()
    gamma = torch.ones_like(mean) if module.weight is None else module.weight.double()
    beta = torch.zeros_like(mean) if module.bias is None else module.bias.double()
    scale = (gamma / torch.sqrt(var + module.eps)).view(each)
    mean, beta = mean.view(each), beta.view(each)
    u = Box((box.centre - mean) * scale + beta, box.radius * scale.abs())
    return u.widened(8 * UNIT * ((box.largest + mean.abs()) * scale.abs() + beta.abs()))


def _layer_norm(box: Box, module: nn.LayerNorm) -> Box:
    reach = torch.ones_like(box.centre) * float(torch.Size(module.normalized_shape).numel()) ** 0.5
    weight = 1.0 if module.weight is None else module.weight.double()
    bias = 0.0 if module.bias is None else module.bias.double()
    return Box(torch.zeros_like(reach) + bias, reach * torch.as_tensor(weight).abs())
