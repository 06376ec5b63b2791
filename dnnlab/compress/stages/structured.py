"""Whole channels and units removed; torch-pruning knows which layers must lose the same ones."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from dnnlab.compress.recovery import Retraining
from dnnlab.compress.stages import Stage, TooMuch, channels
from dnnlab.compress.structure import others
from dnnlab.data.dataset import Dataset
from dnnlab.errors import UsageError
from dnnlab.instruments.cost import count
from dnnlab.networks import outputs
from dnnlab.networks.remembered import copied
from dnnlab.training.parts import spread

_STEPS = 50
"""The number of parts in which channels are removed, so that the goal is not overshot by much."""
_MOST = 0.9
"""The largest share of a layer's channels that may be removed."""
_TRIED = 8
"""Training examples with which is tried what can be taken out."""
_EXAMPLES = 512
"""Training examples from whose gradients Taylor's criterion is computed."""


def apply(model: nn.Module, stage: Stage, retraining: Retraining) -> nn.Module:
    """``model`` with so many channels removed that it takes ``factor`` times fewer MACs, and trained again.

    By norm, every layer loses the same share of its channels (Li 2017): over all layers, norms would empty thin ones.
    Taylor's first-order estimate of what the loss would change by (Molchanov 2019) and the scale of batch normalisation
    (Liu 2017) rank channels over all layers.

    Raises:
        TooMuch: no channel can be taken out, not so many, or not the right ones.
        RuntimeError: the criterion is of batch normalisation, and there is none.
    """
    import torch_pruning as tp

    model = copied(model).eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    whole, data = copied(model), retraining.data
    example = data.inputs(data.train[:_TRIED])
    goal = count(model, data.shape, data.dtype).macs / stage.factor
    criterion = stage.word("criterion")
    importance: Any = {
        "magnitude": lambda: tp.importance.MagnitudeImportance(p=2),
        "taylor": tp.importance.TaylorImportance,
        "bn": tp.importance.BNScaleImportance,
    }[criterion]()
    if criterion == "bn" and not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.modules()):
        raise RuntimeError("structured:bn ranks channels by their batch normalisation, and this network has none.")
    failing, logits = channels.fixed(model, example)
    kept = [model.get_submodule(name) for group in failing + logits for name in group.layers]
    kept += channels.layers(model, aside=True).values()
    with channels.quiet():
        if criterion == "taylor":
            kept += _gradients(model, retraining)
        pruner = channels.dependencies(
            model,
            example,
            importance=importance,
            global_pruning=criterion != "magnitude",
            pruning_ratio=_MOST,
            max_pruning_ratio=_MOST,
            iterative_steps=_STEPS,
            ignored_layers=kept,
        )
        for _ in range(_STEPS):
            channels.step(pruner, stage.multiple)
            if _macs(model, data) <= goal:
                break
        else:
            most = goal * stage.factor / _macs(model, data)
            raise TooMuch(
                f"structured:{stage.factor:g}x: channels that {criterion} may take out of this network save "
                + (f"no more than {most:.3g}× of its MACs; ask for less." if most > 1.01 else "none of its MACs.")
            )
    if not channels.proven(whole, example, pruner.DG.pruning_history()):
        raise TooMuch("structured: torch-pruning takes wrong channels out of this network.")
    model.zero_grad(set_to_none=True)
    retraining.train(model, "structured", stage.epochs)
    return model


def _macs(model: nn.Module, data: Dataset) -> int:
    """MACs of a network of which channels were taken out.

    Raises:
        TooMuch: it does not run any more.
    """
    try:
        return count(model, data.shape, data.dtype).macs
    except UsageError as problem:
        raise TooMuch(f"structured: torch-pruning takes wrong channels out of this network ({problem}).") from problem


def left(model: nn.Module, stage: Stage, data: Dataset) -> Mapping[str, str]:
    """The layers that keep all their channels, except the one that gives the logits."""
    model = copied(model).eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    example = data.inputs(data.train[:_TRIED])
    failing, _ = channels.fixed(model, example)
    names = (name for group in failing for name in group.layers)
    return (
        dict.fromkeys(channels.unseen(model, example), "torch-pruning does not see it")
        | others(model, stage.about, data)
        | dict.fromkeys(names, "what reads it needs all its channels")
    )


def _gradients(model: nn.Module, retraining: Retraining) -> list[nn.Module]:
    """Give every parameter the gradient of the loss, frozen ones too, and zeros where the loss does not depend on it.
    The layers of which it does not are returned: among zeros no channel is the least important."""
    data, frozen = retraining.data, [p for p in model.parameters() if p.is_floating_point() and not p.requires_grad]
    model.zero_grad(set_to_none=True)
    for parameter in frozen:
        parameter.requires_grad_(True)
    for part in spread(data.train, _EXAMPLES).split(retraining.batch_size):
        F.cross_entropy(outputs.logits(model(data.inputs(part))), data.y[part], reduction="sum").backward()
    for parameter in frozen:
        parameter.requires_grad_(False)
    without = [module for module in channels.layers(model).values() if module.weight.grad is None]
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point() and tensor.grad is None:
            tensor.grad = torch.zeros_like(tensor)
    return without
