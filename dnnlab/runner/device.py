"""The device to measure on; torch is not imported where the choice is plain without it."""

import ctypes
import importlib.metadata
import os
import platform
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dnnlab import memory
from dnnlab.errors import UsageError

DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True)
class Device:
    """A device that exists, and a note to the user about the choice."""

    name: str
    warning: str = ""


def choose(name: str) -> Device:
    """The device behind ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        UsageError: it was asked for and is not there.
    """
    if name == "cpu":
        return Device("cpu")
    if name == "auto" and importlib.metadata.version("torch").endswith("+cpu"):
        gpu = shutil.which("nvidia-smi") is not None
        return Device("cpu", "a GPU seems to be here, but this torch is built for CPU only" if gpu else "")
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return Device(next((kind for kind, here in available.items() if here), "cpu"))
    if not available[name]:
        absent = UsageError(
            f"--device {name}: torch {torch.__version__} finds no such device here; take --device auto."
        )
        absent.lacking = True
        raise absent
    return Device(name)


def gpus() -> list[str]:
    """The GPUs that CUDA programs see here, by their names in ``CUDA_VISIBLE_DEVICES``."""
    import torch

    chosen = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return chosen[: torch.cuda.device_count()] or [str(number) for number in range(torch.cuda.device_count())]


def describe(device: str) -> str:
    """The device for a reader: ``cpu, AVX512, 2 threads`` or ``NVIDIA H200``."""
    import torch

    if device == "cuda":
        return torch.cuda.get_device_name()
    if device == "mps":
        return "Apple GPU"
    threads = torch.get_num_threads()
    return f"cpu, {torch.backends.cpu.get_cpu_capability()}, {threads} thread{'s' if threads > 1 else ''}"


@contextmanager
def settled(device: str) -> Iterator[None]:
    """Let PyTorch compute on ``device`` in the precision that its tensors are of, with the same bits in every run.

    On CUDA it would round the factors of float32 convolutions to TF32, and take the quickest algorithm, which may add
    up in any order. Of an operation that has no other algorithm there, PyTorch warns. All is as it was afterwards, but
    for the size of cuBLAS's workspace, which is read once.
    """
    if device != "cuda":
        yield
        return
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    backends = torch.backends
    settings = [
        (backends.cudnn, "deterministic", True),
        (backends.cudnn, "benchmark", False),
        (torch.utils.deterministic, "fill_uninitialized_memory", False),
        *_without_tf32(),
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in settings]
    mode, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        torch.use_deterministic_algorithms(True, warn_only=True)
        _set(settings)
        yield
    finally:
        torch.use_deterministic_algorithms(mode, warn_only=warns)
        _set(before)


def takes_tf32() -> bool:
    """Whether PyTorch is set to take products of float32 in TF32 on CUDA now."""
    return any(getattr(owner, name) in (True, "tf32") for owner, name, _ in _without_tf32())


def _without_tf32() -> list[tuple[Any, str, object]]:
    """The settings under which products of float32 are taken in float32: an owner, its attribute, and the value.

    PyTorch's own exporter reads the older names, so these are set; where the newer ones were used in this process, the
    older cannot be read.
    """
    import torch

    cudnn: Any = torch.backends.cudnn
    matmul: Any = torch.backends.cuda.matmul
    older: list[tuple[Any, str, object]] = [(matmul, "allow_tf32", False), (cudnn, "allow_tf32", False)]
    try:
        for owner, name, _ in older:
            getattr(owner, name)
    except RuntimeError:
        return [(owner, "fp32_precision", "ieee") for owner in (matmul, cudnn.conv, cudnn.rnn)]
    return older


def _set(settings: Sequence[tuple[Any, str, object]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some versions say that the older names will go one day
        for owner, name, value in settings:
            setattr(owner, name, value)


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>


def keep_freed_memory() -> None:
    """Have glibc keep what tensors free for the next ones, where it would give large blocks back to the system.

    Every step of a training loop allocates the same tensors again; with fresh pages each time, a tenth of its time
    goes to page faults. Elsewhere than under glibc this does nothing.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 2**30)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def free_memory(device: str) -> int:
    """Bytes that one process may still take on ``device``."""
    import torch

    if device == "cuda":
        cached = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()  # by this process, for its next tensors
        return int(torch.cuda.mem_get_info()[0]) + cached
    if device == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory())
    return memory.available()
