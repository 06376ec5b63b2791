"""What to do after a run, where it was measured what helps."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Advice:
    """The best that was measured: what to do, the command that does it, and what it changed."""

    what: str  # a sentence
    command: str = ""
    then: str = ""  # what the command does, where it is not what the sentence says
    changes: Sequence[tuple[str, str, str]] = ()  # a quantity, its value before, and its value after
