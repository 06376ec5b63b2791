"""Training of published networks and of users' networks: with all data on the device, alone or several as one
program."""

import functools
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnnlab.data.dataset import Dataset
from dnnlab.errors import UsageError
from dnnlab.networks import outputs
from dnnlab.networks.blocks import WithAux
from dnnlab.networks.remembered import copied
from dnnlab.networks.spaces.stack import Stack
from dnnlab.networks.stacked import losses
from dnnlab.training.batches import Batches
from dnnlab.training.evaluation import Predict, logits
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.layout import lay_out, layout_of
from dnnlab.training.optimisers import make_optimiser, recordable
from dnnlab.training.recorded import WORTH_RECORDING
from dnnlab.training.step import Training

Objective = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""Gives the loss ``[]`` of a network in training on one batch of inputs and labels."""


def cross_entropy(model: nn.Module, x: Tensor, y: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of logits, with what auxiliary heads add in training (Szegedy 2015). Where a network classes every
    pixel ``[batch, class, height, width]``, each pixel has the label of its image."""
    out = model(x)
    logits = outputs.logits(out)
    if not isinstance(logits, Tensor) or logits.ndim < 2:
        got = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise UsageError(f"the network gives {got} for {len(x)} inputs; it should give logits [{len(x)}, classes].")
    logits = logits.float()
    if logits.ndim > 2:
        y = y.view(-1, *[1] * (logits.ndim - 2)).expand(len(y), *logits.shape[2:])
    loss = F.cross_entropy(logits, y, label_smoothing=label_smoothing)
    if isinstance(out, WithAux):
        for weight, head in zip(out.weights, out.aux, strict=True):
            loss = loss + weight * F.cross_entropy(head.float(), y, label_smoothing=label_smoothing)
    return loss


class NetworkTraining(Training):
    """Trains ``model`` on ``data``, batch after batch of ``order``; images are changed by draws from ``noise``.

    Images and convolutions are channels-last, which both oneDNN and cuDNN are quicker with; on CUDA products are
    taken in bfloat16, and the steps of a network that ``repeats``, doing the same whatever it sees and however often,
    are recorded. ``objective`` stands in for the cross-entropy, and ``wrap`` puts an optimiser around the optimiser.
    Dropout is for the network itself to do.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Dataset,
        order: Iterator[np.ndarray],
        hyper: Hyperparameters,
        noise: np.random.Generator,
        *,
        objective: Objective | None = None,
        wrap: Callable[[Any], Any] | None = None,
        repeats: bool = False,
    ) -> None:
        self.model, self.data, self.hyper = model, data, hyper
        self.model.to(data.x.device)
        laid_out = lay_out(model.train(), data.inputs(data.train[:2]))
        trained = [p for p in model.parameters() if p.requires_grad]
        optimiser: Any = make_optimiser(hyper.optimizer, trained, hyper.lr, hyper.weight_decay)
        optimiser = optimiser if wrap is None else wrap(optimiser)
        self.average = _Average(model, hyper.ema) if hyper.ema else None
        minimised = objective or functools.partial(cross_entropy, label_smoothing=hyper.label_smoothing)

        def loss(x: Tensor, y: Tensor) -> Tensor:
            model.train()
            x = laid_out(x)
            with mixed(x):
                return minimised(model, x, y)

        super().__init__(
            optimiser,
            Batches(data, [order], hyper.augment, [noise]),
            loss,
            rate=hyper.rate,
            clip=hyper.clip if math.isfinite(hyper.clip) else None,
            after=self.average,
            repeats=repeats and recordable(optimiser, model),
        )

    @property
    def evaluated(self) -> nn.Module:
        """The network that is evaluated: the trained one, or the average of its weights."""
        return self.model if self.average is None else self.average.model


class _Average:
    """The exponential moving average of the weights and float buffers of ``network``; other buffers are the latest."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.model, self.network, self.decay = copied(network).eval(), network, decay

    @torch.no_grad()
    def __call__(self) -> None:
        """Add the present weights to the average."""
        average, new = self.model.state_dict(), self.network.state_dict()
        # Each tensor counts once, also where layers share it.
        names = {(value.data_ptr(), value.shape): name for name, value in average.items()}.values()
        floats = [name for name in names if average[name].is_floating_point()]
        torch._foreach_lerp_([average[n] for n in floats], [new[n] for n in floats], 1 - self.decay)
        for name in names:
            if name not in floats:
                average[name].copy_(new[name])


