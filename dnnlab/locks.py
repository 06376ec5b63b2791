"""Locks on open files. They hold between processes that ask for them, and end with the process, however it ends.

POSIX has ``flock``, which locks a file as a whole, for one process or shared. Windows has ``msvcrt.locking``, which
locks bytes for one process alone, and keeps others from reading and writing them. So one byte is locked there, far
beyond the end of what these files hold.
"""

import os
import sys
import time
from typing import Any

_PAUSE = 0.05
"""Seconds between two tries where the system itself cannot wait as long as it takes."""


class Posix:
    """Locks by ``fcntl``."""

    removes_open_files = True
    """Whether a file can be removed while a process has it open."""

    def __init__(self, fcntl: Any) -> None:
        self.fcntl = fcntl

    def take(self, descriptor: int) -> bool:
        """Lock an open file for this process alone; False where another process holds it."""
        return self._lock(descriptor, self.fcntl.LOCK_EX)

    def wait(self, descriptor: int) -> None:
        """The same, once no other process holds it."""
        self.fcntl.flock(descriptor, self.fcntl.LOCK_EX)

    def is_held(self, descriptor: int) -> bool:
        """Whether another process holds it alone. The look itself shares the lock until the file is closed."""
        return not self._lock(descriptor, self.fcntl.LOCK_SH)

    def _lock(self, descriptor: int, how: int) -> bool:
        try:
            self.fcntl.flock(descriptor, how | self.fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class Windows:
    """The same by ``msvcrt``."""

    removes_open_files = False
    byte = 2**31 - 2
    """The byte that is locked: the farthest that fits into the 32 bits which the system's C library takes."""

    def __init__(self, msvcrt: Any) -> None:
        self.msvcrt = msvcrt

    def take(self, descriptor: int) -> bool:
        try:
            self._locking(descriptor, self.msvcrt.LK_NBLCK)
        except PermissionError:  # EACCES: another process holds the byte
            return False
        return True

    def wait(self, descriptor: int) -> None:
        while not self.take(descriptor):
            time.sleep(_PAUSE)

    def is_held(self, descriptor: int) -> bool:
        """Whether another process holds it. There is no shared lock: the look itself holds it for a moment."""
        if not self.take(descriptor):
            return True
        self._locking(descriptor, self.msvcrt.LK_UNLCK)
        return False

    def _locking(self, descriptor: int, how: int) -> None:
        """Lock or unlock the byte; the file's position, from where the system counts, is then as it was."""
        position = os.lseek(descriptor, 0, os.SEEK_CUR)
        os.lseek(descriptor, self.byte, os.SEEK_SET)
        try:
            self.msvcrt.locking(descriptor, how, 1)
        finally:
            os.lseek(descriptor, position, os.SEEK_SET)


if sys.platform == "win32":
    import msvcrt

    SYSTEM: Posix | Windows = Windows(msvcrt)
else:
    import fcntl

    SYSTEM = Posix(fcntl)
