"""Equal budgets: so many epochs, steps, multiply–accumulates or seconds of training for everybody.

Importing this module does not import torch.
"""

import math
from dataclasses import dataclass

from dnnlab.errors import UsageError, unknown

AXES = ("epochs", "steps", "macs", "seconds")


@dataclass(frozen=True)
class Budget:
    """What a training may spend."""

    axis: str
    amount: float

    def steps(self, name: str, batches: int, macs_a_step: float) -> int | None:
        """How many steps it buys ``name``, with ``batches`` an epoch; ``None`` where only the clock can say.

        Raises:
            UsageError: it does not buy one step, or counts what a step has none of.
        """
        if self.axis == "seconds":
            return None
        if self.axis == "macs" and macs_a_step == 0:
            raise UsageError(
                f"--budget {self} never ends for {name}, which has no multiply–accumulates that are counted; give "
                "epochs=, steps= or seconds=."
            )
        least = {"epochs": 1 / batches, "steps": 1.0, "macs": macs_a_step}[self.axis]
        bought = self.amount * batches if self.axis == "epochs" else self.amount / least
        if bought < 1:
            raise UsageError(
                f"--budget {self} does not pay for one step of {name}; one takes {self.axis}={_up(least)}."
            )
        return math.floor(bought + 1e-9)  # 0.1 · 30 epochs' batches is 3, not 2.9999…

    def __str__(self) -> str:
        return f"{self.axis}={self.amount:g}"


def _up(value: float) -> str:
    """To three digits, not below ``value``."""
    if value == 0:
        return "0"
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return f"{math.ceil(value / unit - 1e-9) * unit:.3g}"


def parse(text: str) -> Budget:
    """Read ``AXIS=AMOUNT``, such as ``epochs=10`` or ``macs=1e12``.

    Raises:
        UsageError: there is no such axis, or the amount is no positive number.
    """
    axis, equals, amount = (part.strip() for part in text.partition("="))
    if axis not in AXES:
        raise unknown("budget", axis, AXES)
    try:
        number = float(amount)
    except ValueError:
        number = math.nan
    if not equals or not 0 < number < math.inf:
        raise UsageError(f"--budget {text!r} does not read; write {axis}= and a positive number, such as {axis}=10.")
    if axis == "steps" and number != int(number):
        raise UsageError(f"--budget {text!r}: steps are whole numbers, such as steps={math.ceil(number)}.")
    return Budget(axis, number)
