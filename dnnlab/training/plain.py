"""The training loop of any ``nn.Module``, with PyTorch's own optimisers."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnnlab.data.dataset import Dataset
from dnnlab.errors import UsageError, first_line

_OPTIMISERS: dict[str, tuple[Callable[..., torch.optim.Optimizer], dict[str, Any] | None]] = {
    "sgd": (torch.optim.SGD, {"fused": True}),
    "momentum": (functools.partial(torch.optim.SGD, momentum=0.9), {"fused": True}),
    "adam": (torch.optim.Adam, {"fused": True, "capturable": True}),
    "adamw": (torch.optim.AdamW, {"fused": True, "capturable": True}),
    "rmsprop": (torch.optim.RMSprop, {"capturable": True}),
    "adagrad": (torch.optim.Adagrad, None),
}
"""Each with what makes it one program on CUDA, whose step can be recorded; Adagrad counts its steps on the host."""


def make_optimiser(
    name: str, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float
) -> torch.optim.Optimizer:
    """PyTorch's optimiser of that name, as `training.optimisers` has it for stacks."""
    optimiser, on_cuda = _OPTIMISERS[name]
    trained = list(parameters)
    if on_cuda is None or not trained or not all(p.is_cuda and p.is_floating_point() for p in trained):
        return optimiser(trained, lr=lr, weight_decay=weight_decay)
    rate = torch.full((), lr, dtype=torch.float32, device=trained[0].device)
    return optimiser(trained, lr=rate, weight_decay=weight_decay, **on_cuda)


def recordable(optimiser: Any, model: nn.Module | None = None) -> bool:
    """Whether all that a step of ``optimiser`` changes lies on the device and stays where it is, and nothing is hung on
    ``model``: what a hook keeps is its own affair."""
    own = getattr(optimiser, "repeats", isinstance(optimiser, torch.optim.Optimizer))
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    hooked = model is not None and any(getattr(m, kind) for m in model.modules() for kind in kinds)
    return own and not hooked and all(isinstance(group["lr"], Tensor) for group in optimiser.param_groups)


def set_rate(optimiser: Any, rate: float) -> None:
    """Have ``optimiser`` take its next steps with this learning rate."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def outputs(out: Any) -> Any:
    """The logits among what a network gives: GoogLeNet and Inception add more in training, Hugging Face's always."""
    return getattr(out, "logits", out)


def logits(model: nn.Module, data: Dataset, index: Tensor) -> Tensor:
    """What ``model`` makes of the examples ``index``, ``[batch, class]``.

    Raises:
        UsageError: the model does not take inputs of this shape, or gives no logits for these classes.
    """
    x = data.inputs(index)
    try:
        out = model(x)
    except (RuntimeError, ValueError, TypeError, IndexError) as problem:
        reason = first_line(problem)
        raise UsageError(f"the model refuses inputs {list(x.shape)} of {data.name}: {reason}.") from problem
    out = outputs(out)
    if not isinstance(out, Tensor) or out.ndim != 2 or out.shape[0] != len(index) or out.shape[1] < len(data.classes):
        got = list(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise UsageError(
            f"the model gives {got} for {len(index)} inputs of {data.name}; it should give logits "
            f"[{len(index)}, {len(data.classes)}]."
        )
    return out


class PlainTraining:
    """Trains ``model`` on ``data``, batch after batch of ``order``."""

    def __init__(
        self,
        model: nn.Module,
        data: Dataset,
        order: Iterator[np.ndarray],
        optimiser: str,
        lr: float,
        weight_decay: float,
        clip: float,
    ) -> None:
        self.model, self.data, self.order, self.clip = model, data, order, clip
        self.optimiser = make_optimiser(optimiser, model.parameters(), lr, weight_decay)

    def step(self) -> tuple[float, float]:
        """One step; the global gradient norm before and after clipping."""
        index = self.data.train[torch.from_numpy(next(self.order)).to(self.data.train.device)]
        self.model.train()
        self.optimiser.zero_grad(set_to_none=True)
        F.cross_entropy(logits(self.model, self.data, index), self.data.y[index]).backward()
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip))
        self.optimiser.step()
        return norm, min(norm, self.clip) if math.isfinite(norm) else norm


@torch.no_grad()
def accuracy(model: nn.Module, data: Dataset, index: Tensor, batch_size: int = 256) -> float:
    """Share of the examples ``index`` that ``model`` gets right, in evaluation mode."""
    model.eval()
    right = sum(int((logits(model, data, part).argmax(-1) == data.y[part]).sum()) for part in index.split(batch_size))
    return right / len(index)
