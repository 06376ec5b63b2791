"""Weights that are computed from other tensors at every call: by parametrisations, and by PyTorch's older hooks."""

from collections.abc import Callable, Iterator
from functools import partial

from torch import nn
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm, SpectralNormLoadStateDictPreHook
from torch.nn.utils.weight_norm import WeightNorm

from dnnlab.networks.remembered import in_mode


def make_plain(model: nn.Module) -> list[str]:
    """Put in the place of every weight that is computed, as by ``weight_norm``, a parameter of its present value; gives
    the names of these weights. The outputs of ``model`` in evaluation mode stay the same.
    """
    found = list(_computed(model))
    with in_mode(model, training=False):  # reading a spectral norm in training mode would change it
        for _, become_plain in found:
            become_plain()
    return [name for name, _ in found]


def computed(model: nn.Module) -> list[str]:
    """The names of the weights of ``model`` that are computed, as its state dict would have them if they were plain."""
    return [name for name, _ in _computed(model)]


def _computed(model: nn.Module) -> Iterator[tuple[str, Callable[[], object]]]:
    """The name of every weight that is computed, and what makes a parameter of it."""
    for prefix, module in model.named_modules():
        ways: dict[str, Callable[[], object]] = {}
        if parametrize.is_parametrized(module):
            for name in module.parametrizations:
                ways[name] = partial(parametrize.remove_parametrizations, module, name, leave_parametrized=True)
        for hook in module._forward_pre_hooks.values():
            match hook:
                case WeightNorm():
                    ways[hook.name] = partial(remove_weight_norm, module, hook.name)
                case SpectralNorm():
                    ways[hook.name] = partial(_remove_spectral_norm, module, hook.name)
                case prune.BasePruningMethod():
                    ways[hook._tensor_name] = partial(prune.remove, module, hook._tensor_name)
        yield from ((f"{prefix}.{name}" if prefix else name, way) for name, way in ways.items())


def _remove_spectral_norm(module: nn.Module, name: str) -> None:
    remove_spectral_norm(module, name)
    _forget_loading(module)


def _forget_loading(module: nn.Module) -> None:
    """Take away the hook of a spectral norm that is gone, which PyTorch leaves: it would look for the tensors that
    the norm had in every state dict that is loaded."""
    hooks = module._load_state_dict_pre_hooks
    for key, hook in list(hooks.items()):
        if isinstance(getattr(hook, "hook", hook), SpectralNormLoadStateDictPreHook):
            del hooks[key]
