"""Layers as products of thinner ones, with the largest energy that meets the goal."""

import functools
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import nn

from dnnlab.compress.recovery import Retraining
from dnnlab.compress.stages import KINDS, Stage, TooMuch
from dnnlab.compress.stages.factors import factorised
from dnnlab.compress.structure import READ_BY_OTHERS, called_alone, last_layers, layers, listed, others, replace
from dnnlab.data.dataset import Dataset
from dnnlab.instruments import speed
from dnnlab.instruments.cost import count
from dnnlab.networks.remembered import copied
from dnnlab.networks.ties import ties

_NOTHING = "{stage.kind}:{stage.amount}: no layer of this network gets smaller when it is factorised"
_HALVINGS = 12
_TIMED = (0.98, 0.95, 0.92, 0.9, 0.87, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""Energies whose time is measured side by side; bisection could miss the goal, as time does not fall evenly with
them."""


def apply(model: nn.Module, stage: Stage, retraining: Retraining) -> nn.Module:
    """``model`` with every layer factorised that gets smaller by it, and trained again.

    A share is the energy that each factorisation keeps; a factor is how many times fewer multiply–accumulates the
    whole network takes, or how many times less measured time, by the largest energy that does.

    Raises:
        TooMuch: no energy does, or no layer gets smaller.
    """
    form, data = stage.word("form"), retraining.data
    names = [name for name, reason in _reasons(model, stage, data).items() if not reason]
    energy = stage.share
    if energy != energy:
        choose = _energy_by_time if stage.word("judge") == "latency" else _energy_by_macs
        energy = choose(model, names, stage, data)
    changed = factorise(model, names, energy, form)
    if changed.state_dict().keys() == model.state_dict().keys():
        raise TooMuch(f"{_NOTHING.format(stage=stage)}.")
    retraining.train(changed, "lowrank", stage.epochs)
    return changed


def left(model: nn.Module, stage: Stage, data: Dataset) -> Mapping[str, str]:
    """The layers that are not factorised whatever the energy, except those that make the logits.

    Raises:
        TooMuch: these are all layers.
    """
    reasons = _reasons(model, stage, data)
    candidates = [name for name, reason in reasons.items() if not reason]
    smallest = factorise(model, candidates, 0.0, stage.word("form"))
    same = [name for name in candidates if _is_layer(smallest, name)]
    logits = last_layers(model, data)
    told = others(model, stage.about, data) | reasons | dict.fromkeys(same, "no product of thinner ones is smaller")
    told = {name: reason for name, reason in told.items() if reason and name not in logits}
    if same == candidates:
        raise TooMuch(f"{_NOTHING.format(stage=stage)}: {listed(told)}")
    return told


def _is_layer(model: nn.Module, name: str) -> bool:
    return isinstance(model.get_submodule(name), nn.Linear | nn.Conv2d)


def _reasons(model: nn.Module, stage: Stage, data: Dataset) -> dict[str, str]:
    """Why each layer is left as it is, by name; empty for one that can be factorised."""
    logits, tied = last_layers(model, data), {name for pair in ties(model).items() for name in pair}
    x = data.inputs(data.train[:2])
    reasons = {}
    for name in layers(model, stage.about):
        if name in logits:  # it is small, and every logit needs it
            reasons[name] = "it makes the logits"
        elif f"{name}.weight" in tied:
            reasons[name] = "other layers share its weight"
        elif not called_alone(model, name, x):
            reasons[name] = READ_BY_OTHERS
        else:
            reasons[name] = ""
    return reasons


def _energy_by_macs(model: nn.Module, names: Collection[str], stage: Stage, data: Dataset) -> float:
    """The largest energy, by bisection, at which the network takes ``stage.factor`` times fewer MACs.

    Raises:
        TooMuch: at none.
    """

    def macs(energy: float) -> int:
        return count(factorise(model, names, energy, stage.word("form")), data.shape, data.dtype).macs

    whole = count(model, data.shape, data.dtype).macs
    goal = whole / stage.factor
    if (least := macs(0.0)) > goal:
        most = whole / least
        raise TooMuch(
            f"{stage.kind}:{stage.amount}: the factors of this network's layers save "
            + (f"no more than {most:.3g}× of its MACs; ask for less." if most > 1.01 else "none of its MACs.")
        )
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if macs(middle) <= goal:
            low = middle
        else:
            high = middle
    return low


def _energy_by_time(model: nn.Module, names: Collection[str], stage: Stage, data: Dataset) -> float:
    """The largest of some energies at which one input takes ``stage.factor`` times less time here; else the fastest,
    which the row's own latency then tells."""
    x = data.inputs(data.train[:1])
    networks = {energy: factorise(model, names, energy, stage.word("form")).eval() for energy in _TIMED}
    calls = {"dense": functools.partial(_forward, model.eval(), x)}
    calls |= {str(energy): functools.partial(_forward, network, x) for energy, network in networks.items()}
    timings, _ = speed.in_turns(calls, x.device.type, lambda done: None)
    goal = timings["dense"].median / stage.factor
    quick = [energy for energy in _TIMED if timings[str(energy)].median <= goal]
    return max(quick, default=min(_TIMED, key=lambda energy: timings[str(energy)].median))


def missed(model: nn.Module, stage: Stage, row: Mapping[str, Any]) -> str:
    """What was asked of the time and not reached; empty where it was."""
    asked = stage.word("judge") == "latency" and row["speedup"] < stage.factor
    return f"asked for {stage.factor:g}x less time, and ONNX Runtime takes {row['speedup']:.3g}x less" if asked else ""


@torch.no_grad()
def _forward(model: nn.Module, x: torch.Tensor) -> None:
    model(x)


def factorise(model: nn.Module, names: Collection[str], energy: float, form: str) -> nn.Module:
    """A copy with the layers ``names`` factorised so that each keeps this share of its squared norm, convolutions by
    ``form``. Those that get no smaller stay."""
    changed = copied(model)
    for name, layer in layers(changed, KINDS["lowrank"]).items():
        factors = factorised(layer, energy, form) if name in names else None
        if factors is not None and _size(factors) < _size(layer):
            replace(changed, name, factors)
    return changed


def _size(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())