class PlainTraining(Training):
    """Trains ``model`` as its owner wrote it, so that it can be measured between two steps: no other layout, no mixed
    precision, no changed images, no average of weights.

    A step raises a `UsageError` where the model does not take the data.

    Raises:
        UsageError: no parameter takes gradients.
    """

    def __init__(self, model: nn.Module, data: Dataset, order: Iterator[np.ndarray], hyper: Hyperparameters) -> None:
        def loss(x: Tensor, y: Tensor) -> Tensor:
            return F.cross_entropy(logits(model.train(), x, data), y)

        if not any(p.requires_grad for p in model.parameters()):
            raise UsageError("the model has no parameters that take gradients, so there is nothing to measure.")
        optimiser = make_optimiser(hyper.optimizer, model.parameters(), hyper.lr, hyper.weight_decay)
        super().__init__(optimiser, Batches(data, [order]), loss, clip=hyper.clip)
        self.largest = hyper.clip

    def norms(self) -> tuple[float, float]:
        """Take a step; gives the global gradient norm before and after clipping."""
        norm = self.step().grad_norm
        assert norm is not None
        before = float(norm)
        return before, min(before, self.largest) if math.isfinite(before) else before


def mixed(x: Tensor) -> torch.autocast:
    """A context in which products are taken in bfloat16 on CUDA, and in float32 elsewhere."""
    return torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=x.device.type == "cuda")


def inference(model: nn.Module) -> Predict:
    """A function that gives the logits of ``model`` in evaluation mode, as fast as its training."""
    model.eval()
    laid_out = layout_of(model)

    def predict(x: Tensor) -> Tensor:
        x = laid_out(x)
        with mixed(x):
            out: Tensor = outputs.logits(model(x))
        return out

    return predict


def run(
    training: Training,
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
        losses.append(training.step(done).loss)
        step += 1
        share = math.inf if steps is None else step / steps
        if share * looks >= taken + 1:
            losses[-1].item()  # the clock must include work that the device has not yet done
        spent += time.perf_counter() - started
        done = min(1.0, spent / seconds if steps is None else share)
        if done * looks >= taken + 1:
            look(step, spent, float(torch.stack(losses).double().mean()))
            losses, taken = [], math.floor(done * looks)
        progress(done)
    training.close()


def train_together(
    models: Sequence[nn.Module],
    stacked: "Callable[[Sequence[nn.Module]], Stack] | None",
    data: Dataset,
    orders: Sequence[Iterator[np.ndarray]],
    hyper: Hyperparameters,
    noise: Sequence[np.random.Generator],
    steps: int,
    repeats: bool = False,
) -> None:
    """Train every one of ``models`` for ``steps`` steps, in place; each has an ``order`` of batches of its own.

    ``stacked`` makes one program of two or more. Without it several networks that ``repeats`` (see `NetworkTraining`)
    are trained side by side on a CPU, with one thread each, which decides their last bits whatever the number of cores;
    others are trained one after another.
    """
    if stacked is None or len(models) < 2:
        recorded = repeats and steps >= WORTH_RECORDING
        trainings = [
            functools.partial(NetworkTraining, model, data, order, hyper, draws, repeats=recorded)
            for model, order, draws in zip(models, orders, noise, strict=True)
        ]
        if repeats and len(models) > 1 and data.x.device.type == "cpu":
            _side_by_side(trainings, steps)
        else:
            for training in trainings:
                take(training(), steps)
        return
    repeats = repeats and steps >= WORTH_RECORDING
    for model in models:
        model.to(data.x.device)
    stack = stacked(models)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        with mixed(x):
            out = stack.forward(x, training=True)
        return losses(out.float(), y).sum()

    # All members have one rate, so that PyTorch's optimisers, which work elementwise, serve them as one network.
    optimiser = make_optimiser(hyper.optimizer, stack.parameters.values(), hyper.lr, hyper.weight_decay)
    batches = Batches(data, orders, hyper.augment, noise, stacked=True)
    take(Training(optimiser, batches, loss, rate=hyper.rate, repeats=repeats and recordable(optimiser)), steps)
    for member, model in enumerate(models):
        stack.load_into(member, model)


def _side_by_side(trainings: Sequence[Callable[[], Training]], steps: int) -> None:
    """Take so many ``steps`` of each training, in as many threads as PyTorch has, each with one thread of PyTorch's.

    When one fails, or the program is stopped, the others end at their next step.
    """
    stopped = threading.Event()

    def taken(make: Callable[[], Training]) -> None:
        if stopped.is_set():
            return
        training = make()
        for step in range(steps):
            if stopped.is_set():
                return
            training.step(step / steps)
        training.close()

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(min(threads, len(trainings))) as executor:
            try:
                for future in [executor.submit(taken, make) for make in trainings]:
                    future.result()
            finally:
                stopped.set()
    finally:
        torch.set_num_threads(threads)


def take(training: Training, steps: int) -> None:
    """Take so many ``steps``, and end the training."""
    for step in range(steps):
        training.step(step / steps)
    training.close()
