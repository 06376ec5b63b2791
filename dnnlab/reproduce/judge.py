"""From a finished run and a claim to a verdict, by intervals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dnnlab.errors import DnnlabError, counted, listing, unknown
from dnnlab.report.columns import Column, Schema
from dnnlab.report.table import estimate, number
from dnnlab.runner.recipe import Claim, Condition, Row
from dnnlab.runner.result import Run
from dnnlab.statistics.intervals import ENOUGH, Interval, by_seed, paired

HOLDS, HOLDS_IF, REFUTED, NOT_DECIDED = "holds", "holds if …", "refuted", "not decided"
NOT_RUN = "not run"


@dataclass(frozen=True)
class Finding:
    """The result of one condition in one row: ``true`` is `None` where the interval leaves it open."""

    true: bool | None
    measured: str
    value: float
    low: float
    high: float
    n: int
    when: str = ""
    why: str = ""
    """Why the condition is open; empty where it is not."""


@dataclass(frozen=True)
class Judgement:
    """The verdict on a claim, with its reasons; the numbers are those of the finding that decides."""

    verdict: str
    circumstances: str
    """For *holds if …*: when it holds, when not, and when that is open. For *not decided*: why."""
    findings: tuple[Finding, ...]

    @property
    def telling(self) -> Finding:
        """The finding that decides: for a refuted claim one that is against it, else the first."""
        against = [finding for finding in self.findings if finding.true is False]
        return against[0] if self.verdict == REFUTED else self.findings[0]


def check(claim: Claim, columns: Sequence[Column]) -> None:
    """Check that the columns of ``claim`` are in the summary, before anything is measured.

    Raises:
        UsageError: it does not.
    """
    names = [column.name for column in columns]
    for condition in claim.holds:
        other = condition.level if isinstance(condition.level, dict) else {}
        for name in (condition.metric, *condition.where, *other):
            if name not in names:
                raise unknown("column in [[claim.holds]]", name, names)


def judge(run: Run, claim: Claim) -> Judgement:
    """Decide ``claim`` on ``run``.

    A condition that is true in all of its rows is met, one that is false in any is not. All are met: holds. Some are,
    and each says when it is looked at: holds if. One is not: refuted. Else the intervals leave it open.

    Raises:
        DnnlabError: a condition names a row that the run does not have.
    """
    findings: list[Finding] = []
    outcomes: list[tuple[bool | None, str]] = []
    for condition in claim.holds:
        here = _findings(run, condition)
        findings += here
        truths = [finding.true for finding in here]
        met = False if False in truths else None if None in truths else True
        outcomes.append((met, condition.when))
    truths = [met for met, _ in outcomes]
    if all(truths):
        return Judgement(HOLDS, "", tuple(findings))
    if True in truths and all(when for _, when in outcomes):
        words = (f"{'holds' if met else 'open' if met is None else 'not'} {when}" for met, when in outcomes)
        return Judgement(HOLDS_IF, "; ".join(words), tuple(findings))
    if False in truths:
        return Judgement(REFUTED, "", tuple(findings))
    reasons = dict.fromkeys(finding.why for finding in findings if finding.true is None)
    return Judgement(NOT_DECIDED, "; ".join(reasons), tuple(findings))


def _findings(run: Run, condition: Condition) -> list[Finding]:
    column = next(column for column in run.schema.summary if column.name == condition.metric)
    return [_finding(run, condition, column, row) for row in _rows(run.summary, condition.where)]


def _rows(summary: pd.DataFrame, where: Row) -> list[dict[Any, Any]]:
    rows: list[dict[Any, Any]] = [row for row in summary.to_dict("records") if _fits(row, where)]
    if not rows:
        conditions = ", ".join(f"{name} = {value}" for name, value in where.items())
        raise DnnlabError(f"the run has no row with {conditions}, which the claim looks at.")
    return rows


def _fits(row: Mapping[Any, Any], where: Row) -> bool:
    return all(name in row and (row[name] == value or str(row[name]) == str(value)) for name, value in where.items())


def _finding(run: Run, condition: Condition, column: Column, row: dict[Any, Any]) -> Finding:
    if condition.relation == "is":
        return _word(run.schema, condition, row)
    if isinstance(condition.level, dict):
        return _against_row(run, condition, column, row)
    over = _Counted.of(run.schema, row)
    interval, measured = _interval(column, row, over.n)
    true, why = _decided(condition, interval, over, column.name, measured_at_all=bool(column.low))
    return Finding(true, measured, interval.mean, interval.low, interval.high, interval.n, condition.when, why)


@dataclass(frozen=True)
class _Counted:
    """What the numbers of a row are averaged over, and how many there are."""

    n: int
    what: str
    """The word for one of them: ``seed`` or ``measurement``."""
    lost: str
    """What happened to the others, as part of a sentence."""

    @classmethod
    def of(cls, schema: Schema, row: Mapping[Any, Any]) -> "_Counted":
        n = int(row[schema.count])
        lost = {name: int(row.get(name) or 0) for name in ("diverged", "failed")}
        told = [f"{count} of {n + lost['failed']} {name}" for name, count in lost.items() if count]
        return cls(n, "seed" if schema.count == "seeds" else "measurement", f" ({', '.join(told)})" if told else "")

    def too_few(self, n: int) -> str:
        """Why ``n`` of them are too few for a verdict; empty where they are enough."""
        return "" if n >= ENOUGH else f"{counted(n, self.what)}{self.lost}, and a verdict takes at least {ENOUGH}"


def _word(schema: Schema, condition: Condition, row: Mapping[Any, Any]) -> Finding:
    word, over = str(row[condition.metric]), _Counted.of(schema, row)
    true = None if word in ("undecided", "") else word == condition.level
    why = "" if true is not None else over.too_few(over.n) or f"{condition.metric} is {word or 'not known'}"
    value = float(row[schema.value]) if schema.value else math.nan
    reason = str(row[schema.reason]) if schema.reason else ""
    return Finding(true, reason or word, value, value, value, over.n, condition.when, why)


def _interval(column: Column, row: Mapping[Any, Any], n: int) -> tuple[Interval, str]:
    """A value with its interval over ``n``. A value without one, such as a count, is an interval of its own."""
    value = float(row[column.name])
    low, high = (float(row[end]) for end in (column.low, column.high)) if column.low else (value, value)
    shown = estimate(value, low, high) if column.low else estimate(value, None, None)
    return Interval(value, low, high, n), f"{column.name} {shown}"


def _decided(
    condition: Condition, interval: Interval, over: _Counted, what: str, measured_at_all: bool = True
) -> tuple[bool | None, str]:
    """Whether all of the interval of ``what``, or none of it, satisfies the claim; else why that is open. A count,
    which is not measured, needs no three seeds.

    What is counted and not measured needs no three seeds.
    """
    if measured_at_all and (few := over.too_few(interval.n)):
        return None, few
    if math.isnan(interval.low) or math.isnan(interval.high):
        return None, f"the interval of {what} is not known{over.lost}"
    match condition.relation:
        case "below":
            inside, outside = interval.high < condition.level, interval.low > condition.level
        case "above":
            inside, outside = interval.low > condition.level, interval.high < condition.level
        case _:
            low, high = condition.level
            inside, outside = low <= interval.low and interval.high <= high, interval.high < low or interval.low > high
    if inside or outside:
        return inside, ""
    if condition.relation == "within":
        return None, f"the interval of {what} lies only partly within {list(condition.level)}"
    return None, f"the interval of {what} holds {number(float(condition.level))}, so it may lie on either side"


def _against_row(run: Run, condition: Condition, column: Column, row: dict[Any, Any]) -> Finding:
    others = _rows(run.summary, {**condition.where, **condition.level})
    if len(others) > 1:
        raise DnnlabError(f"several rows fit {condition.level}, which the claim compares with; name one.")
    seeds = _seeds(run, column.name, row)
    other = _seeds(run, column.name, others[0])
    names = listing(map(str, condition.level.values()))
    over, beside = (_Counted.of(run.schema, each) for each in (row, others[0]))
    times = f"{condition.times:g} × " if condition.times != 1 else ""
    zero = Condition(condition.metric, condition.relation, 0.0)
    if seeds is not None and other is not None:
        left, right = seeds.align(condition.times * other, join="inner")
        difference = paired(right.tolist(), left.tolist()).difference
        what = f"{column.name} minus {times}that of {names}"
        shown = f"{what}: {estimate(difference.mean, difference.low, difference.high)}"
        true, why = _decided(zero, difference, over, what)
        return Finding(true, shown, difference.mean, difference.low, difference.high, difference.n, condition.when, why)
    mine, theirs = _interval(column, row, over.n)[0], _interval(column, others[0], beside.n)[0]
    ends = np.array([theirs.low, theirs.high]) * condition.times
    least = min(mine.n, theirs.n)
    gap = Interval(mine.mean - theirs.mean * condition.times, mine.low - ends[1], mine.high - ends[0], least)
    against = f"{times}{estimate(*theirs.named('x').values())}"
    shown = f"{column.name} {estimate(mine.mean, mine.low, mine.high)} against {against}"
    what = f"{column.name} minus {times}that of {names}"
    true, why = _decided(zero, gap, over, what, measured_at_all=bool(column.low))
    return Finding(true, shown, mine.mean, mine.low, mine.high, mine.n, condition.when, why)


def _seeds(run: Run, metric: str, row: Mapping[Any, Any]) -> "pd.Series[float] | None":
    """The values of the metric by seed, where the run has them."""
    if metric not in run.schema.compared:
        return None
    cells = run.spec.question.summary.per_cell(run.cells, run.spec)
    names = [name for name in run.schema.configuration if name in cells]
    selected = cells[[all(_same(cell[name], row[name]) for name in names) for cell in cells.to_dict("records")]]
    return by_seed(selected, metric)


def _same(a: object, b: object) -> bool:
    return a == b or (a != a and b != b)
