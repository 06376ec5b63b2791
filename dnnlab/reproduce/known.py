"""What a run knows of one number of its summary: by seed where it has that, else by the interval in the table."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dnnlab.report.columns import Column
from dnnlab.runner.result import Run
from dnnlab.runner.summary import geometric
from dnnlab.statistics.comparisons import Comparison, welch
from dnnlab.statistics.intervals import Interval, t_quantile
from dnnlab.statistics.quantity import Quantity
from dnnlab.statistics.samples import Sample, compare, sample


@dataclass(frozen=True)
class Known:
    """What is known of a number of one row: its interval, also on the scale on which it is symmetric."""

    shown: Interval
    scaled: Interval
    log: bool
    sample: Sample | None = None
    exact: bool = False
    """Whether it is counted, so that there is no interval."""

    def p(self, limit: float) -> float:
        """The p-value of the true number being ``limit``."""
        if self.log and limit <= 0:  # what has a logarithm cannot be that
            return 0.0
        if self.sample is not None and self.zeros:
            return self.sample.p_of_median(self.on_scale(limit))
        return self.scaled.p(self.on_scale(limit))

    @property
    def zeros(self) -> int:
        """The seeds of what has a logarithm that are exactly 0: no interval says anything of them."""
        return 0 if self.sample is None or self.sample.zero is None else int(self.sample.zero.sum())

    @property
    def centre(self) -> float:
        """What is compared with a limit: where seeds are exactly 0 the median, else the mean."""
        if self.sample is None or not self.zeros:
            return self.shown.mean
        return math.exp(float(np.median(self.sample.ordered)))

    def on_scale(self, value: float) -> float:
        """``value`` on the scale on which the interval is symmetric."""
        return math.log(value) if self.log else value


def known(run: Run, column: Column, row: Mapping[Any, Any]) -> Known:
    """What is known of the number of ``column``: by seed where the run has that, else by its interval in the table."""
    n = int(row[run.schema.count])
    value = _number(row[column.name])
    if column.counted:
        exact = Interval(value, value, value, n)
        return Known(exact, exact, log=False, exact=True)
    quantity = next((each for each in run.schema.compared if each.name == column.name), None)
    if quantity is not None and run.schema.count in ("seeds", "processes"):
        own = _sample(run, quantity, row)
        scaled = own.interval
        shown = geometric(scaled) if quantity.log else scaled
        return Known(shown, scaled, quantity.log, own)
    if not column.low:
        unknown = Interval(value, math.nan, math.nan, n)
        return Known(unknown, unknown, log=False)
    shown = Interval(value, _number(row[column.low]), _number(row[column.high]), n)
    # What is fitted to all seeds at once has more degrees of freedom than seeds.
    freedom = _number(row["freedom"]) if "freedom" in row else n - 1
    return Known(shown, _with_error(_log(shown) if column.log else shown, freedom), column.log)


def _number(value: Any) -> float:
    return math.nan if value is None or value is pd.NA else float(value)


def _log(interval: Interval) -> Interval:
    mean, low, high = (math.log(x) if x else -math.inf for x in (interval.mean, interval.low, interval.high))
    return Interval(mean, low, high, interval.n)


def _with_error(interval: Interval, freedom: float) -> Interval:
    """An interval that a table has, by Student's t with so many degrees of ``freedom``, with its standard error."""
    if not freedom > 0 or not interval.high > interval.low:
        return interval
    half = (interval.high - interval.low) / 2
    shift = (interval.high + interval.low) / 2 - interval.mean
    error = half / t_quantile(freedom)
    return Interval(interval.mean, interval.low, interval.high, interval.n, error, freedom, shift=shift)


def _sample(run: Run, quantity: Quantity, row: Mapping[Any, Any]) -> Sample:
    """The seeds of one row."""
    names = [name for name in run.schema.configuration if name in run.seeds]
    chosen = [all(_same(seed[name], row[name]) for name in names) for seed in run.seeds[names].to_dict("records")]
    return sample(run.seeds[np.array(chosen, dtype=bool)], quantity)


def _same(a: object, b: object) -> bool:
    return a == b or (a != a and b != b)


def difference(mine: Known, theirs: Known, times: float) -> Comparison:
    """The difference of one number from ``times`` another of the same column, or of their logarithms: seed by seed, or
    where only the intervals of the two are known by Welch's t test."""
    if mine.sample is not None and theirs.sample is not None:
        return compare(theirs.sample.scaled(times), mine.sample)
    left, right, fewest = mine.scaled, theirs.scaled, min(mine.shown.n, theirs.shown.n)
    scale, shift = (1.0, math.log(times)) if mine.log else (times, 0.0)
    mean = left.mean - scale * right.mean - shift
    if not left.error > 0 or not right.error > 0:
        return Comparison(Interval(mean, math.nan, math.nan, fewest), math.nan, math.nan, 0, fewest)
    variances = [left.error**2, (scale * right.error) ** 2]
    gap = welch(mean, variances, [left.freedom, right.freedom], fewest)
    return Comparison(gap, gap.p(), math.nan, int(np.sign(mean)), fewest)
