"""Tensors of a network that its outputs in inference do not depend on: of layers that are never called, of heads that
only training has, and of branches whose result nobody reads."""

import math
from collections.abc import Collection, Iterable, Mapping

import torch
from torch import Tensor, nn

from dnnlab.networks import outputs
from dnnlab.networks.remembered import in_mode, same_state


def without_effect(model: nn.Module, x: Tensor, names: Iterable[str]) -> frozenset[str]:
    """Those of the tensors ``names`` of ``model``'s state dict that can be spoilt without changing a bit of its logits
    for the inputs ``x [batch, *shape]`` in evaluation mode, in which it is afterwards.

    Numbers become nan, which passes through every product and sum. Nothing else is taken as a proof: a tensor may
    choose what the network does without leading to its outputs, as the scores of experts do.
    """
    asked = list(dict.fromkeys(names))
    if not asked:
        return frozenset()
    with in_mode(model, training=False):
        with torch.no_grad(), same_state(model):
            wanted = _logits(model, x).clone()
        if _same_without(model, x, asked, wanted):
            return frozenset(asked)
        return frozenset(name for name in asked if _same_without(model, x, [name], wanted))


@torch.no_grad()
def _same_without(model: nn.Module, x: Tensor, names: Collection[str], wanted: Tensor) -> bool:
    tensors = [tensor for name, tensor in model.state_dict(keep_vars=True).items() if name in names]
    before = [tensor.clone() for tensor in tensors]
    with same_state(model):
        try:
            for tensor in tensors:
                _spoil(tensor)
            given = _logits(model, x)
            # Infinite logits and such as are no numbers prove nothing.
            return bool(torch.equal(given, wanted)) and bool(wanted.isfinite().all())
        except Exception:  # noqa: BLE001 - whatever a network raises that misses its numbers
            return False
        finally:
            for tensor, values in zip(tensors, before, strict=True):
                tensor.copy_(values)


def _logits(model: nn.Module, x: Tensor) -> Tensor:
    """The logits, with the same random numbers each time where the network draws some."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        given: Tensor = outputs.logits(model(x))
    return given


def _spoil(tensor: Tensor) -> None:
    if tensor.is_floating_point() or tensor.is_complex():
        tensor.fill_(math.nan)
    elif tensor.dtype == torch.bool:
        tensor.logical_not_()
    else:  # no index is as large
        tensor.fill_(torch.iinfo(tensor.dtype).max)


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
