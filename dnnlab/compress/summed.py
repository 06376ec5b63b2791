"""Along which of its axes a weight is summed over: those of its inputs. Seen in the products of a forward pass, however
they are written."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from dnnlab.compress.structure import weights
from dnnlab.networks.remembered import in_mode, same_state

_CONVOLUTIONS = ("convolution", "_convolution", "mkldnn_convolution", "cudnn_convolution")
_SUMMED: Mapping[str, tuple[tuple[int, int], ...]] = {
    **dict.fromkeys(("mm", "bmm"), ((0, -1), (1, -2))),
    **dict.fromkeys(("addmm", "baddbmm", "_addmm_activation"), ((1, -1), (2, -2))),
    "mv": ((0, -1),),
    "addmv": ((1, -1),),
    "linear": ((1, -1),),
}
"""For each product of matrices, which dimension of which argument it sums over."""


@dataclass(frozen=True)
class Summed:
    """What of a weight goes into one sum."""

    axes: tuple[int, ...]
    """The axes that are summed over, ascending."""
    size: int
    """The number of neighbours along them that are in the same sum: less than there are, in a layer with groups."""

    def groups(self, values: Tensor) -> Tensor:
        """``values [*weight]`` as ``[sum, group, 4]``, four neighbours of the same sum in each group."""
        return self._last(values).reshape(-1, self.size // 4, 4)

    def back(self, groups: Tensor, like: Tensor) -> Tensor:
        """``groups [sum, group, 4]`` as ``[*like]``, as they were before `groups`."""
        order = self._order(like.ndim)
        shape = [like.shape[axis] for axis in order]
        return groups.reshape(shape).permute([order.index(axis) for axis in range(like.ndim)])

    def _last(self, values: Tensor) -> Tensor:
        return values.permute(self._order(values.ndim))

    def _order(self, ndim: int) -> list[int]:
        return [*(axis for axis in range(ndim) if axis not in self.axes), *self.axes]


def summed(model: nn.Module, x: Tensor) -> dict[str, Summed]:
    """For each weight of ``model`` by name what of it goes into one sum when it is given ``x [batch, *shape]``, by its
    first product. Those that no product is seen to read are not in it, such as embeddings, whose rows are looked up.
    """
    found = _Products(weights(model))
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # an encoder layer may run as one operation
    try:
        with in_mode(model, training=False), same_state(model), torch.enable_grad(), found:
            model(x)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return _by_class(model) | found.summed


def _by_class(model: nn.Module) -> dict[str, Summed]:
    """Of layers whose products one operation hides, or that compute another weight before the product."""
    names = {id(weight): name for name, weight in weights(model).items()}
    known = {}
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Bilinear | nn.RNNBase | nn.RNNCellBase | nn.modules.conv._ConvNd):
            for weight in module.parameters(recurse=False):
                if id(weight) in names:
                    transposed = getattr(module, "transposed", False)
                    known[names[id(weight)]] = _kernel(weight, transposed, getattr(module, "groups", 1))
    return known


def _kernel(weight: Tensor, transposed: bool, groups: int) -> Summed:
    """Of ``[out, in / groups, *kernel]``, or of ``[in, out / groups, *kernel]`` where it is ``transposed``."""
    if transposed:
        return Summed((0,), len(weight) // groups)
    return Summed(tuple(range(1, weight.ndim)), weight[0].numel())


class _Products(TorchDispatchMode):
    """Sees which products read ``parameters``."""

    def __init__(self, parameters: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.parameters = parameters
        self.summed: dict[str, Summed] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in _CONVOLUTIONS:
            self._see(args[1], lambda weight: _kernel(weight, bool(args[6:] and args[6] is True), _groups(args)))
        for place, dimension in _SUMMED.get(name, ()):
            factor = args[place]
            self._see(factor, lambda weight, of=factor, d=dimension: _along(weight, of, d))
        return func(*args, **(kwargs or {}))

    def _see(self, factor: Tensor, what: Any) -> None:
        for name, weight in self.parameters.items():
            begin = weight.data_ptr()
            if name not in self.summed and begin <= factor.data_ptr() < begin + weight.nbytes:
                seen = what(weight)
                if seen is not None:
                    self.summed[name] = seen


def _groups(args: Any) -> int:
    """The groups of a convolution: the last whole number among its arguments."""
    return next((arg for arg in reversed(args) if type(arg) is int), 1)


def _along(weight: Tensor, factor: Tensor, dimension: int) -> Summed | None:
    """The axes of ``weight`` that ``dimension`` of ``factor``, a view of it, runs along; ``None`` where it is none."""
    size, step = factor.shape[dimension], factor.stride(dimension)
    for last in reversed(range(weight.ndim)):
        if weight.shape[last] == 1 or weight.stride(last) != step:
            continue
        for first in reversed(range(last + 1)):
            together = math.prod(weight.shape[first : last + 1])
            if size <= together:
                return Summed(tuple(range(first, last + 1)), size) if together % size == 0 else None
    return None
