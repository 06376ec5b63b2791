"""Equal budgets: the same number of epochs, steps, multiply–accumulates or seconds of training for every network.

Importing this module does not import torch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dnnlab.errors import UsageError, unknown

AXES = ("epochs", "steps", "macs", "seconds")


@dataclass(frozen=True)
class Budget:
    """The budget of a training: an axis and an amount."""

    axis: str
    amount: float

    def steps(self, name: str, batches: int, macs_a_step: float) -> int | None:
        """The steps that it pays for, with ``batches`` per epoch; ``None`` where it is in seconds. Errors call the
        network ``name``.

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
    """``value`` rounded up to three digits."""
    if value == 0:
        return "0"
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return f"{math.ceil(value / unit - 1e-9) * unit:.3g}"


def parse(text: str, axes: Sequence[str] = AXES, bare: str = "") -> Budget:
    """Read ``AXIS=AMOUNT``, such as ``epochs=10`` or ``macs=1e12``, of one of the ``axes``; or a number alone, which is
    an amount of ``bare``, where that is given.

    Raises:
        UsageError: there is no such axis, or the amount is no positive number.
    """
    axis, equals, amount = (part.strip() for part in text.partition("="))
    right = f"{axis}= and a positive number, such as {axis}=10"
    if bare and not equals:
        axis, amount, right = bare, axis, f"a number of {bare} such as 64, or epochs=500"
    if axis not in axes:
        raise unknown("budget", axis, axes)
    try:
        number = float(amount)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise UsageError(f"--budget {text!r} does not read; write {right}.")
    if axis == "steps" and number != int(number):
        raise UsageError(f"--budget {text!r}: steps are whole numbers, such as steps={math.ceil(number)}.")
    return Budget(axis, number)
