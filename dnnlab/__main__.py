"""The program: runs the command line, and turns what went wrong into one sentence and an exit code."""

import os
import signal
import sys
import warnings
from types import FrameType
from typing import NoReturn, TextIO

from dnnlab.errors import DnnlabError


class _Stopped(BaseException):
    """SIGINT or SIGTERM, as an exception of our own: files are closed on the way out, and Typer, which answers
    a KeyboardInterrupt itself, lets it pass."""


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise _Stopped(number)


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    print(f"warning: {message}", file=sys.stderr)


def main() -> NoReturn:
    """Run ``dnnlab`` with the arguments of the process, and exit."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    warnings.showwarning = _warn
    sys.exit(_run())


def _run() -> int:
    from dnnlab.cli import app

    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except DnnlabError as error:
        return _fail(str(error), error.exit_code)
    except _Stopped as stop:
        print("stopped; what was finished is kept, and the same command goes on from there.", file=sys.stderr)
        return 128 + int(stop.args[0])
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        return _fail(f"the system refused{where}: {error.strerror or error}.", 1)
    except Exception as error:
        # Typer vendors its own Click from 0.26 on, so its usage errors are known by shape rather than by class.
        if not hasattr(error, "format_message"):
            raise
        return _fail(_usage(error), getattr(error, "exit_code", 2))
    return code if isinstance(code, int) else 0


def _usage(error: Exception) -> str:
    """A usage error of the command line in one sentence, with the help that would answer it."""
    message = " ".join(error.format_message().split())  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", None) or "dnnlab"
    return f"{message.rstrip('.')}; see {command} --help."


def _fail(message: str, code: int) -> int:
    print(f"dnnlab: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
