"""The shapes that functions of PyTorch put out, and the products that layers take, by arithmetic on shapes alone.

Arguments are called as PyTorch calls them; other forms of a call do not bind, and are `Unknown`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


class Unknown(BaseException):  # no error, and nothing that a network's own code should catch
    """A function, or a form of its call, that the tables here do not have."""


Product = tuple[int, Sequence[Tensor], Sequence[Tensor]]
"""Multiply–accumulates of a product, and the tensors that its two factors are computed from."""


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


def broadcast(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
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


def fits(func: Callable, x: Tensor, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
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


SHAPES: Mapping[Callable, Callable[..., Any]] = {
    F.embedding: _embedding,
    F.max_pool2d: _max_pool,
    F.avg_pool2d: _average_pool,
    F.adaptive_avg_pool2d: _adaptive_pool,
    **dict.fromkeys((Tensor.add, Tensor.mul, Tensor.__add__, Tensor.__mul__), broadcast),
    **dict.fromkeys((Tensor.__rmul__, Tensor.__rsub__), broadcast),
    torch.cat: _cat,
    torch.stack: _stack,
    **dict.fromkeys((Tensor.mean, Tensor.sum, Tensor.amax), _reduced),
}

LAYERS: Mapping[Callable, Callable[..., tuple[Tensor, list[Product]]]] = {
    **dict.fromkeys((torch.conv1d, torch.conv2d, torch.conv3d), convolution),
    **dict.fromkeys((torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d), transposed),
    F.linear: _linear,
    F.scaled_dot_product_attention: _attention,
}
