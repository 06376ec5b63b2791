"""Why a condition of a claim is open, and what would decide it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dnnlab.errors import counted
from dnnlab.report.numbers import Form, number
from dnnlab.runner.summary import factor
from dnnlab.statistics.intervals import SIGNIFICANT, Interval

_MANY = 1000
"""The number of seeds from which on it is not said how many it would take."""
_EACH = 3
"""So many reasons are told one by one; of more, what would decide how many of them."""


@dataclass(frozen=True)
class Reason:
    """Why a condition is open in a row."""

    why: str
    would: str = ""
    """What would decide it; empty where that is not known."""
    seeds: float = 0.0
    """About how many seeds would decide it, if the truth is as measured; infinite where no number on these examples
    would; 0 where that is not known."""

    def __str__(self) -> str:
        return f"{self.why}; {self.would}" if self.would else self.why


def together(reasons: Sequence[Reason]) -> list[str]:
    """What the ``reasons`` come to, one for each row of each condition that is open."""
    told = list(dict.fromkeys(map(str, reasons)))
    if len(told) <= _EACH:
        return told
    result = [f"{counted(len(reasons), 'condition')} are open"]
    others = [reason for reason in reasons if not 0 < reason.seeds <= _MANY]
    few = sorted(reason.seeds for reason in reasons if reason not in others)
    if few:
        least, most = (f"{seeds:.0f}" for seeds in (few[0], few[-1]))
        about = most if least == most else f"{least} to {most}"
        which = "them" if len(few) == len(reasons) else _of_them(len(few))
        are = "it is" if len(few) == 1 else "they are"
        result.append(f"about {about} seeds would decide {which}, if {are} as measured")
    for would in dict.fromkeys(reason.would for reason in others if reason.seeds):
        alike = sum(reason.would == would for reason in others)
        result.append(f"for {'each' if alike == len(reasons) else _of_them(alike)} {would}")
    return result + list(dict.fromkeys(str(reason) for reason in others if not reason.seeds))


def _of_them(number: int) -> str:
    return f"{'one' if number == 1 else number} of them"


@dataclass(frozen=True)
class Undecided:
    """Why something is open whose p-value is too large."""

    what: str
    """What was measured."""
    interval: Interval
    """Its interval, on the scale on which it is symmetric."""
    limits: Sequence[float]
    """The limits of the condition on that scale, the nearest first."""
    why: str
    """What the interval does that holds one of them."""
    examples: int = 0
    """On how many examples each seed was tested; 0 where that is not known."""
    visible: Form | None = None
    """The form of a difference, where it is not known how much more seeds would make the interval smaller, as of one
    that only the table has. None where that is known."""
    by_count: bool = False
    """Whether p is that of how many seeds learned."""
    zeros: int = 0
    """How many seeds are exactly 0, so that p is that of a sign test."""

    def at(self, p: float) -> Reason:
        """Why it is open with this ``p``, and what would decide it."""
        if self.zeros:
            return Reason(
                f"p = {number(p)} of the sign test, with {counted(self.zeros, 'seed')} of exactly 0, is too large"
            )
        if self.by_count:
            return Reason(
                f"p = {number(p)}, of how many seeds learned and corrected for the number of tests, is too large"
            )
        nearest = self.limits[0] if self.limits else math.nan
        own = self.interval.p(nearest)
        if math.isnan(self.interval.low):
            return Reason(f"{self.what} is the same in all seeds, and of so few p = {number(p)} is too large")
        if any(self.interval.low <= limit <= self.interval.high for limit in self.limits):
            why = f"the interval of {self.what} {self.why}"
        else:
            why = f"p = {number(p)} of {self.what}, corrected for the number of tests, is too large"
        return self._what_would(why, SIGNIFICANT * own / p, nearest) if own <= p else Reason(why)

    def _what_would(self, why: str, level: float, limit: float) -> Reason:
        """With what would make the p-value smaller than ``level``, which counts all tests of the claim."""
        if self.visible is not None:
            least = self.interval.visible(level)
            if self.visible is Form.FACTOR:
                times = factor(least)
                said = "" if math.isnan(times) else f"a factor of {number(times)}"
            else:
                said = f"a difference of {number(least, self.visible)}"
            return Reason(why, said and f"{said} from the limit would most likely have been shown")
        seeds = self.interval.seeds_for(limit, level)
        if math.isnan(seeds):
            return Reason(why)
        if math.isinf(seeds) and self.examples:
            would = f"no number of seeds on these {self.examples:,} examples would decide it, more may"
        elif seeds > _MANY:
            would = f"it would take more than {_MANY:,} seeds"
        else:
            would = f"about {seeds:.0f} seeds would decide it, if it is as measured"
        return Reason(why, would, seeds)
