"""Layers that are narrower than their factory makes them, as pruning leaves them."""

from typing import Any, cast

from torch import Tensor, nn

CONVOLUTION, BATCH_NORM = nn.modules.conv._ConvNd, nn.modules.batchnorm._BatchNorm
METADATA = "dnnlab-pruned"
"""The entry of a .safetensors file which says that its layers are narrower than the factory makes them."""


def narrowable(module: nn.Module) -> bool:
    """Whether single units can be removed from a layer."""
    return isinstance(module, nn.Linear) or (
        isinstance(module, CONVOLUTION) and module.groups == 1 and not module.transposed
    )


def replace(module: nn.Module, name: str, value: Tensor) -> None:
    """Put ``value`` in the place of the parameter or buffer called ``name``."""
    old = getattr(module, name)
    value = value.detach().clone()
    setattr(module, name, nn.Parameter(value, old.requires_grad) if isinstance(old, nn.Parameter) else value)


def resize(module: Any) -> None:
    """Set the sizes that a layer reports to those of its tensors."""
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.LayerNorm):
        module.normalized_shape = module.normalized_shape if module.weight is None else tuple(module.weight.shape)
    elif isinstance(module, CONVOLUTION):
        module.out_channels, module.in_channels = module.weight.shape[0], module.weight.shape[1] * module.groups
    else:
        module.num_features = len(cast(Tensor, module.running_mean if module.weight is None else module.weight))


def fit(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Give the layers of ``network`` the smaller sizes of a pruned ``state``, so that it loads."""
    for prefix, module in network.named_modules():
        depthwise = isinstance(module, CONVOLUTION) and module.groups == module.in_channels == module.out_channels
        if not (narrowable(module) or depthwise or isinstance(module, (BATCH_NORM, nn.LayerNorm))):
            continue
        for name, old in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            tensor = state.get(f"{prefix}.{name}" if prefix else name)
            if tensor is not None and tensor.shape != old.shape and tensor.ndim == old.ndim:
                replace(module, name, old.new_empty(tensor.shape))
        if depthwise:
            module.groups = len(cast(Tensor, module.weight))
        resize(module)
