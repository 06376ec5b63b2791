"""The order in memory of images and kernels: channels last, which oneDNN and cuDNN are quicker with."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dnnlab.networks.remembered import same_buffers

Layout = Callable[[Tensor], Tensor]
"""Gives inputs ``[batch, *shape]`` in the order that a network takes them in."""


def lay_out(model: nn.Module, x: Tensor) -> Layout:
    """Put the kernels of ``model`` in channels-last order, and give what puts its inputs in that order too.

    Not every network runs so: ``view`` of a user's own refuses what ``reshape`` takes. Such a network, which is found
    by one forward pass of ``x [batch, *shape]``, and one without kernels of images, stays as it is.
    """
    if not any(p.ndim == 4 for p in model.parameters()):
        return _as_it_is
    _order(model, torch.channels_last)
    if x.ndim == 4:
        try:
            devices = [x.device] if x.is_cuda else []
            with torch.no_grad(), same_buffers(model), torch.random.fork_rng(devices=devices):
                model(channels_last(x))
        except RuntimeError:
            _order(model, torch.contiguous_format)
            return _as_it_is
    return channels_last


def layout_of(model: nn.Module) -> Layout:
    """What puts inputs in the order of the kernels of ``model``, as `lay_out` has left them."""
    last = any(p.ndim == 4 and p.is_contiguous(memory_format=torch.channels_last) and not p.is_contiguous()
               for p in model.parameters())  # fmt: skip
    return channels_last if last else _as_it_is


def channels_last(x: Tensor) -> Tensor:
    """``x`` in channels-last order if it holds images; else as it is."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def _as_it_is(x: Tensor) -> Tensor:
    return x


@torch.no_grad()
def _order(model: nn.Module, order: torch.memory_format) -> None:
    """Put what holds images or kernels of them in an ``order``; tensors of volumes have another."""
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.ndim == 4:
            tensor.data = tensor.data.contiguous(memory_format=order)
