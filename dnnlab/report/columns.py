"""The columns of a file: typed, documented, and checked whenever the file is written or read.

Importing this module does not import pandas.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dnnlab.errors import listing
from dnnlab.report import numbers
from dnnlab.report.numbers import Form
from dnnlab.statistics.quantity import Quantity

if TYPE_CHECKING:
    import pandas as pd

_KINDS = {int: "iu", float: "f", bool: "b"}
"""The letters by which numpy and pandas call these types (``dtype.kind``)."""


@dataclass(frozen=True)
class Column:
    """One column of a file. An estimate names the columns that hold the two ends of its interval, and says whether it
    is the logarithm that is estimated, as of a factor. The file has the numbers in its ``unit`` and in full precision;
    ``form`` says how a reader sees them.

    Raises:
        ValueError: only one end of an interval is named.
    """

    name: str
    dtype: type[str] | type[int] | type[float] | type[bool]
    help: str
    unit: str = ""
    screen: str = ""  # the heading on the screen; without one the column is only in the files and on the page
    low: str = ""
    high: str = ""
    log: bool = False
    counted: bool = False  # whether it is arithmetic or counted, such as parameters, so that no chance is in it
    form: Form = Form.NUMBER
    blank: int | None = None  # what stands in rows to which it does not apply, where a reader sees a dash

    def __post_init__(self) -> None:
        if bool(self.low) != bool(self.high):
            raise ValueError(f"column {self.name!r} needs both ends of its interval, or none.")

    @property
    def heading(self) -> str:
        """The heading above the column, with its unit in brackets."""
        name = self.screen or self.name
        return f"{name} ({self.unit_beside})" if self.unit_beside else name

    @property
    def unit_beside(self) -> str:
        """The unit that is written once for all numbers; bytes have theirs behind each."""
        return "" if self.form is Form.BYTES else self.unit


def estimate(
    name: str,
    help: str,
    screen: str = "",
    *,
    ends: str = "",
    interval: str = "95 % interval over seeds",
    log: bool = False,
    form: Form = Form.NUMBER,
) -> tuple[Column, Column, Column]:
    """An estimate and the two ends of its ``interval``: ``NAME``, ``NAME_lo`` and ``NAME_hi``.

    Args:
        name: The column of the estimate.
        help: What is estimated.
        screen: Its heading on the screen, with the interval; without one it is only in the files and on the page.
        ends: What stands before ``_lo`` and ``_hi`` in the place of the name.
        interval: Its level, and what it is over.
        log: Whether its logarithm is estimated, so that the interval is symmetric there.
        form: How a reader sees it.
    """
    low, high = f"{ends or name}_lo", f"{ends or name}_hi"
    return (
        Column(name, float, help, screen=screen, low=low, high=high, log=log, form=form),
        Column(low, float, f"lower end of its {interval}", form=form),
        Column(high, float, "upper end", form=form),
    )


def verdict(help: str) -> Column:
    """The column of verdicts; ``help`` says which there are, and what each means."""
    return Column("verdict", str, help, screen="verdict")


SEED = Column("seed", int, "number of the seed, above --seed")
ERROR = Column("error", str, "why nothing was measured")
"""The last column of every ``cells.csv``."""

ANSWERS = (
    Column("right", str, "which of those examples it got right: their number, and a bit for each in base64"),
    Column("guessing", float, "share of the most frequent class among them, which guessing reaches"),
)
"""What an accuracy in ``cells.csv`` was counted from."""

SEEDS = Column("seeds", int, "seeds that were measured", screen="seeds")
LEARNED_SEEDS = (
    Column(
        "learned",
        int,
        "seeds that learned: they are better than guessing, and not far below the others. The accuracy is that of "
        "these; of all seeds where none learned",
    ),
    Column(
        "learned_lo", float, "lower end of the exact 95 % interval of the share of seeds that learn", form=Form.SHARE
    ),
    Column("learned_hi", float, "upper end", form=Form.SHARE),
)
OVER_BOTH = "95 % interval over seeds and examples"
EXACT = "exact 95 % interval over seeds"


def accuracy(help: str, name: str = "accuracy", interval: str = OVER_BOTH) -> tuple[Column, ...]:
    """The columns of an accuracy: how many seeds learned, and the estimate over them."""
    return (*LEARNED_SEEDS, *estimate(name, help, name, interval=interval, form=Form.SHARE))


VISIBLE = Column(
    "visible",
    float,
    "the smallest difference that so many seeds and examples would have shown with probability .8",
    form=Form.POINTS,
)
NOTHING_VISIBLE = (
    "undecided also where nothing is shown and nothing could have been, since fewer than three seeds learned in both, "
    "or they all differ by the same"
)
"""When a verdict is undecided by `runner.summary.decided`."""
DIVERGED_SEEDS = Column("diverged", int, "seeds whose loss became infinite or not a number")
FAILED_SEEDS = Column("failed", int, "seeds that failed; cells.csv says why")
UNCOUNTED = Column(
    "uncounted", str, "functions that read a parameter and may multiply by it, but whose products are not counted"
)
FAILED_CELLS = Column("failed", int, "cells that failed; cells.csv says why")
"""The column of failed cells, for questions that have no seeds."""


@dataclass(frozen=True)
class Schema:
    """The columns of a run's two files, and what a reader of them must know."""

    cells: Sequence[Column]
    summary: Sequence[Column]
    tones: Mapping[str, str]
    """The tone of each verdict: good, bad, warn or muted."""
    configuration: Sequence[str]
    """The columns of ``summary.csv`` that name a row."""
    compared: Sequence[Quantity]
    """The quantities, one a cell, by which configurations and runs are compared, and on which claims are judged."""
    first: Sequence[str] = ()
    """What is measured, most important first: these columns stay on a screen that has no room for all."""
    count: str = "seeds"
    """The column of ``summary.csv`` that counts the seeds or measurements of an estimate."""
    verdict: str = "verdict"
    """The column of the verdict."""
    reason: str = ""
    """The column of the reason in words; `value` is that of the number behind it. Both are empty where a verdict has
    none."""
    value: str = ""
    source: str = ""
    """The column that says where a row's numbers come from, ``computed`` or ``reported`` by others; empty where all of
    them are measured."""
    references: Sequence[str] = ()
    """The words that stand in place of a verdict in rows that others are compared with."""
    not_shown: Sequence[str] = ()
    """The verdicts that say no more than that something was not shown."""

    def __post_init__(self) -> None:
        names = [column.name for column in self.summary]
        references = [
            self.count,
            self.verdict,
            *filter(None, (self.reason, self.value, self.source)),
            *self.first,
            *self.configuration,
        ]
        if missing := [name for name in references if name not in names]:
            raise ValueError(f"the summary lacks {listing(missing)}, which its schema names.")

    def number(self, row: "Mapping[Any, Any] | pd.Series", name: str) -> str:
        """The column ``name`` of a ``row`` of the summary for a sentence: as the table has it, without its interval."""
        return numbers.number(row[name], self._column(name).form)

    def estimate(self, row: "Mapping[Any, Any] | pd.Series", name: str) -> str:
        """The column ``name`` of a ``row`` of the summary for a sentence: as the table has it, with its interval."""
        column = self._column(name)
        return numbers.estimate(row[name], row[column.low], row[column.high], column.form)

    def _column(self, name: str) -> Column:
        return next(column for column in self.summary if column.name == name)


