"""Layers as products of thinner ones, with the largest energy that meets the goal."""

import copy
import functools

import torch
from torch import nn

from dnnlab.compress.recovery import Retraining
from dnnlab.compress.stages import KINDS, Stage
from dnnlab.compress.stages.factors import factorised
from dnnlab.compress.structure import layers, replace
from dnnlab.instruments import speed
from dnnlab.instruments.cost import count

_HALVINGS = 12
_TIMED = (0.98, 0.95, 0.92, 0.9, 0.87, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""Energies whose time is measured side by side; bisection could miss the goal, as time does not fall evenly with
them."""


def apply(model: nn.Module, stage: Stage, retraining: Retraining) -> nn.Module:
    """``model`` with every layer factorised that gets smaller by it, and trained again.

    A share is the energy that each factorisation keeps; a factor is how many times fewer multiply–accumulates the
    whole network takes, or how many times less measured time, by the largest energy that does.
    """
    form = stage.word("form")
    energy = stage.share
    if energy != energy:
        choose = _energy_by_time if stage.word("judge") == "latency" else _energy_by_macs
        energy = choose(model, stage.factor, form, retraining)
    changed = factorise(model, energy, form)
    retraining.train(changed, "lowrank", stage.epochs)
    return changed


def _energy_by_macs(model: nn.Module, factor: float, form: str, retraining: Retraining) -> float:
    """The largest energy, by bisection, at which the network takes ``factor`` times fewer MACs; else the smallest."""
    data = retraining.data
    goal = count(model, data.shape, data.dtype).macs / factor
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if count(factorise(model, middle, form), data.shape, data.dtype).macs <= goal:
            low = middle
        else:
            high = middle
    return low


def _energy_by_time(model: nn.Module, factor: float, form: str, retraining: Retraining) -> float:
    """The largest of some energies at which one input takes ``factor`` times less time here; else the fastest."""
    x = retraining.data.inputs(retraining.data.train[:1])
    networks = {energy: factorise(model, energy, form).eval() for energy in _TIMED}
    calls = {"dense": functools.partial(_forward, model.eval(), x)}
    calls |= {str(energy): functools.partial(_forward, network, x) for energy, network in networks.items()}
    timings, _ = speed.in_turns(calls, x.device.type, lambda done: None)
    goal = timings["dense"].median / factor
    quick = [energy for energy in _TIMED if timings[str(energy)].median <= goal]
    return max(quick, default=min(_TIMED, key=lambda energy: timings[str(energy)].median))


@torch.no_grad()
def _forward(model: nn.Module, x: torch.Tensor) -> None:
    model(x)


def factorise(model: nn.Module, energy: float, form: str) -> nn.Module:
    """A copy with its layers factorised so that each keeps this share of its squared norm, convolutions by ``form``."""
    changed = copy.deepcopy(model)
    candidates = list(layers(changed, KINDS["lowrank"]).items())
    for name, layer in candidates[:-1]:  # the last one is small, and every logit needs it
        factors = factorised(layer, energy, form)
        if factors is not None and _size(factors) < _size(layer):
            replace(changed, name, factors)
    return changed


def _size(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())
