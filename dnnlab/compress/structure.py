"""The shape of a compressed network, from the shapes of its tensors: a state dict alone rebuilds it."""

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn

from dnnlab.compress.stages import Kind
from dnnlab.networks import narrowed

FACTORS = (nn.Linear, nn.Conv2d)
"""The classes of layers that can be factorised."""


def rebuild(model: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    """``model`` with layers of the shapes in ``state``, factorised or narrower, and with its values.

    Raises:
        RuntimeError: the tensors are of another network.
    """
    for name, module in list(model.named_modules()):
        if isinstance(module, FACTORS) and f"{name}.0.weight" in state and f"{name}.weight" not in state:
            replace(model, name, _factorised(module, name, state))
    narrowed.fit(model, dict(state))
    model.load_state_dict(dict(state))
    return model


def replace(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put ``module`` in the place of the submodule ``name``."""
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)


def _factorised(module: nn.Module, name: str, state: Mapping[str, Tensor]) -> nn.Sequential:
    if isinstance(module, nn.Linear):
        rank = len(state[f"{name}.0.weight"])
        return linear_factors(module, rank)
    assert isinstance(module, nn.Conv2d)
    first = len(state[f"{name}.0.weight"])
    if f"{name}.2.weight" not in state:
        return pointwise_factors(module, first)
    core = state[f"{name}.1.weight"]
    if core.shape[:2] == (first, 1):  # one kernel per channel; with one channel both forms are the same
        return cp_factors(module, first)
    return tucker_factors(module, first, len(core))


def linear_factors(module: nn.Linear, rank: int) -> nn.Sequential:
    """Two linear layers with ``rank`` units between them and nothing else, in the place of one."""
    second = nn.Linear(rank, module.out_features, bias=module.bias is not None)
    return nn.Sequential(nn.Linear(module.in_features, rank, bias=False), second).to(module.weight)


def pointwise_factors(module: nn.Conv2d, rank: int) -> nn.Sequential:
    """Two 1×1 convolutions with ``rank`` channels between them, in the place of one."""
    first = nn.Conv2d(module.in_channels, rank, 1, cast(Any, module.stride), bias=False)
    second = nn.Conv2d(rank, module.out_channels, 1, bias=module.bias is not None)
    return nn.Sequential(first, second).to(module.weight)


def tucker_factors(module: nn.Conv2d, inputs: int, outputs: int) -> nn.Sequential:
    """1×1 to ``inputs`` channels, the kernel to ``outputs``, and 1×1 back (Kim 2016)."""
    return _around_a_core(module, inputs, outputs, 1)


def cp_factors(module: nn.Conv2d, rank: int) -> nn.Sequential:
    """1×1 to ``rank`` channels, a kernel a channel, and 1×1 back (Lebedev 2015)."""
    return _around_a_core(module, rank, rank, rank)


def _around_a_core(module: nn.Conv2d, inputs: int, outputs: int, groups: int) -> nn.Sequential:
    core = nn.Conv2d(
        inputs,
        outputs,
        cast(Any, module.kernel_size),
        cast(Any, module.stride),
        cast(Any, module.padding),
        cast(Any, module.dilation),
        groups,
        bias=False,
        padding_mode=module.padding_mode,
    )
    first = nn.Conv2d(module.in_channels, inputs, 1, bias=False)
    last = nn.Conv2d(outputs, module.out_channels, 1, bias=module.bias is not None)
    return nn.Sequential(first, core, last).to(module.weight)


def layers(model: nn.Module, kind: Kind) -> dict[str, Any]:
    """The layers of ``model`` by name on which a ``kind`` of stage works."""
    classes = tuple(getattr(nn, name) for name in kind.layers)
    return {name: module for name, module in model.named_modules() if isinstance(module, classes)}


def weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters of two dimensions or more by name: those that are pruned, shared and coded."""
    return {name: p for name, p in model.named_parameters() if p.ndim > 1}


def biases(model: nn.Module) -> dict[str, nn.Parameter]:
    """The biases of layers by name, without those of normalisation."""
    result = {}
    for prefix, module in model.named_modules():
        bias = getattr(module, "bias", None)
        weight = getattr(module, "weight", None)
        if isinstance(bias, nn.Parameter) and isinstance(weight, Tensor) and weight.ndim > 1:
            result[f"{prefix}.bias" if prefix else "bias"] = bias
    return result
