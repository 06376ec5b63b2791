"""Searches in a published table, where an evaluation is a look-up: hundreds of searches in seconds.

Rows are those evaluations that beat all before them, and the end; with the spec they say all there is, and a hundred
thousand more would not.
"""

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from dnnlab.nas.codes import read_code, write_code
from dnnlab.nas.export import write_toml
from dnnlab.nas.ledger import Cost, Ledger, parse
from dnnlab.nas.pace import describe_part
from dnnlab.nas.problem import Outcome, Problem, Request, Train
from dnnlab.nas.search import columns as c
from dnnlab.nas.search.driver import Driver, Key
from dnnlab.nas.spec import Spec
from dnnlab.nas.strategies import AVERAGE, find
from dnnlab.nas.tables.plan import TableCell
from dnnlab.networks.spaces.cell import SPACE
from dnnlab.networks.spaces.space import Code
from dnnlab.runner.journal import Rows
from dnnlab.runner.place import Place
from dnnlab.statistics.streams import stream

__all__ = ["describe_part", "foresee", "steps"]

TOGETHER = 50
"""The number of searches whose rows are one part."""
Row = tuple[int, int, str, Code, float, float, float, float]
"""The number of the cell, the evaluation, its phase, code, validation and test accuracy, epochs since the row before,
seconds."""


def steps(cells: Sequence[TableCell], spec: Spec, device: str, place: Place, past: Sequence[Rows]) -> Iterator[Rows]:
    """The rows of all searches by one strategy."""
    best: tuple[float, str] = (-math.inf, "")
    for number, start in enumerate(range(0, len(cells), TOGETHER)):
        if number < len(past):
            rows = past[number]
        else:
            result: list[Row] = []
            for offset, cell in enumerate(cells[start : start + TOGETHER]):
                search = _average if cell.strategy == AVERAGE else _one
                result += search(start + offset, cell, spec)
            rows = _columns(result)
            yield rows
        best = max([best, *zip(rows["validation"], rows["code"], strict=True)])
    if best[1]:
        comment = f"Found by dnnlab nas: {cells[0].strategy}, in {cells[0].data}. Validation accuracy {best[0]:.4f}."
        write_toml(place, cells[0].strategy, spec.space, SPACE.choices(read_code(best[1])), comment)


def foresee(cells: Sequence[TableCell], spec: Spec, device: str) -> float:
    """About how many seconds the ``cells`` take, from the search of one."""
    started = time.perf_counter()
    for _ in steps(cells[:1], spec, device, Place(Path()), ()):
        pass
    return (time.perf_counter() - started) * len(cells)


def _average(number: int, cell: TableCell, spec: Spec) -> list[Row]:
    table = spec.opened
    validation = table.validation[table.epochs]
    mean = math.fsum(validation.values()) / len(validation)
    return [(number, 0, c.FINAL, (), mean, table.average, 0.0, 0.0)]


def _one(number: int, cell: TableCell, spec: Spec) -> list[Row]:
    started = time.perf_counter()
    table = spec.opened
    ledger = Ledger(parse(spec.budget), float(table.epochs))
    rng = Random(int(stream(spec.seed, cell.seed, f"search {cell.strategy}").integers(2**63)))
    problem = Problem(SPACE, rng, float(table.epochs), spec.fidelities, 1, 1, ledger.trainings_left)
    driver = Driver(number, cell, ledger, find(cell.strategy).search(problem))
    rows: list[Row] = []
    incumbent: Code = ()
    best, evaluations, spent, counted = -math.inf, 0, 0.0, 0.0
    driver.start()
    while requests := driver.new_requests(_key, _cost):
        for key, request in requests.items():
            assert isinstance(request, Train)
            evaluations, spent = evaluations + 1, spent + request.epochs
            value = table.validation[int(request.epochs)][request.code]
            driver.outcomes[key] = Outcome(request.code, (value,))
            if request.epochs == table.epochs and value > best:
                best, incumbent = value, request.code
                rows.append(
                    (number, evaluations, "search", incumbent, best, table.test[incumbent], spent - counted, 0.0)
                )
                counted = spent
    rest = spent - counted
    if incumbent:
        seconds = time.perf_counter() - started
        rows.append((number, evaluations, c.FINAL, incumbent, best, table.test[incumbent], rest, seconds))
    return rows


def _key(request: Request) -> Key:
    """The key of a request: an architecture is looked up once for each number of epochs."""
    assert isinstance(request, Train)
    return request.code, request.epochs


def _cost(request: Request) -> Cost:
    assert isinstance(request, Train)
    return Cost(request.epochs, 0.0)


def _columns(result: Sequence[Row]) -> Rows:
    names = ("cell", "evaluation", "phase", "code", "validation", "test", "epochs", "seconds")
    rows: Rows = {name: [row[i] for row in result] for i, name in enumerate(names)}
    codes: list[Code] = rows["code"]
    rows["architecture"] = [SPACE.line(code) if code else "" for code in codes]
    rows["id"] = [SPACE.identity(code) if code else "" for code in codes]
    rows["code"] = [write_code(code) for code in codes]
    for name, empty in c.MEASURED.items():
        rows.setdefault(name, [empty] * len(result))
    return rows
