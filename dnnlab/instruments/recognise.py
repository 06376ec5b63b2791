"""Which calls are activation functions, and up to where their output is exactly zero.

Modules such as ``nn.ReLU``, functions such as ``F.relu`` and methods such as ``x.clamp_(min=0)`` count alike.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode

from dnnlab.networks.activations import ZERO_UP_TO

_FUNCTIONS: dict[Any, str] = {
    function: name
    for name, functions in {
        "sigmoid": (torch.sigmoid, torch.sigmoid_, Tensor.sigmoid, Tensor.sigmoid_, F.sigmoid),
        "tanh": (torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_, F.tanh),
        "relu": (F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_),
        "relu6": (F.relu6,),
        "hardtanh": (F.hardtanh,),
        "leaky_relu": (F.leaky_relu,),
        "prelu": (F.prelu, torch.prelu, Tensor.prelu),
        "elu": (F.elu,),
        "celu": (F.celu,),
        "selu": (F.selu,),
        "swish": (F.silu,),
        "gelu": (F.gelu,),
        "mish": (F.mish,),
        "softplus": (F.softplus,),
        "softsign": (F.softsign,),
        "hardswish": (F.hardswish,),
        "hardsigmoid": (F.hardsigmoid,),
        "logsigmoid": (F.logsigmoid,),
        "threshold": (F.threshold,),
        "clamp": (torch.clamp, torch.clamp_, Tensor.clamp, Tensor.clamp_),
        "clamp_min": (torch.clamp_min, torch.clamp_min_, Tensor.clamp_min, Tensor.clamp_min_),
    }.items()
    for function in functions
}


@dataclass(frozen=True)
class Recognised:
    """An activation: its name in `dnnlab.networks.activations` or PyTorch, and up to where its output is exactly zero
    (``None`` where it never is)."""

    name: str
    zero_up_to: float | None


def recognise(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Recognised | None:
    """The activation that the call ``function(*args, **kwargs)`` computes; ``None`` where it is none."""
    name = _FUNCTIONS.get(function)
    if name is None:
        return None

    def argument(position: int, *names: str) -> Any:
        return args[position] if len(args) > position else next((kwargs[n] for n in names if n in kwargs), None)

    if name in ("clamp", "clamp_min"):
        low, high = argument(1, "min"), argument(2, "max") if name == "clamp" else None
        if isinstance(low, Tensor) or low != 0:  # cutting at another value is no activation the field has a name for
            return None
        return Recognised("relu" if high is None else "hardtanh", 0.0)
    if name == "hardtanh":
        return Recognised("hardtanh", 0.0 if argument(1, "min_val") == 0 else None)
    if name == "threshold":
        return Recognised("threshold", argument(1, "threshold") if argument(2, "value") == 0 else None)
    return Recognised(name, ZERO_UP_TO.get(name))


class Watch(TorchFunctionMode):
    """Tells ``seen`` of every activation that runs: what it is, its input and its output.

    Of an in-place call, whose input is overwritten, both are the output; the two gates, whose saturation is
    defined by their input, are given a copy of it.
    """

    def __init__(self, seen: Callable[[Recognised, Tensor, Tensor], None]) -> None:
        super().__init__()
        self.seen = seen

    def __torch_function__(self, func: Callable, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = recognise(func, args, kwargs)
        if found is None:
            return func(*args, **kwargs)
        u = args[0] if args else kwargs["input"]
        before = u._version
        kept = u.detach().clone() if found.name in ("swish", "gelu") and kwargs.get("inplace") else u.detach()
        out = func(*args, **kwargs)
        overwritten = u._version != before and kept.data_ptr() == u.data_ptr()
        self.seen(found, out.detach() if overwritten else kept, out)
        return out


def owns_weights(module: nn.Module) -> bool:
    """Whether the module itself holds a weight matrix, or is parametrised to."""
    if parametrize.is_parametrized(module):  # its matrix is computed, and owned by the parametrisation
        return True
    within = isinstance(module, parametrize.ParametrizationList)
    return not within and any(p.ndim >= 2 for p in module.parameters(recurse=False))


def unit_dim(module: nn.Module | None, h: Tensor) -> int:
    """Where units lie in ``h``: channels come second after a convolution, and last after everything else."""
    return 1 if isinstance(module, nn.modules.conv._ConvNd) and h.ndim > 2 else -1
