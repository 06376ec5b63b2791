"""Training several networks on the same data: as one stacked program where they fit into one, else one by one."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from torch import Tensor, nn
from torch.nn import functional as F

from dnnlab.data.dataset import Dataset
from dnnlab.networks.spaces.stack import Stack
from dnnlab.training import networks
from dnnlab.training.augmentation import augmentation
from dnnlab.training.plain import make_optimiser, recordable, set_rate
from dnnlab.training.recorded import WORTH_RECORDING, Ahead, Recorded
from dnnlab.training.schedules import rate


def train(
    models: Sequence[nn.Module],
    stacked: "Callable[[Sequence[nn.Module]], Stack] | None",
    data: Dataset,
    orders: Sequence[Iterator[np.ndarray]],
    hyper: networks.Hyperparameters,
    noises: Sequence[np.random.Generator],
    steps: int,
    repeats: bool = False,
) -> None:
    """Train every one of ``models`` for ``steps`` steps, in place; each has an ``order`` of batches of its own.

    ``stacked`` makes one program of two or more; without it they are trained one after another. ``repeats`` as of
    `networks.NetworkTraining`.
    """
    repeats = repeats and steps >= WORTH_RECORDING
    if stacked is None or len(models) < 2:
        for model, order, noise in zip(models, orders, noises, strict=True):
            training = networks.NetworkTraining(model, data, order, hyper, noise, repeats=repeats)
            networks.run(training, steps, 0.0, 1, lambda step, seconds, loss: None, lambda done: None)
        return
    for model in models:
        model.to(data.x.device)
    stack = stacked(models)
    _train_stack(stack, data, orders, hyper, noises, steps, repeats)
    for member, model in enumerate(models):
        stack.load_into(member, model)


def _train_stack(
    stack: Stack,
    data: Dataset,
    orders: Sequence[Iterator[np.ndarray]],
    hyper: networks.Hyperparameters,
    noises: Sequence[np.random.Generator],
    steps: int,
    repeats: bool,
) -> None:
    """As `networks.NetworkTraining`, with a member dimension; all members have one rate, so PyTorch's optimisers,
    which work elementwise, do as well for them as for one."""
    optimiser = make_optimiser(hyper.optimizer, stack.parameters.values(), hyper.lr, hyper.weight_decay)  # type: ignore[arg-type]
    change = augmentation(hyper.augment) if data.x.ndim == 4 else None
    pairs = list(zip(orders, noises, strict=True))
    draws = Ahead(
        lambda: np.stack([networks.draw(order, change, noise, data.shape) for order, noise in pairs]), data.x.device
    )
    recorded = Recorded(data.x.device, repeats and recordable(optimiser))

    def take(drawn: Tensor) -> tuple[Tensor, ...]:
        index = data.train[drawn[..., 0]]
        x, y = data.x[index], data.y[index]
        if change is not None:
            x = change.changed(x.flatten(0, 1), drawn[..., 1:].flatten(0, 1)).view(x.shape)
        optimiser.zero_grad(set_to_none=True)
        with networks.mixed(data.x):
            logits = stack.forward(data.standardised(x), training=True)
        _losses(logits.float(), y).sum().backward()
        optimiser.step()
        return ()

    for step in range(steps):
        set_rate(optimiser, hyper.lr * rate(hyper.schedule, step / steps))
        recorded(take, draws())


def _losses(logits: Tensor, y: Tensor) -> Tensor:
    """Mean cross-entropy ``[member]`` of logits ``[member, batch, class]``."""
    each = F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none")
    return each.view(y.shape).mean(1)
