"""The budget of a search, and how much of it is spent: on trainings, proxies, supernets, failures and retraining alike.

Importing this module does not import torch.
"""

import math
from dataclasses import dataclass, field

from dnnlab.training import budget
from dnnlab.training.budget import Budget

AXES = ("trainings", "epochs", "macs", "seconds")


@dataclass(frozen=True)
class Cost:
    """The cost of one request. Epochs are passes over the training data, MACs of forward and backward passes."""

    epochs: float
    macs: float


def parse(text: str) -> Budget:
    """Read ``64`` (trainings), or ``AXIS=AMOUNT`` such as ``epochs=500``, ``macs=1e12`` or ``seconds=60``.

    A training is one of ``--epochs`` epochs, and a shorter one its share.

    Raises:
        UsageError: there is no such axis, or the amount is no positive number.
    """
    return budget.parse(text, AXES, bare=AXES[0])


@dataclass
class Ledger:
    """The account of one search: what it has spent of ``budget``, of which ``reserved`` trainings are kept for the
    end."""

    budget: Budget
    epochs_a_training: float
    reserved: int = 0
    spent: dict[str, float] = field(default_factory=lambda: dict.fromkeys(AXES, 0.0))
    dearest: float = 0.0
    """MACs, or seconds, of the dearest full training so far: what retraining one will cost at most."""

    def pay(self, cost: Cost) -> None:
        """Pay the cost of a request before it is done."""
        trainings = cost.epochs / self.epochs_a_training
        for axis, amount in zip(AXES, (trainings, cost.epochs, cost.macs), strict=False):
            self.spent[axis] += amount
        if trainings >= 1 and self.budget.axis == "macs":
            self.dearest = max(self.dearest, cost.macs)

    def clock(self, seconds: float, full: bool) -> None:
        """Pay the seconds of a request after it is done; ``full`` for a full training."""
        self.spent["seconds"] += seconds
        if full and self.budget.axis == "seconds":
            self.dearest = max(self.dearest, seconds)

    def free(self) -> float:
        """The budget that is left for the search, on the budget's own axis."""
        kept = self.reserved * {"trainings": 1.0, "epochs": self.epochs_a_training}.get(self.budget.axis, self.dearest)
        return self.budget.amount - kept - self.spent[self.budget.axis]

    def affords(self, cost: Cost) -> bool:
        """Whether the budget pays for ``cost``. Seconds are not known before; a request that has begun is finished."""
        trainings = cost.epochs / self.epochs_a_training
        price = dict(zip(AXES, (trainings, cost.epochs, cost.macs, 0.0), strict=True))[self.budget.axis]
        if trainings >= 1 and self.budget.axis == "macs":
            # Its network may be the one that is retrained in the end, dearer than all before.
            price += self.reserved * max(0.0, cost.macs - self.dearest)
        return self.free() > 0 and price <= self.free() * (1 + 1e-9)

    def trainings_left(self) -> float:
        """What is left for the search, in full trainings; infinite before the first on an axis of MACs or seconds."""
        a_training = {"trainings": 1.0, "epochs": self.epochs_a_training}.get(self.budget.axis, self.dearest)
        return self.free() / a_training if a_training else math.inf
