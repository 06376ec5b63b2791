"""SIGINT and SIGTERM: the first ends the program in good order, and however many follow, its exit code is the same."""

import _thread
import atexit
import contextlib
import os
import signal
import sys
import time
from types import FrameType

_PATIENCE = 3.0
"""Seconds that tidying up has for itself; a stop that comes later ends the program at once."""
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
            sys.unraisablehook = self._dropped
            sys.excepthook = _keep_silent  # modules in C print what ends their import, and then raise something else
            self.since, self.first = time.monotonic(), number
        if self.raises and not self.over:
            self.raises = False
            raise Stopped
        if time.monotonic() - self.since > _PATIENCE:
            self.say()
            os._exit(self.code)

    def _dropped(self, lost: "sys.UnraisableHookArgs") -> None:
        """Python drops what is raised in a ``__del__`` or a weak reference; a stop comes again, outside of it. Of
        what else fails there once the program stops, nothing need be said."""
        if isinstance(lost.exc_value, Stopped):
            _thread.start_new_thread(self._again, (_thread.get_ident(),))

    def _again(self, main: int) -> None:
        time.sleep(0.05)
        self.raises = True
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


def _keep_silent(*problem: object) -> None:
    pass


stops = Stops()
