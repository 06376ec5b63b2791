"""How much memory is left, asked before something large is read or built. Importing this module is light."""

import os
import sys
from pathlib import Path
from typing import Any

from dnnlab.errors import UsageError

_NO_LIMIT = 2**63


def available() -> int:
    """Bytes that a process may still take without swapping: what Linux says, within the limit of its control group;
    what Windows says; elsewhere half of what the machine has."""
    if sys.platform == "win32":
        import ctypes

        return left_on_windows(ctypes.windll.kernel32)
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except FileNotFoundError:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    kibibytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return min(int(kibibytes) * 1024, _left_in_group())


def left_on_windows(kernel32: Any) -> int:
    """Bytes of physical memory that Windows has left, as its library ``kernel32`` says.

    Raises:
        OSError: it does not say.
    """
    import ctypes  # for Windows alone

    pages = ("total", "available", "total_page", "available_page", "total_virtual", "available_virtual", "extended")

    class Status(ctypes.Structure):
        """``MEMORYSTATUSEX``."""

        _fields_ = (
            ("length", ctypes.c_uint32),
            ("load", ctypes.c_uint32),
            *((name, ctypes.c_uint64) for name in pages),
        )

    status = Status(length=ctypes.sizeof(Status))
    if not kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        raise OSError("Windows does not say how much memory is left")
    return int(status.available)


def _left_in_group() -> int:
    """Bytes that a container's control group leaves to its processes, which may be less than the machine has."""
    group = Path("/sys/fs/cgroup")
    try:
        most, taken, parts = ((group / f"memory.{name}").read_text() for name in ("max", "current", "stat"))
    except OSError:  # no such group, or none that may be read
        return _NO_LIMIT
    if not most.strip().isdecimal():
        return _NO_LIMIT
    cached = [int(line.split()[1]) for line in parts.splitlines() if line.startswith("file ")]
    return max(0, int(most) - int(taken) + sum(cached))  # cached files give way to what a program needs


def require(size: float, what: str) -> None:
    """Refuse to do what takes ``size`` bytes of memory where fewer are left; ``what`` names it at the start of a
    sentence.

    Raises:
        UsageError: it does not fit.
    """
    left = available()
    if size > left:
        raise UsageError(f"{what} takes {size_text(size)} of memory, and {size_text(left)} are left on this machine.")


def size_text(size: float) -> str:
    """``size`` bytes for a reader: ``3.2 MB``, ``64 GB``."""
    unit = "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.3g} {unit}"
