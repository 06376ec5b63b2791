"""The places that measure stacks: processes of this machine, a Ray cluster, or SLURM. Each worker takes one stack at a
time.

A worker is a `concurrent.futures.Executor` of one place. What dies in it is known by the exceptions that its engine
names, and is tried again in a new one.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnnlab import installation
from dnnlab.errors import UsageError, unknown
from dnnlab.runner.device import gpus
from dnnlab.terminal import listen_to_warnings

ENGINES = ("auto", "inline", "processes", "ray", "submitit")


def parse(text: str) -> tuple[str, str]:
    """Read ``NAME`` or ``NAME:ARGUMENT``: ``processes:2``, ``ray:ADDRESS``, ``submitit:PARTITION``.

    Raises:
        UsageError: there is no such engine, or it takes no such argument.
    """
    name, colon, argument = text.partition(":")
    if name not in ENGINES:
        raise unknown("engine", name, ENGINES)
    if colon and not argument:
        raise UsageError(f"--engine {text} lacks what comes after the colon; leave it out, or write {name}:…")
    if argument and name in ("auto", "inline"):
        raise UsageError(f"--engine {name} takes nothing after it; leave out {argument!r}.")
    if name == "processes" and argument and not (argument.isdecimal() and 0 < int(argument) <= 1024):
        raise UsageError(f"--engine {text}: the number of processes is a whole number from 1, such as processes:2.")
    return name, argument


@dataclass(frozen=True)
class Pool:
    """An engine that hands out stacks."""

    open: Callable[[int], Executor]
    """Starts a worker with so many threads."""
    room: Callable[[int], int]
    """The number of workers of so many threads for which there is room now."""
    dead: tuple[type[BaseException], ...]
    """The exceptions by which the death of a worker is known."""
    streams: bool
    """Whether a worker keeps its state between two calls, so that the parts of a stack can come one by one."""


def pool(name: str, argument: str, device: str) -> Pool:
    """The engine ``name`` with its ``argument``.

    Raises:
        UsageError: its library or its cluster is not there.
    """
    match name:
        case "ray":
            return _ray(argument, device)
        case "submitit":
            return _submitit(argument)
    return _processes(int(argument or 0), device)


def prepare(threads: int, folder: str) -> None:
    """Make this process a worker: set its threads, find modules from ``folder``, and leave Ctrl-C to its parent."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if Path(folder).is_dir():  # on another machine it need not be there
        os.chdir(folder)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    listen_to_warnings()
    import torch

    from dnnlab.runner.device import keep_freed_memory

    torch.set_num_threads(threads)
    keep_freed_memory()


def _prepare_process(threads: int, folder: str, parent: int) -> None:
    """Make this process a worker that ends with its ``parent``, which cannot end it when it is killed itself."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    prepare(threads, folder)


def _end_with(parent: int) -> None:
    if sys.platform == "win32":  # where the number of a parent stays what it was when it has ended
        import ctypes

        wait_on_windows(ctypes.windll.kernel32, parent)
    else:
        while os.getppid() == parent:
            time.sleep(0.5)
    os._exit(1)


_SYNCHRONIZE, _INFINITE = 0x00100000, 0xFFFFFFFF  # of Windows' headers


def wait_on_windows(kernel32: Any, process: int) -> None:
    """Wait until the ``process`` has ended, by Windows' library ``kernel32``."""
    from ctypes import c_void_p

    kernel32.OpenProcess.restype = c_void_p  # a handle is as long as a pointer
    if handle := kernel32.OpenProcess(_SYNCHRONIZE, False, process):  # none where it has ended already
        kernel32.WaitForSingleObject(c_void_p(handle), _INFINITE)


