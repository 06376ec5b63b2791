"""All searches of one seed, side by side: the requests of a round are trained together, and never twice.

A round is a list of parts, each a piece of work and its rows. An interrupted session's parts are taken instead of doing
the work again, so the searches go the very same way.
"""

import functools
import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean
from typing import Any

from dnnlab.nas.codes import read_code
from dnnlab.nas.evaluator import Evaluator, Training
from dnnlab.nas.export import write_network
from dnnlab.nas.ledger import Ledger, parse
from dnnlab.nas.problem import Inherit, Outcome, Problem, Request, Score, Supernet, Train
from dnnlab.nas.search import columns as c
from dnnlab.nas.search.driver import Driver, Key, Result
from dnnlab.nas.search.plan import Cell
from dnnlab.nas.spec import Spec
from dnnlab.nas.strategies import AVERAGE, RANDOM, find
from dnnlab.networks.spaces.space import Code
from dnnlab.runner.journal import Rows
from dnnlab.runner.place import Place
from dnnlab.statistics.streams import stream

BATCH = 8
"""Requests of a search at once, the same for any number of workers, so that the same seed gives the same search."""

Fact = dict[str, Any]
"""The measured columns of one row."""
Work = Callable[[], list[Fact]]


@dataclass(frozen=True)
class Entry:
    """One row to come: the driver of its search, its number there, its phase, and its request."""

    driver: Driver
    evaluation: int
    phase: str
    key: Key
    request: Request | Training


def steps(cells: Sequence[Cell], spec: Spec, device: str, place: Place, past: Sequence[Rows]) -> Iterator[Rows]:
    """The rows of the searches of one seed."""
    evaluator = Evaluator(spec, cells[0].data, cells[0].seed, device, place)
    drivers = [_prepared(number, cell, evaluator) for number, cell in enumerate(cells)]
    yield from _Session(evaluator, drivers, iter(past)).parts()


def _random(evaluator: Evaluator, strategy: str) -> Random:
    return Random(int(stream(evaluator.spec.seed, evaluator.seed, f"search {strategy}").integers(2**63)))


def _prepared(number: int, cell: Cell, evaluator: Evaluator) -> Driver:
    spec = evaluator.spec
    ledger = Ledger(parse(spec.budget), float(spec.epochs), spec.finalists * spec.retrain)
    # The average architecture has the same draws as random search, before anything is selected.
    drawn_by = RANDOM if cell.strategy == AVERAGE else cell.strategy
    problem = Problem(
        space=evaluator.space,
        rng=_random(evaluator, drawn_by),
        epochs=float(spec.epochs),
        fidelities=spec.fidelities,
        batch=BATCH,
        objectives=len(spec.objectives),
        left=ledger.trainings_left,
    )
    driver = Driver(number, cell, ledger, find(drawn_by).search(problem), over=cell.strategy == AVERAGE)
    if driver.over:
        driver.requests = problem.train([problem.draw() for _ in range(spec.finalists * spec.retrain)])
    return driver


