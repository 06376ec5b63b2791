"""The cells: searches, by data, strategy and seed."""

import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dnnlab import data as datasets
from dnnlab.errors import UsageError
from dnnlab.nas import ledger, strategies
from dnnlab.nas.spec import Spec
from dnnlab.networks import spaces
from dnnlab.networks.spaces.space import Space
from dnnlab.runner.experiment import PROCESSES
from dnnlab.runner.place import Place


@dataclass(frozen=True)
class Cell:
    """One search: a strategy and a seed. Its fields are the first columns of ``cells.csv``."""

    strategy: str
    space: str
    data: str
    budget: str
    seed: int

    beside = PROCESSES
    weight = 1 / 100_000

    def __str__(self) -> str:
        return f"searches in {self.space} on {self.data}, seed {self.seed}"

    @property
    def together(self) -> Hashable:
        """The searches of one data set and seed are one stack, since they share trainings."""
        return (self.data, self.seed)

    @property
    def macs(self) -> float:
        """Not known before the search."""
        return math.nan


def plan(spec: Spec) -> Sequence[Cell]:
    """One cell per search: data, then strategies, then seeds."""
    searches = itertools.product(spec.data, spec.strategies, range(spec.seeds))
    budget = str(ledger.parse(spec.budget))
    return [Cell(strategy, spec.space, data, budget, seed) for data, strategy, seed in searches]


def content(spec: Spec) -> Mapping[str, str]:
    """Digests of the data sets and of the user's own space, and versions of optional libraries."""
    digest = spaces.digest(spec.space)
    return datasets.digests(spec.data) | ({"space": digest} if digest else {}) | strategies.versions(spec.strategy)


def fit(spec: Spec) -> None:
    """Check that space, batch, budget and data fit each other.

    Raises:
        UsageError: they do not.
    """
    from dnnlab.nas.evaluator import Evaluator

    for data in spec.data:
        Evaluator(spec, data, 0, "cpu", Place(Path())).check_budget()


def validate(spec: Spec) -> None:
    """Check that strategies, budget, objectives and fidelities fit each other.

    Raises:
        UsageError: they do not.
    """
    space = spaces.find(spec.space)
    if spec.objectives[0] != "accuracy":
        raise UsageError("--objectives begin with accuracy, such as accuracy,parameters.")
    for name in spec.strategy:
        _validate_strategy(spec, name, space)
    allowed = ledger.parse(spec.budget)
    retrained = spec.finalists * spec.retrain
    per_training = {"trainings": 1, "epochs": spec.epochs}.get(allowed.axis, 0)
    if per_training and allowed.amount < (retrained + 1) * per_training:
        raise UsageError(
            f"--budget {spec.budget} leaves nothing to search with: retraining {spec.finalists} finalists from "
            f"{spec.retrain} fresh weights each takes {retrained * per_training:g} {allowed.axis} of it; give at "
            f"least {(retrained + 1) * per_training:g}, or fewer --finalists or --retrain."
        )
    if any(epochs > spec.epochs for epochs in spec.fidelity):
        raise UsageError(f"--fidelity {max(spec.fidelity)} is more than the --epochs {spec.epochs} of a training.")


def _validate_strategy(spec: Spec, name: str, space: Space) -> None:
    strategy = strategies.find(name)
    strategies.require(name)
    if strategy.shared and space.supernet is None:
        raise UsageError(f"--strategy {name} needs a space with a supernet, such as mlp or cell, not {spec.space}.")
    if spec.several and not strategy.several:
        several = ", ".join(other for other, s in strategies.STRATEGIES.items() if s.several)
        raise UsageError(f"--strategy {name} pursues accuracy alone; several --objectives go with {several}.")
