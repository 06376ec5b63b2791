"""Weights set to zero: by magnitude, in one step, along training, or with rewinding; at random as a control."""

import copy
import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dnnlab.compress import files
from dnnlab.compress.evaluator import CONTROL, Evaluator
from dnnlab.compress.reach import Masks, trimmer
from dnnlab.compress.recovery import Retraining
from dnnlab.compress.stages import Stage
from dnnlab.compress.structure import biases, weights
from dnnlab.compress.summed import Summed, summed
from dnnlab.data.dataset import Dataset
from dnnlab.statistics.streams import stream

_RAMP = 0.5
"""The share of gradual pruning during which weights are still removed; in the rest the network recovers."""
_EVERY = 1 / 64
"""The share of the ramp between two prunings."""
_ROUNDS = 0.2
"""The share of the remaining weights that iterative pruning removes in each round (Frankle & Carbin 2019)."""
_REWIND = 0.1
"""The share of a round's training at which the weights are saved that the next round starts from (Frankle 2020)."""
_HALVINGS = 7
"""The number of densities that the search for a control of as many bytes tries."""

_ABOUT = 0.005
"""A share of zeros that is nearer than this to what was asked for is not said to miss it."""

write = files.write_container


def apply(model: nn.Module, stage: Stage, retraining: Retraining) -> nn.Module:
    """``model`` with the share of its weights at zero that ``stage`` has, and trained with them at zero."""
    if stage.amount == "2of4":
        keep_masks(model, two_of_four(model, _sums(model, retraining.data)))
        _train(model, stage, retraining)
        return model
    density, criterion = 1 - stage.share, stage.word("criterion")
    rng = stream(retraining.base, retraining.seed, "random pruning")
    match stage.word("schedule"):
        case "oneshot":
            keep_masks(model, masks(model, density, criterion, rng))
            _train(model, stage, retraining)
        case "rewind":
            _rewinding(model, stage, retraining, density, rng)
        case _ if criterion == "random":  # a random choice is no better when it is made slowly
            keep_masks(model, masks(model, density, criterion, rng))
            _train(model, stage, retraining)
        case _:
            _gradually(model, stage, retraining, density)
    return model


def _train(model: nn.Module, stage: Stage, retraining: Retraining) -> None:
    retraining.train(model, "prune", stage.epochs, wrap=Masked.around(model))


def _gradually(model: nn.Module, stage: Stage, retraining: Retraining, density: float) -> None:
    """Prune more and more weights along training, by the cubic schedule of Zhu & Gupta 2017. Weights that are on no
    path by then are pruned too, in the place of others.
    """
    criterion = stage.word("criterion")
    trim = trimmer(model, retraining.data.shape, retraining.data.dtype)
    optimiser: Masked | None = None
    last = -1.0

    def wrap(inner: Any) -> Masked:
        nonlocal optimiser
        optimiser = (Moved if criterion == "movement" else Masked).around(model)(inner)
        return optimiser

    def pruned(left: float) -> Masks:
        moved = optimiser.scores if isinstance(optimiser, Moved) else None
        chosen = masks(model, left, criterion, None) if moved is None else highest(model, moved, left)
        keep_masks(model, chosen)
        kept = trim(chosen)
        keep_masks(model, kept)
        return kept

    def before(done: float) -> None:
        nonlocal last
        place = min(1.0, done / _RAMP)
        if last == 1 or (place < 1 and place - last < _EVERY):
            return
        last = place
        assert optimiser is not None
        optimiser.masks = pruned(density + (1 - density) * (1 - place) ** 3)

    retraining.train(model, "prune", stage.epochs, wrap=wrap, before=before)
    if last < 1:  # there were too few steps to reach the end of the ramp
        pruned(density)


