"""What a network multiplies, on the meta device, where tensors are shapes and nothing is computed.

PyTorch's own meta kernels of convolutions and normalisations load its compiler, which takes longer than everything
else here together. Their shapes are written out in `dnnlab.instruments.shapes` instead, so that the whole catalogue is
counted in a few seconds. Whatever is not written out there is `Unknown`: then `dnnlab.instruments.products` counts a
real pass.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from dnnlab.instruments.operations import tensors
from dnnlab.instruments.products import Counts
from dnnlab.instruments.shapes import LAYERS, SHAPES, Unknown, broadcast, fits
from dnnlab.networks.outputs import logits


@dataclass(eq=False, slots=True)
class _Node:
    """Where tensors come from."""

    parents: tuple["_Node", ...] = ()
    data: bool = False
    """Whether they were computed from the network's input."""
    learns: bool = False
    """Whether they need a gradient."""
    gradients: int = 0
    """Multiply–accumulates of the gradients of the two factors, if they are a product."""
    parameter: str = ""
    """The parameter that they are."""

    @property
    def trained(self) -> bool:
        """Whether they were computed from parameters alone."""
        return not self.data and self is not _CONSTANT


_CONSTANT = _Node()
"""What comes neither from the input nor from a parameter."""


class Tally(TorchFunctionMode):
    """Counts what a network on the meta device multiplies, and gives the shapes of its tensors.

    A tensor has its node as an attribute, and another one where views of it may exist.

    Args:
        parameters: By name.
        buffers: What else the network holds.
        x: Its input.
        trained: The names of the parameters that need a gradient.
    """

    def __init__(
        self, parameters: Mapping[str, Tensor], buffers: Sequence[Tensor], x: Tensor, trained: frozenset[str]
    ) -> None:
        super().__init__()
        self.macs = self.activations = 0
        self.unknown = False
        """Whether something was, though the network caught that."""
        # By identity, since a network's own tensors shall keep no attribute.
        self._nodes = {id(t): _Node(learns=name in trained, parameter=name) for name, t in parameters.items()}
        self._nodes |= {id(t): _CONSTANT for t in buffers}
        self._nodes[id(x)] = _Node(data=True)

    def __torch_function__(self, func: Callable, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _SIZES:
            return func(*args, **kwargs)
        try:
            return self._ran(func, args, kwargs)
        except (Unknown, TypeError):  # another form of a call is an error of types
            self.unknown = True
            raise Unknown from None

    def _ran(self, func: Callable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not torch.is_grad_enabled() or torch._C._autograd._top_saved_tensors_default_hooks(True) is not None:
            raise Unknown  # a part that is not trained, or is computed again in the backward pass
        if func in _SAME_SHAPE:
            return self._kept(func, args, kwargs)
        if func in _VIEWS:
            return self._viewed(func, args, kwargs)
        if func in _FACTORIES or getattr(func, "__name__", "") == "__get__":
            return self._constant(func, args, kwargs)
        if func in _IN_PLACE:
            return self._overwritten(func, args, kwargs)
        shape = SHAPES.get(func)
        if shape is not None:
            out = shape(*args, **kwargs)
            if func in _MULTIPLY and any(self._node(t).trained for t in tensors(args)):
                wide = max((t.numel() for t in tensors(args) if self._node(t).data), default=0)
                if out.numel() > wide > 0:
                    raise Unknown  # a product with a matrix, written elementwise
            out._dnnlab_node = self._joined(args, kwargs)
            return out
        if func in LAYERS:
            return self._layer(func, args, kwargs)
        if func in _GATES:
            return self._recurrent(_GATES[func], *args, **kwargs)
        raise Unknown

    def _node(self, tensor: Tensor) -> _Node:
        node = self._nodes.get(id(tensor)) or getattr(tensor, "_dnnlab_node", None)
        if node is None:
            raise Unknown  # made out of sight
        return node

    def _joined(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> _Node:
        """The node of what is computed from these arguments, without a product."""
        found: dict[_Node, None] = {}
        for value in (*args, *kwargs.values()):
            if isinstance(value, Tensor):
                found[self._node(value)] = None
            elif isinstance(value, list | tuple | dict):
                found |= dict.fromkeys(map(self._node, tensors(value)))
        found.pop(_CONSTANT, None)
        return _join(tuple(found))

    def _kept(self, func: Callable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        x: Tensor = args[0] if args else kwargs["input"]
        if "out" in kwargs:
            raise Unknown
        if func in _NORMALISE:
            fits(func, x, args, kwargs)
        elif kwargs.get("inplace") or any(a is True for a in args[1:]):
            return x
        out = x.detach()
        out._dnnlab_node = self._joined(args, kwargs)  # type: ignore[attr-defined]
        return out

    def _viewed(self, func: Callable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        node = self._joined(args, kwargs)
        out = func(*args, **kwargs)
        for t in tensors((out, args[0])):
            if id(t) not in self._nodes:
                t._dnnlab_seen = True  # type: ignore[attr-defined]
                if t is not args[0]:
                    t._dnnlab_node = node  # type: ignore[attr-defined]
        return out

    def _constant(self, func: Callable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What a tensor says of itself, such as its device; or a new tensor of numbers."""
        out = func(*args, **kwargs)
        if func not in _FACTORIES and func.__self__.__name__ in _AUTOGRAD:  # type: ignore[attr-defined]
            raise Unknown
        for t in tensors(out):
            if func not in _FACTORIES or not t.is_meta or t.requires_grad:
                raise Unknown
            t._dnnlab_node = _CONSTANT  # type: ignore[attr-defined]
        return out

    def _overwritten(self, func: Callable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        x: Tensor = args[0]
        out = broadcast(*args, **kwargs)
        if out.shape != x.shape or id(x) in self._nodes or hasattr(x, "_dnnlab_seen"):
            raise Unknown  # what its views are is not followed here
        x._dnnlab_node = self._joined(args, kwargs)  # type: ignore[attr-defined]
        return x

    def _layer(self, func: Callable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        out, products = LAYERS[func](*args, **kwargs)
        gradients = 0
        for macs, left, right in products:
            one, other = self._joined(left, {}), self._joined(right, {})
            if func is F.scaled_dot_product_attention and one.trained != other.trained:
                raise Unknown  # a trained matrix of keys or values
            gradients += self._product(macs, one, other, out.numel())
        joined = self._joined(args, kwargs)
        node = _Node((joined,), joined.data, joined.learns, gradients) if joined is not _CONSTANT else joined
        out._dnnlab_node = node  # type: ignore[attr-defined]
        return out

    def _product(self, macs: int, one: _Node, other: _Node, elements: int) -> int:
        """Count a product of two factors, which puts out so many elements; gives the multiply–accumulates of its
        gradients."""
        self.macs += macs
        if one.trained != other.trained:
            self.activations += elements
        return macs * (one.learns + other.learns)

    def _recurrent(
        self,
        gates: int,
        input: Tensor,
        start: Tensor | tuple[Tensor, Tensor],
        parameters: Sequence[Tensor],
        biases: bool,
        layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> tuple[Tensor, ...]:
        """Recurrent layers of so many gates, each of which reads the layer below and its own state of the step before.

        At the first step the state is ``start``.
        """
        each = 4 if biases else 2
        if input.ndim != 3 or bidirectional or len(parameters) != layers * each:
            raise Unknown  # projected, or read in both directions
        batch, steps = input.shape[:2] if batch_first else (input.shape[1], input.shape[0])
        first = self._joined((start,), {})
        below = self._joined((input,), {})
        width, hidden = input.shape[-1], parameters[1].shape[1]
        for layer in range(layers):
            own = [self._node(p) for p in parameters[layer * each :][:each]]
            into, across = own[:2]
            state = _join(tuple({below, first, *own} - {_CONSTANT}))
            step = batch * gates * hidden
            gradients = self._product(steps * step * width, below, into, steps * step)
            gradients += self._product(step * hidden, first, across, step)
            gradients += self._product((steps - 1) * step * hidden, state, across, (steps - 1) * step)
            below, width = _Node((state,), state.data, state.learns, gradients), hidden
        shapes = [(*input.shape[:-1], hidden)] + [(layers, batch, hidden)] * (2 if isinstance(start, tuple) else 1)
        outs = tuple(input.new_empty(shape) for shape in shapes)
        for out in outs:
            out._dnnlab_node = below  # type: ignore[attr-defined]
        return outs

    def counts(self, out: Any) -> Counts:
        """What was counted, of a network that puts out ``out``.

        Raises:
            Unknown: it is not known where that comes from.
        """
        ahead = [self._node(t) for t in tensors(logits(out))]
        if self.unknown or not ahead:
            raise Unknown
        reached: set[_Node] = set()
        while ahead:
            node = ahead.pop()
            if node not in reached:
                reached.add(node)
                ahead.extend(node.parents)
        gradients = sum(node.gradients for node in reached)
        used = frozenset(node.parameter for node in reached if node.parameter)
        return Counts(self.macs, self.macs + gradients, self.activations, used)


def _join(nodes: tuple[_Node, ...]) -> _Node:
    if len(nodes) < 2:
        return nodes[0] if nodes else _CONSTANT
    return _Node(nodes, any(n.data for n in nodes), any(n.learns for n in nodes))


_NORMALISE = frozenset({F.batch_norm, F.group_norm, F.layer_norm})

_MULTIPLY = frozenset({Tensor.mul, Tensor.__mul__, Tensor.__rmul__})

_IN_PLACE = frozenset({Tensor.__iadd__})

_GATES: Mapping[Callable, int] = {torch.rnn_tanh: 1, torch.rnn_relu: 1, torch.gru: 3, torch.lstm: 4}

_SAME_SHAPE = frozenset(
    {
        *(F.batch_norm, F.group_norm, F.layer_norm, F.dropout),
        *(F.relu, F.relu6, F.leaky_relu, F.elu, F.selu, F.silu, F.gelu, F.hardswish, F.hardsigmoid, F.hardtanh),
        *(torch.sigmoid, torch.tanh, F.prelu),
    }
)

_FACTORIES = frozenset(
    {
        *(torch.ones, torch.zeros, torch.empty, torch.ones_like, torch.zeros_like, torch.empty_like),
        *(Tensor.new_ones, Tensor.new_zeros, Tensor.new_empty),
    }
)

_SIZES = frozenset({Tensor.__len__, Tensor.numel, Tensor.size, Tensor.dim, Tensor.shape.__get__})  # type: ignore[attr-defined]

_AUTOGRAD = frozenset({"requires_grad", "grad_fn", "is_leaf"})
"""What tensors here say otherwise than in a training."""

_VIEWS = frozenset(
    {
        *(Tensor.__getitem__, Tensor.flatten, Tensor.unflatten, Tensor.view, Tensor.reshape, Tensor.expand),
        *(Tensor.contiguous, Tensor.transpose, Tensor.permute, Tensor.chunk, Tensor.split, Tensor.squeeze),
        *(Tensor.unsqueeze,),
        *(torch.flatten, torch.chunk, F.pad),
    }
)
"""Functions that multiply nothing and whose own meta kernels are quick.

A function in none of these tables loads the compiler: a test says which family calls one.
"""
