"""The conditions of a claim as the ledger keeps them, and the small picture of an interval against its limits."""

import json
import math
from dataclasses import asdict, dataclass, replace

from dnnlab.report.numbers import Form, number
from dnnlab.reproduce.judge import Finding, Judgement

WIDTH, HEIGHT = 160, 28
"""The size of a picture in pixels."""
_MARGIN = 20
"""The pixels beside what is furthest to the left and to the right, so that it is seen on which side of it is shaded."""


@dataclass(frozen=True)
class Tested:
    """One condition in one row that it looks at. Its numbers are None where it was counted, has no interval, or was
    decided by how many seeds learned."""

    said: str
    """What was measured, in words."""
    met: bool | None
    """Whether the condition is met; None where that is open."""
    when: str
    """Its circumstances, in words."""
    control: bool
    """Whether it is a control of the claim."""
    value: float | None = None
    """The estimate."""
    low: float | None = None
    """The lower end of its 95 % interval."""
    high: float | None = None
    """The upper end."""
    above: float | None = None
    """The limit above which the claim wants it; None where there is none."""
    below: float | None = None
    """The limit below which the claim wants it; None likewise."""
    log: bool = False
    """Whether it is the logarithm that is estimated, as of a factor."""
    form: str = Form.NUMBER.value
    """How the number and its limits are written for a reader (`dnnlab.report.numbers.Form`)."""
    why: str = ""
    """Why it is open, and what would decide it; empty where it is not, and in the ledger of a version that did not keep
    it."""

    @property
    def wanted(self) -> str:
        """Where the claim wants the number, in words; empty where it wants none."""
        if self.above is not None and self.below is not None:
            return f"between {self._written(self.above)} and {self._written(self.below)}"
        if self.above is not None:
            return f"above {self._written(self.above)}"
        return "" if self.below is None else f"below {self._written(self.below)}"

    def _written(self, limit: float) -> str:
        return number(limit, Form(self.form))

    @property
    def picture(self) -> "Picture | None":
        """The picture of its interval against its limits; None without an interval or a limit."""
        if self.value is None or self.low is None or self.high is None or not self.wanted:
            return None
        limits = [limit for limit in (self.above, self.below) if limit is not None]
        numbers = [self.low, self.value, self.high, *limits]
        # What has a logarithm is drawn on a logarithmic axis, where its interval is symmetric.
        scale = math.log10 if self.log and min(numbers) > 0 else float
        places = _places([scale(number) for number in numbers])
        low, value, high, *ticks = places
        return Picture(
            low,
            value,
            high,
            tuple(ticks),
            ticks[0] if self.above is not None else 0.0,
            ticks[-1] if self.below is not None else float(WIDTH),
        )


@dataclass(frozen=True)
class Picture:
    """Where the parts of a picture lie, in pixels from its left."""

    low: float
    """The lower end of the interval."""
    value: float
    """The estimate."""
    high: float
    """The upper end of the interval."""
    limits: tuple[float, ...]
    """The one limit, or the two between which the claim wants the number."""
    start: float
    """Where the claim wants the number, from here …"""
    stop: float
    """… to here."""


def _places(numbers: list[float]) -> list[float]:
    """The places of ``numbers`` on an axis from the smallest to the largest; in the middle where all are the same."""
    # Halved, the difference of any two numbers is finite.
    halves = [each / 2 for each in numbers]
    least, span = min(halves), max(halves) - min(halves)
    shares = [(each - least) / span if span else 0.5 for each in halves]
    return [round(_MARGIN + (WIDTH - 2 * _MARGIN) * share, 1) for share in shares]


def written(judgement: Judgement) -> str:
    """What was found of each condition, then of each control, as a list in JSON, in which nothing stands twice."""
    conditions = [_tested(finding, control=False) for finding in judgement.findings]
    controls = [_tested(finding, control=True) for finding in judgement.controls]
    every = dict.fromkeys([*conditions, *controls])
    return json.dumps([asdict(each) for each in every], ensure_ascii=False, allow_nan=False)


def _tested(finding: Finding, control: bool) -> Tested:
    reading, interval = finding.reading, finding.reading.interval
    why = "" if finding.why is None else str(finding.why)
    said = Tested(reading.measured, finding.true, finding.when, control, why=why)
    numbers = (interval.mean, interval.low, interval.high)
    if reading.counted or reading.of_run or reading.by_count or not all(map(math.isfinite, numbers)):
        return said
    value, low, high = map(float, numbers)
    above, below = (limit if math.isfinite(limit) else None for limit in reading.wanted)
    return replace(
        said, value=value, low=low, high=high, above=above, below=below, log=reading.log, form=reading.form.value
    )


def read(text: str) -> tuple[Tested, ...]:
    """What `written` wrote; nothing from the ledger of a version that did not write it."""
    return tuple(Tested(**each) for each in json.loads(text)) if text else ()
