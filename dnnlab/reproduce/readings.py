"""What a run says about one condition of a claim, in each row that the condition looks at."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dnnlab.errors import DnnlabError, counted, listing
from dnnlab.report.columns import Column, Schema
from dnnlab.report.numbers import Form, estimate, number
from dnnlab.reproduce.known import difference, known
from dnnlab.runner.recipe import Condition, Row
from dnnlab.runner.result import Run
from dnnlab.runner.summary import geometric
from dnnlab.statistics.intervals import ENOUGH, SIGNIFICANT, Interval
from dnnlab.statistics.samples import Sample

REPORTED = "reported"
"""The value of a schema's column of sources for numbers that others published."""
_MOST = 0.5
"""The share of seeds that must have been shown to learn before what holds of them is said of the network."""


@dataclass(frozen=True)
class Reading:
    """One condition in one row."""

    measured: str
    """What was measured, in words."""
    interval: Interval
    """The number that is compared, with its interval, as it is shown."""
    side: bool | None
    """Whether what was measured lies where the claim wants it; None where it lies nowhere."""
    wanted: tuple[float, float] = (-math.inf, math.inf)
    """From where to where the claim wants the number; all numbers where it wants a word."""
    log: bool = False
    """Whether it is the logarithm that is estimated, as of a factor."""
    form: Form = Form.NUMBER
    """How the number is written for a reader, and so are its limits."""
    p: float = math.nan
    """The p-value against the limit of the condition, two-sided and not corrected; nan where nothing was measured."""
    counted: bool = False
    """Whether it is arithmetic or counted, so that no chance is in it."""
    of_run: bool = False
    """Whether it is a verdict of the run itself, which was tested there."""
    reported: bool = False
    """Whether it rests on numbers that others published."""
    open: str = ""
    """Why it cannot be decided whatever p is; empty where it can."""
    undecided: str = ""
    """Why it is open where p is too large, and what would decide it."""


def readings_of(run: Run, condition: Condition) -> list[Reading]:
    """What ``run`` says about ``condition``, in each row of its summary that the condition looks at.

    Raises:
        DnnlabError: there is no such row, or several to compare with.
    """
    column = next(column for column in run.schema.summary if column.name == condition.metric)
    rows = _rows(run.summary, condition.where)
    if condition.relation == "is":
        return [_word(run.schema, condition, row) for row in rows]
    if isinstance(condition.level, dict):
        other = _other(run, condition)
        return [_against_row(run, condition, column, row, other) for row in rows]
    return [_against_level(run, condition, column, row) for row in rows]


def _rows(summary: pd.DataFrame, where: Row) -> list[dict[Any, Any]]:
    rows: list[dict[Any, Any]] = [row for row in summary.to_dict("records") if _fits(row, where)]
    if not rows:
        conditions = ", ".join(f"{name} = {value}" for name, value in where.items())
        raise DnnlabError(f"the run has no row with {conditions}, which the claim looks at.")
    return rows


def _fits(row: Mapping[Any, Any], where: Row) -> bool:
    return all(name in row and (row[name] == value or str(row[name]) == str(value)) for name, value in where.items())


def _other(run: Run, condition: Condition) -> dict[Any, Any]:
    others = _rows(run.summary, {**condition.where, **condition.level})
    if len(others) > 1:
        raise DnnlabError(f"several rows fit {condition.level}, which the claim compares with; name one.")
    return others[0]


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

    def unknown(self, p: float, what: str) -> str:
        """Why nothing is decided without a p-value; empty where there is one."""
        return f"the interval of {what} is not known{self.lost}" if math.isnan(p) else ""


def _word(schema: Schema, condition: Condition, row: Mapping[Any, Any]) -> Reading:
    word, over = str(row[condition.metric]), _Counted.of(schema, row)
    known = word not in ("undecided", "")
    value = float(row[schema.value]) if schema.value else math.nan
    reason = str(row[schema.reason]) if schema.reason else ""
    return Reading(
        reason or word,
        Interval(value, value, value, over.n),
        word == condition.level if known else None,
        counted=bool(schema.source),
        of_run=True,
        reported=bool(schema.source) and row[schema.source] == REPORTED,
        open="" if known else over.too_few(over.n) or f"{condition.metric} is {word or 'not known'}",
    )


def _against_level(run: Run, condition: Condition, column: Column, row: Mapping[Any, Any]) -> Reading:
    what, over, found = column.name, _Counted.of(run.schema, row), known(run, column, row)
    shown, wanted = found.shown, _wanted(condition.relation, condition.level)
    side = _side(condition.relation, shown.mean, condition.level)
    if found.exact:
        open_ = f"{what} is not known" if side is None else ""
        return Reading(f"{what} {number(shown.mean, column.form)}", shown, side, wanted, counted=True, open=open_)
    limits = [float(limit) for limit in (condition.level if condition.relation == "within" else [condition.level])]
    nearest = min(limits, key=lambda limit: abs(shown.mean - limit))
    # Of a value between two limits both must be excluded.
    p = max(found.p(limit) for limit in limits) if side else found.p(nearest)
    n = shown.n if found.sample is None else len(found.sample)
    if condition.relation == "within":
        within = " and ".join(number(limit, column.form) for limit in limits)
        why = f"the interval of {what} lies only partly between {within}"
    else:
        why = f"the interval of {what} holds {number(nearest, column.form)}, so it may lie on either side"
    return Reading(
        f"{what} {estimate(shown.mean, shown.low, shown.high, column.form)}",
        shown,
        side,
        wanted,
        found.log,
        form=column.form,
        p=p,
        open=over.too_few(n) or _divided(found.sample) or over.unknown(p, what),
        undecided=_undecided(p, why, found.seeds_for(nearest), found.sample, row),
    )


