"""The engines: a run's stacks are measured in this process and its threads, in several processes, or by a cluster.

Small products use a second thread badly, and two threads that wait for each other lose most where something else runs:
two stacks side by side, with one thread each, are done sooner. How many threads a stack gets depends on the plan and
the machine alone, never on what is there already, so that a resumed run repeats the bits of an unbroken one.
"""

import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from dnnlab import data as datasets
from dnnlab import memory
from dnnlab.errors import DnnlabError, in_short, users_line
from dnnlab.runner.device import gpus, settled
from dnnlab.runner.executors import Pool, end, parse, pool
from dnnlab.runner.experiment import ALONE, PROCESSES, THREADS, Cell, Experiment, Spec
from dnnlab.runner.journal import Entry, Rows
from dnnlab.runner.place import Place
from dnnlab.runner.plan import Plan, Stack

Measured = tuple[Stack, Entry]

_KILLED = "the process that measured it was killed twice, perhaps for its memory"


@dataclass(frozen=True)
class Work:
    """The common data of all stacks of a run."""

    experiment: Experiment
    spec: Spec
    device: str
    place: Place
    data: Mapping[str, str] = field(default_factory=dict)
    """Digests of the data at the time of planning, by `data.digests`; the data of each stack must have them."""


def entries(
    work: Work,
    plan: Plan,
    missing: Sequence[Stack],
    past: Mapping[str, Sequence[Rows]],
    progress: Callable[..., None],
    engine: str = "auto",
) -> Generator[Measured, None, None]:
    """Measure the ``missing`` stacks of ``plan`` with ``engine``; each entry comes as soon as it is there.

    A stack that comes in parts has an entry each, then one under its own key that ends it; ``past`` are the parts
    that are there already, by the stack's key. ``progress`` takes the share that is done of what is under way
    in this process, its number of cells, and where there are several its number of stacks.

    Raises:
        DnnlabError: what the user asked cannot be measured.
    """
    name, argument = parse(engine)
    by_place: dict[str, list[Stack]] = {place: [] for place in (ALONE, THREADS, PROCESSES)}
    for stack in missing:
        by_place[place_of(stack.cells[0], work.device)].append(stack)
    for place, stacks in by_place.items():
        workers = side_by_side(plan, work.device, place)
        if not stacks:
            continue
        if _handed_out(name, argument, place, workers, work.device):
            yield from _elsewhere(work, stacks, past, workers.threads, pool(name, argument, work.device))
        elif place == THREADS and name == "auto" and min(workers.count, len(stacks)) > 1:
            yield from _in_threads(work, stacks, workers.count, progress)
        else:
            for stack in stacks:
                reporter = partial(_report, progress, len(stack.cells))
                with limited_threads(workers.threads):
                    for entry in measure(work, stack, past.get(stack.key, ()), reporter):
                        yield stack, entry


def _handed_out(engine: str, argument: str, place: str, workers: "Workers", device: str) -> bool:
    """Whether other workers than this process measure the stacks of ``place``. What wants all threads of the machine
    stays here, but on a cluster, where there are other machines; and what wants a GPU, unless there are several, or
    several processes are asked for to share it. What is timed, or fills a GPU alone, never shares one."""
    match engine:
        case "inline":
            return False
        case "auto":
            return place == PROCESSES and workers.count > 1
        case "processes":
            one_gpu = device == "cuda" and len(gpus()) == 1
            return place != ALONE and (not one_gpu or int(argument or 1) > 1)
    return True


def place_of(cell: Cell, device: str) -> str:
    """Where on this machine the stack of ``cell`` is measured: on the CPU as it says; on CUDA in processes where there
    are several GPUs, or the cell may share one, else alone."""
    if device == "cuda":
        return PROCESSES if len(gpus()) > 1 or cell.beside == PROCESSES else ALONE
    return cell.beside if device == "cpu" else ALONE


@contextmanager
def limited_threads(count: int | None) -> Iterator[None]:
    """Let torch use ``count`` threads, or as many as now where it is None."""
    if count is None and "torch" not in sys.modules:  # then nothing of it was changed
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _report(progress: Callable[..., None], cells: int, share: float) -> None:
    progress(share, cells)


