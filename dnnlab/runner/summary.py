"""The common part of all summaries: rows are grouped, failed seeds counted, configurations compared by seed.

An experiment's ``summary.py`` is made of these functions and of what only that experiment asks. The rows are those of
``cells.csv``, or of the table that ``per_cell`` makes of it, which has one row for each configuration and seed.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from dnnlab.report.numbers import Form, number
from dnnlab.statistics.comparisons import Comparison, holm
from dnnlab.statistics.intervals import SIGNIFICANT, Interval, finite
from dnnlab.statistics.quantity import Quantity
from dnnlab.statistics.samples import Sample, compare, nothing, sample


def configurations(rows: pd.DataFrame, names: Sequence[str]) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Each configuration as a dict of the columns ``names``, and its rows, in the order of their first rows."""
    if rows.empty:
        return
    for values, group in rows.groupby(list(names), sort=False, dropna=False):
        yield dict(zip(names, values, strict=True)), group


def by_configuration(rows: pd.DataFrame, names: Sequence[str]) -> dict[tuple[Any, ...], pd.DataFrame]:
    """The rows of each configuration by its values in the columns ``names``."""
    return {tuple(configuration.values()): group for configuration, group in configurations(rows, names)}


class Group:
    """Some rows of a table, a column of which is an array: where there are thousands of groups, a data frame for each
    costs more than what is computed from it. Text that is missing is "", and a missing number is nan."""

    def __init__(self, columns: Mapping[str, np.ndarray], rows: slice | np.ndarray) -> None:
        self._columns, self._rows = columns, rows

    def __getitem__(self, column: str) -> np.ndarray:
        return self._columns[column][self._rows]

    def __contains__(self, column: str) -> bool:
        return column in self._columns

    def __len__(self) -> int:
        return len(self["error"])

    def where(self, mask: np.ndarray) -> "Group":
        """The rows for which ``mask [row]`` is true."""
        rows = self._rows
        return Group(self._columns, np.arange(rows.start, rows.stop)[mask] if isinstance(rows, slice) else rows[mask])

    @property
    def measured(self) -> "Group":
        """The rows without an error."""
        return self.where(self["error"] == "")

    @property
    def failed(self) -> int:
        """The number of seeds that have an error in at least one of their rows."""
        return len(set(self["seed"][self["error"] != ""].tolist()))


def groups(rows: pd.DataFrame, names: Sequence[str]) -> Iterator[tuple[dict[str, Any], Group]]:
    """What `configurations` gives, with the rows of each configuration as arrays. ``rows`` have a column ``error``."""
    if rows.empty:
        return
    numbers = rows.groupby(list(names), sort=False, dropna=False).ngroup().to_numpy()
    order = np.argsort(numbers, kind="stable")
    columns = {str(name): _array(rows[name])[order] for name in rows.columns}
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    values = zip(*(rows[name].take(order[starts]).tolist() for name in names), strict=True)
    for value, (start, stop) in zip(values, itertools.pairwise([*starts.tolist(), len(rows)]), strict=True):
        yield dict(zip(names, value, strict=True)), Group(columns, slice(start, stop))


def _array(column: pd.Series) -> np.ndarray:
    if column.dtype.kind in "OU":
        return column.astype(object).where(column.notna(), "").to_numpy()
    if column.isna().any():
        return column.to_numpy(float, na_value=math.nan)
    return column.to_numpy({"i": np.int64, "b": np.bool_}.get(column.dtype.kind))


def has_error(rows: pd.DataFrame) -> "pd.Series[bool]":
    """For each row whether it has an ``error``; "", None and nan are none."""
    return rows["error"].fillna("") != ""


