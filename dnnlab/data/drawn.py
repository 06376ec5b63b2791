"""How data that is drawn by chance is named: ``3x32x32``, or ``3x32x32:classes=100,examples=1000``.

Importing this module does not import numpy.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

CLASSES = 10
"""As digits, MNIST and CIFAR-10 have."""
EXAMPLES, FEWEST = 8192, 256
"""The most examples when nobody says how many, and the fewest: of these 205 train, more than the usual batch of 128."""
MOST_NUMBERS = 2**27
"""Numbers in all inputs from which there are fewer examples when nobody says how many: 512 MiB of float32."""
LARGEST = 2**22
"""The most numbers in one input."""
DIMENSIONS = 4
"""The most dimensions of one input."""
LIMITS = {"classes": (2, 10_000), "examples": (20, 10**7)}
"""The options that may stand behind the sizes, each with the least and the most of its values."""
OPTIONS = ", ".join(f"{name}={low:,} to {high:,}" for name, (low, high) in LIMITS.items())
"""The same in words."""


@dataclass(frozen=True)
class Drawn:
    """What is drawn: the ``sizes`` that the name says, and how many classes and examples there are."""

    sizes: tuple[int, ...]
    classes: int
    examples: int
    usual: int
    """How many examples there are when nobody says how many."""

    @classmethod
    def of(cls, sizes: Iterable[int], numbers: int, options: str) -> Self:
        """What is drawn for ``sizes``, where one input has so many ``numbers``, and ``options`` such as
        ``:classes=100``, with commas or colons between them.

        Raises:
            ValueError: there is no such option, or its value is out of range.
        """
        usual = EXAMPLES
        while usual > FEWEST and usual * numbers > MOST_NUMBERS:
            usual //= 2
        values = {"classes": CLASSES, "examples": usual}
        given = [part.partition("=") for part in re.split("[:,]", options)[1:]]
        if len({name for name, _, _ in given}) < len(given):
            raise ValueError
        for name, _, value in given:
            values[name] = number(value, *LIMITS.get(name, (1, 0)))
        return cls(tuple(sizes), usual=usual, **values)

    def __str__(self) -> str:
        usual = {"classes": CLASSES, "examples": self.usual}
        options = [f"{name}={getattr(self, name)}" for name in usual if getattr(self, name) != usual[name]]
        return "x".join(map(str, self.sizes)) + (f":{','.join(options)}" if options else "")


def number(text: str, low: int, high: int) -> int:
    """``text`` as a whole number from ``low`` to ``high``.

    Raises:
        ValueError: it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
        raise ValueError
    return int(text)


def shaped(text: str) -> Drawn:
    """What ``3x32x32:classes=100`` says: numbers of this shape. The shape is ``400`` when it is empty.

    Raises:
        ValueError: it says nothing.
    """
    shape, colon, options = text.partition(":")
    sizes = shape_of(shape or "400")
    return Drawn.of(sizes, math.prod(sizes), colon + options)


def shape_of(text: str) -> tuple[int, ...]:
    """The shape that ``3x32x32`` says.

    Raises:
        ValueError: it says none, or one with too many numbers.
    """
    sizes = tuple(number(size, 1, LARGEST) for size in text.split("x"))
    if len(sizes) > DIMENSIONS or math.prod(sizes) > LARGEST:
        raise ValueError
    return sizes


def tokens(text: str) -> Drawn:
    """What ``30522x128:classes=2`` says: sequences of 128 out of 30,522 tokens.

    Raises:
        ValueError: it says nothing.
    """
    sizes, colon, options = text.partition(":")
    vocabulary, length = sizes.split("x")
    drawn = number(vocabulary, 2, LARGEST), number(length, 1, LARGEST)
    return Drawn.of(drawn, 2 * drawn[1], colon + options)  # a token takes 8 bytes, a number 4
