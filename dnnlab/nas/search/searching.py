"""All searches of one seed, side by side: what they ask for in a round is trained together, and never twice.

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
from dnnlab.nas.found import write_found
from dnnlab.nas.ledger import Ledger, parse
from dnnlab.nas.problem import Inherit, Outcome, Problem, Request, Score, Supernet, Train
from dnnlab.nas.search import columns as c
from dnnlab.nas.search.plan import Cell
from dnnlab.nas.search.running import Key, Result, Running
from dnnlab.nas.spec import Spec
from dnnlab.nas.strategies import AVERAGE, RANDOM, find
from dnnlab.networks.spaces.space import Code
from dnnlab.runner.journal import Rows
from dnnlab.runner.place import Place
from dnnlab.statistics.streams import stream

BATCH = 8
"""Requests of a search at once, however many workers there are: so the same seeds search the same."""

Fact = dict[str, Any]
"""What one row measured, by column."""
Work = Callable[[], list[Fact]]


@dataclass(frozen=True)
class Entry:
    """One row to come: which search, its number there, the phase and what is asked."""

    run: Running
    evaluation: int
    phase: str
    key: Key
    request: Request | Training


def steps(cells: Sequence[Cell], spec: Spec, device: str, place: Place, past: Sequence[Rows]) -> Iterator[Rows]:
    """The rows of the searches of one seed."""
    evaluator = Evaluator(spec, cells[0].data, cells[0].seed, device, place)
    runs = [_prepared(number, cell, evaluator) for number, cell in enumerate(cells)]
    yield from _Session(evaluator, runs, iter(past)).parts()


def _random(evaluator: Evaluator, strategy: str) -> Random:
    return Random(int(stream(evaluator.spec.seed, evaluator.seed, f"search {strategy}").integers(2**63)))


def _prepared(number: int, cell: Cell, evaluator: Evaluator) -> Running:
    spec = evaluator.spec
    ledger = Ledger(parse(spec.budget), float(spec.epochs), spec.finalists * spec.retrain)
    # The average architecture is that of random search before anything was selected: the same draws.
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
    run = Running(number, cell, ledger, find(drawn_by).search(problem), over=cell.strategy == AVERAGE)
    if run.over:
        run.requests = problem.train([problem.draw() for _ in range(spec.finalists * spec.retrain)])
    return run


class _Session:
    """What is known of one seed, and the parts that make it known."""

    def __init__(self, evaluator: Evaluator, runs: Sequence[Running], past: Iterator[Rows]) -> None:
        self.evaluator, self.runs, self.past = evaluator, runs, past
        self.facts: dict[Key, Fact] = {}

    def parts(self) -> Iterator[Rows]:
        """The searches, the retraining of their best, and the tests."""
        active = [run for run in self.runs if run.cell.strategy != AVERAGE]
        for run in active:
            run.start()
        while asked := [entry for run in active for entry in self._affordable(run)]:
            yield from self._answered(asked)
        yield from self._retrained()

    def _affordable(self, run: Running) -> list[Entry]:
        """The new requests of a search, as far as its budget goes."""
        asked = run.asks(self._key, self.evaluator.cost)
        return [self._entry(run, c.PHASES[type(request).__name__], key, request) for key, request in asked.items()]

    def _entry(self, run: Running, phase: str, key: Key, request: Request | Training) -> Entry:
        run.evaluations += 1
        return Entry(run, run.evaluations, phase, key, request)

    def _key(self, request: Request | Training) -> Key:
        match request:
            case Supernet():
                return ("supernet", str(request))
            case Score(code, proxy):
                return ("score", self.evaluator.space.identity(code), proxy)
            case Inherit(code, supernet):
                return ("inherit", self.evaluator.space.identity(code), str(supernet))
        return ("train", *self.evaluator.key(_training(request)))

    def _answered(self, asked: Sequence[Entry]) -> Iterator[Rows]:
        """Parts that make every fact known that is asked for; then who asked is told."""
        known = [entry for entry in asked if entry.key in self.facts]
        if known:
            yield from self._part(known, lambda: [self.facts[entry.key] for entry in known])
        unknown: dict[Key, Entry] = {}
        for entry in asked:
            if entry.key not in self.facts:
                unknown.setdefault(entry.key, entry)
        for keys, work in self._jobs(unknown):
            entries = [entry for entry in asked if entry.key in keys]
            yield from self._part(entries, functools.partial(_spread, work, keys, entries))
        for entry in asked:
            self._tell(entry)

    def _jobs(self, unknown: dict[Key, Entry]) -> Iterator[tuple[list[Key], Work]]:
        """What is done together: the keys that it makes known, and the work."""
        trainings = {_training(entry.request): key for key, entry in unknown.items() if key[0] == "train"}
        for bucket in self.evaluator.buckets(list(trainings)):
            yield [trainings[training] for training in bucket], functools.partial(self.evaluator.train, bucket)
        cheap: dict[tuple[Hashable, int], dict[Key, Any]] = {}
        for key, entry in unknown.items():
            if key[0] != "train":
                cheap.setdefault((key[0], entry.run.number), {})[key] = entry.request
        for requests in cheap.values():
            yield list(requests), functools.partial(self.evaluator.look_up, list(requests.values()))

    def _part(self, entries: Sequence[Entry], facts: Work) -> Iterator[Rows]:
        """The rows of ``entries``: of an interrupted session, or by work, which is then yielded."""
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
                "cell": entry.run.number,
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
        """Hand a fact to the search that asked for it, and count its seconds."""
        fact, run, request = self.facts[entry.key], entry.run, entry.request
        run.ledger.clock(
            fact["seconds"], full=isinstance(request, Train) and request.epochs >= self.evaluator.spec.epochs
        )
        match request:
            case Train(code, epochs):
                self.evaluator.remember_latency(code, fact["latency"])
                failed = math.isnan(fact["validation"])
                values = (math.nan,) * len(self.evaluator.spec.objectives)
                if not failed:
                    values = self.evaluator.values(code, fact["validation"])
                    # A bracket may draw what another has trained for longer.
                    result = Result(epochs, values)
                    run.results[code] = max(run.results.get(code, result), result, key=lambda each: each.epochs)
                run.told[entry.key] = Outcome(code, values)
            case Supernet():
                run.told[entry.key] = Outcome(read_code(fact["code"]), (0.0,))
            case Score(code) | Inherit(code):
                run.told[entry.key] = Outcome(code, (fact["score"],))

    # After the searches: their best, trained anew; and the test, which is read once.

    def _retrained(self) -> Iterator[Rows]:
        spec = self.evaluator.spec
        again: dict[int, dict[Code, list[Training]]] = {}
        for run in self.runs:
            if run.cell.strategy == AVERAGE:
                chosen = {_training(request).code: 1 for request in run.requests}
            else:
                chosen = dict.fromkeys(run.best(spec.finalists), spec.retrain)
            again[run.number] = {
                code: [Training(code, float(spec.epochs), f"fresh {i}") for i in range(count)]
                for code, count in chosen.items()
            }
        asked = [
            self._entry(run, c.RETRAIN, self._key(training), training)
            for run in self.runs
            for trainings in again[run.number].values()
            for training in trainings
        ]
        yield from self._answered(asked)
        ended = {
            run.number: max(again[run.number].values(), key=self._validated)
            for run in self.runs
            if run.cell.strategy != AVERAGE and again[run.number]
        }
        best = max(ended, key=lambda number: self._validated(ended[number]), default=-1)
        for run in self.runs:
            trainings = ended.get(run.number, [t for each in again[run.number].values() for t in each])
            good = [t for t in trainings if not self.evaluator.network(t.code).problem]
            if good:
                yield from self._tested(run, good, run.number == best)

    def _validated(self, trainings: Sequence[Training]) -> float:
        """Mean validation accuracy of retrainings."""
        mean = fmean(self.facts[self._key(training)]["validation"] for training in trainings)
        return -math.inf if math.isnan(mean) else mean

    def _code_of(self, training: Training) -> Code:
        """That of the network which was trained: another code of the same network may name its weights differently."""
        return read_code(self.facts[self._key(training)]["code"])

    def _tested(self, run: Running, trainings: Sequence[Training], best: bool) -> Iterator[Rows]:
        """The test of what a search ended in, which is written down too; of average architectures, all of them."""
        entries = [
            self._entry(run, c.FINAL, ("test", str(run.number), *self._key(training)), training)
            for training in trainings
        ]

        def work() -> list[Fact]:
            if run.cell.strategy != AVERAGE:
                write_found(self.evaluator, run.cell, self._code_of(trainings[0]), trainings[0], best)
            return [self.evaluator.tested(training, self.facts[self._key(training)]) for training in trainings]

        yield from self._part(entries, work)


def _training(request: Any) -> Training:
    return request if isinstance(request, Training) else Training(request.code, request.epochs)


def _spread(work: Work, keys: Sequence[Key], entries: Sequence[Entry]) -> list[Fact]:
    """The facts of ``work``, one for each entry that asked."""
    found = dict(zip(keys, work(), strict=True))
    return [found[entry.key] for entry in entries]
