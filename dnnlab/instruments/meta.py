"""What a network multiplies, on the meta device, where tensors are shapes and nothing is computed.

PyTorch's own meta kernels of convolutions and normalisations load its compiler, which takes longer than everything
else here together. Their shapes are written out below instead, so that the whole catalogue is counted in a second or
two. Whatever is not written out below is `Unknown`: then `dnnlab.instruments.products` counts a real pass.
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
from dnnlab.networks.outputs import logits


class Unknown(BaseException):  # no error, and nothing that a network's own code should catch
    """A function, or a form of its call, that the tables here do not have."""


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

Product = tuple[int, Sequence[Tensor], Sequence[Tensor]]
"""Multiply–accumulates of a product, and the tensors that its two factors are computed from."""


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
        shape = _SHAPES.get(func)
        if shape is not None:
            out = shape(*args, **kwargs)
            if func in _MULTIPLY and any(self._node(t).trained for t in tensors(args)):
                wide = max((t.numel() for t in tensors(args) if self._node(t).data), default=0)
                if out.numel() > wide > 0:
                    raise Unknown  # a product with a matrix, written elementwise
            out._dnnlab_node = self._joined(args, kwargs)
            return out
        if func in _LAYERS:
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
            _fits(func, x, args, kwargs)
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
        out = _broadcast(*args, **kwargs)
        if out.shape != x.shape or id(x) in self._nodes or hasattr(x, "_dnnlab_seen"):
            raise Unknown  # what its views are is not followed here
        x._dnnlab_node = self._joined(args, kwargs)  # type: ignore[attr-defined]
        return x

    def _layer(self, func: Callable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        out, products = _LAYERS[func](*args, **kwargs)
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


# The shapes. Arguments are called as PyTorch calls them; other forms of a call do not bind, and are unknown.


def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> tuple[Tensor, list[Product]]:
    kernel = weight.shape[2:]
    if input.ndim != weight.ndim:
        raise Unknown  # an input without a batch
    _require(input.shape[1], weight.shape[1] * groups)
    if padding == "same":
        size = list(input.shape[2:])
    else:
        settings = [_each(s, len(kernel)) for s in (stride, 0 if padding == "valid" else padding, dilation)]
        sides = zip(input.shape[2:], kernel, *settings, strict=True)
        size = [_windows(n, k, s, p, d) for n, k, s, p, d in sides]
    out = input.new_empty(len(input), len(weight), *_positive(size))
    return out, [(out.numel() * weight.shape[1:].numel(), (input,), (weight,))]


def transposed(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> tuple[Tensor, list[Product]]:
    if input.ndim != weight.ndim:
        raise Unknown
    _require(input.shape[1], len(weight))
    kernel = weight.shape[2:]
    settings = [_each(s, len(kernel)) for s in (stride, padding, output_padding, dilation)]
    sides = zip(input.shape[2:], kernel, *settings, strict=True)
    size = [(n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, k, s, p, e, d in sides]
    out = input.new_empty(len(input), weight.shape[1] * groups, *_positive(size))
    return out, [(input.numel() * weight.shape[1:].numel(), (input,), (weight,))]


def _windows(n: int, kernel: int, stride: int, padding: int, dilation: int, *, ceil: bool = False) -> int:
    """How many windows lie in ``n`` pixels; with ``ceil`` also one that starts in them and ends outside."""
    room = n + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count if (count - 1) * stride < n + padding else count - 1


def _require(given: int, features: int) -> None:
    if given != features:
        raise RuntimeError(f"a layer that reads {features} channels or features meets {given}")


def _positive(size: list[int]) -> list[int]:
    if min(size) < 1:
        raise RuntimeError(f"the image is too small: a layer would put out {' × '.join(map(str, size))} px")
    return size


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> tuple[Tensor, list[Product]]:
    _require(input.shape[-1], weight.shape[1])
    return input.new_empty(*input.shape[:-1], len(weight)), [(input.numel() * len(weight), (input,), (weight,))]


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> tuple[Tensor, list[Product]]:
    """Every query with every key, and every value weighted, as `FlopCounterMode` counts them."""
    if query.shape[:-2] != key.shape[:-2] or key.shape[:-1] != value.shape[:-1] or query.shape[-1] != key.shape[-1]:
        raise Unknown  # broadcast, or shared by groups of heads
    out = query.new_empty(*query.shape[:-1], value.shape[-1])
    weights = (query, key) if attn_mask is None else (query, key, attn_mask)
    length = key.shape[-2]
    return out, [(query.numel() * length, (query,), (key,)), (out.numel() * length, weights, (value,))]


def _max_pool(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    if return_indices:
        raise Unknown
    return _pool(input, kernel_size, stride, padding, dilation, ceil_mode)


def _average_pool(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    return _pool(input, kernel_size, stride, padding, 1, ceil_mode)


def _pool(input: Tensor, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Tensor:
    settings = [_each(s, 2) for s in (kernel_size, stride or kernel_size, padding, dilation)]
    sides = zip(input.shape[-2:], *settings, strict=True)
    size = [_windows(n, k, s, p, d, ceil=ceil_mode) for n, k, s, p, d in sides]
    return input.new_empty(*input.shape[:-2], *_positive(size))


def _adaptive_pool(input: Tensor, output_size: Any) -> Tensor:
    sides = zip(_each(output_size, 2), input.shape[-2:], strict=True)
    return input.new_empty(*input.shape[:-2], *(n if size is None else size for size, n in sides))


def _each(value: Any, rank: int) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * rank
    return tuple(value) * (rank if len(value) == 1 else 1)


def _broadcast(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    if isinstance(other, bool | int | float):
        return input.new_empty(input.shape)
    if input.dtype != other.dtype or input.device != other.device:
        raise Unknown
    if input.shape == other.shape:
        return input.new_empty(input.shape)
    rank = max(input.ndim, other.ndim)
    sides = list(zip(*((1,) * (rank - t.ndim) + tuple(t.shape) for t in (input, other)), strict=True))
    if not all(a == b or 1 in (a, b) for a, b in sides):
        raise RuntimeError(f"shapes {tuple(input.shape)} and {tuple(other.shape)} do not fit")
    return input.new_empty([a if b == 1 else b for a, b in sides])


def _cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    first = tensors[0]
    if any(t.ndim != first.ndim or t.dtype != first.dtype or t.device != first.device for t in tensors):
        raise Unknown
    shapes = [list(t.shape) for t in tensors]
    shape = [*shapes[0]]
    shape[dim] = sum(s[dim] for s in shapes)
    for s in shapes:
        s[dim] = shape[dim]
        if s != shape:
            raise RuntimeError(f"tensors of shapes {[tuple(t.shape) for t in tensors]} are concatenated along {dim}")
    return first.new_empty(shape)


def _stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    first = tensors[0]
    if any(t.shape != first.shape or t.dtype != first.dtype or t.device != first.device for t in tensors):
        raise Unknown
    dim %= first.ndim + 1
    return first.new_empty(*first.shape[:dim], len(tensors), *first.shape[dim:])


def _reduced(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    gone = {d % input.ndim for d in (range(input.ndim) if dim is None or dim in ((), []) else _each(dim, 1))}
    return input.new_empty([1 if d in gone else n for d, n in enumerate(input.shape) if keepdim or d not in gone])


def _fits(func: Callable, x: Tensor, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raise a `RuntimeError` where the vectors of a normalisation have not the length of what they normalise."""
    if func is F.batch_norm and x.ndim > 1:
        for vector in (*args[1:], *kwargs.values()):
            if isinstance(vector, Tensor) and vector is not x:
                _require(x.shape[1], vector.numel())
    elif func is F.layer_norm:
        normalised = tuple(args[1] if len(args) > 1 else kwargs["normalized_shape"])
        if tuple(x.shape[-len(normalised) :]) != normalised:
            raise RuntimeError(f"a layer that normalises {normalised} meets {tuple(x.shape)}")


