"""What statements can be about, by name. PyTorch is imported when a statement needs it: mere arithmetic takes less time
than that."""

import importlib
import math

from dnnlab.check.language import Function
from dnnlab.check.names import HELP

_FOLDED = frozenset({"sawtooth_pieces", "parity_errors", "patterns"})
"""Those that count in whole numbers, and need no PyTorch either."""


def _computed(name: str) -> Function:
    module = "folded" if name in _FOLDED else "computed"

    def quantity(*arguments):  # type: ignore[no-untyped-def]
        return getattr(importlib.import_module(f"dnnlab.check.{module}"), name)(*arguments)

    return quantity


_ARITHMETIC: dict[str, Function] = {"sqrt": math.sqrt, "exp": math.exp, "log2": math.log2}
QUANTITIES: dict[str, Function] = {name: _ARITHMETIC.get(name) or _computed(name) for name in HELP}
