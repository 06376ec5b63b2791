"""Counts the products of a real forward and backward pass, from the operations that autograd runs.

What needs a gradient, what is frozen and what reads the network's input is autograd's own knowledge here. The pass can
run on the meta device, where nothing is computed.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dnnlab.instruments import operations
from dnnlab.instruments.operations import tensors
from dnnlab.networks.outputs import logits


@dataclass(frozen=True)
class Counts:
    """What one pass of a network takes."""

    macs: int
    """Multiply–accumulates of the forward pass."""
    training_macs: int
    """Those of the forward and the backward pass."""
    activations: int
    """Elements put out by products with a trained matrix or kernel."""
    used: frozenset[str]
    """The names of the parameters that the logits depend on."""
    uncounted: tuple[str, ...] = ()
    """Functions that read a parameter, may multiply by it, and are not counted."""


@dataclass(frozen=True)
class _Origin:
    """Where a tensor comes from."""

    data: bool = False
    """Whether it was computed from the network's input."""
    parameters: frozenset[str] = frozenset()
    """The parameters that it was computed from."""

    @property
    def trained(self) -> bool:
        """Whether it was computed from parameters alone."""
        return bool(self.parameters) and not self.data

    def __or__(self, other: "_Origin") -> "_Origin":
        return _Origin(self.data or other.data, self.parameters | other.parameters)


class Products(TorchDispatchMode):
    """Counts the products of a forward and a backward pass, while it is entered.

    Where a tensor comes from is kept by its storage, so that views and what is overwritten need no rules of their own.

    Args:
        parameters: By name.
        x: The network's input.
    """

    def __init__(self, parameters: Mapping[str, Tensor], x: Tensor) -> None:
        super().__init__()
        self.forward = self.backward = self.activations = 0
        self._ended = False
        self.uncounted: dict[str, None] = {}
        # The storages stay alive, so that no later one has the same address.
        self._origins: dict[int, tuple[Any, _Origin]] = {}
        for name, parameter in parameters.items():
            self._set(parameter, _Origin(parameters=frozenset([name])))
        self._set(x, _Origin(data=True))

    def origin(self, tensor: Tensor) -> _Origin:
        """Where ``tensor`` comes from."""
        storage = _storage(tensor)
        return (
            self._origins[storage._cdata][1] if storage is not None and storage._cdata in self._origins else _Origin()
        )

    def _set(self, tensor: Tensor, origin: _Origin) -> None:
        if (storage := _storage(tensor)) is not None:
            self._origins[storage._cdata] = storage, origin

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        operation = operations.of(func)
        name = operation.name.removesuffix("_")
        product = _PRODUCTS.get(name)
        if product is None and operation.composite:
            with self:
                return func.decompose(*args, **kwargs)
        if self._ended:
            out = func(*args, **kwargs)
            self.backward += _backward(name, args, out) if product is None else product(args, out)
            return out
        given = list(tensors((args, kwargs)))
        origins = [self.origin(x) for x in given]
        out = func(*args, **kwargs)
        found = list(tensors(out))
        if product is not None:
            self.forward += product(args, out)
            if self._by_trained(operation, args):
                self.activations += found[0].numel()
        elif any(o.trained for o in origins) and not _multiplies_nothing(operation, given, origins, found):
            self.uncounted[name.lstrip("_")] = None
        self._leads(func, operation, given, origins, found)
        return out

    def _by_trained(self, operation: operations.Operation, args: Sequence[Any]) -> bool:
        """Whether one factor of a product comes from parameters alone and another does not."""
        places = (1, 2) if operation.name == "addbmm" else operation.factors or range(min(3, len(args)))
        factors = [args[place] for place in places]
        return len({self.origin(x).trained for x in factors if isinstance(x, Tensor)}) == 2

    def _leads(
        self,
        func: Any,
        operation: operations.Operation,
        given: Sequence[Tensor],
        origins: Sequence[_Origin],
        found: Sequence[Tensor],
    ) -> None:
        """Note where the outputs ``found`` of an operation come from."""
        if operation.constant or operation.name.startswith("new_") or operation.name.endswith("_like"):
            joined = _Origin()
        else:
            joined = _Origin(any(o.data for o in origins), frozenset().union(*(o.parameters for o in origins)))
        for x in found:
            self._set(x, joined)
        if func._schema.is_mutable and not found:  # such as those that change a list of tensors
            for x in given:
                self._set(x, joined)

    def counts(self, out: Any) -> Counts:
        """What was counted, with the backward pass from the logits in the output ``out`` of the network."""
        ends = list(tensors(logits(out)))
        used = frozenset().union(*(self.origin(x).parameters for x in ends))
        self._origins.clear()
        self._ended = True
        learnt = [x for x in ends if x.requires_grad]
        if learnt:
            torch.autograd.backward(learnt, [torch.ones_like(x) for x in learnt])
        macs = self.forward + self.backward
        return Counts(self.forward, macs, self.activations, used, tuple(self.uncounted))


