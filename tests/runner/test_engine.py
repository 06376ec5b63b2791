"""Side by side: the same entries as one after another, and a worker that dies costs one stack."""

import dataclasses
import os
import re
import threading
from pathlib import Path
from types import SimpleNamespace

import joblib
import pytest
import torch

from dnnlab.errors import UsageError
from dnnlab.runner import device, engine, executors
from dnnlab.runner.experiment import ALONE, PROCESSES, THREADS
from dnnlab.runner.place import Place
from dnnlab.runner.plan import Plan, Stack


@pytest.fixture(autouse=True)
def threads():
    """PyTorch may take more threads than tests side by side have."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@dataclasses.dataclass(frozen=True)
class Cell:
    number: int
    beside: str = PROCESSES
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
    beside=PROCESSES,
    chosen="auto",
):
    monkeypatch.setattr(joblib, "cpu_count", lambda: cores)
    stacks = tuple(Stack(str(n), (Cell(n, beside),), (n,)) for n in numbers)
    plan = Plan("key", tuple(Cell(n, beside) for n in numbers), stacks, {}, {}, {})
    work = engine.Work(rooms, SimpleNamespace(question=rooms), on, Place(folder))
    found = engine.entries(work, plan, stacks, past or {}, lambda *share: None, chosen)
    return {entry.stack: entry for _, entry in found}


def test_processes_measure_what_one_would_and_one_that_dies_costs_its_own_stack_alone(monkeypatch):
    alone = run([1, 2, 3, 4], monkeypatch, cores=1)
    beside = run([1, 5, 2, 3, 4], monkeypatch)
    assert "killed" in beside.pop("5").error
    assert {k: (e.rows, e.error) for k, e in alone.items()} == {k: (e.rows, e.error) for k, e in beside.items()}
    assert re.fullmatch(r"RuntimeError: three \(test_engine.py, line \d+\)", alone["3"].error)
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
    assert entry.rows == {}
    assert re.fullmatch(r"OutOfMemoryError: CUDA out of memory \(test_engine.py, line \d+\)", entry.error)


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


class Meeting:
    """An experiment whose even cells wait for each other, and which says how many threads PyTorch has."""

    name = "meeting"

    def __init__(self):
        barrier = threading.Barrier(2)

        class Measure:
            @staticmethod
            def measure(cells, spec, device, progress):
                number = cells[0].number
                if number == 3:
                    raise RuntimeError("three")
                if number % 2 == 0:
                    barrier.wait(timeout=60)
                return {"cell": [0], "threads": [torch.get_num_threads()], "thread": [threading.get_ident()]}

        self.measure = Measure


def test_threads_of_this_process_measure_at_once_with_one_thread_each(monkeypatch):
    before = torch.get_num_threads()
    found = run([2, 4, 3, 1], monkeypatch, rooms=Meeting(), beside=THREADS)
    assert re.fullmatch(r"RuntimeError: three \(test_engine.py, line \d+\)", found.pop("3").error)
    assert {entry.rows["threads"][0] for entry in found.values()} == {1}
    assert found["2"].rows["thread"] != found["4"].rows["thread"]
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("cores", "chosen"), [(1, "auto"), (2, "inline")])
def test_where_there_is_one_worker_the_stacks_have_one_thread_too(monkeypatch, cores, chosen):
    found = run([1, 5, 7], monkeypatch, cores, Meeting(), beside=THREADS, chosen=chosen)
    assert {entry.rows["threads"][0] for entry in found.values()} == {1}
    assert {entry.rows["thread"][0] for entry in found.values()} == {threading.get_ident()}


def test_what_wants_the_machine_alone_has_all_its_threads(monkeypatch):
    found = run([1, 5], monkeypatch, rooms=Meeting(), beside=ALONE)
    assert {entry.rows["threads"][0] for entry in found.values()} == {torch.get_num_threads()}


class Endless:
    """An experiment whose first cell is refused, while the others go on until somebody stops them."""

    name = "endless"

    class measure:  # noqa: N801 - a room
        ended: list[int]
        begun: threading.Event

        @staticmethod
        def measure(cells, spec, device, progress):
            if cells[0].number == 1:
                Endless.measure.begun.wait(timeout=60)
                raise UsageError("one is not for us.")
            try:
                while True:
                    progress(0.5)
                    Endless.measure.begun.set()
            finally:
                Endless.measure.ended.append(cells[0].number)


def test_what_the_user_must_mend_ends_the_other_threads_at_their_next_step(monkeypatch):
    Endless.measure.ended, Endless.measure.begun = [], threading.Event()
    with pytest.raises(UsageError, match="one is not"):
        run([2, 1, 3, 4], monkeypatch, rooms=Endless(), beside=THREADS)
    assert Endless.measure.ended == [2]


def test_a_stop_while_rows_are_written_ends_the_threads(monkeypatch):
    Endless.measure.ended, Endless.measure.begun = [], threading.Event()

    class Quick(Endless):
        class measure(Endless.measure):  # noqa: N801
            @staticmethod
            def measure(cells, spec, device, progress):
                if cells[0].number == 9:
                    Endless.measure.begun.wait(timeout=60)
                    return {"cell": [0]}
                return Endless.measure.measure(cells, spec, device, progress)

    stacks = tuple(Stack(str(n), (Cell(n, THREADS),), (n,)) for n in (9, 2, 3))
    plan = Plan("key", tuple(stack.cells[0] for stack in stacks), stacks, {}, {}, {})
    work = engine.Work(Quick(), SimpleNamespace(question=Quick()), "cpu", Place(Path("none")))
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    measured = engine.entries(work, plan, stacks, {}, lambda *share: None)
    assert next(measured)[1].stack == "9"
    measured.close()
    assert 2 in Endless.measure.ended
    assert threading.active_count() == 1 or not any("ThreadPool" in t.name for t in threading.enumerate())


def test_no_more_are_measured_at_once_than_the_memory_holds(monkeypatch):
    monkeypatch.setattr(engine.memory, "available", lambda: 10**6)
    monkeypatch.setattr(Cell, "bytes", 6e5, raising=False)
    found = run([1, 5], monkeypatch, rooms=Meeting(), beside=THREADS)
    assert len({entry.rows["thread"][0] for entry in found.values()}) == 1


def test_progress_is_that_of_all_that_runs(monkeypatch):
    class Half(Meeting):
        def __init__(self):
            class Measure:
                @staticmethod
                def measure(cells, spec, device, progress):
                    progress(0.5)
                    return {"cell": [0]}

            self.measure = Measure

    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    stacks = tuple(Stack(str(n), (Cell(n, THREADS),) * 3, (0, 1, 2)) for n in (1, 2))
    plan = Plan("key", tuple(cell for stack in stacks for cell in stack.cells), stacks, {}, {}, {})
    seen = []
    work = engine.Work(Half(), SimpleNamespace(question=Half()), "cpu", Place(Path("none")))
    assert len(list(engine.entries(work, plan, stacks, {}, lambda *share: seen.append(share)))) == 2
    assert set(seen) <= {(0.0, 3, 1), (0.5, 3, 1), (0.0, 6, 2), (0.25, 6, 2), (0.5, 6, 2)}
    assert {(0.5, 3, 1), (0.25, 6, 2), (0.5, 6, 2)} & set(seen)


@pytest.mark.parametrize("options", [("dead-relu",), ("gradient-flow", "--norm", "batch")], ids=lambda o: o[0])
def test_the_same_bytes_whoever_measures(options, dnnlab, blank_figures, monkeypatch, tmp_path):
    command = (*options, "--act", "relu,tanh", "--seeds", 9, "--depth", 2, "--width", 8, "--steps", 5, "--quiet")
    found = []
    for cores, chosen in ((1, "auto"), (2, "auto"), (3, "inline")):
        monkeypatch.setattr(joblib, "cpu_count", lambda cores=cores: cores)
        out = tmp_path / f"{cores} {chosen}"
        assert dnnlab(*command, "--engine", chosen, "--out", out).code == 0
        (run,) = out.glob("*/*")
        found.append([(run / name).read_bytes() for name in ("cells.csv", "summary.csv")])
    assert found[0] == found[1] == found[2]