def check(frame: "pd.DataFrame", columns: Sequence[Column]) -> None:
    """Make sure that ``frame`` has exactly these columns, in any order, each of its type.

    Values may be missing: NaN in a float column, None in a text column, and in the nullable ``Int64`` and
    ``boolean``. An empty frame has no types to check.

    Raises:
        ValueError: names every column that is missing, not in the schema, twice there, or of another type.
    """
    names = [column.name for column in columns]
    ends = [end for column in columns for end in (column.low, column.high) if end]
    faults = []
    if missing := [name for name in dict.fromkeys(names + ends) if name not in frame.columns]:
        faults.append(f"missing {listing(missing)}")
    if extra := [str(name) for name in frame.columns if name not in names]:
        faults.append(f"not in the schema: {listing(extra)}")
    if twice := [str(name) for name in frame.columns[frame.columns.duplicated()]]:
        faults.append(f"twice there: {listing(twice)}")
    elif len(frame):
        for column in columns:
            if column.name in frame.columns and not _has_type(frame[column.name], column.dtype):
                dtype = frame[column.name].dtype
                faults.append(f"{column.name} should hold {column.dtype.__name__}, not {dtype}")
    if faults:
        raise ValueError(f"the columns do not fit: {'; '.join(faults)}.")


def _has_type(values: "pd.Series", dtype: type) -> bool:
    if dtype is str:
        from pandas.api.types import infer_dtype

        # pandas 3 has a type for text; before it, and for text with None in it, "object" says too little.
        return values.dtype.kind == "O" and infer_dtype(values, skipna=True) in ("string", "empty")
    return values.dtype.kind in _KINDS[dtype]
