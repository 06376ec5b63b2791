"""Networks without memory: built on the meta device, where tensors are shapes and nothing is initialised."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_UNFILLED = frozenset({torch.empty, torch.zeros, torch.ones})
_FACTORIES = frozenset({torch.full, torch.tensor, torch.arange, torch.linspace})
_FILLS = frozenset(
    {
        *(nn.init.kaiming_uniform_, nn.init.uniform_, nn.init.normal_, nn.init.trunc_normal_, nn.init.constant_),
        *(Tensor.fill_, Tensor.zero_, Tensor.normal_, Tensor.uniform_),
    }
)


class Skeleton(TorchFunctionMode):
    """Networks built inside have their parameters on the meta device, so that no time is spent on initialising them."""

    def __torch_function__(self, func: Callable, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _FILLS:
            return args[0] if args else kwargs["tensor"]
        kwargs = kwargs or {}
        if func in _UNFILLED:
            return torch.empty(*args, **(kwargs | {"device": "meta"}))
        if func in _FACTORIES:
            return func(*args, **(kwargs | {"device": kwargs.get("device") or "meta"}))
        return func(*args, **kwargs)
