"""What a run says about one condition of a claim, in each row that the condition looks at."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dnnlab.errors import DnnlabError, counted, listing
from dnnlab.report.columns import Column, Schema
from dnnlab.report.numbers import Form, estimate, number
from dnnlab.reproduce.known import Known, difference, known
from dnnlab.reproduce.reasons import Undecided
from dnnlab.runner.recipe import Condition, Row
from dnnlab.runner.result import Run
from dnnlab.runner.summary import geometric
from dnnlab.statistics.comparisons import Comparison
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
    undecided: Undecided | None = None
    """Why it is open where the corrected p-value is too large; None where p decides nothing."""
    by_count: bool = False
    """Whether it is decided by how many seeds learned, or lie on a side of the limit, of which the interval says
    nothing."""


class Reader:
    """Reads what a ``run`` says about ``conditions``, and names the rows of its summary that these look at or compare
    with by what tells these rows apart.

    Raises:
        DnnlabError: a condition has no such row, or several to compare with.
    """

    def __init__(self, run: Run, conditions: Sequence[Condition]) -> None:
        self.run = run
        self._summary: list[dict[Any, Any]] = run.summary.to_dict("records")
        looked = [row for condition in conditions for row in _rows(self._summary, condition.where)]
        looked += [_other(self._summary, condition) for condition in conditions if isinstance(condition.level, dict)]
        self._names: list[str] = []
        for name in run.schema.configuration:
            if name in run.summary and _different(looked, [*self._names, name]) > _different(looked, self._names):
                self._names.append(name)

    def readings(self, condition: Condition) -> list[Reading]:
        """What the run says about ``condition``, in each row that it looks at."""
        run = self.run
        column = next(column for column in run.schema.summary if column.name == condition.metric)
        rows = [(row, column.name + self._named(row)) for row in _rows(self._summary, condition.where)]
        if condition.relation == "is":
            return [_word(run.schema, condition, row, what) for row, what in rows]
        if isinstance(condition.level, dict):
            other = _other(self._summary, condition)
            return [_against_row(run, condition, column, row, other, what) for row, what in rows]
        return [_against_level(run, condition, column, row, what) for row, what in rows]

    def _named(self, row: Mapping[Any, Any]) -> str:
        """The name of ``row``, in brackets; empty where it is the only one."""
        return f" ({', '.join(_told(name, row[name]) for name in self._names)})" if self._names else ""


def _different(rows: Sequence[Mapping[Any, Any]], columns: Sequence[str]) -> int:
    """How many of the ``rows`` differ in some of the ``columns``."""
    return len({tuple(str(row[name]) for name in columns) for row in rows})


def _told(column: str, value: Any) -> str:
    """A value of a ``column`` of the configuration, in words that say what it is."""
    if isinstance(value, str):
        return f"no {column}" if value in ("", "none") else value
    return f"{column} {value:g}" if isinstance(value, float) else f"{column} {value}"


def _rows(summary: Sequence[dict[Any, Any]], where: Row) -> list[dict[Any, Any]]:
    rows = [row for row in summary if _fits(row, where)]
    if not rows:
        conditions = ", ".join(f"{name} = {value}" for name, value in where.items())
        raise DnnlabError(f"the run has no row with {conditions}, which the claim looks at.")
    return rows


def _fits(row: Mapping[Any, Any], where: Row) -> bool:
    return all(name in row and (row[name] == value or str(row[name]) == str(value)) for name, value in where.items())


def _other(summary: Sequence[dict[Any, Any]], condition: Condition) -> dict[Any, Any]:
    others = _rows(summary, {**condition.where, **condition.level})
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

    def too_few(self, n: int, of: int = 0) -> str:
        """Why ``n`` of them, or ``n`` of so many that can be compared, are too few for a verdict; empty where they are
        enough."""
        many = f"{n} of {counted(of, self.what)} can be compared" if of > n else counted(n, self.what)
        return "" if n >= ENOUGH else f"{many}{self.lost}, and a verdict takes at least {ENOUGH}"

    def unknown(self, p: float, what: str) -> str:
        """Why nothing is decided without a p-value; empty where there is one."""
        return f"the interval of {what} is not known{self.lost}" if math.isnan(p) else ""


def _word(schema: Schema, condition: Condition, row: Mapping[Any, Any], what: str) -> Reading:
    word, over = str(row[condition.metric]), _Counted.of(schema, row)
    known = word not in ("undecided", "", *schema.references, *schema.not_shown)
    value = float(row[schema.value]) if schema.value else math.nan
    reason = str(row[schema.reason]) if schema.reason else ""
    return Reading(
        reason or (word if what == condition.metric else f"{what} {word}"),
        Interval(value, value, value, over.n),
        word == condition.level if known else None,
        counted=bool(schema.source),
        of_run=True,
        reported=bool(schema.source) and row[schema.source] == REPORTED,
        open=(not schema.source and over.too_few(over.n))
        or ("" if known else f"{what} is {word or 'not known'}, which decides nothing"),
    )


def _against_level(run: Run, condition: Condition, column: Column, row: Mapping[Any, Any], what: str) -> Reading:
    over, found = _Counted.of(run.schema, row), known(run, column, row)
    shown, wanted = found.shown, _wanted(condition.relation, condition.level)
    side = _side(condition.relation, found.centre, condition.level)
    if found.exact:
        open_ = f"{what} is not known" if side is None else ""
        return Reading(f"{what} {number(shown.mean, column.form)}", shown, side, wanted, counted=True, open=open_)
    limits = [float(limit) for limit in (condition.level if condition.relation == "within" else [condition.level])]
    nearest = max(limits, key=found.p) if len(limits) > 1 else limits[0]  # on which the p-value rests
    # Of a value between two limits both must be excluded.
    p = max(found.p(limit) for limit in limits) if side else found.p(nearest)
    n = shown.n if found.sample is None else len(found.sample)
    between = listing([number(limit, column.form) for limit in sorted(limits)])
    undecided = Undecided(
        what,
        found.scaled,
        [found.on_scale(limit) for limit in (nearest, *limits) if limit > 0 or not found.log],
        f"lies only partly between {between}"
        if condition.relation == "within"
        else f"holds {between}, so it may lie on either side",
        examples=_examples(found.sample),
        visible=None if over.what == "seed" and found.sample is not None else _of_difference(column.form, found.log),
        zeros=found.zeros,
    )
    return Reading(
        f"{what} {estimate(shown.mean, shown.low, shown.high, column.form)}{_zeros(found)}",
        shown,
        side,
        wanted,
        found.log,
        form=column.form,
        p=p,
        open=over.too_few(n) or ("" if found.zeros else _divided(found.sample)) or over.unknown(p, what),
        undecided=undecided,
        by_count=found.zeros > 0,
    )


def _zeros(found: Known) -> str:
    """How many seeds are exactly 0, which the mean says nothing of; else empty."""
    if not found.zeros or found.sample is None:
        return ""
    return f", and exactly 0 in {found.zeros} of {counted(len(found.sample), 'seed')}"


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
    did = "did not learn or fell far behind the others" if of.quantity.guessing else "collapsed or diverged"
    return f"{lost} of {len(of)} seeds {did}, a share between {low} and {high}"


def _examples(of: Sample | None) -> int:
    return 0 if of is None or of.right is None else of.right.shape[1]


def _of_difference(form: Form, log: bool) -> Form:
    """How the difference of two numbers of one form is written, or of their logarithms, which is a factor."""
    if log:
        return Form.FACTOR
    return {Form.SHARE: Form.CHANGE, Form.POINTS: Form.CHANGE, Form.FACTOR: Form.NUMBER}.get(form, form)


def _against_row(
    run: Run, condition: Condition, column: Column, row: Mapping[Any, Any], other: Mapping[Any, Any], what: str
) -> Reading:
    mine, theirs = known(run, column, row), known(run, column, other)
    times = f"{condition.times:g} × " if condition.times != 1 else ""
    names = listing(_told(name, value) for name, value in condition.level.items())
    if mine.exact:
        limit = condition.times * theirs.shown.mean
        side, wanted = _side(condition.relation, mine.shown.mean - limit, 0.0), _wanted(condition.relation, limit)
        here, there = (number(each.shown.mean, column.form) for each in (mine, theirs))
        measured = f"{what} {here} against {times}{there}"
        open_ = f"{what} is not known" if side is None else ""
        return Reading(measured, mine.shown, side, wanted, counted=True, open=open_)
    what = f"{what} {'over' if mine.log else 'minus'} {times}that of {names}"
    over, found = _Counted.of(run.schema, row), difference(mine, theirs, condition.times)
    shown, none = (found.difference, 0) if not mine.log else (geometric(found.difference), 1)
    open_ = over.too_few(found.seeds)
    if not open_ and not found.p < SIGNIFICANT:
        open_ = over.too_few(found.difference.n, of=found.seeds)
    if not open_ and found.sign is None:
        open_ = f"{what} and the number of seeds that learned do not agree which of the two is larger"
    form = _of_difference(column.form, mine.log)
    return Reading(
        f"{what}: {estimate(shown.mean, shown.low, shown.high, form)}{_said_of(found, mine, theirs)}",
        shown,
        (found.sign > 0) == (condition.relation == "above") if found.sign else None,
        _wanted(condition.relation, none),
        mine.log,
        form=form,
        p=found.p,
        open=open_ or over.unknown(found.p, what),
        undecided=Undecided(
            what,
            found.difference,
            [0.0],
            f"holds {none}, so it may lie on either side",
            examples=_examples(mine.sample),
            visible=None if over.what == "seed" and mine.sample is not None else form,
            by_count=found.by_count,
        ),
        by_count=found.by_count,
    )


def _said_of(found: Comparison, mine: Known, theirs: Known) -> str:
    """What the difference of two rows and its interval do not say: that all seeds have the same one, and how many seeds
    of each learned, or did not collapse, where not all did."""
    said = ""
    if math.isnan(found.difference.low) and found.difference.n > 1 and not found.by_count:
        said = f", in each of {counted(found.difference.n, 'seed')}"
    if mine.sample is None or theirs.sample is None or (mine.sample.succeeded.all() and theirs.sample.succeeded.all()):
        return said
    quantity = mine.sample.quantity
    did = "learned" if quantity.guessing else "are above 0" if quantity.log else "neither collapsed nor diverged"
    here, there = (f"{int(each.succeeded.sum())} of {len(each)}" for each in (mine.sample, theirs.sample))
    return f"{said}, where {here} seeds {did} against {there}"
