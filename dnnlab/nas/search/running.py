"""One search under way: its generator, its budget, and what it has been told."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from dnnlab.nas.ledger import Ledger
from dnnlab.nas.pareto import front
from dnnlab.nas.problem import Outcome, Request, Search
from dnnlab.nas.search.plan import Cell
from dnnlab.networks.spaces.space import Code

STALLED = 2000
"""After so many requests in a row whose answers it has already, a search is over."""

Key = tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """A training from scratch that did not fail."""

    epochs: float
    values: tuple[float, ...]


@dataclass
class Running:
    """One search. What it asks twice costs nothing the second time, and it does not wait for the answer."""

    number: int
    """Its cell within the stack."""
    cell: Cell
    ledger: Ledger
    search: Search
    requests: Sequence[Request] = ()
    told: dict[Key, Outcome] = field(default_factory=dict)
    results: dict[Code, Result] = field(default_factory=dict)
    evaluations: int = 0
    idle: int = 0
    over: bool = False

    def start(self) -> None:
        """Up to the first requests."""
        try:
            self.requests = next(self.search)
        except StopIteration:
            self.over = True

    def go_on(self, keys: Sequence[Key]) -> bool:
        """Send the answers to the requests, whose ``keys`` are given; gives whether all were there."""
        answers = [self.told[key] for key in keys if key in self.told]
        if self.over or len(answers) < len(keys):
            return False
        try:
            self.requests = self.search.send(answers)
        except StopIteration:
            self.over = True
        return not self.over

    def repeated(self, count: int) -> None:
        """``count`` requests came again; a search that asks for nothing else is over."""
        self.idle = self.idle + count if count else 0
        self.over = self.over or self.idle > STALLED

    def best(self, count: int) -> list[Code]:
        """The most accurate of those that were trained longest; with several objectives, those of the front."""
        longest = max((result.epochs for result in self.results.values()), default=math.nan)
        full = {code: result.values for code, result in self.results.items() if result.epochs == longest}
        codes = [list(full)[i] for i in front(list(full.values()))] if self._several else list(full)
        return sorted(codes, key=lambda code: -full[code][0])[:count]

    @property
    def _several(self) -> bool:
        return any(len(result.values) > 1 for result in self.results.values())