def _rewinding(model: nn.Module, stage: Stage, retraining: Retraining, density: float, rng: Any) -> None:
    """Rounds of pruning a fifth and of training again from early weights: the lottery ticket (Frankle & Carbin 2019).

    A chain begins with a network that is trained, whose early weights are gone; the rewinding point is a tenth of a
    round further. The rounds, with the one before any pruning, share the epochs of the stage.
    """
    rounds = max(1, math.ceil(math.log(density) / math.log(1 - _ROUNDS)))
    epochs = retraining.length(stage.epochs) / (rounds + 1)
    retraining.train(model, "rewinding point", epochs * _REWIND)
    early = copy.deepcopy(model.state_dict())
    retraining.train(model, "round 0", epochs * (1 - _REWIND))
    for number in range(1, rounds + 1):
        chosen = masks(model, density ** (number / rounds), stage.word("criterion"), rng)
        model.load_state_dict(early)
        keep_masks(model, chosen)
        retraining.train(model, f"round {number}", epochs, wrap=Masked.around(model))


def masks(model: nn.Module, density: float, criterion: str, rng: Any) -> Masks:
    """The weights that stay: the share ``density`` of all with the highest scores, a mask ``[*weight]`` for each.

    ``lamp`` scores a weight by its square over those of its layer that are not smaller (Lee 2021), ``global`` by its
    magnitude, ``layer`` by its rank within its layer, ``random`` by a draw.
    """
    scores = {name: _scores(weight.detach(), criterion, rng) for name, weight in weights(model).items()}
    return highest(model, scores, density)


def highest(model: nn.Module, scores: Mapping[str, Tensor], density: float) -> Masks:
    """The masks of the share ``density`` of all weights with the highest ``scores``; zeros stay at zero."""
    flat = {name: weight.detach().flatten() for name, weight in weights(model).items()}
    ranked = {name: scores[name].flatten().masked_fill(weight == 0, -math.inf) for name, weight in flat.items()}
    everything = torch.cat(list(ranked.values()))
    kept = max(len(flat), round(density * len(everything)))
    threshold = everything.sort(descending=True).values[min(kept, len(everything)) - 1]
    chosen = {name: (score >= threshold) & (score > -math.inf) for name, score in ranked.items()}
    for name, mask in chosen.items():
        if not bool(mask.any()):  # a layer without a weight ends the network
            mask[ranked[name].argmax()] = True
    return {
        name: mask.view_as(weight) for (name, weight), mask in zip(weights(model).items(), chosen.values(), strict=True)
    }


def _scores(weight: Tensor, criterion: str, rng: Any) -> Tensor:
    square = weight.double().square().flatten()
    match criterion:
        case "lamp":
            ordered, order = square.sort()
            above = ordered.flip(0).cumsum(0).flip(0)
            return torch.empty_like(square).scatter_(0, order, ordered / above.clamp_min(1e-300))
        case "layer":
            return (square.argsort().argsort().double() + 1) / len(square)
        case "random":
            return torch.from_numpy(rng.random(len(square))).to(square) + 1e-9
    return square


def left(model: nn.Module, stage: Stage, data: Dataset) -> Mapping[str, str]:
    """The weights that the pattern of two in four cannot be laid over."""
    sums = _sums(model, data)
    told = {}
    for name in weights(model):
        if name not in sums:
            told[name] = "no product is seen to sum over it"
        elif sums[name].size % 4:
            told[name] = "its inputs are no multiple of four"
    return told


def _sums(model: nn.Module, data: Dataset) -> dict[str, Summed]:
    return summed(model, data.inputs(data.train[:2]))


def missed(model: nn.Module, stage: Stage, row: Mapping[str, Any]) -> str:
    """What was asked of the share of zeros and not reached; empty where it was, or by less than half a percent."""
    every = weights(model).values()
    zeros = sum(int((weight == 0).sum()) for weight in every) / sum(weight.numel() for weight in every)
    short = zeros < stage.share - _ABOUT
    return f"asked for {stage.share:.4g} of the weights at zero, and {zeros:.4g} of them are" if short else ""


