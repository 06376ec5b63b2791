"""Layers that are narrower than their factory makes them, as pruning leaves them."""

from typing import Any, cast

from torch import Tensor, nn

CONVOLUTION, BATCH_NORM = nn.modules.conv._ConvNd, nn.modules.batchnorm._BatchNorm
METADATA = "dnnlab-pruned"
"""The entry of a .safetensors file that says its layers are narrower than the factory's."""


def narrowable(module: nn.Module) -> bool:
    """Whether units can be taken out of a layer one by one."""
    return isinstance(module, nn.Linear) or (
        isinstance(module, CONVOLUTION) and module.groups == 1 and not module.transposed
    )


def replace(module: nn.Module, name: str, value: Tensor) -> None:
    """Put ``value`` in the place of the parameter or buffer called ``name``."""
    held = getattr(module, name)
    value = value.detach().clone()
    setattr(module, name, nn.Parameter(value, held.requires_grad) if isinstance(held, nn.Parameter) else value)


def resize(module: Any) -> None:
    """Make a layer's own account of its size that of its tensors."""
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
        for name, held in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            found = state.get(f"{prefix}.{name}" if prefix else name)
            if found is not None and found.shape != held.shape and found.ndim == held.ndim:
                replace(module, name, held.new_empty(found.shape))
        if depthwise:
            module.groups = len(cast(Tensor, module.weight))
        resize(module)
