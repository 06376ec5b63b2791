"""The errors that a user can cause or meet. Each is one sentence that says what was wrong and what would be right."""

import difflib
import sysconfig
import traceback
import unicodedata
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class DnnlabError(Exception):
    """Something went wrong that is worth one sentence and no traceback (exit code 1)."""

    exit_code = 1
    lacking = False
    """Whether it says no more than that something is not on this machine, data or a device, without which what was
    asked cannot be measured."""


class UsageError(DnnlabError, ValueError):
    """The command, recipe or call was wrong (exit code 2)."""

    exit_code = 2


def plain(text: str) -> str:
    """``text`` on one line, control characters and lone surrogates written out."""
    return written_out(text, {"Cc", "Cs", "Zl", "Zp"})


def written_out(text: str, categories: Container[str]) -> str:
    """``text`` with the characters of these Unicode ``categories`` as Python writes them: a backslash and a number."""
    return "".join(ascii(c)[1:-1] if unicodedata.category(c) in categories else c for c in text)


_SHOWN = 80
"""The most characters of a user's text that an error repeats."""


def short(text: str) -> str:
    """``text``, cut to a length that a sentence can hold."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def counted(count: int, noun: str) -> str:
    """``1 cell``, ``2 cells``, ``1,000 cells``."""
    return f"{count:,} {noun}{'s'[: count != 1]}"


def are(count: int) -> str:
    """The verb behind `counted`."""
    return "is" if count == 1 else "are"


def in_short(problem: BaseException) -> str:
    """The kind and the text of an exception on one line. An error of dnnlab's own is a sentence already, and only that
    is given."""
    kind, text = type(problem).__name__, " ".join(str(problem).split())
    if text and _is_sentence(problem):
        return text
    return f"{kind}: {text}" if text else kind


def in_full(problem: BaseException) -> str:
    """All that an exception says, on one line, and the line of the user's own file where it happened."""
    return f"{in_short(problem).rstrip('.')}{users_line(problem)}"


def of_users_code(problem: BaseException) -> str:
    """The first line of what an exception says, and the line of the user's own file where it happened."""
    text = first_line(problem)
    kind = type(problem).__name__
    said = text if _is_sentence(problem) or isinstance(problem, RuntimeError) or text == kind else f"{kind}: {text}"
    return f"{plain(said).rstrip('.')}{users_line(problem)}"


def _is_sentence(problem: BaseException) -> bool:
    """Whether its text says all, without the kind of the exception."""
    return type(problem).__module__.startswith("dnnlab.")


def users_line(problem: BaseException) -> str:
    """`` (file.py, line 12)``: the innermost frame of a traceback that belongs neither to a library nor to dnnlab;
    empty where there is none."""
    place = ""
    for frame, line in traceback.walk_tb(problem.__traceback__):
        file = frame.f_code.co_filename
        if is_users(file):
            place = f" ({Path(file).name}, line {line})"
    return place


def is_users(file: str) -> bool:
    """Whether code from ``file`` belongs neither to a library nor to dnnlab."""
    libraries = (sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib"))
    return not file.startswith((*libraries, str(Path(__file__).parent), "<"))


@contextmanager
def users_code(what: str) -> Iterator[None]:
    """For the code of a user's network: whatever it raises is one sentence, which begins with ``what``.

    Raises:
        UsageError: an exception came out of it.
    """
    try:
        yield
    except DnnlabError:
        raise
    except Exception as problem:
        raise UsageError(f"{what}: {of_users_code(problem)}.") from problem


def first_line(problem: BaseException) -> str:
    """The first line of what an exception says, with the next where it only announces that one, or its kind where it
    says nothing: PyTorch's go on for pages."""
    first, *others = [line.strip() for line in str(problem).splitlines() if line.strip()] or [type(problem).__name__]
    return f"{first} {others[0]}" if others and first.endswith(":") else first


@contextmanager
def no_quitting() -> Iterator[None]:
    """For the code of a user's network: ``sys.exit`` in it does not end the program.

    Raises:
        UsageError: it was called.
    """
    try:
        yield
    except SystemExit as end:
        sentence = f"a network called sys.exit({end.code!r}); let it raise an exception instead."
        raise UsageError(sentence) from end


def listing(names: Iterable[str], word: str = "and") -> str:
    """``a, b and c``, as one would write it in a sentence, with another ``word`` before the last where it is given."""
    *head, last = list(names)
    return f"{', '.join(head)} {word} {last}" if head else last


def some(names: Sequence[str], most: int = 3) -> str:
    """The first ``most`` of ``names`` as `listing` writes them, and how many more there are."""
    return listing([*names[:most], *([f"{len(names) - most:,} more"] if len(names) > most else [])])


_MOST_NAMES = 20


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name nobody knows: the nearest right ones, or when none is near the first of them."""
    known, name = list(known), short(name)
    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.6)
    rest = [f"{len(known) - _MOST_NAMES} more"] if len(known) > _MOST_NAMES else []
    all_known = f"known are {listing([*known[:_MOST_NAMES], *rest])}." if known else "there are none."
    hint = f"did you mean {' or '.join(near)}?" if near else all_known
    return UsageError(f"unknown {kind} {name!r}: {hint}")
