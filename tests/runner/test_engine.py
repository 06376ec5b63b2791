"""Side by side: the same entries as one after another, and a worker that dies costs one stack."""

import dataclasses
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from dnnlab.errors import UsageError
from dnnlab.runner import device, engine, executors
from dnnlab.runner.place import Place
from dnnlab.runner.plan import Plan, Stack


@dataclasses.dataclass(frozen=True)
class Cell:
    number: int
    side_by_side: bool = True
    macs: float = 1.0


class Rooms:
    """An experiment whose cells square a number, fail, are refused or kill their process."""

    name = "rooms"

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


class Chains:
    """An experiment whose cells count up to their number, a part each, and die on the way where a file says so."""

    class measure:  # noqa: N801 - a room
        @staticmethod
        def steps(cells, spec, device, place, past):
            total = sum(part["count"][0] for part in past)
            mark = place.run
            for count in range(len(past), cells[0].number):
                if count == 2 and mark.exists():
                    mark.unlink()
                    os._exit(1)
                total += count
                yield {"cell": [0], "count": [count], "total": [total]}


class Slots:
    """An experiment that says which GPU it sees, and one of whose cells kills its process."""

    name = "slots"

    class measure:  # noqa: N801 - a room
        @staticmethod
        def measure(cells, spec, device, progress):
            if cells[0].number == 5:
                os._exit(1)
            return {"cell": [0], "gpu": [os.environ["CUDA_VISIBLE_DEVICES"]]}


def run(
    numbers,
    monkeypatch,
    cores=2,
    rooms=Rooms(),  # noqa: B008 - it holds nothing
    past=None,
    folder=Path("none"),
    on="cpu",
):
    import joblib

    monkeypatch.setattr(joblib, "cpu_count", lambda: cores)
    stacks = tuple(Stack(str(n), (Cell(n),), (n,)) for n in numbers)
    plan = Plan("key", tuple(Cell(n) for n in numbers), stacks, {}, {}, {})
    work = engine.Work(rooms, SimpleNamespace(question=rooms), on, Place(folder))
    found = engine.entries(work, plan, stacks, past or {}, lambda share, cells: None)
    return {entry.stack: entry for _, entry in found}


def test_processes_measure_what_one_would_and_one_that_dies_costs_its_own_stack_alone(monkeypatch):
    alone = run([1, 2, 3, 4], monkeypatch, cores=1)
    beside = run([1, 5, 2, 3, 4], monkeypatch)
    assert "killed" in beside.pop("5").error
    assert {k: (e.rows, e.error) for k, e in alone.items()} == {k: (e.rows, e.error) for k, e in beside.items()}
    assert alone["3"].error == "RuntimeError: three"
    assert alone["4"].rows == {"cell": [0], "square": [16]}


def test_each_of_several_gpus_has_a_process_of_its_own(monkeypatch):
    for module in (engine, executors):
        monkeypatch.setattr(module, "gpus", lambda: ["4", "7"])
    found = run([1, 2, 5, 4, 6], monkeypatch, rooms=Slots(), on="cuda")
    assert {found["1"].rows["gpu"][0], found["2"].rows["gpu"][0]} == {"4", "7"}
    assert {found[key].rows["gpu"][0] for key in "46"} <= {"4", "7"}  # one of them comes after a death
    assert "killed" in found["5"].error


@pytest.mark.parametrize(
    ("chosen", "there", "found"), [("", 2, ["0", "1"]), ("3,GPU-5f", 2, ["3", "GPU-5f"]), ("1,9", 1, ["1"])]
)
def test_gpus_are_called_what_cuda_calls_them(monkeypatch, chosen, there, found):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    assert device.gpus() == found


class Large:
    """An experiment that measures three cells at once and no more."""

    name = "large"
    tried: list[int]

    class measure:  # noqa: N801 - a room
        @staticmethod
        def measure(cells, spec, device, progress):
            Large.tried.append(len(cells))
            if len(cells) > 3:
                raise torch.OutOfMemoryError("out of memory")
            return {"cell": list(range(len(cells))), "square": [cell.number**2 for cell in cells]}


def test_what_does_not_fit_the_memory_is_halved_and_that_is_remembered(monkeypatch):
    monkeypatch.setattr(engine, "_fitting", {})
    Large.tried = []
    work = engine.Work(Large(), SimpleNamespace(question=Large()), "cpu", Place(Path("none")))
    for first, tried in ((0, [11, 6, 3, 3, 3, 2]), (100, [3, 3, 3, 2])):
        cells = tuple(Cell(first + n) for n in range(11))
        (entry,) = engine.measure(work, Stack("key", cells, tuple(range(11))), (), lambda share: None)
        assert entry.rows == {"cell": list(range(11)), "square": [(first + n) ** 2 for n in range(11)]}
        assert Large.tried == tried
        Large.tried = []


def test_one_cell_that_does_not_fit_is_a_row_that_says_so(monkeypatch):
    class Huge(Large):
        class measure:  # noqa: N801 - a room
            @staticmethod
            def measure(cells, spec, device, progress):
                raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(engine, "_fitting", {})
    work = engine.Work(Huge(), SimpleNamespace(question=Huge()), "cpu", Place(Path("none")))
    (entry,) = engine.measure(work, Stack("key", (Cell(0), Cell(1)), (0, 1)), (), lambda share: None)
    assert (entry.rows, entry.error) == ({}, "OutOfMemoryError: CUDA out of memory")


def chain(*counts):
    return {f"4.{n}": {"cell": [0], "count": [n], "total": [sum(range(n + 1))]} for n in counts}


@pytest.mark.parametrize("cores", [1, 2])
def test_a_stack_in_parts_goes_on_from_those_that_are_there(monkeypatch, cores):
    found = run([4, 1], monkeypatch, cores, Chains(), {"4": list(chain(0, 1).values())})
    assert {k: e.rows for k, e in found.items()} == {**chain(2, 3), "4": {}, "1.0": chain(0)["4.0"], "1": {}}


def test_a_worker_that_dies_once_goes_on_in_another_from_its_last_part(monkeypatch, tmp_path):
    mark = tmp_path / "root"
    mark.touch()
    found = run([4, 1], monkeypatch, 2, Chains(), folder=mark)
    assert {k: e.rows for k, e in found.items() if k.startswith("4")} == {**chain(0, 1, 2, 3), "4": {}}
    assert not found["4"].error
    assert not mark.exists()


def test_what_the_user_must_mend_stops_everything(monkeypatch):
    with pytest.raises(UsageError, match="seven"):
        run([1, 7], monkeypatch)
