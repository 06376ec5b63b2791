"""What statements can be about, by name. PyTorch is imported when a statement needs it: mere arithmetic takes less time
than that."""

import importlib
import math
from fractions import Fraction

from dnnlab.check.language import Function
from dnnlab.check.names import HELP

_FOLDED = frozenset({"sawtooth_pieces", "parity_errors", "patterns"})
"""Those that count in whole numbers, and need no PyTorch either."""


def _computed(name: str) -> Function:
    def quantity(*arguments):  # type: ignore[no-untyped-def]
        # Each module's name is written out, so that a change of the pages does not change what was measured.
        if name in _FOLDED:
            return getattr(importlib.import_module("dnnlab.check.folded"), name)(*arguments)
        return getattr(importlib.import_module("dnnlab.check.computed"), name)(*arguments)

    return quantity


def _sqrt(x: float) -> float | Fraction:
    """The root, exact where its square is just that number."""
    root = math.sqrt(x)
    return Fraction(root) if Fraction(root) ** 2 == x else root


def _log2(x: float) -> float:
    """The logarithm, exact of a power of two."""
    found = math.log2(x)
    return int(found) if found.is_integer() and Fraction(2) ** int(found) == x else found


def _exp(x: float) -> float:
    """e^x; where that is too small for a float it is out of range, as it is where it is too large."""
    if x == 0:
        return 1  # exactly
    found = math.exp(x)
    if found == 0:
        raise OverflowError
    return found


_ARITHMETIC: dict[str, Function] = {"sqrt": _sqrt, "exp": _exp, "log2": _log2}
QUANTITIES: dict[str, Function] = {name: _ARITHMETIC.get(name) or _computed(name) for name in HELP}
