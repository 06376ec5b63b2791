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


_MOST_NAMES = 20


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name nobody knows: the nearest right ones, or when none is near the first of them."""
    known = list(known)
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.6)
    rest = [f"{len(known) - _MOST_NAMES} more"] if len(known) > _MOST_NAMES else []
    all_known = f"known are {listing([*known[:_MOST_NAMES], *rest])}." if known else "there are none."
    hint = f"did you mean {' or '.join(near)}?" if near else all_known
    return UsageError(f"unknown {kind} {name!r}: {hint}")
