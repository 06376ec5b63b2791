"""The errors a user can cause or meet. Each is one sentence that says what was wrong and what would be right."""

import difflib
from collections.abc import Iterable


class DnnlabError(Exception):
    """Something went wrong that is worth one sentence and no traceback (exit code 1)."""

    exit_code = 1


class UsageError(DnnlabError, ValueError):
    """The command, recipe or call was wrong (exit code 2)."""

    exit_code = 2


def listing(names: Iterable[str]) -> str:
    """``a, b and c``, as one would write it in a sentence."""
    *head, last = list(names)
    return f"{', '.join(head)} and {last}" if head else last


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name nobody knows: the nearest right ones, or all of them when none is near."""
    known = list(known)
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are {listing(known)}."
    return UsageError(f"unknown {kind} {name!r}: {hint}")
