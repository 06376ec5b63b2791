"""Who measures: this process one stack after another, or on a CPU several processes side by side.

A network of its own, which no stack can hold, uses a second thread badly: two of them side by side, with a thread
each, are done sooner. How many threads a stack gets depends on the plan and the machine alone, never on what is
there already, so that a resumed run repeats the bits of an unbroken one.
"""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from functools import partial
from typing import Any

from dnnlab.errors import DnnlabError
from dnnlab.runner.experiment import Experiment, Spec
from dnnlab.runner.journal import Entry
from dnnlab.runner.plan import Plan, Stack

Measured = tuple[Stack, Entry]

_KILLED = "the process that measured it was killed, perhaps for its memory"


def entries(
    experiment: Experiment,
    spec: Spec,
    plan: Plan,
    missing: Sequence[Stack],
    device: str,
    progress: Callable[[float, int], None],
) -> Iterator[Measured]:
    """Measure the ``missing`` stacks of ``plan``; each comes as soon as it is there.

    ``progress`` takes the share that is done of the stack in this process, and its number of cells.

    Raises:
        DnnlabError: what the user asked cannot be measured.
    """
    workers, threads = side_by_side(plan, device)
    apart = [stack for stack in missing if workers > 1 and stack.cells[0].side_by_side]
    for stack in missing:
        if stack not in apart:
            reporter = partial(_report, progress, len(stack.cells))
            yield stack, measure(experiment, spec, stack, device, reporter)
    yield from _beside(experiment, spec, apart, device, min(workers, len(apart)), threads)


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


def measure(experiment: Experiment, spec: Spec, stack: Stack, device: str, progress: Callable[[float], None]) -> Entry:
    """One stack, in this process; what fails, other than by the user's fault, is an entry that says so."""
    started = time.perf_counter()
    try:
        rows = experiment.measure.measure(stack.cells, spec, device, progress)
        error = ""
    except DnnlabError:
        raise  # the user's to mend, and the same for every stack
    except Exception as problem:  # noqa: BLE001 - one stack's failure is a row that says so, the rest goes on
        rows, error = {}, f"{type(problem).__name__}: {problem}"
    return Entry(stack.key, rows, time.perf_counter() - started, error)


def _beside(
    experiment: Experiment, spec: Spec, stacks: Sequence[Stack], device: str, workers: int, threads: int
) -> Iterator[Measured]:
    left = {stack.key: stack for stack in stacks}
    try:
        for stack, entry in _pool(experiment, spec, stacks, device, workers, threads):
            del left[stack.key]
            yield stack, entry
    except BrokenExecutor:
        # Which one killed its process is not known; one at a time it shows.
        for stack in left.values():
            try:
                yield from _pool(experiment, spec, [stack], device, 1, threads)
            except BrokenExecutor:
                yield stack, Entry(stack.key, {}, 0.0, _KILLED)


def _pool(
    experiment: Experiment, spec: Spec, stacks: Sequence[Stack], device: str, workers: int, threads: int
) -> Iterator[Measured]:
    if not stacks:
        return
    from joblib.externals.loky import ProcessPoolExecutor

    executor = ProcessPoolExecutor(workers, initializer=_prepare, initargs=(threads,))
    try:
        # No more than run at once: what waits inside cannot be taken back when the user stops the program.
        waiting = list(stacks)
        running: dict[Future[Entry], Stack] = {}
        while waiting or running:
            while waiting and len(running) < workers:
                stack = waiting.pop(0)
                running[executor.submit(_measure_there, experiment, spec, stack, device)] = stack
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    finally:
        executor.shutdown(kill_workers=True)


def _measure_there(experiment: Experiment, spec: Any, stack: Stack, device: str) -> Entry:
    return measure(experiment, spec, stack, device, lambda share: None)


def _prepare(threads: int) -> None:
    """A worker: Ctrl-C is its parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import torch

    from dnnlab.runner.device import keep_freed_memory

    torch.set_num_threads(threads)
    keep_freed_memory()
