"""The program: runs the command line, and turns what went wrong into one sentence and an exit code."""

import os
import sys
from typing import Any, NoReturn

from dnnlab.completion.answer import VARIABLE, answer
from dnnlab.errors import DnnlabError, plain
from dnnlab.stops import Stopped, stops
from dnnlab.terminal import listen_to_warnings, say


def main() -> NoReturn:
    """Run ``dnnlab`` with the arguments of the process, and exit."""
    _open_streams()
    code = 1
    try:
        stops.listen()
        listen_to_warnings()
        code = _run()
    except BaseException:
        if not stops.first:
            raise
    finally:
        stops.over = True
    if stops.first:
        stops.say()
        code = stops.code
    sys.exit(code)


def _open_streams() -> None:
    """Let stdout and stderr take whatever is printed, also where they are closed or can show few characters."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # the caller of the program closed it
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for the process's life
        elif stream.errors in ("strict", "surrogateescape"):  # the latter refuses a "–" under LC_ALL=C
            stream.reconfigure(errors="replace")


def _run() -> int:
    try:
        if VARIABLE in os.environ:  # the shell asks what Tab can complete
            return answer(_commands)
        code = _command()
    except DnnlabError as error:
        return _fail(str(error), error.exit_code)
    except (BrokenPipeError, SystemExit) as end:
        # Rich and Typer turn a broken pipe into SystemExit(1).
        if isinstance(end, SystemExit) and not isinstance(end.__context__, BrokenPipeError):
            raise  # it exits with its own code; sys.exit in a user's network is caught where the network runs
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
        if not error.format_message():  # dnnlab without arguments has printed the help
            return 2
        return _fail(_usage(error), getattr(error, "exit_code", 2))
    return code if isinstance(code, int) else 0


def _commands() -> Any:
    from dnnlab.cli import commands

    return commands()


def _command() -> object:
    """Run the command line. Where a stop came, it is raised as such: a module that it interrupted raises an
    ImportError."""
    try:
        code = _commands()(standalone_mode=False)
        sys.stdout.flush()
    except BaseException as problem:
        if not stops.first:
            raise
        raise Stopped from problem
    return code


def _usage(error: Exception) -> str:
    """The error of a wrong command line in one sentence, with the help that would answer it."""
    message = " ".join(error.format_message().split())  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    # An option without its value has lost the context.
    typed = " ".join(["dnnlab", *(word for word in sys.argv[1:2] if not word.startswith("-"))])
    command = getattr(context, "command_path", None) or typed
    return f"{message.rstrip('.')}; see {command} --help."


def _fail(message: str, code: int) -> int:
    say(f"dnnlab: {plain(message)}")
    return code


if __name__ == "__main__":
    main()
