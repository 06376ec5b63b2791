"""SIGINT and SIGTERM: the first ends the program in good order, and however many follow, its exit code is the same."""

import _thread
import atexit
import contextlib
import os
import signal
import sys
import time
from types import FrameType
from typing import Any

_PATIENCE = 3.0
"""Seconds that tidying up has for itself; a stop that comes later ends the program at once."""
_LOOK, _LOOKS = 0.1, 5
"""Seconds between two looks whether a stop is answered, and looks in a row after which it was lost."""
_SENTENCE = b"stopped; what was finished is kept, and the same command goes on from there.\n"


class Stopped(BaseException):
    """SIGINT or SIGTERM, as an exception of our own: files are closed on the way out, and Typer, which answers
    a KeyboardInterrupt itself, lets it pass."""


class Stops:
    """Answers SIGINT and SIGTERM: the first raises, those that follow leave the tidying up alone."""

    def __init__(self) -> None:
        self.first = 0
        """The number of the first signal."""
        self.since = 0.0
        self.raises = True
        self.over = False
        """The command has ended: nothing is left to break off."""
        self.said = False

    @property
    def code(self) -> int:
        """The exit code of a program that was stopped."""
        return 128 + self.first

    def listen(self) -> None:
        """Take over the signals, but not one that is ignored, as nohup and a shell's & leave it."""
        atexit.register(self._end)  # what is registered first is called last
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._come)

    def _come(self, number: int, frame: FrameType | None) -> None:
        if not self.first:
            sys.unraisablehook = sys.excepthook = (
                _keep_silent  # what else fails once the program stops need not be said
            )
            self.since, self.first = time.monotonic(), number
            _thread.start_new_thread(self._watch, (_thread.get_ident(),))
        if self.raises and not self.over:
            self.raises = False
            raise Stopped
        if time.monotonic() - self.since > _PATIENCE:
            self.say()
            os._exit(self.code)

    def _watch(self, main: int) -> None:
        """Stop the program again where the first stop was lost: Python drops what is raised in a ``__del__`` or a weak
        reference, and modules in C clear what they do not expect."""
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
        """Say how to go on, once. ``print`` fails in a signal that comes while another one is at work."""
        if not self.said:
            self.said = True
            with contextlib.suppress(OSError):  # whoever read it may have been stopped, too
                os.write(sys.stderr.fileno(), _SENTENCE)

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


def _is_answered(thread: int) -> bool:
    """Whether ``thread`` is on its way out: in what tidies up after a stop."""
    found: Any = sys._current_exceptions().get(thread)
    problem: BaseException | None = found[1] if isinstance(found, tuple) else found  # a triple before Python 3.12
    while problem is not None and not isinstance(problem, Stopped):
        problem = problem.__context__
    return problem is not None


def _keep_silent(*problem: object) -> None:
    pass


stops = Stops()
