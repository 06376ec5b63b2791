"""What the nodes of a graph of ``torch.fx`` read, and which tensors they overwrite."""

import operator
from collections.abc import Mapping

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from dnnlab.instruments.traced import IN_PLACE, POOL_FUNCTIONS, POOLS, SHAPE_ATTRIBUTES, SHAPE_METHODS
from dnnlab.networks import outputs
from dnnlab.networks.narrowed import BATCH_NORM, CONVOLUTION


def led_to_outputs(graph: fx.GraphModule, state: Mapping[str, Tensor]) -> frozenset[str]:
    """The names in a ``state`` dict from which a path of ``graph`` leads to its logits, or to something that it
    overwrites."""
    ahead = [node for node in graph.graph.nodes if overwritten(graph, node) is not None]
    fx.node.map_arg(_logits(graph), ahead.append)
    seen: set[fx.Node] = set()
    while ahead:
        node = ahead.pop()
        if node not in seen:
            seen.add(node)
            ahead += node.all_input_nodes
    targets = {str(node.target) for node in seen if node.op in ("get_attr", "call_module")}
    read = {id(t) for name, t in state.items() if any(name == p or name.startswith(f"{p}.") for p in targets)}
    return frozenset(name for name, tensor in state.items() if id(tensor) in read)


def _logits(graph: fx.GraphModule) -> fx.node.Argument:
    """What ``graph`` gives as logits: a node, or several in whatever holds them."""
    (end,) = (node.args[0] for node in graph.graph.nodes if node.op == "output")
    if isinstance(end, fx.Node) and isinstance(end.target, type):  # a data class, whose fields are its arguments
        end = end.kwargs
    found: fx.node.Argument = outputs.logits(end)
    return found


def reads_of_overwritten(graph: fx.GraphModule) -> frozenset[fx.Node]:
    """The nodes of ``graph`` that read a tensor after another node has overwritten it, or may have: what they read is
    no longer what the graph says. Tensors that may share their numbers, as views do, count as one."""
    shared: dict[fx.Node, set[fx.Node]] = {}
    stale: set[fx.Node] = set()
    found: set[fx.Node] = set()
    for node in graph.graph.nodes:
        if stale.intersection(node.all_input_nodes):
            found.add(node)
        lost = overwritten(graph, node)
        views = [lost] if lost else [] if _makes_anew(graph, node) else node.all_input_nodes
        group = {node}.union(*(shared[read] for read in views))
        shared |= dict.fromkeys(group, group)
        if lost is not None:
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
        *SHAPE_METHODS,
    }
)
"""What gives a tensor that shares no numbers with what it reads, unless it overwrites that. Anything else may."""


def _makes_anew(graph: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        return isinstance(graph.get_submodule(str(node.target)), _ANEW)
    if node.target is getattr:
        return node.args[1] in SHAPE_ATTRIBUTES
    return node.op in ("call_function", "call_method") and node.target in _FRESH


def overwritten(graph: fx.GraphModule, node: fx.Node) -> fx.Node | None:
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
    in_place = (name.endswith("_") and not name.endswith("__")) or name.strip("_") in (*IN_PLACE, "setitem")
    by_argument = bool(node.kwargs.get("inplace")) or (
        node.op == "call_function" and name in _MAY_BE_IN_PLACE and node.args[-1] is True and len(node.args) > 1
    )
    return first if in_place or by_argument else None


_MAY_BE_IN_PLACE = frozenset(
    {"relu", "relu6", "leaky_relu", "elu", "celu", "selu", "hardtanh", "hardswish", "hardsigmoid", "threshold"}
    | {"silu", "mish", "rrelu", "dropout", "alpha_dropout", "feature_dropout", "normalize"}
)
"""Functions whose last argument may say that they overwrite what they read."""