def _storage(tensor: Tensor) -> Any:
    return tensor.untyped_storage() if tensor.layout == torch.strided and not tensor.is_nested else None


@contextmanager
def plain_functions(own: Sequence[Tensor]) -> Iterator[None]:
    """For a pass of a network whose own tensors are ``own``: with gradients, without a trace in PyTorch's random
    numbers, and with attention and recurrent layers as the products that they consist of, which fused kernels hide.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel

    fast = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng({t.device for t in own if t.is_cuda}))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.callback(torch.backends.mkldnn.set_flags, *torch.backends.mkldnn.set_flags(False)[:1])
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        stack.callback(torch.backends.mha.set_fastpath_enabled, fast)
        torch.backends.mha.set_fastpath_enabled(False)
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        yield


# The products, each with the multiply–accumulates of one call.

Macs = Callable[[Sequence[Any], Any], int]


def _matrices(left: int, right: int) -> Macs:
    """Of a product ``[…, n, k] @ [k, m]``, of a matrix with a vector, or of two vectors."""

    def macs(args: Sequence[Any], out: Any) -> int:
        a, b = args[left], args[right]
        return int(a.numel() * (b.shape[-1] if b.ndim > 1 else 1))

    return macs


def _kernel(x: Tensor, weight: Tensor, out: Tensor, transposed: bool) -> int:
    """Of a convolution, whose groups are in the shape of ``weight``: every element of the output, or of a transposed
    one's input, meets one filter."""
    return int((x if transposed else out).numel() * weight.shape[1:].numel())


def _convolution(args: Sequence[Any], out: Any) -> int:
    return _kernel(args[0], args[1], out, args[6])


def _convolution_gradients(args: Sequence[Any], out: Any) -> int:
    grad, x, weight, mask = args[0], args[1], args[2], args[10]
    return _kernel(x, weight, grad, args[7]) * (mask[0] + mask[1])


def _trilinear(args: Sequence[Any], out: Any) -> int:
    """Of a bilinear layer: one for each term of the sum x1 W x2."""
    shapes = []
    for x, expanded in zip(args[:3], args[3:6], strict=True):
        rest = iter(x.shape)
        shapes.append([1 if d in expanded else next(rest) for d in range(x.ndim + len(expanded))])
    return math.prod(map(max, zip(*shapes, strict=True)))


def _distances(first: int, second: int) -> Macs:
    """Of all pairs of rows of two matrices."""
    return lambda args, out: int(args[first].numel() * args[second].shape[-2])


