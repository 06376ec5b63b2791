"""The problem that a strategy solves, its requests to evaluate something, and their outcomes.

A strategy is a generator: it yields lists of requests and is sent the list of their outcomes, until its budget is spent
and the generator is closed. All randomness comes from ``problem.rng``, so that a search that is shown the same outcomes
again goes the same way.
"""

import math
import random
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from dnnlab.networks.spaces.space import Code, Space


@dataclass(frozen=True)
class Train:
    """Train an architecture from scratch for ``epochs``; its value is the validation accuracy."""

    code: Code
    epochs: float


@dataclass(frozen=True)
class Score:
    """Score an untrained architecture by a zero-cost proxy; its value is the score."""

    code: Code
    proxy: str


@dataclass(frozen=True)
class Supernet:
    """Train a supernet for ``epochs``, the ``number``-th of the search: by ``kind`` with mixed operations, which also
    ends in an architecture, or with one path at a time."""

    kind: str
    epochs: float
    number: int


@dataclass(frozen=True)
class Inherit:
    """Evaluate an architecture with the weights of a one-shot supernet; its value is the validation accuracy."""

    code: Code
    supernet: Supernet


Request = Train | Score | Supernet | Inherit


@dataclass(frozen=True)
class Outcome:
    """The outcome of a request."""

    code: Code
    values: tuple[float, ...]

    @property
    def value(self) -> float:
        """The first value, or minus infinity where the request failed, which is worse than every value."""
        return -math.inf if math.isnan(self.values[0]) else self.values[0]


Search = Generator[Sequence[Request], Sequence[Outcome], None]


@dataclass(frozen=True)
class Problem:
    """A space to search with a budget."""

    space: Space
    rng: random.Random
    epochs: float
    """Epochs of a full training."""
    fidelities: tuple[float, ...]
    """Ascending epochs of the shorter trainings that a strategy may use; the last is a full training."""
    batch: int
    """How many requests should come at once, so that they can be trained together."""
    objectives: int
    left: Callable[[], float]
    """The budget that is left, in full trainings; infinite where that is unknown."""
    reference: tuple[float, ...] = ()
    """A point that every architecture is better than in every objective, for hypervolumes."""

    def draw(self) -> Code:
        """An architecture, uniformly over the choices of every dimension."""
        return tuple(self.rng.randrange(size) for size in self.space.sizes)

    def mutate(self, code: Code) -> Code:
        """The code with another choice in one dimension, such that it is another network where that is possible."""
        before = self.space.identity(code)
        changed = code
        for _ in range(_ATTEMPTS):
            changed = self._changed(code)
            if self.space.identity(changed) != before:
                break
        return changed

    def _changed(self, code: Code) -> Code:
        place = self.rng.randrange(len(code))
        size = self.space.sizes[place]
        if size == 1:
            return code
        choice = (code[place] + 1 + self.rng.randrange(size - 1)) % size
        return (*code[:place], choice, *code[place + 1 :])

    def neighbours(self, code: Code) -> list[Code]:
        """All codes that differ in one dimension."""
        return [
            (*code[:place], choice, *code[place + 1 :])
            for place, size in enumerate(self.space.sizes)
            for choice in range(size)
            if choice != code[place]
        ]

    def train(self, codes: Sequence[Code]) -> list[Request]:
        """Requests of full trainings of the codes."""
        return [Train(code, self.epochs) for code in codes]


_ATTEMPTS = 20