class _Session:
    """The facts that are known of one seed, and the parts in which they become known."""

    def __init__(self, evaluator: Evaluator, drivers: Sequence[Driver], past: Iterator[Rows]) -> None:
        self.evaluator, self.drivers, self.past = evaluator, drivers, past
        self.facts: dict[Key, Fact] = {}

    def parts(self) -> Iterator[Rows]:
        """The searches, the retraining of their best, and the tests."""
        active = [driver for driver in self.drivers if driver.cell.strategy != AVERAGE]
        for driver in active:
            driver.start()
        while entries := [entry for driver in active for entry in self._affordable(driver)]:
            yield from self._answered(entries)
        yield from self._retrained()

    def _affordable(self, driver: Driver) -> list[Entry]:
        """The new requests of a search, as far as its budget pays for them."""
        new = driver.new_requests(self._key, self.evaluator.cost)
        return [self._entry(driver, c.PHASES[type(request).__name__], key, request) for key, request in new.items()]

    def _entry(self, driver: Driver, phase: str, key: Key, request: Request | Training) -> Entry:
        driver.evaluations += 1
        return Entry(driver, driver.evaluations, phase, key, request)

    def _key(self, request: Request | Training) -> Key:
        match request:
            case Supernet():
                return ("supernet", str(request))
            case Score(code, proxy):
                return ("score", self.evaluator.space.identity(code), proxy)
            case Inherit(code, supernet):
                return ("inherit", self.evaluator.space.identity(code), str(supernet))
        return ("train", *self.evaluator.key(_training(request)))

    def _answered(self, requested: Sequence[Entry]) -> Iterator[Rows]:
        """Measure in parts every fact that is not yet known; then send the facts to the searches."""
        known = [entry for entry in requested if entry.key in self.facts]
        if known:
            yield from self._part(known, lambda: [self.facts[entry.key] for entry in known])
        unknown: dict[Key, Entry] = {}
        for entry in requested:
            if entry.key not in self.facts:
                unknown.setdefault(entry.key, entry)
        for keys, work in self._jobs(unknown):
            entries = [entry for entry in requested if entry.key in keys]
            yield from self._part(entries, functools.partial(_spread, work, keys, entries))
        for entry in requested:
            self._tell(entry)

    def _jobs(self, unknown: dict[Key, Entry]) -> Iterator[tuple[list[Key], Work]]:
        """The pieces of work: the keys of the facts that each makes known, and the function that does it."""
        trainings = {_training(entry.request): key for key, entry in unknown.items() if key[0] == "train"}
        for bucket in self.evaluator.buckets(list(trainings)):
            yield [trainings[training] for training in bucket], functools.partial(self.evaluator.train, bucket)
        cheap: dict[tuple[Hashable, int], dict[Key, Any]] = {}
        for key, entry in unknown.items():
            if key[0] != "train":
                cheap.setdefault((key[0], entry.driver.number), {})[key] = entry.request
        for requests in cheap.values():
            yield list(requests), functools.partial(self.evaluator.look_up, list(requests.values()))

    def _part(self, entries: Sequence[Entry], facts: Work) -> Iterator[Rows]:
        """Take over the rows of ``entries`` from an interrupted session, or measure and yield them."""
        rows = next(self.past, None)
        if rows is None:
            rows = self._rows(entries, facts())
            yield rows
        for i, entry in enumerate(entries):
            self.facts[entry.key] = {name: rows[name][i] for name in c.MEASURED}

    def _rows(self, entries: Sequence[Entry], facts: Sequence[Fact]) -> Rows:
        rows: Rows = {name: [] for name in ("cell", "evaluation", "phase", "architecture", "id", *c.MEASURED)}
        for entry, fact in zip(entries, facts, strict=True):
            code = read_code(fact["code"])
            row = {
                "cell": entry.driver.number,
                "evaluation": entry.evaluation,
                "phase": entry.phase,
                "architecture": self.evaluator.space.line(code) if code else "",
                "id": self.evaluator.space.identity(code) if code else "",
                **{name: fact.get(name, empty) for name, empty in c.MEASURED.items()},
            }
            for name, column in rows.items():
                column.append(row[name])
        return rows

    def _tell(self, entry: Entry) -> None:
        """Send a fact to the search that requested it, and pay its seconds."""
        fact, driver, request = self.facts[entry.key], entry.driver, entry.request
        driver.ledger.clock(
            fact["seconds"], full=isinstance(request, Train) and request.epochs >= self.evaluator.spec.epochs
        )
        match request:
            case Train(code, epochs):
                self.evaluator.remember_latency(code, fact["latency"])
                failed = math.isnan(fact["validation"])
                values = (math.nan,) * len(self.evaluator.spec.objectives)
                if not failed:
                    values = self.evaluator.values(code, fact["validation"])
                    # One bracket may draw an architecture that another has trained for longer.
                    result = Result(epochs, values)
                    driver.results[code] = max(driver.results.get(code, result), result, key=lambda each: each.epochs)
                driver.outcomes[entry.key] = Outcome(code, values)
            case Supernet():
                driver.outcomes[entry.key] = Outcome(read_code(fact["code"]), (0.0,))
            case Score(code) | Inherit(code):
                driver.outcomes[entry.key] = Outcome(code, (fact["score"],))

    # After the searches: their best networks are trained again, and then tested once.

    def _retrained(self) -> Iterator[Rows]:
        spec = self.evaluator.spec
        again: dict[int, dict[Code, list[Training]]] = {}
        for driver in self.drivers:
            if driver.cell.strategy == AVERAGE:
                chosen = {_training(request).code: 1 for request in driver.requests}
            else:
                chosen = dict.fromkeys(driver.best(spec.finalists), spec.retrain)
            again[driver.number] = {
                code: [Training(code, float(spec.epochs), f"fresh {i}") for i in range(count)]
                for code, count in chosen.items()
            }
        entries = [
            self._entry(driver, c.RETRAIN, self._key(training), training)
            for driver in self.drivers
            for trainings in again[driver.number].values()
            for training in trainings
        ]
        yield from self._answered(entries)
        ended = {
            driver.number: max(again[driver.number].values(), key=self._validated)
            for driver in self.drivers
            if driver.cell.strategy != AVERAGE and again[driver.number]
        }
        best = max(ended, key=lambda number: self._validated(ended[number]), default=-1)
        for driver in self.drivers:
            trainings = ended.get(driver.number, [t for each in again[driver.number].values() for t in each])
            good = [t for t in trainings if not self.evaluator.network(t.code).problem]
            if good:
                yield from self._tested(driver, good, driver.number == best)

    def _validated(self, trainings: Sequence[Training]) -> float:
        """Mean validation accuracy of retrainings."""
        mean = fmean(self.facts[self._key(training)]["validation"] for training in trainings)
        return -math.inf if math.isnan(mean) else mean

    def _code_of(self, training: Training) -> Code:
        """The code of the network that was trained: another code of the same network may name its weights
        differently."""
        return read_code(self.facts[self._key(training)]["code"])

    def _tested(self, driver: Driver, trainings: Sequence[Training], best: bool) -> Iterator[Rows]:
        """Test the network that a search ended in, and write it to files; of average architectures test all."""
        entries = [
            self._entry(driver, c.FINAL, ("test", str(driver.number), *self._key(training)), training)
            for training in trainings
        ]

        def work() -> list[Fact]:
            if driver.cell.strategy != AVERAGE:
                write_network(self.evaluator, driver.cell, self._code_of(trainings[0]), trainings[0], best)
            return [self.evaluator.tested(training, self.facts[self._key(training)]) for training in trainings]

        yield from self._part(entries, work)


def _training(request: Any) -> Training:
    return request if isinstance(request, Training) else Training(request.code, request.epochs)


def _spread(work: Work, keys: Sequence[Key], entries: Sequence[Entry]) -> list[Fact]:
    """The facts of ``work``, one for each entry that requested it."""
    facts = dict(zip(keys, work(), strict=True))
    return [facts[entry.key] for entry in entries]
