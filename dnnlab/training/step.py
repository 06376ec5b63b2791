"""The training step, the same for a network, a stack of networks and a supernet."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dnnlab.training.batches import Batches
from dnnlab.training.optimisers import parameters_of, set_rate
from dnnlab.training.recorded import Recorded


@dataclass(frozen=True)
class Step:
    """The results of one training step."""

    loss: Tensor
    grad_norm: Tensor | None = None
    """The global gradient norm before clipping; ``None`` where it is not measured."""


class Training:
    """Takes steps of ``optimiser`` on ``batches``, each of which makes the loss of ``objective`` smaller.

    Args:
        optimiser: Holds the parameters that are trained.
        batches: What a step sees.
        objective: The loss ``[]`` of inputs and labels.
        rate: The learning rate when a share of the budget is spent; without it the optimiser's own.
        clip: The largest global gradient norm, infinite to see the norm alone; ``None`` does not look at it.
        after: Called when the parameters have changed.
        repeats: Whether a step does the same whatever it sees and however often, so that it can be recorded.
    """

    def __init__(
        self,
        optimiser: Any,
        batches: Batches,
        objective: Callable[[Tensor, Tensor], Tensor],
        *,
        rate: Callable[[float], float] | None = None,
        clip: float | None = None,
        after: Callable[[], None] | None = None,
        repeats: bool = False,
    ) -> None:
        self.optimiser, self.batches, self.objective = optimiser, batches, objective
        self.rate, self.clip, self.after = rate, clip, after
        self.recorded = Recorded(batches.data.x.device, repeats)

    def step(self, done: float = 0.0) -> Step:
        """Take one step, when the share ``done`` of the budget is spent; its results are still on the device."""
        if self.rate is not None:
            set_rate(self.optimiser, self.rate(done))
        return Step(*self.recorded(self._take, self.batches()))

    def _take(self, draws: Tensor) -> tuple[Tensor, ...]:
        x, y = self.batches.examples(draws)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.objective(x, y)
        loss.backward()
        results = [loss.detach()]
        if self.clip is not None:
            results.append(torch.nn.utils.clip_grad_norm_(parameters_of(self.optimiser), self.clip))
        self.optimiser.step()
        if self.after is not None:
            self.after()
        return tuple(results)

    def close(self) -> None:
        """End the training: the gradients of a recorded step would keep all of its memory."""
        self.optimiser.zero_grad(set_to_none=True)
