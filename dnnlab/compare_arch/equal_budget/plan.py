"""The cells: what each network costs, and every training."""

import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CostCell:
    """What one network costs on inputs of one data set."""

    arch: str
    data: str
    batch_size: int
    optimizer: str

    part = "cost"
    seed = 0
    side_by_side = False

    def __str__(self) -> str:
        return f"cost of networks on {self.data}"

    @property
    def together(self) -> Hashable:
        """Times are only comparable when they are taken in turns."""
        return (self.part, self.data, self.batch_size, self.optimizer)

    weight = 1 / 1000

    @property
    def macs(self) -> float:
        return 0.0


@dataclass(frozen=True)
class TrainingCell:
    """One network trained once. Its fields are the first columns of ``cells.csv``."""

    arch: str
    data: str
    train_size: int
    budget: str
    batch_size: int
    optimizer: str
    lr: float
    weight_decay: float
    schedule: str
    label_smoothing: float
    augment: str
    ema: float
    seed: int

    part = "training"
    side_by_side = True
    weight = 1.0

    def __str__(self) -> str:
        return f"{self.arch} on {self.data}, {self.budget}, seed {self.seed}"

    @property
    def together(self) -> Hashable:
        """A network of its own is its own program."""
        return self

    @property
    def macs(self) -> float:
        """Of all its steps; nan where the clock decides."""
        from dnnlab.compare_arch.equal_budget.measure import training_macs

        return training_macs(self)


def plan(spec: Any) -> Sequence[CostCell | TrainingCell]:
    """The costs of all networks, then the product of the lists, seeds last."""
    networks = itertools.product(spec.arch, spec.data, spec.batch_size, spec.optimizer)
    costs = [CostCell(*values) for values in networks]
    if spec.cost_only:
        return costs
    lists: tuple[Sequence[Any], ...] = (
        spec.arch,
        spec.data,
        spec.train_size,
        spec.budget,
        spec.batch_size,
        spec.optimizer,
        spec.lr,
        spec.weight_decay,
        spec.schedule,
        spec.label_smoothing,
        spec.augment,
        spec.ema,
        range(spec.seeds),
    )
    return [*costs, *(TrainingCell(*values) for values in itertools.product(*lists))]
