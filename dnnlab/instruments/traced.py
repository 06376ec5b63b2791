"""Bounds of what the ReLUs of a user's own module read, over a box of inputs.

The module becomes a graph of ``torch.fx``, in evaluation mode, and boxes run through the layers and operations
named here. Where the graph reaches another, or something that the graph does not show, such as a hook or a tensor that
was overwritten, the bounds end: nothing behind it is certified.
"""

import contextlib
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from dnnlab.errors import UsageError, of_users_code
from dnnlab.instruments.axes import by_unit
from dnnlab.instruments.census import site_name
from dnnlab.instruments.follow import Follow
from dnnlab.instruments.intervals import MONOTONE, UNIT, Box, activate, affine
from dnnlab.instruments.origin import Origin
from dnnlab.instruments.recognise import recognise_function
from dnnlab.networks.narrowed import BATCH_NORM, CONVOLUTION
from dnnlab.networks.remembered import same_state

SAME = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
"""Modules that, in evaluation, give what they take."""
POOLS = (
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
)
POOL_FUNCTIONS = (F.max_pool2d, F.avg_pool2d, F.adaptive_avg_pool2d, F.adaptive_max_pool2d)
FLATTENS = (torch.flatten, "flatten")
_RESHAPES = (
    *(torch.reshape, torch.squeeze, torch.unsqueeze, "view", "reshape", "squeeze", "unsqueeze", "contiguous"),
    *(torch.transpose, torch.permute, "transpose", "permute", torch.unflatten, "unflatten"),
)
_MEANS = (torch.mean, "mean")
_ADDS = (operator.add, operator.iadd, torch.add, "add", "add_")
_SHAPE = ("size", "dim", "numel", "ndimension")
_SHAPES = ("shape", "ndim", "dtype", "device", "layout", "is_cuda")
"""The attributes of a tensor that do not depend on its numbers."""
_TRANSPOSITIONS = ("T", "mT", "H", "mH")
_MONOTONE_ON = torch.cat([torch.linspace(-8, 8, 321, dtype=torch.float64), torch.tensor([-1e3, 1e3])]).sort().values
"""Where it is tried whether an activation with the parameters of this call never falls."""


def is_activation(module: nn.Module) -> bool:
    """Whether ``module`` is one of PyTorch's activations, among which attention lies too, but gives several outputs."""
    return type(module).__module__ == nn.ReLU.__module__ and not isinstance(module, nn.MultiheadAttention)


class _Proxy(fx.Proxy):
    """Shows in the graph what Python's own operators overwrite, which ``torch.fx`` takes for a new tensor."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in ("tracer", "node"):
            raise TypeError(f"the attribute {name} of a tensor is set")
        super().__setattr__(name, value)


def _overwriting(function: Callable[[Any, Any], Any]) -> Callable[[fx.Proxy, Any], fx.Proxy]:
    def method(self: fx.Proxy, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", function, (self, other), {})

    return method


_IN_PLACE = {
    name: getattr(operator, name)
    for name in (
        *("iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "imatmul"),
        *("iand", "ior", "ixor", "ilshift", "irshift"),
    )
}
"""Python's operators that overwrite their left side."""
for _name, _function in _IN_PLACE.items():
    setattr(_Proxy, f"__{_name}__", _overwriting(_function))


class _Tracer(fx.Tracer):
    """Sees through activation modules, so that they are the same calls as activation functions."""

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Proxy(node, self)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return super().is_leaf_module(m, module_qualified_name) and not is_activation(m)