def measured(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows without an error."""
    return rows[~has_error(rows)]


def failed(rows: pd.DataFrame) -> int:
    """The number of seeds that have an error in at least one of their rows."""
    return int(rows.loc[has_error(rows), "seed"].nunique())


def diverged(losses: "np.ndarray | pd.Series[float]") -> int:
    """The number of losses, one per seed, that are infinite or not a number."""
    return int((~np.isfinite(losses.astype(float))).sum())


def mostly_diverged(row: Any) -> Any:
    """Whether more than half of the ``seeds`` of a row of the summary have ``diverged``; for a table, row by row."""
    return row["diverged"] > row["seeds"] / 2


def mean(values: "Sequence[float] | np.ndarray | pd.Series[float]") -> float:
    """The mean of the finite ``values``; nan where there is none."""
    x = finite(values)
    return float(x.mean()) if len(x) else math.nan


def geometric(logs: Interval, exp: Callable[[float], float] = math.exp) -> Interval:
    """The geometric mean and its interval, from logarithms; ``exp`` undoes the logarithm."""
    return Interval(exp(logs.mean), exp(logs.low), exp(logs.high), logs.n)


def factor(log: float) -> float:
    """The factor with this logarithm; nan where it is too large for a number."""
    return math.exp(log) if log < _LARGEST_LOG else math.nan


_LARGEST_LOG = 700.0


def learned(of: Sample) -> dict[str, Any]:
    """The columns `report.columns.LEARNED_SEEDS` of a sample of accuracies."""
    share = of.success
    return {"learned": int(of.succeeded.sum()), "learned_lo": share.low, "learned_hi": share.high}


def compared(reference: pd.DataFrame | None, other: pd.DataFrame | None, quantity: Quantity) -> Comparison:
    """The difference of ``other`` from ``reference`` in a ``quantity``, on the seeds that both have.

    Args:
        reference: One row per seed, with the columns that the quantity names; None, where there are no rows, compares
            nothing.
        other: The same of the other configuration.
        quantity: What is compared. A seed where it is not finite is left out.
    """
    if reference is None or other is None:
        return compare(nothing(quantity), nothing(quantity))
    return compare(sample(reference, quantity), sample(other, quantity))


def corrected(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons with p-values corrected for their number (Holm)."""
    ps = holm([comparison.p for comparison in comparisons])
    # Those that are shown leave the others a larger share of the level.
    left = sum(not math.isnan(p) and p >= SIGNIFICANT for p in ps)
    return [
        replace(comparison, p=p, tests=comparison.tests * max(1, left + (p < SIGNIFICANT)))
        for comparison, p in zip(comparisons, ps, strict=True)
    ]


def against(rows: Sequence[pd.DataFrame | None], quantity: Quantity, reference: int = 0) -> list[Comparison]:
    """Each of several configurations against the one at the position ``reference``, with p-values corrected (Holm).

    Args:
        rows: For each configuration one row per seed, or None where it has no part in this.
        quantity: What is compared, as in `compared`.
        reference: Its own comparison is nan and over no seeds.
    """
    return corrected(
        [compared(rows[reference] if i != reference else None, other, quantity) for i, other in enumerate(rows)]
    )


def decided(comparison: Comparison) -> int | None:
    """The direction of a ``comparison``; None also where no difference is shown and none could have been: fewer than
    three seeds are in it, since the others did not learn in both, or they show no spread."""
    direction = comparison.direction
    return direction if direction or not math.isnan(comparison.visible) else None


def named(intervals: Sequence[Interval], name: str, ends: str = "") -> dict[str, list[float]]:
    """Intervals, one per row, as the columns ``NAME``, ``ENDS_lo`` and ``ENDS_hi``; without ``ends`` as ``NAME_lo``."""
    ends = ends or name
    return {
        name: [interval.mean for interval in intervals],
        f"{ends}_lo": [interval.low for interval in intervals],
        f"{ends}_hi": [interval.high for interval in intervals],
    }


def unseen(rows: pd.DataFrame, same: str) -> list[str]:
    """Beside the verdict ``same``, that no difference was shown: which difference would have been, in a sentence."""
    known = rows.loc[rows["verdict"] == same, "visible"].dropna()
    if known.empty:
        return []
    least = number(known.max(), Form.POINTS)
    where = "" if len(known) == 1 else f" in any of these {len(known)} rows"
    return [f"A difference of {least} would most likely have been shown{where}; a smaller one may be there."]


def of_seeds(row: Any) -> str:
    """In brackets how many seeds of a ``row`` learned, where not all of them did: its accuracy is that of these."""
    count, seeds = int(row["learned"]), int(row["seeds"])
    return "" if count == seeds else f" ({count or 'none'} of {seeds} seeds learned)"


def not_learned(summary: pd.DataFrame, name: Callable[[Any], str], accuracy: str = "accuracy") -> list[str]:
    """A sentence for each row with an ``accuracy`` of which not all seeds learned, with its ``name``."""
    told = []
    for row in summary[(summary["learned"] < summary["seeds"]) & summary[accuracy].notna()].to_dict("records"):
        lost, seeds = int(row["seeds"] - row["learned"]), int(row["seeds"])
        if not row["learned"]:
            which = f"none of {seeds} seeds" if seeds > 1 else "its one seed"
            not_ = "" if seeds > 1 else "not "
            told.append(f"{name(row)}: {which} is {not_}shown to be better than guessing.")
            continue
        low, high = (number(1 - row[end], Form.SHARE) for end in ("learned_hi", "learned_lo"))
        told.append(
            f"{name(row)}: {lost} of {seeds} seeds did not learn or fell far behind the others, a share between {low} "
            f"and {high}; its accuracy is that of the others."
        )
    return told


def names_with_data(rows: pd.DataFrame, column: str, summary: pd.DataFrame) -> list[str]:
    """The names in a ``column`` of some ``rows`` of the summary, each with its data set where it is not there for all
    of the summary's."""
    on = rows.groupby(column)["data"].nunique()
    everywhere = on.index[on == summary["data"].nunique()]
    pairs = zip(rows[column], rows["data"], strict=True)
    return list(dict.fromkeys(name if name in everywhere else f"{name} ({data})" for name, data in pairs))


def uncounted(summary: pd.DataFrame) -> list[str]:
    """A sentence for each network that multiplies by parameters in ways whose multiply–accumulates are not counted."""
    named = summary[summary["uncounted"].fillna("") != ""].drop_duplicates(["arch", "uncounted"])
    return [
        f"What {row['arch']} multiplies by its parameters in {row['uncounted']} is in none of its counts."
        for row in named.to_dict("records")
    ]


def in_words(verdicts: "pd.Series[str]", says: Mapping[str, tuple[str, str]], what: str = "networks") -> str:
    """What holds of how many rows, by what each verdict ``says`` of one and of several: ``5 of 8 networks keep the
    gradient, 3 lose it``."""
    counts = verdicts.value_counts()
    parts = [f"{count} {says[str(verdict)][int(count != 1)]}" for verdict, count in counts.items()]
    if len(parts) == 1 and len(verdicts) > 1:
        number = "Both" if len(verdicts) == 2 else f"All {len(verdicts)}"
        return f"{number} {what} {says[str(verdicts.iloc[0])][1]}"
    first, *others = parts
    number, _, rest = first.partition(" ")
    return ", ".join([f"{number} of {len(verdicts)} {what} {rest}", *others])


def tally(verdicts: "pd.Series[str]") -> str:
    """The number of times that each verdict occurs, the most frequent first: ``2 vanishing, 1 healthy``."""
    return ", ".join(f"{count} {word}" for word, count in verdicts.value_counts().items())
