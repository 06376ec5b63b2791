"""The training loop of convolutional and other networks of their own: one model, all data on the device."""

import copy
import functools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnnlab.data.dataset import Dataset
from dnnlab.networks.blocks import WithAux
from dnnlab.training.augmentation import Augmentation, augmentation
from dnnlab.training.plain import make_optimiser, outputs, recordable, set_rate
from dnnlab.training.recorded import Ahead, Recorded
from dnnlab.training.schedules import rate


@dataclass(frozen=True)
class Hyperparameters:
    """How a network is trained."""

    optimizer: str
    lr: float
    weight_decay: float
    schedule: str
    label_smoothing: float
    augment: str
    ema: float
    """Decay of the average of the weights that is evaluated in their place; 0 evaluates the weights themselves."""


class NetworkTraining:
    """Trains ``model`` on ``data``, batch after batch of ``order``; images are changed by draws from ``noise``.

    Images and convolutions are channels-last, which both oneDNN and cuDNN are quicker with; on CUDA products are
    taken in bfloat16, and the steps of a network that ``repeats``, doing the same whatever it sees and however often,
    are recorded. ``wrap`` puts an optimiser around the optimiser.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Dataset,
        order: Iterator[np.ndarray],
        hyper: Hyperparameters,
        noise: np.random.Generator,
        wrap: Callable[[Any], Any] | None = None,
        repeats: bool = False,
    ) -> None:
        self.model, self.data, self.hyper = model, data, hyper
        self.model.to(data.x.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        trained = [p for p in model.parameters() if p.requires_grad]
        optimiser: Any = make_optimiser(hyper.optimizer, trained, hyper.lr, hyper.weight_decay)
        self.optimiser = optimiser if wrap is None else wrap(optimiser)
        self.change = augmentation(hyper.augment) if data.x.ndim == 4 else None
        self.average = copy.deepcopy(model).eval() if hyper.ema else None
        self.draws = Ahead(functools.partial(draw, order, self.change, noise, data.shape), data.x.device)
        self.recorded = Recorded(data.x.device, repeats and recordable(self.optimiser, model))

    def step(self, done: float) -> Tensor:
        """One step, when the share ``done`` of the budget is spent; the loss, still on the device."""
        set_rate(self.optimiser, self.hyper.lr * rate(self.hyper.schedule, done))
        (loss,) = self.recorded(self._take, self.draws())
        return loss

    def _take(self, drawn: Tensor) -> tuple[Tensor]:
        index = self.data.train[drawn[:, 0]]
        x = self.data.x[index]
        if self.change is not None:
            x = self.change.changed(x, drawn[:, 1:])
        x, y = laid_out(self.data.standardised(x)), self.data.y[index]
        self.model.train()
        self.optimiser.zero_grad(set_to_none=True)
        with mixed(x):
            loss = self.loss(x, y)
        loss.backward()
        self.optimiser.step()
        if self.average is not None:
            self._update_average()
        return (loss.detach(),)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """What is minimised, of one batch."""
        return objective(self.model, x, y, self.hyper.label_smoothing)

    @torch.no_grad()
    def _update_average(self) -> None:
        assert self.average is not None
        kept, new = self.average.state_dict(), self.model.state_dict()
        # Once each, also where layers share a tensor.
        names = {(value.data_ptr(), value.shape): name for name, value in kept.items()}.values()
        floats = [name for name in names if kept[name].is_floating_point()]
        torch._foreach_lerp_([kept[n] for n in floats], [new[n] for n in floats], 1 - self.hyper.ema)
        for name in names:
            if name not in floats:
                kept[name].copy_(new[name])

    def close(self) -> None:
        """End the training: gradients of a recorded step would keep all of its memory."""
        self.optimiser.zero_grad(set_to_none=True)

    @property
    def evaluated(self) -> nn.Module:
        """The network that is judged: the trained one, or the average of its weights."""
        return self.average or self.model


def draw(
    order: Iterator[np.ndarray], change: Augmentation | None, noise: np.random.Generator, shape: tuple[int, ...]
) -> np.ndarray:
    """What is random of one step, int64 ``[example, 1 or 6]``: the position, and how its image is changed."""
    positions = next(order)
    if change is None:
        return positions[:, None]
    return np.column_stack([positions, change.drawn(noise, len(positions), shape[1:])])


def objective(model: nn.Module, x: Tensor, y: Tensor, label_smoothing: float) -> Tensor:
    """Cross-entropy of logits, with what auxiliary heads add in training (Szegedy 2015)."""
    out = model(x)
    loss = F.cross_entropy(outputs(out).float(), y, label_smoothing=label_smoothing)
    if isinstance(out, WithAux):
        for weight, logits in zip(out.weights, out.aux, strict=True):
            loss = loss + weight * F.cross_entropy(logits.float(), y, label_smoothing=label_smoothing)
    return loss


def laid_out(x: Tensor) -> Tensor:
    """Images in channels-last order; anything else as it is."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def mixed(x: Tensor) -> torch.autocast:
    """Products in bfloat16 on CUDA, in float32 elsewhere."""
    return torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=x.device.type == "cuda")


@torch.no_grad()
def accuracy(model: nn.Module, data: Dataset, index: Tensor, batch_size: int = 256) -> float:
    """Share of the examples ``index`` that ``model`` gets right, in evaluation mode."""
    model.eval()
    right = torch.zeros((), dtype=torch.int64, device=data.x.device)
    for part in index.split(batch_size):
        x = laid_out(data.inputs(part))
        with mixed(x):
            right += (outputs(model(x)).argmax(-1) == data.y[part]).sum()
    return int(right) / max(1, len(index))


def run(
    training: NetworkTraining,
    steps: int | None,
    seconds: float,
    looks: int,
    look: Callable[[int, float, float], None],
    progress: Callable[[float], None],
) -> None:
    """Take ``steps`` steps, or where that is ``None`` as many as ``seconds`` of training allow.

    ``look(step, seconds of training, mean loss since the last look)`` is called ``looks`` times, evenly over the
    budget, the last time at its end. The clock stands still meanwhile.
    """
    losses: list[Tensor] = []
    spent, step, done, taken = 0.0, 0, 0.0, 0
    while done < 1:
        started = time.perf_counter()
        losses.append(training.step(done))
        step += 1
        share = math.inf if steps is None else step / steps
        if share * looks >= taken + 1:
            losses[-1].item()  # a device that runs behind would be ahead of the clock
        spent += time.perf_counter() - started
        done = min(1.0, spent / seconds if steps is None else share)
        if done * looks >= taken + 1:
            look(step, spent, float(torch.stack(losses).double().mean()))
            losses, taken = [], math.floor(done * looks)
        progress(done)
    training.close()
