"""Which tensors of a network its outputs in inference do not depend on: those of layers that are never called, of heads
that only training has, and of branches whose result nobody reads."""

import math
from collections.abc import Collection, Iterable

import torch
from torch import Tensor, nn

from dnnlab.data.dataset import Dataset
from dnnlab.errors import UsageError
from dnnlab.instruments.cost import count
from dnnlab.instruments.reads import led_to_outputs
from dnnlab.instruments.traced import trace
from dnnlab.networks import outputs
from dnnlab.networks.remembered import in_mode, same_state

_TRIED = 32
"""Training examples with which is tried what inference does without."""


def unread(model: nn.Module, data: Dataset, training: bool = False) -> frozenset[str]:
    """The names of the tensors in the state dict of ``model`` on which its logits do not depend, with ``training`` in
    this mode neither. ``model`` has no computed weights by then, and is left in its mode.

    They must be so in three ways. No path leads back to them from the output of the one graph that the network is; of a
    network that does other things for other inputs nothing is known. Autograd finds no path for one input, or they are
    buffers of modules of which it finds none. And on training examples of ``data`` the logits are the same whatever
    these tensors hold.
    """
    state = model.state_dict(keep_vars=True)
    with in_mode(model, training=False):
        try:
            known = frozenset(state) - led_to_outputs(trace(model), state)
            if training and known:
                known -= led_to_outputs(trace(model, training=True), state)
        except UsageError:
            return frozenset()
    if not known:
        return known
    parameters = count(model, data.shape, data.dtype).unused
    x = data.inputs(data.train[:_TRIED]).to(next(iter(state.values())).device)
    with in_mode(model, training=False):
        seen = called(model, dict(model.named_modules()), x)
    buffers = []
    for name, module in model.named_modules():
        own = [f"{name}.{p}" if name else p for p, _ in module.named_parameters(recurse=False)]
        if name not in seen or (own and parameters.issuperset(own)):
            buffers += [f"{name}.{b}" if name else b for b, _ in module.named_buffers(recurse=False)]
    return without_effect(model, x, [name for name in (*parameters, *buffers) if name in known])


def called(model: nn.Module, names: Collection[str], x: Tensor) -> set[str]:
    """Those of the submodules ``names`` that a forward pass of ``x`` calls, in the mode that ``model`` is in."""
    called: set[str] = set()
    hooks = [
        model.get_submodule(name).register_forward_pre_hook(lambda module, inputs, name=name: called.add(name))
        for name in names
    ]
    try:
        with torch.no_grad(), same_state(model):
            model(x)
    finally:
        for hook in hooks:
            hook.remove()
    return called


def without_effect(model: nn.Module, x: Tensor, names: Iterable[str]) -> frozenset[str]:
    """Those of the tensors ``names`` of ``model``'s state dict that can be spoilt without changing a bit of its logits
    for the inputs ``x [batch, *shape]`` in evaluation mode; ``model`` is left in its mode.

    Numbers become nan, which passes through every product and sum, then infinite, either way: every comparison with nan
    is false. Nothing else is taken as a proof: a tensor may choose what the network does without leading to its
    outputs, as the scores of experts do.
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
            same = bool(wanted.isfinite().all())  # infinite logits and such as are no numbers prove nothing
            for number in (math.nan, math.inf, -math.inf):
                for tensor in tensors:
                    _spoil(tensor, number)
                same = same and torch.equal(_logits(model, x), wanted)
            return same
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


def _spoil(tensor: Tensor, number: float) -> None:
    if tensor.is_floating_point() or tensor.is_complex():
        tensor.fill_(number)
    elif tensor.dtype == torch.bool:
        tensor.logical_not_()
    else:  # no index is as large
        tensor.fill_(torch.iinfo(tensor.dtype).max)