def _wanted(relation: str, level: Any) -> tuple[float, float]:
    """From where to where a claim wants a number."""
    match relation:
        case "below":
            return -math.inf, float(level)
        case "above":
            return float(level), math.inf
        case _:
            return float(level[0]), float(level[1])


def _side(relation: str, value: float, level: Any) -> bool | None:
    """Whether a value lies where the claim wants it; None where it is not known."""
    if math.isnan(value):
        return None
    match relation:
        case "below":
            return bool(value < level)
        case "above":
            return bool(value > level)
        case _:
            return bool(level[0] <= value <= level[1])


def _divided(of: Sample | None) -> str:
    """Why seeds of two kinds decide nothing, where it is not shown that most of them are of the kind that is averaged;
    else empty."""
    if of is None or not of.of_two_kinds or of.success.low > _MOST:
        return ""
    lost = len(of) - int(of.succeeded.sum())
    low, high = (number(1 - end, Form.SHARE) for end in (of.success.high, of.success.low))
    did = "did not learn" if of.quantity.guessing else "collapsed or diverged"
    return f"{lost} of {len(of)} seeds {did}, a share between {low} and {high}"


def _undecided(p: float, why: str, seeds: float, of: Sample | None, row: Mapping[Any, Any]) -> str:
    """Why something is open whose p-value is too large: ``why``, or that it is so only among several conditions; and
    what would decide it. Of an interval that only the table has, it is not known how much of it seeds make smaller."""
    why = why if not p < SIGNIFICANT else f"p = {number(p)} is too large among so many conditions"
    if of is None:
        visible = float(row.get("visible", math.nan))
        if math.isnan(visible):
            return why
        least = number(visible, Form.POINTS)
        return f"{why}; so many seeds and examples would most likely have shown a difference of {least}"
    if math.isinf(seeds):
        if of.right is not None:
            return f"{why}; no number of seeds on these {of.right.shape[1]:,} examples would decide it, more may"
        return f"{why}; it would take more than a thousand seeds"
    return why if math.isnan(seeds) else f"{why}; about {seeds:.0f} seeds would decide it, if it is as measured"


def _of_difference(form: Form, log: bool) -> Form:
    """How the difference of two numbers of one form is written, or of their logarithms, which is a factor."""
    if log:
        return Form.FACTOR
    return {Form.SHARE: Form.CHANGE, Form.POINTS: Form.CHANGE, Form.FACTOR: Form.NUMBER}.get(form, form)


def _against_row(
    run: Run, condition: Condition, column: Column, row: Mapping[Any, Any], other: Mapping[Any, Any]
) -> Reading:
    mine, theirs = known(run, column, row), known(run, column, other)
    times = f"{condition.times:g} × " if condition.times != 1 else ""
    names = listing(map(str, condition.level.values()))
    if mine.exact:
        limit = condition.times * theirs.shown.mean
        side, wanted = _side(condition.relation, mine.shown.mean - limit, 0.0), _wanted(condition.relation, limit)
        here, there = (number(each.shown.mean, column.form) for each in (mine, theirs))
        measured = f"{column.name} {here} against {times}{there}"
        open_ = f"{column.name} is not known" if side is None else ""
        return Reading(measured, mine.shown, side, wanted, counted=True, open=open_)
    what = f"{column.name} {'over' if mine.log else 'minus'} {times}that of {names}"
    over, found = _Counted.of(run.schema, row), difference(mine, theirs, condition.times)
    shown, none = (found.difference, 0) if not mine.log else (geometric(found.difference), 1)
    open_ = over.too_few(found.seeds)
    if not open_ and not found.p < SIGNIFICANT:
        open_ = over.too_few(found.difference.n)
    if not open_ and found.sign is None:
        open_ = f"{what} speaks for one of the two, and how many of the seeds learned for the other"
    why = f"the interval of {what} holds {none}, so it may lie on either side"
    form = _of_difference(column.form, mine.log)
    return Reading(
        f"{what}: {estimate(shown.mean, shown.low, shown.high, form)}",
        shown,
        (found.sign > 0) == (condition.relation == "above") if found.sign else None,
        _wanted(condition.relation, none),
        mine.log,
        form=form,
        p=found.p,
        open=open_ or over.unknown(found.p, what),
        undecided=_undecided(found.p, why, found.difference.seeds_for(0.0), mine.sample, {}),
    )