def _processes(count: int, device: str) -> Pool:
    import joblib
    from joblib.externals.loky import ProcessPoolExecutor

    here = gpus() if device == "cuda" else []
    free = [here[number % len(here)] for number in range(max(count, len(here)))] if here else []
    most = len(free)

    class Process(ProcessPoolExecutor):  # type: ignore[misc] # loky has no types
        """A worker that is one process. On CUDA it sees one GPU, which it shares only where there are more workers than
        GPUs."""

        def __init__(self, threads: int) -> None:
            self.gpu = [free.pop(0)] if free else []
            environment = {"CUDA_VISIBLE_DEVICES": self.gpu[0]} if self.gpu else {}
            arguments = (threads, os.getcwd(), os.getpid())
            super().__init__(1, initializer=_prepare_process, initargs=arguments, env=environment)

        def shutdown(self, wait: bool = True, kill_workers: bool = False) -> None:
            super().shutdown(wait=wait, kill_workers=kill_workers)
            free.extend(self.gpu)
            self.gpu = []

    def room(threads: int) -> int:
        fitting = most or max(1, int(joblib.cpu_count()) // threads)
        return min(count, fitting) if count else fitting

    return Pool(Process, room, (BrokenExecutor,), streams=True)


def end(worker: Executor) -> None:
    """End a worker and the work that it is doing."""
    try:
        worker.shutdown(kill_workers=True)  # type: ignore[call-arg] # loky's own
    except TypeError:
        worker.shutdown(wait=False, cancel_futures=True)


def _ray(address: str, device: str) -> Pool:
    try:
        import ray
    except ImportError:
        raise UsageError(f"--engine ray needs Ray; {installation.command_for('ray')}.") from None
    if not ray.is_initialized():
        try:
            ray.init(address=address or None, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        except ConnectionError as problem:
            raise UsageError(f"--engine ray:{address} finds no cluster: {problem}") from None
    gpus = 1 if device == "cuda" else 0

    def room(threads: int) -> int:
        there = ray.cluster_resources()
        return max(1, int(there.get("GPU", 0) if gpus else there.get("CPU", 1) // threads))

    def open_(threads: int) -> Executor:
        actor = ray.remote(num_cpus=threads, num_gpus=gpus, max_restarts=0)(_RayWorker)
        return _RayExecutor(actor.remote(threads, os.getcwd()))

    return Pool(open_, room, (ray.exceptions.RayActorError,), streams=True)


class _RayWorker:
    """The actor that a worker is on a Ray cluster."""

    def __init__(self, threads: int, folder: str) -> None:
        prepare(threads, folder)

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        return function(*arguments)


class _RayExecutor(Executor):
    def __init__(self, actor: Any) -> None:
        self.actor = actor

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = self.actor.call.remote(fn, args).future()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        import ray

        ray.kill(self.actor)


_QUEUED = 256
"""The number of jobs that wait at a scheduler at once."""


def _submitit(partition: str) -> Pool:
    try:
        import submitit
    except ImportError:
        raise UsageError(f"--engine submitit needs submitit; {installation.command_for('slurm')}.") from None

    def open_(threads: int) -> Executor:
        executor = submitit.AutoExecutor(folder=Path.cwd() / ".submitit" / "%j")
        more = {"slurm_partition": partition} if partition and executor.cluster == "slurm" else {}
        executor.update_parameters(cpus_per_task=threads, timeout_min=24 * 60, name="dnnlab", **more)
        return _SubmititExecutor(executor, threads)

    return Pool(open_, lambda threads: _QUEUED, (submitit.core.utils.FailedJobError,), streams=False)


class _SubmititExecutor(Executor):
    """A worker that submits one job at a time; a thread waits for it."""

    def __init__(self, executor: Any, threads: int) -> None:
        self.executor, self.threads = executor, threads
        self.jobs: list[Any] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        job = self.executor.submit(_prepared, self.threads, os.getcwd(), fn, args)
        self.jobs.append(job)
        future: Future[Any] = Future()

        def wait() -> None:
            try:
                future.set_result(job.result())
            except BaseException as problem:  # noqa: BLE001 - whoever asks for the result gets it
                future.set_exception(problem)

        threading.Thread(target=wait, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        for job in self.jobs:
            if not job.done():
                job.cancel()


def _prepared(threads: int, folder: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    prepare(threads, folder)
    return function(*arguments)
