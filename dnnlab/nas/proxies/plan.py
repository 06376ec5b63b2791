"""The cells: architectures that are drawn at random and scored."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from dnnlab import data as datasets
from dnnlab.errors import UsageError
from dnnlab.nas import ledger
from dnnlab.nas.search.plan import fit
from dnnlab.nas.spec import Spec
from dnnlab.networks import spaces
from dnnlab.runner.experiment import PROCESSES

__all__ = ["ProxyCell", "content", "fit", "plan", "validate"]


@dataclass(frozen=True)
class ProxyCell:
    """Architectures drawn at random, scored and trained, under one seed."""

    space: str
    data: str
    seed: int

    beside = PROCESSES
    weight = 1.0
    macs = math.nan

    def __str__(self) -> str:
        return f"cheap scores in {self.space} on {self.data}, seed {self.seed}"

    @property
    def together(self) -> Hashable:
        return self


def plan(spec: Spec) -> Sequence[ProxyCell]:
    """One cell per data set and seed."""
    return [ProxyCell(spec.space, data, seed) for data in spec.data for seed in range(spec.seeds)]


def content(spec: Spec) -> Mapping[str, str]:
    """Digests of the data sets and of the user's own space."""
    digest = spaces.digest(spec.space)
    return datasets.digests(spec.data) | ({"space": digest} if digest else {})


def validate(spec: Spec) -> None:
    """Check that the budget is a number of architectures.

    Raises:
        UsageError: it is another.
    """
    allowed = ledger.parse(spec.budget)
    if allowed.axis != "trainings" or allowed.amount != int(allowed.amount):
        raise UsageError("--proxies count their --budget in architectures, such as --budget 100.")
