"""What is measured: a search, or architectures that are drawn at random to be scored."""

import math
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One search: a strategy and a seed. Its fields are the first columns of ``cells.csv``."""

    strategy: str
    space: str
    data: str
    budget: str
    seed: int

    side_by_side = True
    weight = 1 / 100_000

    def __str__(self) -> str:
        return f"searches in {self.space} on {self.data}, seed {self.seed}"

    @property
    def together(self) -> Hashable:
        """The searches of one seed ask for the same trainings; those of a table for nothing but the table."""
        return (self.data, self.seed)

    @property
    def macs(self) -> float:
        """Nobody knows before."""
        return math.nan


@dataclass(frozen=True)
class TableCell(Cell):
    """A search of a published table; all seeds of a strategy are one stack."""

    def __str__(self) -> str:
        return f"{self.strategy} in {self.data}"

    @property
    def together(self) -> Hashable:
        return self.strategy

    @property
    def macs(self) -> float:
        return 0.0


@dataclass(frozen=True)
class ProxyCell:
    """Architectures drawn at random, scored and trained, under one seed."""

    space: str
    data: str
    seed: int

    side_by_side = True
    weight = 1.0
    macs = math.nan

    def __str__(self) -> str:
        return f"cheap scores in {self.space} on {self.data}, seed {self.seed}"

    @property
    def together(self) -> Hashable:
        return self
