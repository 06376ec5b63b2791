"""One search that is running: its generator, its budget, and the outcomes of its requests."""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from dnnlab.nas.ledger import Cost, Ledger
from dnnlab.nas.pareto import front
from dnnlab.nas.problem import Outcome, Request, Search
from dnnlab.nas.search.plan import Cell
from dnnlab.networks.spaces.space import Code

STALLED = 2000
"""The number of requests in a row with known outcomes after which a search is over."""

Key = tuple[Hashable, ...]
"""What requests with the same outcome have in common."""


@dataclass(frozen=True)
class Result:
    """A training from scratch that did not fail."""

    epochs: float
    values: tuple[float, ...]


@dataclass
class Driver:
    """Drives one search: takes its requests, pays for them and sends their outcomes. A request with a known outcome
    costs nothing and is answered at once."""

    number: int
    """The number of its cell within the stack."""
    cell: Cell
    ledger: Ledger
    search: Search
    requests: Sequence[Request] = ()
    outcomes: dict[Key, Outcome] = field(default_factory=dict)
    results: dict[Code, Result] = field(default_factory=dict)
    evaluations: int = 0
    idle: int = 0
    """Requests in a row whose outcomes were known when they came."""
    asked: bool = False
    """Some of the present requests were handed out, and are answered by the next call."""
    over: bool = False

    def start(self) -> None:
        """Take the first requests."""
        try:
            self.requests = next(self.search)
        except StopIteration:
            self.over = True

    def new_requests(self, key: Callable[[Request], Key], cost: Callable[[Request], Cost]) -> dict[Key, Request]:
        """The next requests without a known outcome, by their ``key``. Each is paid for by its ``cost``.

        Where the budget ends, or nothing new comes for a long time, the search is over, and then there are none.
        """
        while not self.over:
            keys = [key(request) for request in self.requests]
            if self.asked:  # whoever took the new requests has told their outcomes
                self.asked = False
                self._send(keys)
                continue
            new: dict[Key, Request] = {}
            for each, request in zip(keys, self.requests, strict=True):
                if each in self.outcomes or each in new:
                    continue
                price = cost(request)
                if not self.ledger.affords(price):
                    self.over = True
                    break
                self.ledger.pay(price)
                new[each] = request
            self.asked = bool(new)
            if new or self.over:
                self.idle = 0
                return new
            self.idle += len(keys)
            self.over = self.idle > STALLED
            self._send(keys)
        return {}

    def _send(self, keys: Sequence[Key]) -> None:
        """Send the outcomes of the requests, whose ``keys`` are given, and take the next requests."""
        if self.over:
            return
        try:
            self.requests = self.search.send([self.outcomes[key] for key in keys])
        except StopIteration:
            self.over = True

    def best(self, count: int) -> list[Code]:
        """The most accurate of the architectures that were trained longest; with several objectives, those of the
        front."""
        longest = max((result.epochs for result in self.results.values()), default=math.nan)
        full = {code: result.values for code, result in self.results.items() if result.epochs == longest}
        codes = [list(full)[i] for i in front(list(full.values()))] if self._several else list(full)
        return sorted(codes, key=lambda code: -full[code][0])[:count]

    @property
    def _several(self) -> bool:
        return any(len(result.values) > 1 for result in self.results.values())
