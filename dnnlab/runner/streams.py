"""Separates stdout, which is data, from what a user's network prints."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


@contextmanager
def others_on_stderr() -> Iterator[None]:
    """Send all that is printed to stderr while a user's code may run, whether Python prints it or a library in C."""
    sys.stdout.flush()
    try:
        stdout = os.dup(1)
    except OSError:  # stdout is closed: nobody reads it
        stdout = None
    try:
        if stdout is not None:
            os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if stdout is not None:
            os.dup2(stdout, 1)
            os.close(stdout)