@dataclass(frozen=True)
class Workers:
    """Who measures stacks of one place on this machine."""

    count: int
    threads: int | None
    """Threads of each worker; None leaves the number to PyTorch."""


def side_by_side(plan: Plan, device: str, place: str) -> Workers:
    """Who measures the stacks of ``plan`` that belong into ``place``.

    The threads, which decide the bits of sums, depend on the plan and the machine alone, whatever the engine.
    """
    stacks = [stack for stack in plan.stacks if place_of(stack.cells[0], device) == place]
    count = len(stacks)
    if place == ALONE or not count:
        return Workers(1, None)
    if device == "cuda":
        return Workers(min(count, len(gpus())), 1)
    if place == THREADS and count == 1:
        return Workers(1, 1)
    import joblib
    import torch

    cores = int(joblib.cpu_count())
    if place == THREADS:  # whoever has told PyTorch to take fewer threads means those of this process
        largest = max(len(stack.cells) * getattr(stack.cells[0], "bytes", 0.0) for stack in stacks)
        fitting = max(1, int(memory.available() / max(1.0, largest)))
        return Workers(min(count, cores, torch.get_num_threads(), fitting), 1)
    workers = min(count, cores)
    return Workers(workers, cores // workers)


def measure(work: Work, stack: Stack, past: Sequence[Rows], progress: Callable[[float], None]) -> Iterator[Entry]:
    """The entries of one stack, measured in this process. The last entry has the error of a failure that is not the
    user's.

    Raises:
        DnnlabError: data are no longer those that were planned, or what the user asked cannot be measured.
    """
    started = time.perf_counter()
    rows: Rows = {}
    error, parts = "", len(past)
    try:
        module = work.spec.question.measure
        with settled(work.device):
            if hasattr(module, "steps"):
                _require_unchanged(work)
                for part in module.steps(stack.cells, work.spec, work.device, work.place, past):
                    yield Entry(stack.part(parts), part, time.perf_counter() - started)
                    started, parts = time.perf_counter(), parts + 1
            else:
                with datasets.read_once():
                    _require_unchanged(work)
                    rows = _as_fits(work, stack.cells, progress)
    except DnnlabError:
        raise  # an error of the user's, which is the same for every stack
    except (Exception, SystemExit) as problem:
        if isinstance(problem, SystemExit) and isinstance(problem.__context__, BrokenPipeError):
            raise  # raised by Rich's bar: nobody reads stderr any more
        error = f"{in_short(problem)}{users_line(problem)}"  # the failure of one stack is a row, and the others go on
    yield Entry(stack.key, rows, time.perf_counter() - started, error, parts)


def _require_unchanged(work: Work) -> None:
    """Raise a `DnnlabError` where data are no longer those that were planned."""
    if work.data and datasets.digests(name.removeprefix(datasets.PREFIX) for name in work.data) != work.data:
        raise DnnlabError(
            "the data changed while they were measured; what was measured before is kept, and the same command "
            "measures what is there now."
        )


_fitting: dict[tuple[str, float], int] = {}
"""For an experiment and multiply–accumulates per cell: the most cells that were measured together after more of them
had not fitted into memory."""


def _as_fits(work: Work, cells: Sequence[Cell], progress: Callable[[float], None]) -> Rows:
    """The rows of ``cells``, measured in as few groups as the device's memory allows: a group is halved until it fits,
    and the size is remembered.

    Raises:
        torch.OutOfMemoryError: even one cell is too many.
    """
    size = work.experiment.name, cells[0].macs
    most = _fitting.get(size, len(cells))
    if len(cells) <= most:
        try:
            return work.spec.question.measure.measure(cells, work.spec, work.device, progress)
        except Exception as problem:
            if not _is_out_of_memory(problem) or len(cells) == 1:
                raise
        most = _fitting[size] = (len(cells) + 1) // 2
        if work.device == "cuda":
            import torch

            torch.cuda.empty_cache()
    rows: Rows = {}
    for start in range(0, len(cells), most):
        part = _as_fits(work, cells[start : start + most], progress)
        part["cell"] = [start + number for number in part["cell"]]
        for column, values in part.items():
            rows.setdefault(column, []).extend(values)
    return rows


def _is_out_of_memory(problem: Exception) -> bool:
    torch = sys.modules.get("torch")  # what does without it cannot raise its errors
    return torch is not None and isinstance(problem, torch.OutOfMemoryError)


class _Stop(BaseException):
    """Nobody waits for what a thread measures any more; no measurement catches it."""


def _in_threads(work: Work, stacks: Sequence[Stack], workers: int, progress: Callable[..., None]) -> Iterator[Measured]:
    """The entries of stacks that threads of this process measure, each stack with one thread.

    When the program is stopped, or one stack fails for a reason that is the user's to mend, the others end at their
    next step.
    """
    stopped = threading.Event()
    shares: dict[str, tuple[float, int]] = {}
    """Of each stack under way, by its key: the share that is done, and its number of cells."""

    def measured(stack: Stack) -> list[Entry]:
        def report(share: float) -> None:
            if stopped.is_set():
                raise _Stop
            shares[stack.key] = share, len(stack.cells)
            done, cells = zip(*list(shares.values()), strict=True)
            progress(sum(d * c for d, c in zip(done, cells, strict=True)) / sum(cells), sum(cells), len(cells))

        report(0.0)
        try:
            return list(measure(work, stack, (), report))
        finally:
            del shares[stack.key]

    # No more stacks are handed out than run at once: one that waits would be measured after a stop.
    waiting, running = list(stacks), dict[Future[list[Entry]], Stack]()
    with limited_threads(1), ThreadPoolExecutor(workers) as executor:
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    stack = waiting.pop(0)
                    running[executor.submit(measured, stack)] = stack
                done = wait(running, return_when=FIRST_COMPLETED).done
                for future in sorted(done, key=lambda future: future.exception() is not None):  # keeps what is finished
                    stack = running.pop(future)
                    for entry in future.result():
                        yield stack, entry
        finally:
            stopped.set()


def _elsewhere(
    work: Work, stacks: Sequence[Stack], past: Mapping[str, Sequence[Rows]], threads: int | None, pool: Pool
) -> Iterator[Measured]:
    """The entries of stacks that other workers measure.

    Every worker has one stack at a time, so that a stack in parts stays where it began, and a death names the stack
    that caused it.
    """
    import torch

    threads = threads or torch.get_num_threads()
    there = {stack.key: list(past.get(stack.key, ())) for stack in stacks}
    # No more stacks are handed out than run at once: one that waits cannot be taken back after a stop.
    waiting = list(stacks)
    idle: list[Executor] = []
    running: dict[Future[list[Entry]], tuple[Executor, Stack]] = {}
    deaths: set[str] = set()
    try:
        while waiting or running:
            # This is checked again and again, since a cluster grows.
            while waiting and (idle or len(running) < pool.room(threads)):
                stack, worker = waiting.pop(0), idle.pop() if idle else pool.open(threads)
                first = _first if pool.streams else _whole
                running[worker.submit(first, work, stack, there[stack.key])] = worker, stack
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                worker, stack = running.pop(future)
                try:
                    received = future.result()
                except pool.dead:
                    end(worker)
                    if stack.key in deaths:
                        yield stack, Entry(stack.key, {}, 0.0, _KILLED)
                    else:
                        deaths.add(stack.key)
                        waiting.insert(0, stack)
                    continue
                if received[-1].stack == stack.key:
                    idle.append(worker)
                else:
                    there[stack.key] += [entry.rows for entry in received]
                    running[worker.submit(_following)] = worker, stack
                for entry in received:
                    yield stack, entry
    finally:
        for worker, _ in running.values():
            end(worker)
        for worker in idle:  # if it were killed, it would leave semaphores behind, and Python would warn of them
            worker.shutdown()


_entries: Iterator[Entry]
"""In a worker: the entries of the stack that it is measuring."""


def _first(work: Work, stack: Stack, past: Sequence[Rows]) -> list[Entry]:
    global _entries
    _entries = measure(work, stack, past, lambda share: None)
    return [next(_entries)]


def _following() -> list[Entry]:
    return [next(_entries)]


def _whole(work: Work, stack: Stack, past: Sequence[Rows]) -> list[Entry]:
    return list(measure(work, stack, past, lambda share: None))