def trace(model: nn.Module, training: bool = False) -> fx.GraphModule:
    """The graph of ``model`` in evaluation mode, or in ``training``; it shares the model's parameters. What the model
    sets in itself while it is traced is undone. It is in evaluation mode afterwards.

    Raises:
        UsageError: the model takes other turns for other inputs, which no one graph shows, or for other draws or calls;
            or hooks change it.
    """
    if _is_changed(model):
        raise UsageError("hooks change what the model does, so no unit of it is certified.")
    model.train(training)
    try:
        with same_state(model):
            held = {name: buffer.clone() for name, buffer in model.named_buffers()}
            graph = fx.GraphModule(model, _Tracer().trace(model))
            modes = {module.training for module in model.modules()}
            # A second call, which finds what the first one left, and other random numbers, must do the same.
            again = fx.GraphModule(model, _Tracer().trace(model))
            changed = any(not _equal(buffer, held.get(name, buffer)) for name, buffer in model.named_buffers())
    except Exception as problem:  # noqa: BLE001 - whatever the user's own code does when run on a proxy
        reason = of_users_code(problem)
        raise UsageError(f"the model cannot be traced as one graph, so no unit of it is certified: {reason}.") from None
    finally:
        model.eval()
    if not training and True in modes:
        raise UsageError("a part of the model is in training mode in inference, so no unit of it is certified.")
    if changed or not _alike(graph, again):
        raise UsageError("the model does something else with each call, so no unit of it is certified.")
    return graph


def _alike(graph: fx.GraphModule, again: fx.GraphModule) -> bool:
    """Whether two traces of one model are the same, also in the tensors that they computed while they were traced."""
    ours, theirs = (dict(each.named_buffers()) for each in (graph, again))
    return graph.code == again.code and all(
        name in theirs and _equal(tensor, theirs[name]) for name, tensor in ours.items()
    )


