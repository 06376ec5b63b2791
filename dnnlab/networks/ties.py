"""Tensors that a network has under several names: tied weights, and modules that stand in several places."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def ties(model: nn.Module) -> dict[str, str]:
    """For each further name of a tensor in the state dict of ``model``, its first name."""
    first: dict[tuple[object, ...], str] = {}
    further = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        known = first.setdefault(_place(tensor), name)
        if known != name:
            further[name] = known
    return further


def _place(tensor: Tensor) -> tuple[object, ...]:
    """What two names of one tensor have in common. A tensor without elements or without storage is known by itself."""
    if tensor.is_meta or tensor.layout != torch.strided or not tensor.numel():
        return (id(tensor),)
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype


def once(model: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers of ``model``'s state dict, each once, under its first name."""
    further = ties(model)
    return {name: tensor for name, tensor in model.state_dict(keep_vars=True).items() if name not in further}


def completed(model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``state`` with the further names of tensors that ``model`` ties, where it has one of their names alone."""
    result = dict(state)
    for name, first in ties(model).items():
        if name not in result and first in result:
            result[name] = result[first]
        elif first not in result and name in result:
            result[first] = result[name]
    return result
