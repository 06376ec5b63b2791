"""Who measures: this process one stack after another, or on a CPU several processes side by side.

A network of its own, which no stack can hold, uses a second thread badly: two of them side by side, with a thread
each, are done sooner. How many threads a stack gets depends on the plan and the machine alone, never on what is
there already, so that a resumed run repeats the bits of an unbroken one.
"""

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass
from functools import partial

from dnnlab.errors import DnnlabError, in_short
from dnnlab.runner.experiment import Experiment, Spec
from dnnlab.runner.journal import Entry, Rows
from dnnlab.runner.place import Place
from dnnlab.runner.plan import Plan, Stack

Measured = tuple[Stack, Entry]

_KILLED = "the process that measured it was killed twice, perhaps for its memory"


@dataclass(frozen=True)
class Work:
    """What the stacks of a run have in common."""

    experiment: Experiment
    spec: Spec
    device: str
    place: Place


def entries(
    work: Work,
    plan: Plan,
    missing: Sequence[Stack],
    past: Mapping[str, Sequence[Rows]],
    progress: Callable[[float, int], None],
) -> Iterator[Measured]:
    """Measure the ``missing`` stacks of ``plan``; each entry comes as soon as it is there.

    A stack that comes in parts has an entry each, then one under its own key that ends it; ``past`` are the parts
    that are there already, by the stack's key. ``progress`` takes the share that is done of the stack in this
    process, and its number of cells.

    Raises:
        DnnlabError: what the user asked cannot be measured.
    """
    workers, threads = side_by_side(plan, work.device)
    apart = [stack for stack in missing if workers > 1 and stack.cells[0].side_by_side]
    for stack in missing:
        if stack not in apart:
            reporter = partial(_report, progress, len(stack.cells))
            for entry in measure(work, stack, past.get(stack.key, ()), reporter):
                yield stack, entry
    yield from _beside(work, apart, past, min(workers, len(apart)), threads)


def _report(progress: Callable[[float, int], None], cells: int, share: float) -> None:
    progress(share, cells)


def side_by_side(plan: Plan, device: str) -> tuple[int, int]:
    """How many processes measure the stacks of ``plan`` that may be beside others, and the threads of each."""
    count = sum(stack.cells[0].side_by_side for stack in plan.stacks)
    if not count or device != "cpu":
        return 1, 1
    import joblib

    cores = int(joblib.cpu_count())
    workers = min(count, cores)
    return workers, cores // workers


def measure(work: Work, stack: Stack, past: Sequence[Rows], progress: Callable[[float], None]) -> Iterator[Entry]:
    """The entries of one stack, in this process; what fails, other than by the user's fault, is said in the last."""
    started = time.perf_counter()
    rows: Rows = {}
    error = ""
    try:
        room = work.experiment.measure
        if hasattr(room, "steps"):
            parts = room.steps(stack.cells, work.spec, work.device, work.place, past)
            for number, part in enumerate(parts, len(past)):
                yield Entry(stack.part(number), part, time.perf_counter() - started)
                started = time.perf_counter()
        else:
            rows = room.measure(stack.cells, work.spec, work.device, progress)
    except DnnlabError:
        raise  # the user's to mend, and the same for every stack
    except Exception as problem:  # noqa: BLE001 - one stack's failure is a row that says so, the rest goes on
        error = in_short(problem)
    yield Entry(stack.key, rows, time.perf_counter() - started, error)


def _beside(
    work: Work, stacks: Sequence[Stack], past: Mapping[str, Sequence[Rows]], workers: int, threads: int
) -> Iterator[Measured]:
    """Every worker is an executor of one process, so that a stack in parts stays where it began, and a death names
    the stack that caused it."""
    there = {stack.key: list(past.get(stack.key, ())) for stack in stacks}
    # No more is handed out than runs at once: what waits inside cannot be taken back when the user stops the program.
    waiting = list(stacks)
    idle = [_worker(threads) for _ in range(workers)]
    running: dict[Future[Entry], tuple[Executor, Stack]] = {}
    deaths: set[str] = set()
    try:
        while waiting or running:
            while waiting and idle:
                stack, executor = waiting.pop(0), idle.pop()
                running[executor.submit(_first, work, stack, there[stack.key])] = executor, stack
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                executor, stack = running.pop(future)
                try:
                    entry = future.result()
                except BrokenExecutor:
                    idle.append(_worker(threads))
                    if stack.key in deaths:
                        yield stack, Entry(stack.key, {}, 0.0, _KILLED)
                    else:
                        deaths.add(stack.key)
                        waiting.insert(0, stack)
                    continue
                if entry.stack == stack.key:
                    idle.append(executor)
                else:
                    there[stack.key].append(entry.rows)
                    running[executor.submit(_following)] = executor, stack
                yield stack, entry
    finally:
        for executor in (*idle, *(executor for executor, _ in running.values())):
            executor.shutdown(kill_workers=True)  # type: ignore[call-arg] # loky's own


def _worker(threads: int) -> Executor:
    from joblib.externals.loky import ProcessPoolExecutor

    return ProcessPoolExecutor(1, initializer=_prepare, initargs=(threads,))


_entries: Iterator[Entry]
"""In a worker: of the stack that it measures."""


def _first(work: Work, stack: Stack, past: Sequence[Rows]) -> Entry:
    global _entries
    _entries = measure(work, stack, past, lambda share: None)
    return next(_entries)


def _following() -> Entry:
    return next(_entries)


def _prepare(threads: int) -> None:
    """A worker: Ctrl-C is its parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import torch

    from dnnlab.runner.device import keep_freed_memory

    torch.set_num_threads(threads)
    keep_freed_memory()
