"""What a forward pass multiplies, on the meta device, where tensors are shapes and nothing is computed.

PyTorch's own meta kernels of convolutions and normalisations load its compiler, which takes longer than everything
else here together. Their shapes are written out below instead, so that the whole catalogue is counted in a second.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode


class Tally(TorchFunctionMode):
    """Counts what a forward pass on the meta device multiplies, and gives the shapes of its tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0
        self.first_macs = 0
        """Of the layer that reads the network's input."""
        self.activations = 0
        """Elements put out by convolutions and linear layers."""

    def __torch_function__(self, func: Callable, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _SAME_SHAPE:
            return args[0] if args else kwargs["input"]
        if func in _VIEWS or getattr(func, "__name__", "") == "__get__":
            return func(*args, **kwargs)
        shape = _SHAPES.get(func)
        if shape is not None:
            return shape(*args, **kwargs)
        layer = _LAYERS.get(func)
        if layer is not None:
            out, macs = layer(*args, **kwargs)
            self._add(macs)
            self.activations += out.numel() if func is not F.scaled_dot_product_attention else 0
            return out
        with FlopCounterMode(display=False) as counter:  # what else there may be, in PyTorch's own time
            out = func(*args, **kwargs)
        self._add(counter.get_total_flops() // 2)
        return out

    def _add(self, macs: int) -> None:
        self.first_macs = self.first_macs or macs
        self.macs += macs


def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> tuple[Tensor, int]:
    _require(x.shape[1], weight.shape[1] * groups)
    kernel = weight.shape[2:]
    if padding == "same":
        size = list(x.shape[2:])
    else:
        settings = [_each(s, len(kernel)) for s in (stride, 0 if padding == "valid" else padding, dilation)]
        sides = zip(x.shape[2:], kernel, *settings, strict=True)
        size = [_windows(n, k, s, p, d) for n, k, s, p, d in sides]
    out = x.new_empty(len(x), len(weight), *_positive(size))
    return out, out.numel() * weight[0].numel()


def transposed(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> tuple[Tensor, int]:
    _require(x.shape[1], len(weight))
    kernel = weight.shape[2:]
    settings = [_each(s, len(kernel)) for s in (stride, padding, output_padding, dilation)]
    sides = zip(x.shape[2:], kernel, *settings, strict=True)
    size = [(n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, k, s, p, e, d in sides]
    return x.new_empty(len(x), weight.shape[1] * groups, *_positive(size)), x.numel() * weight[0].numel()


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


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> tuple[Tensor, int]:
    _require(x.shape[-1], weight.shape[1])
    return x.new_empty(*x.shape[:-1], len(weight)), x.numel() * len(weight)


def _attention(query: Tensor, key: Tensor, value: Tensor, **options: Any) -> tuple[Tensor, int]:
    """Every query with every key, and every value weighted, as `FlopCounterMode` counts them."""
    scores = query.numel() * key.shape[-2]
    out = query.new_empty(*query.shape[:-1], value.shape[-1])
    return out, scores + out.numel() * key.shape[-2]


def _max_pool(
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    settings = [_each(s, 2) for s in (kernel_size, stride or kernel_size, padding, dilation)]
    sides = zip(x.shape[-2:], *settings, strict=True)
    size = [_windows(n, k, s, p, d, ceil=ceil_mode) for n, k, s, p, d in sides]
    out = x.new_empty(*x.shape[:-2], *_positive(size))
    return (out, out) if return_indices else out


def _average_pool(
    x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, *divisors: Any
) -> Tensor:
    return _max_pool(x, kernel_size, stride, padding, ceil_mode=ceil_mode)


def _adaptive_pool(x: Tensor, output_size: Any) -> Tensor:
    return x.new_empty(*x.shape[:-2], *_each(output_size, 2))


def _each(value: Any, rank: int) -> tuple[int, ...]:
    return (value,) * rank if isinstance(value, int) else tuple(value)


def _broadcast(x: Tensor, other: Any, **options: Any) -> Tensor:
    if not isinstance(other, Tensor) or other.shape == x.shape:
        return x
    rank = max(x.ndim, other.ndim)
    sides = list(zip(*((1,) * (rank - t.ndim) + tuple(t.shape) for t in (x, other)), strict=True))
    if not all(a == b or 1 in (a, b) for a, b in sides):
        raise RuntimeError(f"shapes {tuple(x.shape)} and {tuple(other.shape)} do not fit")
    return x.new_empty([a if b == 1 else b for a, b in sides])


def _cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    shape = list(tensors[0].shape)
    shape[dim] = sum(t.shape[dim] for t in tensors)
    return tensors[0].new_empty(shape)


def _reduced(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    gone = {d % x.ndim for d in (range(x.ndim) if dim is None else _each(dim, 1))}
    return x.new_empty([1 if d in gone else n for d, n in enumerate(x.shape) if keepdim or d not in gone])


_SHAPES: Mapping[Callable, Callable[..., Any]] = {
    F.max_pool2d: _max_pool,
    F.avg_pool2d: _average_pool,
    F.adaptive_avg_pool2d: _adaptive_pool,
    **dict.fromkeys((Tensor.add, Tensor.mul, Tensor.__add__, Tensor.__iadd__, Tensor.__mul__), _broadcast),
    **dict.fromkeys((Tensor.__rmul__, Tensor.__rsub__), _broadcast),
    torch.cat: _cat,
    **dict.fromkeys((Tensor.mean, Tensor.amax), _reduced),
}

_LAYERS: Mapping[Callable, Callable[..., tuple[Tensor, int]]] = {
    **dict.fromkeys((torch.conv1d, torch.conv2d, torch.conv3d), convolution),
    **dict.fromkeys((torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d), transposed),
    F.linear: _linear,
    F.scaled_dot_product_attention: _attention,
}

_SAME_SHAPE = frozenset(
    {
        *(F.batch_norm, F.group_norm, F.layer_norm, F.dropout),
        *(F.relu, F.relu6, F.leaky_relu, F.elu, F.selu, F.silu, F.gelu, F.hardswish, F.hardsigmoid, F.hardtanh),
        *(torch.sigmoid, torch.tanh, F.prelu),
    }
)

_VIEWS = frozenset(
    {
        *(Tensor.__len__, Tensor.__getitem__, Tensor.numel, Tensor.size, Tensor.dim, Tensor.new_empty),
        *(Tensor.flatten, Tensor.unflatten, Tensor.view, Tensor.reshape, Tensor.expand, Tensor.contiguous),
        *(Tensor.transpose, Tensor.permute, Tensor.chunk, Tensor.split, torch.flatten, torch.chunk, F.pad),
    }
)
"""Functions that multiply nothing and whose own meta kernels are quick.

A function in none of these tables is counted as well, but loads the compiler: a test says which family calls one.
"""
