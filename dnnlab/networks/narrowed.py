"""Layers that are narrower than their factory makes them, as pruning leaves them."""

from typing import Any

from torch import Tensor, nn

CONVOLUTION, BATCH_NORM = nn.modules.conv._ConvNd, nn.modules.batchnorm._BatchNorm
_BATCH_LIKE = nn.modules.batchnorm._NormBase


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
    """Set the sizes that a layer reports to those of its tensors. A convolution with one channel a group keeps that."""
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.LayerNorm | nn.RMSNorm):
        module.normalized_shape = module.normalized_shape if module.weight is None else tuple(module.weight.shape)
    elif isinstance(module, CONVOLUTION):
        first, second = module.weight.shape[:2]
        if not module.transposed and module.groups == module.in_channels > 1:
            module.groups = first // (module.out_channels // module.in_channels)
        second *= module.groups
        module.out_channels, module.in_channels = (second, first) if module.transposed else (first, second)
    elif isinstance(module, nn.GroupNorm):
        module.num_channels = module.num_channels if module.weight is None else len(module.weight)
    elif isinstance(module, nn.PReLU):
        module.num_parameters = len(module.weight)
    elif isinstance(module, _BATCH_LIKE):
        known = next((t for t in (module.weight, module.running_mean) if t is not None), None)
        module.num_features = module.num_features if known is None else len(known)


def fit(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Give the tensors of ``network`` the smaller sizes of a pruned ``state``, so that it loads."""
    for prefix, module in network.named_modules():
        changed = False
        for name, old in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            tensor = state.get(f"{prefix}.{name}" if prefix else name)
            if tensor is not None and _narrower(tensor, old):
                replace(module, name, old.new_empty(tensor.shape))
                changed = True
        if changed:
            resize(module)


def _narrower(tensor: Tensor, old: Tensor) -> bool:
    same = tensor.ndim == old.ndim and tensor.shape != old.shape
    return same and all(size <= before for size, before in zip(tensor.shape, old.shape, strict=True))
