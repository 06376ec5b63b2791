"""A user's own module as one graph of ``torch.fx``, or the reason why it is none."""

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from dnnlab.errors import UsageError, of_users_code
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
SHAPE_METHODS = ("size", "dim", "numel", "ndimension")
SHAPE_ATTRIBUTES = ("shape", "ndim", "dtype", "device", "layout", "is_cuda")
"""The methods and attributes of a tensor that do not depend on its numbers."""
IN_PLACE = {
    name: getattr(operator, name)
    for name in (
        *("iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "imatmul"),
        *("iand", "ior", "ixor", "ilshift", "irshift"),
    )
}
"""Python's operators that overwrite their left side."""


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


for _name, _function in IN_PLACE.items():
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
    if is_changed(model):
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


def is_changed(module: nn.Module) -> bool:
    """Whether a call of ``module`` does something else than its class says. PyTorch's own hooks only make weights, and
    these are in the module by then."""
    hooks = (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
    ours = all(type(hook).__module__.startswith("torch.nn.utils.") for hook in hooks)
    everywhere = torch.nn.modules.module._global_forward_hooks or torch.nn.modules.module._global_forward_pre_hooks
    return not ours or "forward" in vars(module) or bool(everywhere)
