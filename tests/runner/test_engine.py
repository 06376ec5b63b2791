"""Side by side: the same entries as one after another, and a worker that dies costs one stack."""

import dataclasses
import os
from types import SimpleNamespace

from dnnlab.errors import UsageError
from dnnlab.runner import engine
from dnnlab.runner.plan import Plan, Stack


@dataclasses.dataclass(frozen=True)
class Cell:
    number: int
    side_by_side: bool = True


class Rooms:
    """An experiment whose cells square a number, fail, are refused or kill their process."""

    class measure:  # noqa: N801 - a room
        @staticmethod
        def measure(cells, spec, device, progress):
            number = cells[0].number
            if number == 3:
                raise RuntimeError("three")
            if number == 5:
                os._exit(1)
            if number == 7:
                raise UsageError("seven is not for us.")
            return {"cell": [0], "square": [number**2]}


def run(numbers, monkeypatch, cores=2):
    import joblib

    monkeypatch.setattr(joblib, "cpu_count", lambda: cores)
    stacks = tuple(Stack(str(n), (Cell(n),), (n,)) for n in numbers)
    plan = Plan("key", tuple(Cell(n) for n in numbers), stacks, {})
    found = engine.entries(Rooms(), SimpleNamespace(), plan, stacks, "cpu", lambda share, cells: None)
    return {stack.key: entry for stack, entry in found}


def test_processes_measure_what_one_would(monkeypatch):
    alone = run([1, 2, 3, 4], monkeypatch, cores=1)
    beside = run([1, 2, 3, 4], monkeypatch)
    assert {k: (e.rows, e.error) for k, e in alone.items()} == {k: (e.rows, e.error) for k, e in beside.items()}
    assert alone["3"].error == "RuntimeError: three"


def test_a_worker_that_dies_costs_its_own_stack_alone(monkeypatch):
    found = run([1, 5, 2, 4], monkeypatch)
    assert {k for k, e in found.items() if e.error} == {"5"}
    assert "killed" in found["5"].error
    assert found["4"].rows == {"cell": [0], "square": [16]}


def test_what_the_user_must_mend_stops_everything(monkeypatch):
    import pytest

    with pytest.raises(UsageError, match="seven"):
        run([1, 7], monkeypatch)
