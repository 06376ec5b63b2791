"""Weights that are computed from other tensors at every call: by parametrisations, and by PyTorch's older hooks."""

from torch import nn
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm, SpectralNormLoadStateDictPreHook
from torch.nn.utils.weight_norm import WeightNorm


def make_plain(model: nn.Module) -> list[str]:
    """Put in the place of every weight that is computed, as by ``weight_norm``, a parameter of its present value; gives
    the names of these weights. The outputs of ``model`` in evaluation mode stay the same.
    """
    names = []
    model.eval()  # reading a spectral norm in training mode would change it
    for prefix, module in list(model.named_modules()):
        computed = []
        if parametrize.is_parametrized(module):
            computed = list(module.parametrizations)
            for name in computed:
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
        for hook in list(module._forward_pre_hooks.values()):
            match hook:
                case WeightNorm():
                    remove_weight_norm(module, hook.name)
                    computed.append(hook.name)
                case SpectralNorm():
                    remove_spectral_norm(module, hook.name)
                    _forget_loading(module)
                    computed.append(hook.name)
                case prune.BasePruningMethod():
                    prune.remove(module, hook._tensor_name)
                    computed.append(hook._tensor_name)
        names += [f"{prefix}.{name}" if prefix else name for name in computed]
    return names


def _forget_loading(module: nn.Module) -> None:
    """Take away the hook of a spectral norm that is gone, which PyTorch leaves: it would look for the tensors that
    the norm had in every state dict that is loaded."""
    hooks = module._load_state_dict_pre_hooks
    for key, hook in list(hooks.items()):
        if isinstance(getattr(hook, "hook", hook), SpectralNormLoadStateDictPreHook):
            del hooks[key]
