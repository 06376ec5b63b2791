"""Whole channels and units removed; torch-pruning knows which layers must lose the same ones."""

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from dnnlab.compress.recovery import Retraining, last_layer
from dnnlab.compress.stages import KINDS, Stage, TooMuch
from dnnlab.compress.structure import layers
from dnnlab.instruments.cost import count
from dnnlab.networks import outputs
from dnnlab.training.parts import spread

_STEPS = 50
"""The number of parts in which channels are removed, so that the goal is not overshot by much."""
_MOST = 0.9
"""The largest share of a layer's channels that may be removed."""
_EXAMPLES = 512
"""Training examples from whose gradients Taylor's criterion is computed."""


def apply(model: nn.Module, stage: Stage, retraining: Retraining) -> nn.Module:
    """``model`` with so many channels removed that it takes ``factor`` times fewer MACs, and trained again.

    By norm, every layer loses the same share of its channels (Li 2017): over all layers, norms would empty thin ones.
    Taylor's first-order estimate of what the loss would change by (Molchanov 2019) and the scale of batch normalisation
    (Liu 2017) rank channels over all layers.

    Raises:
        RuntimeError: no channel can be taken out, or (`TooMuch`) not so many.
    """
    if any(isinstance(m, nn.RNNBase) for m in model.modules()):
        raise RuntimeError("structured removes no units of recurrent layers, and this network has such; take prune.")
    import torch_pruning as tp

    model = copy.deepcopy(model).eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    data = retraining.data
    example = data.inputs(data.train[:2])
    goal = count(model, data.shape, data.dtype).macs / stage.factor
    criterion = stage.word("criterion")
    importance: Any = {
        "magnitude": lambda: tp.importance.MagnitudeImportance(p=2),
        "taylor": tp.importance.TaylorImportance,
        "bn": tp.importance.BNScaleImportance,
    }[criterion]()
    if criterion == "bn" and not any(isinstance(m, nn.BatchNorm2d) for m in model.modules()):
        raise RuntimeError("structured:bn ranks channels by their batch normalisation, and this network has none.")
    with _quiet():
        fixed = _fixed(model, example, tp)
        if criterion == "taylor":
            _gradients(model, retraining)
        pruner = tp.pruner.BasePruner(
            model,
            example,
            importance=importance,
            global_pruning=criterion != "magnitude",
            pruning_ratio=_MOST,
            max_pruning_ratio=_MOST,
            iterative_steps=_STEPS,
            ignored_layers=fixed,
        )
        for _ in range(_STEPS):
            pruner.step()
            if count(model, data.shape, data.dtype).macs <= goal:
                break
        else:
            most = goal * stage.factor / count(model, data.shape, data.dtype).macs
            raise TooMuch(
                f"structured:{stage.factor:g}x: channels that {criterion} may take out of this network save "
                + (f"no more than {most:.3g}x of its MACs; ask for less." if most > 1.01 else "none of its MACs.")
            )
    model.zero_grad(set_to_none=True)
    retraining.train(model, "structured", stage.epochs)
    return model


def _fixed(model: nn.Module, example: torch.Tensor, tp: Any) -> list[nn.Module]:
    """The layers that keep their outputs: the last, and those whose channels meet an operation that torch-pruning
    cannot follow.

    Each is tried on a copy: a network that no longer runs, or gives other shapes, says that it is one of them.
    """
    fixed = [last_layer(model)]
    wanted = outputs.logits(model(example)).shape
    for name, module in layers(model, KINDS["structured"]).items():
        if module is fixed[0]:
            continue
        trial = copy.deepcopy(model)
        layer: Any = trial.get_submodule(name)
        convolution = isinstance(layer, nn.Conv2d)
        out = tp.prune_conv_out_channels if convolution else tp.prune_linear_out_channels
        channels = layer.out_channels if convolution else layer.out_features
        try:
            graph = tp.DependencyGraph().build_dependency(trial, example_inputs=example)
            graph.get_pruning_group(layer, out, idxs=[0]).prune()
            with torch.no_grad():
                works = outputs.logits(trial(example)).shape == wanted
        except Exception:  # noqa: BLE001 - whatever a network and a graph of it may raise, the layer is left alone
            works = False
        if not works or channels < 2:
            fixed.append(module)
    return fixed


def _gradients(model: nn.Module, retraining: Retraining) -> None:
    data = retraining.data
    model.zero_grad(set_to_none=True)
    for part in spread(data.train, _EXAMPLES).split(retraining.batch_size):
        F.cross_entropy(outputs.logits(model(data.inputs(part))), data.y[part], reduction="sum").backward()


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the warnings of torch-pruning about parameters that no layer owns, and about layers that nothing leads
    to."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"torch_pruning.*")
        yield