def _equal(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same; of those on the meta device, whether their shapes agree."""
    return one.shape == other.shape and (one.is_meta or torch.equal(one, other))


def led_to_outputs(graph: fx.GraphModule, state: Mapping[str, Tensor]) -> frozenset[str]:
    """The names in a ``state`` dict from which a path of ``graph`` leads to its output, or to something that it
    overwrites."""
    ahead = [n for n in graph.graph.nodes if n.op == "output" or _overwritten(graph, n) is not None]
    seen: set[fx.Node] = set()
    while ahead:
        node = ahead.pop()
        if node not in seen:
            seen.add(node)
            ahead += node.all_input_nodes
    targets = {str(node.target) for node in seen if node.op in ("get_attr", "call_module")}
    read = {id(t) for name, t in state.items() if any(name == p or name.startswith(f"{p}.") for p in targets)}
    return frozenset(name for name, tensor in state.items() if id(tensor) in read)


def _is_changed(module: nn.Module) -> bool:
    """Whether a call of ``module`` does something else than its class says. PyTorch's own hooks only make weights, and
    these are in the module by then."""
    hooks = (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
    ours = all(type(hook).__module__.startswith("torch.nn.utils.") for hook in hooks)
    everywhere = torch.nn.modules.module._global_forward_hooks or torch.nn.modules.module._global_forward_pre_hooks
    return not ours or "forward" in vars(module) or bool(everywhere)


@dataclass(frozen=True)
class Site:
    """One call of an activation that is zero below a point: the node, and the units that are certified dead."""

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
    changed = frozenset(name for name, module in graph.named_modules() if _is_changed(module))
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
            overwritten = _overwritten(cast(fx.GraphModule, self.module), self.node) is not None
            return self._end() if drawn or overwritten else constant
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
        if name in _SHAPE:
            return function(box.centre, *rest, **kwargs)
        if any(isinstance(value, torch.dtype) for value in (*rest, *kwargs.values())):
            return self._end()
        found = recognise_function(function, box.centre, rest, kwargs)
        if found is not None:
            if found.zero_up_to is not None:
                self._site(box, found.zero_up_to)
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
        if name in _SHAPES:
            return getattr(box.centre, name)
        if name in _TRANSPOSITIONS:
            return _both_ends(box, lambda x: getattr(x, name))
        return box if name == "data" else self._end()

    def _end(self) -> Any:
        raise _Unbounded

    def _site(self, box: Box, edge: float) -> None:
        known = self.follow.origin(box.centre)
        units = None if known is None or known.axes is None else by_unit(box.high < edge, known.axes).all(1)
        self.sites.append(Site(self.node, site_name(known, self.calls), units))


_TRANSPOSED = (nn.modules.conv._ConvTransposeNd,)


def _both_ends(box: Box, function: Callable[[Tensor], Tensor]) -> Box:
    """A function that keeps order, elementwise, of a box."""
    return Box.between(function(box.low), function(box.high))


def _never_falls(function: Callable[[Tensor], Tensor]) -> bool:
    return bool((function(_MONOTONE_ON).diff() >= 0).all())


def reads_of_overwritten(graph: fx.GraphModule) -> frozenset[fx.Node]:
    """The nodes of ``graph`` that read a tensor after another node has overwritten it, or may have: what they read is
    no longer what the graph says. Tensors that may share their numbers, as views do, count as one."""
    shared: dict[fx.Node, set[fx.Node]] = {}
    stale: set[fx.Node] = set()
    found: set[fx.Node] = set()
    for node in graph.graph.nodes:
        if stale.intersection(node.all_input_nodes):
            found.add(node)
        overwritten = _overwritten(graph, node)
        views = [overwritten] if overwritten else [] if _makes_anew(graph, node) else node.all_input_nodes
        group = {node}.union(*(shared[read] for read in views))
        shared |= dict.fromkeys(group, group)
        if overwritten is not None:
            stale |= group - {node}
    return frozenset(found)


_ANEW = (nn.Linear, CONVOLUTION, nn.modules.conv._ConvTransposeNd, BATCH_NORM, nn.LayerNorm, *POOLS)
_FRESH = frozenset(
    {
        *(operator.add, operator.sub, operator.mul, operator.truediv, operator.matmul, operator.neg, operator.pow),
        *(torch.add, torch.sub, torch.mul, torch.div, torch.matmul, torch.mm, torch.bmm, torch.cat, torch.stack),
        *(torch.relu, torch.sigmoid, torch.tanh, torch.mean, torch.sum, torch.exp, torch.abs, F.linear, F.conv1d),
        *(F.conv2d, F.conv3d, F.relu, F.leaky_relu, F.elu, F.selu, F.celu, F.hardtanh, F.relu6, F.hardswish),
        *(F.hardsigmoid, F.silu, F.gelu, F.softplus, *POOL_FUNCTIONS),
        *("relu", "sigmoid", "tanh", "mean", "sum", "clone", "exp", "abs", "matmul", "add", "sub", "mul", "div"),
        *_SHAPE,
    }
)
"""What gives a tensor that shares no numbers with what it reads, unless it overwrites that. Anything else may."""


def _makes_anew(graph: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        return isinstance(graph.get_submodule(str(node.target)), _ANEW)
    if node.target is getattr:
        return node.args[1] in _SHAPES
    return node.op in ("call_function", "call_method") and node.target in _FRESH


def _overwritten(graph: fx.GraphModule, node: fx.Node) -> fx.Node | None:
    """The tensor that a node overwrites; None where it overwrites none."""
    first = next(iter(node.args), node.kwargs.get("input"))
    out = node.kwargs.get("out")
    if isinstance(out, fx.Node):
        return out
    if not isinstance(first, fx.Node):
        return None
    if node.op == "call_module":
        return first if getattr(graph.get_submodule(str(node.target)), "inplace", False) else None
    if node.op not in ("call_function", "call_method"):
        return None
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    in_place = (name.endswith("_") and not name.endswith("__")) or name.strip("_") in (*_IN_PLACE, "setitem")
    by_argument = bool(node.kwargs.get("inplace")) or (
        node.op == "call_function" and name in _MAY_BE_IN_PLACE and node.args[-1] is True and len(node.args) > 1
    )
    return first if in_place or by_argument else None


_MAY_BE_IN_PLACE = frozenset(
    {"relu", "relu6", "leaky_relu", "elu", "celu", "selu", "hardtanh", "hardswish", "hardsigmoid", "threshold"}
    | {"silu", "mish", "rrelu", "dropout", "alpha_dropout", "feature_dropout", "normalize"}
)
"""Functions whose last argument may say that they overwrite what they read."""


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
