"""What PyTorch's operations do to the units of a tensor. Of products it is in `dnnlab.instruments.factors`.

An operation in none of these tables is followed as well, but where units lie behind it is not known.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from dnnlab.instruments.axes import Axes, expanded, joined, plain, ranked, reduced, reshaped, resized
from dnnlab.instruments.factors import FACTORS
from dnnlab.instruments.origin import Origin

OriginOf = Callable[[Tensor], Origin | None]


def tensors(value: Any) -> list[Tensor]:
    """All tensors in ``value``, which may be a tensor or lists, tuples and dictionaries of them."""
    found: list[Tensor] = []
    _gather(value, found)
    return found


def _gather(value: Any, found: list[Tensor]) -> None:
    if isinstance(value, Tensor):
        found.append(value)
    elif isinstance(value, _SEVERAL):
        for item in value:
            _gather(item, found)
    elif isinstance(value, dict):
        for item in value.values():
            _gather(item, found)


_SEVERAL = (list, tuple)  # written once: this is asked for every argument of every operation


@dataclass(frozen=True)
class Call:
    """One call of an operation."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: Tensor
    """One of its outputs."""
    origin: OriginOf
    """What is known of its inputs."""

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument by position or name."""
        return self.args[position] if len(self.args) > position else self.kwargs.get(name, default)

    def axes(self, tensor: Tensor) -> Axes | None:
        known = self.origin(tensor)
        return known.axes if known else None

    @property
    def first(self) -> Axes | None:
        """The axes of its first argument."""
        return self.axes(self.args[0])


Rule = Callable[[Call], Axes | None]


def _kept(call: Call) -> Axes | None:
    return resized(call.first, call.out.shape) if call.first else None


def _spatial(dims: int) -> Rule:
    """Of an operation whose outputs are of several places of the last ``dims`` dimensions at once."""

    def rule(call: Call) -> Axes | None:
        axes = call.first
        return None if axes is None or any(d >= len(axes) - dims for d in ranked(axes)) else _kept(call)

    return rule


def _moved(position: int, default: Any = None) -> Rule:
    """Of an operation that moves or gathers what lies along a dimension, in an order that may be any."""

    def rule(call: Call) -> Axes | None:
        axes, dims = call.first, call.argument(position, "dim", default)
        return None if axes is None or {d % len(axes) for d in _each(dims)} & ranked(axes) else _kept(call)

    return rule


def _turned(position: int) -> Rule:
    """Of an operation that turns or shifts whole dimensions: it keeps units together that alone fill theirs."""

    def rule(call: Call) -> Axes | None:
        axes = call.first
        if axes is None:
            return None
        dims = _each(call.argument(position, "dims", ())) or range(len(axes))  # none given: all, as one vector
        return None if any(len(axes[d % len(axes)]) > 1 for d in dims if d % len(axes) in ranked(axes)) else _kept(call)

    return rule


def _cut(call: Call) -> Axes | None:
    return resized(call.first, call.out.shape, sliced=True) if call.first else None


def _viewed(call: Call) -> Axes | None:
    return reshaped(call.first, call.out.shape) if call.first else None


def _expanded(call: Call) -> Axes | None:
    return expanded(call.first, call.out.shape) if call.first else None


def _ordered(order: Callable[[Call, int], Sequence[int]]) -> Rule:
    def rule(call: Call) -> Axes | None:
        axes = call.first
        return None if axes is None else tuple(axes[d] for d in order(call, len(axes)))

    return rule


def _transposition(call: Call, rank: int) -> Sequence[int]:
    order = list(range(rank))
    a, b = (call.argument(1, "dim0"), call.argument(2, "dim1")) if len(call.args) > 1 else (0, -1)
    order[a], order[b] = order[b], order[a]
    return order


def _unsqueezed(call: Call) -> Axes | None:
    axes = call.first
    dim = call.argument(1, "dim") % call.out.ndim
    return None if axes is None else (*axes[:dim], ((1, None),), *axes[dim:])


def _squeezed(call: Call) -> Axes | None:
    axes = call.first
    if axes is None:
        return None
    chosen = call.argument(1, "dim")
    dims = range(len(axes)) if chosen is None else _each(chosen)
    # By the axes, because what is squeezed in place has its new shape by now.
    gone = {d % len(axes) for d in dims if all(n == 1 for n, _ in axes[d])}
    return tuple(factors for d, factors in enumerate(axes) if d not in gone)


def _selected(call: Call) -> Axes | None:
    axes = call.first
    if axes is None:
        return None
    dim = call.argument(1, "dim", 0) % len(axes)
    return (*axes[:dim], *axes[dim + 1 :])


def _reduced(position: int = 1) -> Rule:
    def rule(call: Call) -> Axes | None:
        axes = call.first
        dims = call.argument(position, "dim")
        if axes is None or dims is None or dims == []:
            return None
        keep = call.out.ndim == len(axes)
        return reduced(axes, {d % len(axes) for d in _each(dims)}, keep)

    return rule


def _each(value: Any) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


def _concatenated(call: Call) -> Axes | None:
    parts = list(call.args[0])
    dim = call.argument(1, "dim", 0) % call.out.ndim
    # What was computed from parameters alone, such as a class token, has no units of its own.
    origins = [known for part in parts if (known := call.origin(part)) is not None and known.data]
    origins = [known for known in origins if known.axes is not None and ranked(known.axes)]
    found = [known.axes for known in origins if known.axes is not None]
    if not found:
        return None
    lies = ranked(found[0])
    if any(ranked(axes) != lies for axes in found):
        return None
    if dim not in lies:  # the same units in more places; what has none is between them
        return resized(found[0], call.out.shape) if _of_one_layer(origins) else None
    if len(found) < len(parts) or len(lies) > 1 or any(len(axes[dim]) > 1 for axes in found):
        return None
    return tuple(((n, (0,) if d == dim else None),) for d, n in enumerate(call.out.shape))


def _stacked(call: Call) -> Axes | None:
    shape = list(call.args[0][0].shape)
    dim = call.argument(1, "dim", 0) % call.out.ndim
    origins = [call.origin(part) for part in call.args[0]]
    parts = [known.axes for known in origins if known is not None and known.axes is not None]
    axes = joined(parts, shape) if len(parts) == len(origins) and _of_one_layer(origins) else None
    return None if axes is None else (*axes[:dim], ((call.out.shape[dim], None),), *axes[dim:])


def _of_one_layer(origins: Sequence[Origin | None]) -> bool:
    """Whether all have the units of one layer, which may have been called several times."""
    return len({known.layer.matrices if known and known.layer else () for known in origins}) == 1


def _repeated(call: Call) -> Axes | None:
    axes = call.first
    if axes is None:
        return None
    repeats = list(call.argument(1, "repeats"))
    new = len(repeats) - len(axes)
    dims = [((n, None),) for n in repeats[:new]]
    old = [((n, None), *f) if n > 1 else f for n, f in zip(repeats[new:], axes, strict=True)]
    return (*dims, *old)


def _indexed(call: Call) -> Axes | None:
    """Of one list of positions along one dimension."""
    axes, indices = call.first, call.argument(1, "indices")
    chosen = [(d, index) for d, index in enumerate(indices) if index is not None]
    if axes is None or len(chosen) != 1 or chosen[0][0] in ranked(axes):
        return None
    dim, index = chosen[0]
    wide = plain(index.shape) if index.dtype != torch.bool else plain(call.out.shape[dim : dim + 1])
    return (*axes[:dim], *wide, *axes[dim + (index.ndim if index.dtype == torch.bool else 1) :])


def _shuffled(call: Call) -> Axes | None:
    """Of pixels that were channels: each unit lies in several of them."""
    axes, r = call.first, call.argument(1, "upscale_factor")
    if axes is None:
        return None
    parts = reshaped(axes, [*call.args[0].shape[:-3], call.out.shape[-3], r, r, *call.args[0].shape[-2:]])
    if parts is None:
        return None
    *batch, channel, down, across, height, width = parts
    return (*batch, channel, (*height, *down), (*width, *across))


def _unshuffled(call: Call) -> Axes | None:
    """Of pixels that become channels: each unit lies in several of them."""
    axes, r = call.first, call.argument(1, "downscale_factor")
    if axes is None:
        return None
    *batch, height, width = call.args[0].shape
    parts = reshaped(axes, [*batch, height // r, r, width // r, r])
    if parts is None:
        return None
    *first, channel, high, down, wide, across = parts
    return (*first, (*channel, *down, *across), high, wide)


def _unfolded(call: Call) -> Axes | None:
    axes = call.first
    if axes is None or len(axes) != 4 or ranked(axes) - {1}:
        return None
    return (axes[0], (*axes[1], (call.out.shape[1] // call.args[0].shape[1], None)), ((call.out.shape[2], None),))


def _windows(call: Call) -> Axes | None:
    """Of windows along one dimension, whose places lie along a new last one."""
    axes, dim = call.first, call.argument(1, "dimension") % (call.out.ndim - 1)
    if axes is None or dim in ranked(axes):
        return None
    count, size = call.out.shape[dim], call.out.shape[-1]
    return (*axes[:dim], ((count, None),), *axes[dim + 1 :], ((size, None),))


def _copied(call: Call) -> Axes | None:
    axes = call.axes(call.args[1])
    return None if axes is None else expanded(axes, call.out.shape)


def _attended(call: Call) -> Axes | None:
    """Of attention ``[batch, head, query, feature]``: a mean of values, whose units it keeps."""
    axes = call.axes(call.args[2])
    if axes is None or len(axes) != call.out.ndim or len(axes) - 2 in ranked(axes):
        return None
    return (*axes[:-2], ((call.out.shape[-2], None),), axes[-1])


def common(call: Call) -> Axes | None:
    """Of an operation that works elementwise, with broadcasting."""
    given = [(x, o) for x in tensors((call.args, call.kwargs)) if (o := call.origin(x)) is not None]
    if any(o.data for _, o in given):  # what was computed from parameters alone has no units of its own
        given = [(x, o) for x, o in given if o.data and (o.axes is not None or o.reads)]
    if len(given) == 1 and given[0][0].shape == call.out.shape:
        return given[0][1].axes  # most operations; what follows gives the same
    largest = max((x.numel() for x, o in given if o.axes is not None), default=0)
    if any(o.axes is None and x.numel() >= largest for x, o in given):
        return None  # a smaller one of which nothing is known is broadcast along the units of a larger one
    return joined([o.axes for _, o in given if o.axes is not None], call.out.shape)


_NAMES: dict[Rule, tuple[str, ...]] = {
    _kept: (
        *("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "cudnn_batch_norm"),
        *("miopen_batch_norm", "_batch_norm_with_update", "_batch_norm_no_update", "native_group_norm"),
        *("native_layer_norm", "_fused_rms_norm", "native_dropout", "_softmax", "_log_softmax", "constant_pad_nd"),
        *("clone", "detach", "alias", "_to_copy", "contiguous", "lift_fresh", "expand_copy", "tril", "triu"),
        *("index_put", "index_put_", "index_add", "scatter", "scatter_add", "slice_scatter", "select_scatter"),
        *("rrelu_with_noise", "log_sigmoid_forward", "masked_fill", "_safe_softmax", "_prelu_kernel", "renorm"),
    ),
    _spatial(1): (
        *("max_pool1d", "avg_pool1d", "adaptive_avg_pool1d", "upsample_nearest1d", "upsample_linear1d"),
        *("_upsample_nearest_exact1d", "reflection_pad1d", "replication_pad1d"),
    ),
    _spatial(2): (
        *("max_pool2d_with_indices", "mkldnn_max_pool2d", "avg_pool2d", "_adaptive_avg_pool2d", "adaptive_max_pool2d"),
        *("mkldnn_adaptive_avg_pool2d", "fractional_max_pool2d", "upsample_nearest2d", "upsample_bilinear2d"),
        *("upsample_bicubic2d", "_upsample_nearest_exact2d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa"),
        *("grid_sampler_2d", "reflection_pad2d", "replication_pad2d"),
    ),
    _spatial(3): (
        *("max_pool3d_with_indices", "avg_pool3d", "_adaptive_avg_pool3d", "adaptive_max_pool3d"),
        *("upsample_nearest3d", "upsample_trilinear3d", "reflection_pad3d", "replication_pad3d"),
    ),
    _moved(1): ("gather", "index_select", "cumsum", "cumprod"),
    _moved(1, -1): ("sort",),
    _moved(2, -1): ("topk",),
    _turned(1): ("flip",),
    _turned(2): ("roll",),
    _cut: ("slice", "split", "split_with_sizes", "chunk", "narrow", "glu", "unsafe_split", "unsafe_chunk"),
    _viewed: ("view", "_unsafe_view", "reshape", "_reshape_alias", "_reshape_copy", "flatten", "unflatten"),
    _expanded: ("expand",),
    _ordered(lambda call, rank: [d % rank for d in call.args[1]]): ("permute",),
    _ordered(_transposition): ("transpose", "t"),
    _unsqueezed: ("unsqueeze",),
    _squeezed: ("squeeze",),
    _selected: ("select", "unbind"),
    _reduced(1): (
        *("mean", "sum", "amax", "amin", "max", "min", "std", "var", "var_mean", "std_mean", "logsumexp", "prod"),
        *("median", "all", "any", "nansum"),
    ),
    _reduced(2): ("linalg_vector_norm", "norm"),
    _copied: ("copy",),
    _attended: (
        *("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention"),
        *("_scaled_dot_product_efficient_attention", "_scaled_dot_product_cudnn_attention"),
    ),
    _concatenated: ("cat",),
    _stacked: ("stack",),
    _repeated: ("repeat",),
    _indexed: ("index",),
    _shuffled: ("pixel_shuffle",),
    _unshuffled: ("pixel_unshuffle",),
    _unfolded: ("im2col",),
    _windows: ("unfold",),
}
_RULES: dict[str, Rule] = {name: rule for rule, names in _NAMES.items() for name in names}

_GATES = frozenset({"sigmoid", "sigmoid_", "hardsigmoid", "hardsigmoid_", "tanh", "tanh_", "_softmax"})

_CONSTANT = frozenset(
    f"{way}_{kind}" if way == "new" else f"{kind}_{way}"
    for way in ("new", "like")
    for kind in ("zeros", "ones", "full", "empty", "rand", "randn", "randint")
)


@dataclass(frozen=True)
class Operation:
    """What is known of an operation."""

    name: str
    rule: Rule | None
    """The axes of an output; ``None`` where they are not known."""
    factors: tuple[int, int] | None
    """The places of its two factors, if it is a product."""
    gate: bool
    """Whether its output is a share by which other tensors are multiplied."""
    multiplies: bool
    """Whether it multiplies elementwise."""
    constant: bool
    """Whether it takes no more than shape and type from its inputs."""
    composite: bool
    """Whether it consists of others, which are to be seen instead."""


@cache
def of(func: Any) -> Operation:
    """What is known of the operation ``func`` of PyTorch."""
    name = func._schema.name.partition("::")[2]
    rule = _RULES.get(name) or _RULES.get(name.removesuffix("_"))
    if rule is None and torch.Tag.pointwise in func.tags:
        rule = common
    constant = name in _CONSTANT
    composite = func.has_kernel_for_dispatch_key(torch._C.DispatchKey.CompositeImplicitAutograd)
    multiplies = name in ("mul", "mul_")
    known = name in FACTORS or name in _RULES
    return Operation(name, rule, FACTORS.get(name), name in _GATES, multiplies, constant, composite and not known)