def _embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    if max_norm is not None or input.is_floating_point():
        raise Unknown  # the rows are changed, or nothing can be looked up
    return weight.new_empty(*input.shape, weight.shape[1])


_SHAPES: Mapping[Callable, Callable[..., Any]] = {
    F.embedding: _embedding,
    F.max_pool2d: _max_pool,
    F.avg_pool2d: _average_pool,
    F.adaptive_avg_pool2d: _adaptive_pool,
    **dict.fromkeys((Tensor.add, Tensor.mul, Tensor.__add__, Tensor.__mul__), _broadcast),
    **dict.fromkeys((Tensor.__rmul__, Tensor.__rsub__), _broadcast),
    torch.cat: _cat,
    torch.stack: _stack,
    **dict.fromkeys((Tensor.mean, Tensor.sum, Tensor.amax), _reduced),
}

_NORMALISE = frozenset({F.batch_norm, F.group_norm, F.layer_norm})

_MULTIPLY = frozenset({Tensor.mul, Tensor.__mul__, Tensor.__rmul__})

_IN_PLACE = frozenset({Tensor.__iadd__})

_LAYERS: Mapping[Callable, Callable[..., tuple[Tensor, list[Product]]]] = {
    **dict.fromkeys((torch.conv1d, torch.conv2d, torch.conv3d), convolution),
    **dict.fromkeys((torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d), transposed),
    F.linear: _linear,
    F.scaled_dot_product_attention: _attention,
}

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
