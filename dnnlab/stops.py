"""SIGINT and SIGTERM: the first ends the program in good order; with any number of them its exit code is the same."""

import _thread
import atexit
import contextlib
import os
import signal
import sys
import time
from types import FrameType
from typing import Any

from dnnlab.errors import is_users

_PATIENCE = 3.0
"""Seconds that the program has to tidy up; a signal that comes later ends it at once."""
_LOOK, _LOOKS = 0.1, 5
"""Seconds between two checks whether a stop is answered, and checks in a row after which it counts as lost."""


class Stopped(BaseException):
    """SIGINT or SIGTERM as an exception: files are closed on the way out, and Typer, which answers a KeyboardInterrupt
    itself, does not catch it."""


class Stops:
    """Answers SIGINT and SIGTERM: the first raises, later ones do not interrupt the tidying up. While a library is
    imported it waits, up to the patience: what is left of a half imported PyTorch can abort the program."""

    def __init__(self) -> None:
        self.first = 0
        """The number of the first signal."""
        self.since = 0.0
        self.raises = True
        self.over = False
        """The command has ended: nothing is left to break off."""
        self.announced = False
        self.sentence = "stopped; what was finished is kept, and the same command goes on from there."
        """What is said to a user who stopped the program."""

    @property
    def code(self) -> int:
        """The exit code of a program that was stopped."""
        return 128 + self.first

    def listen(self) -> None:
        """Handle the signals, except one that is ignored, as under nohup and a shell's &."""
        atexit.register(self._end)  # what is registered first is called last
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._come)

    def _come(self, number: int, frame: FrameType | None) -> None:
        if not self.first:
            sys.unraisablehook = sys.excepthook = _keep_silent  # later errors of a program that stops are not printed
            self.since, self.first = time.monotonic(), number
            _thread.start_new_thread(self._watch, (_thread.get_ident(),))
        late = time.monotonic() - self.since > _PATIENCE
        if self.raises and not self.over and (late or not _imports_library(frame)):
            self.raises = False
            raise Stopped
        if late:
            self.say()
            os._exit(self.code)

    def _watch(self, main: int) -> None:
        """Stop the program again where the first stop came during an import or was lost: Python drops exceptions in a
        ``__del__`` or a weak reference, and modules in C clear those that they do not expect."""
        missed = 0
        while not self.over:
            time.sleep(_LOOK)
            missed = 0 if _is_answered(main) else missed + 1
            if missed == _LOOKS and not self.over:
                missed, self.raises = 0, True
                if hasattr(signal, "pthread_kill"):
                    signal.pthread_kill(main, self.first)  # also wakes it where it waits
                else:
                    signal.raise_signal(self.first)

    def say(self) -> None:
        """Print once how to go on. ``print`` fails in a signal handler while another ``print`` is at work."""
        if not self.announced:
            self.announced = True
            with contextlib.suppress(OSError):  # the reader may have been stopped, too
                os.write(sys.stderr.fileno(), f"{self.sentence}\n".encode())

    def _end(self) -> None:
        """The last step of the program. From here on Python answers no signal, so that none may come through."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        if self.first:
            self.say()
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError):
                    stream.flush()
            os._exit(self.code)  # modules that are half imported cannot be taken down


def _imports_library(frame: FrameType | None) -> bool:
    """Whether ``frame`` runs for the import of a module that is not the user's."""
    inner = frame
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        inner, frame = frame, frame.f_back
    return frame is not None and (inner is None or inner is frame or not is_users(inner.f_code.co_filename))


def _is_answered(thread: int) -> bool:
    """Whether ``thread`` is ending: it handles an exception after a stop."""
    raised: Any = sys._current_exceptions().get(thread)
    problem: BaseException | None = raised[1] if isinstance(raised, tuple) else raised  # a triple before Python 3.12
    while problem is not None and not isinstance(problem, Stopped):
        problem = problem.__context__
    return problem is not None


def _keep_silent(*problem: object) -> None:
    pass


stops = Stops()