def two_of_four(model: nn.Module, sums: Mapping[str, Summed]) -> Masks:
    """The masks of the two larger of every four neighbouring inputs in the same sum, as ``sums`` has them; NVIDIA's
    sparse tensor cores skip the other two."""
    chosen = {}
    for name, weight in weights(model).items():
        if name not in sums or sums[name].size % 4:
            continue
        groups = sums[name].groups(weight.detach().abs())
        largest = groups.topk(2, dim=2).indices
        mask = torch.zeros_like(groups, dtype=torch.bool).scatter_(2, largest, True)
        chosen[name] = sums[name].back(mask, weight)
    return chosen


@torch.no_grad()
def keep_masks(model: nn.Module, keep: Mapping[str, Tensor]) -> None:
    """Set the weights and biases that are outside their masks to zero."""
    parameters = weights(model) | biases(model)
    for name, mask in keep.items():
        parameters[name].masked_fill_(~mask, 0.0)


class Masked:
    """An optimiser that keeps zeros at zero."""

    repeats = True
    """Whether its step can be recorded, which is so as the masks stay the same."""

    def __init__(self, model: nn.Module, inner: Any, keep: Masks) -> None:
        self.model, self.inner, self.masks = model, inner, keep

    @classmethod
    def around(cls, model: nn.Module) -> Any:
        """The ``wrap`` for `Retraining.train`: the masks are the weights that are not zero now."""

        def wrap(inner: Any) -> "Masked":
            return cls(model, inner, {name: weight.detach() != 0 for name, weight in weights(model).items()})

        return wrap

    @property
    def param_groups(self) -> Any:
        return self.inner.param_groups

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.inner.zero_grad(set_to_none=set_to_none)

    def step(self) -> None:
        self.inner.step()
        keep_masks(self.model, self.masks)


class Moved(Masked):
    """Movement pruning (Sanh 2020): scores that grow by the steps that take a weight away from zero."""

    def __init__(self, model: nn.Module, inner: Any, keep: Masks) -> None:
        super().__init__(model, inner, keep)
        self.scores = {name: torch.zeros_like(weight.detach()) for name, weight in weights(model).items()}

    @torch.no_grad()
    def step(self) -> None:
        rate = self.param_groups[0]["lr"]
        for name, weight in weights(self.model).items():
            if weight.grad is not None:
                self.scores[name] -= rate * weight.grad * weight
        super().step()


def control(evaluator: Evaluator, stages: tuple[Stage, ...], place: int, size: int) -> dict[str, Any]:
    """The row of the chain with weights chosen at random, so many of them that the file is as large."""
    stage = stages[place]
    density = _density_for(evaluator, stages, place, size)
    words = {**dict(stage.words), "criterion": "random"}
    drawn = dataclasses.replace(stage, amount=f"{1 - density:.4f}", words=tuple(words.items()))
    return evaluator.stage_row((*stages[:place], drawn, *stages[place + 1 :]), CONTROL, stage.about.control)


def _density_for(evaluator: Evaluator, stages: tuple[Stage, ...], place: int, size: int) -> float:
    """The density, by bisection, on networks that are not trained: the bytes of the index do not depend on the values
    of the weights."""
    before = stages[:place]
    state, retraining = evaluator.state(before), evaluator.retraining()
    unread = evaluator.unread(evaluator.name_after(before))
    later = [dataclasses.replace(stage, epochs=0.0) for stage in stages[place + 1 :] if stage.trains]
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        model = evaluator.restored(before, state)
        rng = stream(evaluator.spec.seed, evaluator.cell.seed, "density")
        keep_masks(model, masks(model, middle, "random", rng))
        for stage in later:
            model = stage.module.apply(model, stage, retraining)
        if len(files.packed(model, stages, unread)) <= size:
            low = middle
        else:
            high = middle
    return max(low, 1e-4)
