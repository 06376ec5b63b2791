"""Tensors of a network that its outputs in inference do not depend on: what happens to them."""

from collections.abc import Collection, Mapping

from torch import Tensor, nn


def set_aside(model: nn.Module, names: Collection[str]) -> None:
    """Make the parameters ``names`` of ``model`` buffers: its state dict stays the same, and whatever goes through
    parameters, or through layers that have some, passes them by. A forward pass in training can still read them."""
    state = model.state_dict(keep_vars=True)
    gone = {id(state[name]) for name in names}
    for module in model.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None and id(parameter) in gone:
                del module._parameters[name]
                module.register_buffer(name, parameter.detach())


def with_own(model: nn.Module, state: Mapping[str, Tensor], missing: Collection[str]) -> dict[str, Tensor]:
    """``state`` with ``model``'s own values for the names in ``missing`` that it lacks."""
    own = model.state_dict()
    return {name: own[name] for name in missing if name in own and name not in state} | dict(state)