def _pairs(place: int) -> Macs:
    """Of all pairs of rows of one matrix."""
    return lambda args, out: int(args[place].numel() * (len(args[place]) - 1) // 2)


def _attention(start: int, times: int) -> Macs:
    """Of fused attention, in its plain form: every query with every key, and every value weighted."""

    def macs(args: Sequence[Any], out: Any) -> int:
        query, key, value = args[start : start + 3]
        return int(times * query.shape[:-1].numel() * key.shape[-2] * (query.shape[-1] + value.shape[-1]))

    return macs


_FUSED = ("flash_attention_for_cpu", "flash_attention", "efficient_attention", "cudnn_attention")
_PRODUCTS: Mapping[str, Macs] = {
    **dict.fromkeys(("mm", "bmm", "mv", "dot", "vdot", "_int_mm", "_scaled_mm"), _matrices(0, 1)),
    **dict.fromkeys(("addmm", "addbmm", "baddbmm", "addmv", "_addmm_activation"), _matrices(1, 2)),
    "linear": lambda args, out: int(args[0].numel() * args[1].shape[0]),
    **dict.fromkeys(("convolution", "_convolution"), _convolution),
    "convolution_backward": _convolution_gradients,
    "conv_tbc": lambda args, out: int(out.numel() * args[1].shape[:2].numel()),
    "_trilinear": _trilinear,
    **dict.fromkeys(("_cdist_forward", "_euclidean_dist"), _distances(0, 1)),
    "_cdist_backward": _distances(1, 2),
    "_pdist_forward": _pairs(0),
    "_pdist_backward": _pairs(1),
    **{f"_scaled_dot_product_{kind}": _attention(0, 1) for kind in _FUSED},
    **{f"_scaled_dot_product_{kind}_backward": _attention(1, 2) for kind in _FUSED},
}

_OUTER = frozenset({"MvBackward0", "AddmvBackward0", "DotBackward0", "VdotBackward0"})
"""Products whose gradients are written as elementwise ones."""


def _backward(name: str, args: Sequence[Any], out: Any) -> int:
    """The multiply–accumulates of an operation of a backward pass that is in no table."""
    node = torch._C._current_autograd_node() if name == "mul" else None
    return int(out.numel()) if node is not None and node.name() in _OUTER else 0


_NO_PRODUCTS = frozenset(
    {
        *("embedding", "detach", "alias", "as_strided", "diagonal", "unfold", "view_as_real", "view_as_complex"),
        *(
            "copy",
            "fill",
            "zero",
            "set",
            "resize",
            "lift_fresh",
            "item",
            "_local_scalar_dense",
            "equal",
            "is_same_size",
        ),
        *("argmax", "argmin", "aminmax", "kthvalue", "mode", "searchsorted", "bucketize", "nonzero", "masked_select"),
        *("scatter_reduce", "masked_scatter", "index_copy", "index_fill", "index_reduce", "take", "put", "unique_dim"),
        *("diag_embed", "cummax", "cummin", "logcumsumexp", "unsafe_split", "_weight_norm_interface", "bernoulli"),
        *("split_copy", "_thnn_fused_lstm_cell", "_thnn_fused_gru_cell", "_pack_padded_sequence", "_log_softmax"),
        *("_foreach_norm", "isnan", "isinf", "_unique2", "count_nonzero", "linalg_vector_norm", "channel_shuffle"),
        *("pixel_unshuffle", "affine_grid_generator", "col2im", "max_unpool2d", "_nested_tensor_from_mask"),
    }
)
"""Operations that multiply by no matrix, beside those whose rules for units `operations` knows."""


def _multiplies_nothing(
    operation: operations.Operation, given: Sequence[Tensor], origins: Sequence[_Origin], found: Sequence[Tensor]
) -> bool:
    """Whether an operation that reads a parameter is none that should be counted: it works elementwise, only moves or
    reduces elements, or normalises.

    An elementwise product is one where it makes more elements out of the input's: x[1, k] * W[n, k], to be summed,
    is a linear layer.
    """
    name = operation.name.removesuffix("_")
    if name in ("mul", "addcmul"):
        wide = max((x.numel() for x, o in zip(given, origins, strict=True) if o.data), default=0)
        return not wide or found[0].numel() <= wide
    return operation.rule is not None or operation.constant or name in _NO_PRODUCTS
