"""The program: runs the command line, and turns what went wrong into one sentence and an exit code."""

import _thread
import atexit
import contextlib
import os
import signal
import sys
import time
import warnings
from types import FrameType
from typing import NoReturn, TextIO

from dnnlab.completion.answer import VARIABLE, answer
from dnnlab.errors import DnnlabError, plain
from dnnlab.terminal import say

_PATIENCE = 3.0
"""Seconds that tidying up has for itself; a stop that comes later ends the program at once."""
_SENTENCE = b"stopped; what was finished is kept, and the same command goes on from there.\n"


class _Stopped(BaseException):
    """SIGINT or SIGTERM, as an exception of our own: files are closed on the way out, and Typer, which answers
    a KeyboardInterrupt itself, lets it pass."""


class _Stops:
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
            raise _Stopped
        if time.monotonic() - self.since > _PATIENCE:
            self.say()
            os._exit(self.code)

    def _dropped(self, lost: "sys.UnraisableHookArgs") -> None:
        """Python drops what is raised in a ``__del__`` or a weak reference; a stop comes again, outside of it. Of
        what else fails there once the program stops, nothing need be said."""
        if isinstance(lost.exc_value, _Stopped):
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


_stops = _Stops()


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    say(f"warning: {message}")


def main() -> NoReturn:
    """Run ``dnnlab`` with the arguments of the process, and exit."""
    _open_streams()
    code = 1
    try:
        _stops.listen()
        warnings.showwarning = _warn
        code = _run()
    except BaseException:
        if not _stops.first:
            raise
    finally:
        _stops.over = True
    if _stops.first:
        _stops.say()
        code = _stops.code
    sys.exit(code)


def _open_streams() -> None:
    """Let stdout and stderr take whatever is printed: also where they are closed or know few characters."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for the process's life
        elif stream.errors in ("strict", "surrogateescape"):  # the latter refuses a "–" under LC_ALL=C
            stream.reconfigure(errors="replace")


def _run() -> int:
    try:
        if VARIABLE in os.environ:  # Tab was pressed
            return answer()
        code = _command()
    except DnnlabError as error:
        return _fail(str(error), error.exit_code)
    except (BrokenPipeError, SystemExit) as end:
        # Rich and Typer turn a broken pipe into SystemExit(1).
        if isinstance(end, SystemExit) and not isinstance(end.__context__, BrokenPipeError):
            raise  # with its own code; what a user's network quits with is caught where the network runs
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader, such as head, has seen enough
        return 0
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        return _fail(f"the system refused{where}: {error.strerror or error}.", 1)
    except Exception as error:
        if isinstance(error.__cause__, KeyboardInterrupt):  # Typer's Abort: a network of the user's raised it
            return _fail("a KeyboardInterrupt was raised while measuring.", 1)
        # Typer vendors its own Click from 0.26 on, so its usage errors are known by shape rather than by class.
        if not hasattr(error, "format_message"):
            raise
        if not error.format_message():  # bare dnnlab: the help stands there already
            return 2
        return _fail(_usage(error), getattr(error, "exit_code", 2))
    return code if isinstance(code, int) else 0


def _command() -> object:
    """Run the command line. What a stop turned into is a stop: a module that it broke off raises an ImportError."""
    try:
        from dnnlab.cli import app

        code = app(standalone_mode=False)
        sys.stdout.flush()
    except BaseException as problem:
        if not _stops.first:
            raise
        raise _Stopped from problem
    return code


def _usage(error: Exception) -> str:
    """A usage error of the command line in one sentence, with the help that would answer it."""
    message = " ".join(error.format_message().split())  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    # An option without its value has lost the context.
    asked = " ".join(["dnnlab", *(word for word in sys.argv[1:2] if not word.startswith("-"))])
    command = getattr(context, "command_path", None) or asked
    return f"{message.rstrip('.')}; see {command} --help."


def _fail(message: str, code: int) -> int:
    say(f"dnnlab: {plain(message)}")
    return code


if __name__ == "__main__":
    main()
