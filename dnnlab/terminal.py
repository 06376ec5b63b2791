"""The only way to the terminal: no text that is printed here can control the terminal.

Names of files, tensors, runs and classes come from anywhere, and may hold control characters. A test holds all other
modules to printing through this one. Importing it does not import Rich.
"""

import re
import shutil
import sys
import textwrap
import unicodedata
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from dnnlab.errors import written_out

if TYPE_CHECKING:
    from rich.text import Text

_PIPED = 400
"""The width of a table in characters where no terminal gives one."""


_STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Categories of characters that move the cursor, or turn the direction of writing so that a name looks like another."""
_JOINERS = "\u200c\u200d"
"""Characters among these that are needed to write names in several scripts, and emoji."""


_COMMAND = re.compile("`(dnnlab [^`]+)`")
_UNIT = re.compile(r"(?<=\d) (?=(?:%|points|[kMGT]?B)(?!\w))")

_RAISED = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ"
_RAISED_TEXT = re.compile(f"[{_RAISED}]+")
_POWER_OF_TEN = re.compile(f"(?:(?<=[0-9])·|(?<![0-9.,·]))10([{_RAISED.removesuffix('ⁿ')}]+)")
_PLAIN = {"×": "x", "·": "-", "–": "-", "−": "-", "─": "-", "…": "...", "≤": "<=", "≥": ">=", "→": "->", "∝": "~"}
_PLAIN |= {"₂": "2", "τ": "tau", "δ": "delta", "Δ": "delta"}
"""What dnnlab's own texts have beyond ASCII, besides raised numbers, and what stands in its place where it cannot be
shown."""


def clean(text: str) -> str:
    """``text`` with all that could steer a terminal written out; its lines stay lines."""
    return "\n".join(map(one_line, text.split("\n")))


def one_line(text: str) -> str:
    """``text`` on one line, with all that could steer a terminal written out, and its numbers such that stdout and
    stderr can show them."""
    text = _in_reach(text)
    if text.isprintable():
        return text
    return "".join(c if c in _JOINERS else written_out(c, _STEERING) for c in text)


def _in_reach(text: str) -> str:
    """``text`` with other characters for what dnnlab writes beyond ASCII, where stdout or stderr cannot show that: no
    "?" stands in a number, but 7e-17 for 7·10⁻¹⁷, and x for ×."""
    if text.isascii():
        return text
    hidden = {c for c in {*text} & {*_PLAIN, *_RAISED} if not (_shows(sys.stdout, c) and _shows(sys.stderr, c))}
    if hidden & {*_RAISED}:
        text = _POWER_OF_TEN.sub(lambda power: f"{'' if power[0][0] == '·' else 1}e{_lowered(power[1])}", text)
        text = _RAISED_TEXT.sub(lambda raised: f"^{_lowered(raised[0])}", text)
    return text.translate({ord(c): plain for c, plain in _PLAIN.items() if c in hidden})


def _lowered(raised: str) -> str:
    return unicodedata.normalize("NFKC", raised).replace("−", "-")


def _shows(stream: TextIO | None, character: str) -> bool:
    try:
        character.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def tell(text: object) -> None:
    """Print ``text`` to stdout: the output that the command was called for."""
    print(clean(str(text)))


def commands_apart(sentence: str) -> list[str]:
    """The parts of a sentence, in turn prose and a command that stands in backticks: a command has a line of its own,
    without the mark that follows it."""
    first, *rest = _COMMAND.split(sentence)
    return [first, *(part if number % 2 == 0 else part.lstrip(" .,;") for number, part in enumerate(rest))]


def tell_sentences(sentences: Iterable[str]) -> None:
    """Print sentences to stdout, a paragraph each; on a terminal wrapped between words, and a command in backticks on a
    line of its own, from which it can be copied."""
    for sentence in map(clean, sentences):
        if not sys.stdout.isatty():
            print(sentence)
            continue
        width = shutil.get_terminal_size().columns
        for number, part in enumerate(commands_apart(sentence)):
            if number % 2:
                print(f"  {part}")
            elif rest := part.rstrip():
                lines = textwrap.fill(tied(rest), width, break_long_words=False, break_on_hyphens=False)
                print(lines.replace("\N{NO-BREAK SPACE}", " "))


def tied(text: str) -> str:
    """``text`` in which a number and its unit stay on one line."""
    return _UNIT.sub("\N{NO-BREAK SPACE}", text)


def say(message: str, quiet: bool = False) -> None:
    """Print a message for the user to stderr."""
    if not quiet:
        print(clean(message), file=sys.stderr, flush=True)


def listen_to_warnings() -> None:
    """Print warnings of this process as messages."""
    warnings.showwarning = _warn


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    # PyTorch warns of settings that the user has not changed.
    for remark in (" does not have a deterministic implementation", " defaults to a non-deterministic algorithm"):
        operation, found, _ = str(message).partition(remark)
        if found:
            message = f"{operation} adds up in any order on this GPU: the last digits may differ from run to run"
    say(f"warning: {message}")


def tell_rows(headings: list[str], rows: list[list[str]]) -> None:
    """Print ``rows`` of text under their ``headings`` to stdout, in full whether or not it is a terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*map(_literal, row))
    piped = not sys.stdout.isatty()
    Console(width=_PIPED if piped else None, soft_wrap=piped).print(table)


def _literal(text: str) -> "Text":
    """``text`` with Rich's markup escaped, since Rich would read ``[bold]`` in a name as markup."""
    from rich.text import Text

    return Text(one_line(text))
