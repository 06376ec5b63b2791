"""Estimates how long a plan takes on this machine: one stack of each kind of cell is measured for about a second."""

import math
import time
from collections.abc import Sequence

from dnnlab.runner.engine import Work, limited_threads, place_of, side_by_side
from dnnlab.runner.plan import Plan, Stack

_ENOUGH = 1.0
"""Seconds of measuring that are enough for an estimate."""


class _Enough(BaseException):
    """Raised to stop a measurement that has run long enough; no measurement catches it."""


def seconds(work: Work, plan: Plan, stacks: Sequence[Stack]) -> float:
    """About how many seconds the ``stacks`` of ``plan`` take.

    An experiment whose cells come in parts knows by itself (``measure.foresee``). Of any other, one stack of each kind
    of cell, and of each place where these are measured, begins, and stops after a second: what its own progress says by
    then is scaled to the whole, and from one stack to the others by their multiply–accumulates, or where these are not
    known by their cells.

    Raises:
        DnnlabError: what the user asked cannot be measured.
    """
    module = work.spec.question.measure
    kinds: dict[tuple[type, str], list[Stack]] = {}
    for stack in stacks:
        kinds.setdefault((type(stack.cells[0]), place_of(stack.cells[0], work.device)), []).append(stack)
    total = 0.0
    for (_, place), group in kinds.items():
        workers = side_by_side(plan, work.device, place)
        with limited_threads(workers.threads):
            if hasattr(module, "foresee"):
                taken = float(module.foresee([cell for stack in group for cell in stack.cells], work.spec, work.device))
            else:
                first = max(group, key=_weight)
                taken = _rehearsed(work, first) * sum(map(_weight, group)) / _weight(first)
        total += taken / workers.count
    return total


def _weight(stack: Stack) -> float:
    """The cost of a stack relative to others of its kind."""
    macs = sum(cell.macs for cell in stack.cells)
    return float(len(stack.cells)) if math.isnan(macs) or not macs else macs


def _rehearsed(work: Work, stack: Stack) -> float:
    """Seconds that ``stack`` takes, estimated after `_ENOUGH` seconds or measured to its end."""
    started = time.perf_counter()
    begun = (0.0, started)
    spent: list[float] = []

    def progress(share: float) -> None:
        nonlocal begun
        now = time.perf_counter()
        if not share:
            return
        if begun[1] == started:  # what comes before the first step is not repeated with every step
            begun = (share, now)
        elif now - begun[1] > _ENOUGH and share > begun[0]:
            left = (1 - begun[0]) * (now - begun[1]) / (share - begun[0])
            spent.append(begun[1] - started + left)
            raise _Enough

    try:
        work.spec.question.measure.measure(stack.cells, work.spec, work.device, progress)
    except _Enough:
        return spent[0]
    return time.perf_counter() - started


def spoken(seconds: float) -> str:
    """``seconds`` in words: ``about 3 min``."""
    for most, unit, size in ((90.0, "s", 1.0), (5400.0, "min", 60.0), (172_800.0, "h", 3600.0)):
        if seconds < most:
            return f"about {max(1, _rounded(seconds / size))} {unit}"
    return f"about {_rounded(seconds / 86_400)} days"


def _rounded(count: float) -> int:
    return round(count) if count < 10 else 5 * round(count / 5)
