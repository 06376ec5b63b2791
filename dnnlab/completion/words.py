"""A command line as a shell reads it up to the cursor, and a word as it must be written there."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

SINGLE, DOUBLE = "'", '"'


@dataclass(frozen=True)
class Word:
    """One word of a command line."""

    text: str
    """The word without its quotes and backslashes."""
    quote: str = ""
    """The quote that is open at its end; empty where none is."""
    expands: bool = False
    """Whether the shell would replace a ``$`` or a backtick in it, or a ``~`` at its beginning, by something else."""


def split(line: str) -> list[Word]:
    """The words of ``line``; the last is the one that is being typed, and empty after a blank."""
    words: list[Word] = []
    text, quote, begun, expands = "", "", False, False
    characters = iter(line)
    for character in characters:
        if character == quote:
            quote = ""
        elif quote == SINGLE:
            text += character
        elif character == "\\":
            following = next(characters, "")
            text += following if not quote or following in '\\"$`' else character + following
        elif not quote and character in (SINGLE, DOUBLE):
            quote = character
        elif not quote and character.isspace():
            if begun:
                words.append(Word(text, "", expands))
            text, begun, expands = "", False, False
            continue
        else:
            text += character
            expands |= character in "$`" or (character == "~" and not begun)
        begun = True
    return [*words, Word(text, quote, expands)]


def quoted(text: str, quote: str) -> str | None:
    """``text`` as it must be written in bash where ``quote`` is open; None where it cannot be written.

    Bash closes the quote, but not behind a mark like it, which it takes for the end of the word.
    """
    if quote == DOUBLE and "!" in text:  # bash recalls an old command there, and no backslash prevents it
        return None
    if not quote:
        return re.sub(r"([^\w@%+=:,./~-])", r"\\\1", text)
    inside = text.replace("'", "'\\''") if quote == SINGLE else re.sub(r'([\\"$`])', r"\\\1", text)
    return inside + quote if inside.endswith(quote) else inside


def for_bash(candidates: Sequence[str], typed: Word, replaced: str) -> list[str]:
    """The text that takes the place of ``replaced``, the end of the word as it is ``typed``. Bash does not replace the
    whole word, but what is after its last ``:`` or ``=`` or an open quote."""
    rests = (quoted(candidate.removeprefix(typed.text), typed.quote) for candidate in candidates)
    home = "" if typed.text or typed.quote else "\\"  # a file called "~x" is not the home of a user x
    return [replaced + (home if rest.startswith("~") else "") + rest for rest in rests if rest is not None]
