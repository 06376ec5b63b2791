"""A table of comma-separated values, one column of which is the class.

A cell is missing where it is empty, and only there. Spaces around cells and names do not count.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dnnlab.data import names
from dnnlab.data.cells import MARKER, NEARLY, NUMBER, OTHERWISE, TEXT, TIME, kind
from dnnlab.data.dataset import Content, standardise
from dnnlab.data.files import DataFile
from dnnlab.data.names import ALIKE, alike, common, merged, shown
from dnnlab.data.rows import Rows
from dnnlab.data.splits import Split, fixed_stream, require_enough, stratified
from dnnlab.errors import DnnlabError, UsageError, short, some

MOST_CLASSES = 1000
MOST_CATEGORIES = 100
FEW_NUMBERS = 10
"""The most different numbers that can be names of categories where other texts are beside them, as in 2, 3, more."""
LARGEST_VALUE = 1e38  # differences of two such values are still float32
_LEADING_ZERO = re.compile(r"(?m)^\s*[+-]?0[0-9]")
_PADDED = re.compile(rb"[,\r\n][ \t\"]*[+-]?0[0-9]")
"""What a table with such a number has."""
_THOUSANDS = re.compile(r"[+-]?(?:[0-9]{1,3}|[1-9][0-9]{0,2}(\.[0-9]{3}))")
_BOOLEANS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}
_LONG = re.compile(rb"[0-9][0-9.]{16}")
"""What a table with a number of more digits than 64 bits hold has."""
_LOOKED_AT = 1000
"""Rows from the top by which it is told whether numbers become the same."""
# The ends of notes on columns.
COARSE = "is coarse in 64-bit numbers; subtract a constant from it"
TOO_CLOSE = (
    "has different numbers that are the same in 32 bits when it is standardised, since others are far away; mend those "
    "or take logarithms"
)
SAME = "has different numbers that are the same in 64 bits"
# The beginnings of notes. Cells follow.
READ_AS_TEXT = "read as texts like any other, and not as missing values"
CATEGORIES = "read as texts, as are the numbers in their columns"
LIKE_NUMBERS = "read as texts, a feature for each, though they may be numbers"
TIMES = "dates and times read as texts, a feature for each"
POINTS = "read with a decimal point, and whole numbers beside them in their columns"
ALL_POINTS = "read with a decimal point, where thousands may be meant: every number has three digits behind it"
PADDED = "read as numbers, so that zeros before them do not count"
MERGED = f"read as one, since they are the same number or {names.MERGED}"


def read(file: DataFile, target: str) -> Content:
    """The table in ``file``: ``x`` ``[n, feature]``, numbers and one-hot texts, standardised; split 80/10/10.

    Classes are the distinct values of ``target``, sorted. Every class is split alike.

    Raises:
        UsageError: the file is no such table, or a column cannot be used; the sentence names it, and the cell.
    """
    target = target.strip()
    table = _Table(file, file.content())
    frame = table.frame(target)
    texts = {
        name: _Texts.of(column) for name, column in frame.items() if not pd.api.types.is_numeric_dtype(column.dtype)
    }
    gaps = {name: texts[name].missing if name in texts else column.isna() for name, column in frame.items()}
    if any(cells.any() for cells in gaps.values()):
        table.require_equal()
    empty = {name: cells for name, cells in gaps.items() if cells.all()}
    table.require_none(empty, "has nothing but missing values", "remove what is empty")
    table.require_none(gaps, "has missing values", "fill them in or remove those rows")
    y, classes = _classes(table, texts[target])
    features = frame.drop(columns=target)
    columns = [
        column
        for name, numbers in features.items()
        for column in (_feature(table, texts[name]) if name in texts else [numbers])
    ]
    _tell_header(table, frame, texts)
    read_as = {str(column.name): column for column in columns if column.name in features and column.dtype.kind in "iuf"}
    _tell_spellings(table, read_as)
    _tell_same(table, [name for name, column in read_as.items() if name not in texts and column.dtype.kind == "f"])
    wild = {column.name: column.astype(float).abs() > LARGEST_VALUE for column in columns}
    table.require_none(wild, "has infinite or enormous values", f"keep them within ±{LARGEST_VALUE:g}")
    split = Split(*stratified(y, [0.1, 0.1], classes, fixed_stream("csv")))
    require_enough(str(file.path), classes, split.train)
    # It is filled column by column, and columns are contiguous until then.
    x = np.empty((len(features), len(columns)), np.float32, order="F")
    moments = np.empty((2, len(columns)))
    far = {}
    for index, column in enumerate(columns):
        place = x[:, index]
        _, *moments[:, index] = standardise(column.to_numpy(), split.train, place)
        far[column.name] = ~np.isfinite(place)
        _tell_coarse(table, column, place, moments[1, index])
    what = f"has values more than {np.finfo(np.float32).max:.0e} standard deviations from the mean of what trains"
    table.require_none(far, what, "mend them or remove those rows")
    return Content(x, y, split, classes, table.notes(), (moments[0], moments[1]))


@dataclass
class _Table(Rows):
    """A table, and what there is to say of its cells."""

    cells: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The beginning of a note to the cells that it is about."""
    coarse: list[Any] = field(default_factory=list)
    """Columns that vary by what 64-bit numbers hardly hold."""
    merged: list[Any] = field(default_factory=list)
    """Columns with different numbers that are the same in 32 bits when they are standardised."""
    others: list[str] = field(default_factory=list)
    """Notes on whole columns."""

    def cell(self, column: "_Texts", index: int) -> str:
        """The first cell that has this text of ``column``."""
        row = int(np.argmax(column.codes == index))
        return f"{shown(column.texts[index])} in {self.place(row)} of column {column.name!r}"

    def require_none(self, bad: Mapping[Any, Any], what: str, remedy: str) -> None:
        """Raise where a column has cells that are ``bad``: each column's ``[n]`` booleans."""
        if names := [name for name, cells in bad.items() if cells.any()]:
            first = self.place(int(np.argmax(bad[names[0]])))
            raise UsageError(f"{self.file.path} {what} in {_columns(names)} (the first in {first}); {remedy}.")

    def refuse(self, column: "_Texts", index: int, what: str) -> DnnlabError:
        return UsageError(f"{self.file.path} has {self.cell(column, index)}, {what}.")

    def notes(self) -> tuple[str, ...]:
        whole = {COARSE: self.coarse, TOO_CLOSE: self.merged}
        columns = (f"{_columns(names)} {what}" for what, names in whole.items() if names)
        return (*columns, *self.others, *(f"{what}: {some(cells)}" for what, cells in self.cells.items()))


@dataclass(frozen=True)
class _Texts:
    """A column of texts."""

    name: str
    texts: list[str]
    """The distinct texts, with the spaces around them."""
    codes: NDArray[np.int64]
    """Indices into ``texts`` ``[n]``; -1 where there is none."""

    @classmethod
    def of(cls, column: "pd.Series[Any]") -> "_Texts":
        codes, texts = pd.factorize(column)
        return cls(str(column.name), list(map(str, texts)), codes)

    @cached_property
    def plain(self) -> list[str]:
        """``texts`` without spaces around them."""
        return [text.strip() for text in self.texts]

    @cached_property
    def names(self) -> list[str]:
        """For each of ``texts`` the name of the class or category that it is: see `names.merged`."""
        return merged(self.plain)

    @cached_property
    def kinds(self) -> NDArray[np.str_]:
        """What each of ``texts`` may be: see `cells.kind`."""
        return np.array([kind(text) for text in self.plain])

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Where a cell has nothing but spaces and what is not seen ``[n]``."""
        return np.array([*(not common(text) for text in self.texts), True])[self.codes]

    def mostly(self, *kinds: str) -> bool:
        """Whether most of what tells something is of these kinds, by cells or by different texts."""
        counts = np.bincount(self.codes, minlength=len(self.texts))
        such, told = np.isin(self.kinds, kinds), self.kinds != MARKER
        return bool(2 * such.sum() > told.sum() or 2 * counts[such].sum() > counts[told].sum())

    @property
    def mostly_numbers(self) -> bool:
        return self.mostly(NUMBER, OTHERWISE)

    def ranked(self, values: Sequence[Any]) -> tuple[NDArray[np.int64], list[Any]]:
        """For each cell ``[n]`` the rank of its text's value, and the distinct values in order."""
        distinct = sorted(set(values))
        rank = {value: index for index, value in enumerate(distinct)}
        return np.array([rank[value] for value in values], np.int64)[self.codes], distinct

    def first(self, *kinds: str) -> list[int]:
        """The index of the first of ``texts`` that is of these kinds, or none, in a list."""
        return np.flatnonzero(np.isin(self.kinds, kinds))[:1].tolist()


def _tell_header(table: _Table, frame: pd.DataFrame, texts: Mapping[Any, _Texts]) -> None:
    """Note where a header may be a row of values, whose example is lost then, and refuse a table where it seems so."""
    numeric = {name for name in table.names if name not in texts or (texts[name].kinds == NUMBER).all()}
    if any(kind(name) != NUMBER and not (frame[name].dtype == bool and name in _BOOLEANS) for name in numeric):
        return  # it would be no number among numbers
    values = [name for name in table.names if name not in texts or name in texts[name].plain]
    # Counts are names, as those of pandas, and whole numbers may be.
    counts = [str(number) for number in range(len(values) + 1)]
    line = f"line {table.first_line:,}"
    if len(values) == len(table.names) and values not in (counts[:-1], counts[1:]):
        alike = f"each name in {line} is such as the values below it, {some([repr(short(name)) for name in values])}"
        raise UsageError(f"{table.file.path} has no header, as it seems: {alike}; write names above the first row.")
    if sure := [repr(short(name)) for name in values if not name.isdecimal()]:
        table.others.append(f"{line} was read as names of columns, though {some(sure)} may be values")


def _classes(table: _Table, column: _Texts) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels ``[n]`` and the name of each class."""
    _tell_markers(table, column)
    values: Sequence[Any] = column.names
    numbers = column.kinds == NUMBER
    if numbers.all():
        # Exactly, whatever their size.
        exact = [Decimal(text) for text in column.plain]
        for index in [i for i, value in enumerate(exact) if value != value.to_integral_value()][:1]:
            raise table.refuse(
                column, index, "and dnnlab classifies: the classes are whole numbers or texts"
            )  # fmt: skip
        if all(-(2**63) <= value < 2**64 for value in exact):
            values = list(map(int, exact))
    elif set(column.plain) <= set(_BOOLEANS):
        values = [_BOOLEANS[text] for text in column.plain]
    else:
        _tell_numbers(table, column)
    y, classes = column.ranked(values)
    if len(classes) > MOST_CLASSES:
        raise UsageError(
            f"column {column.name!r} of {table.file.path} has {len(classes):,} different values: dnnlab classifies, "
            f"and takes at most {MOST_CLASSES:,} classes."
        )
    _tell_merged(table, column, values)
    if values is not column.names:
        alone = Counter(values)
        padded = [i for i, text in enumerate(column.plain) if _LEADING_ZERO.match(text) and alone[values[i]] == 1]
        for index in padded[:1]:
            table.cells[PADDED].append(table.cell(column, index))
    return y, tuple(map(str, classes))


def _feature(table: _Table, column: _Texts) -> list["pd.Series[Any]"]:
    """The numbers in ``column``, which pandas took for texts, or else a column for each distinct text."""
    numbers = column.kinds == NUMBER
    if numbers.all():
        if _become_same(column.plain):
            table.others.append(f"{_columns([column.name])} {SAME}")
        return [pd.Series(np.array(list(map(float, column.plain)))[column.codes], name=column.name)]
    if set(column.plain) <= _BOOLEANS.keys():
        return [pd.Series(np.array([_BOOLEANS[text] for text in column.plain])[column.codes], name=column.name)]
    if column.mostly_numbers:
        for index in column.first(OTHERWISE):
            raise table.refuse(
                column, index, "which is no number as dnnlab reads them; write numbers such as 1234.5, without signs "
                "of thousands, currency or percent",
            )  # fmt: skip
        if numbers.sum() > FEW_NUMBERS:
            raise _among_numbers(table, column, int(np.flatnonzero(~numbers)[0]))
    if not _tell_numbers(table, column) and column.mostly(NUMBER, OTHERWISE, NEARLY):
        for index in column.first(NEARLY):
            table.cells[LIKE_NUMBERS].append(table.cell(column, index))
    _tell_markers(table, column)
    count = len(set(column.names))
    if count > MOST_CATEGORIES:
        raise UsageError(
            f"column {column.name!r} of {table.file.path} has {count:,} different texts, more than "
            f"{MOST_CATEGORIES}; remove it or make it a number."
        )
    if times := column.first(TIME):
        table.cells[TIMES].append(table.cell(column, times[0]))
    elif count > FEW_NUMBERS and 2 * count > len(column.codes):
        rows = f"{count:,} different texts in {len(column.codes):,} rows"
        table.others.append(f"column {column.name!r} has {rows}, each of which became a feature")
    _tell_merged(table, column, column.names)
    codes, distinct = column.ranked(column.names)
    return [pd.Series(codes == code, name=f"{column.name}={text}") for code, text in enumerate(distinct)]


def _tell_numbers(table: _Table, column: _Texts) -> bool:
    """Note numbers among texts, and give whether there are any."""
    found = [column.first(NUMBER), column.first(OTHERWISE, TIME, NEARLY, TEXT)]
    if all(found):
        table.cells[CATEGORIES].append(table.cell(column, found[1][0]))
    return all(found)


def _tell_markers(table: _Table, column: _Texts) -> None:
    """Note what may have been meant as a missing value; it is refused among numbers."""
    for index in column.first(MARKER):
        if column.mostly_numbers:
            raise _among_numbers(table, column, index)
        table.cells[READ_AS_TEXT].append(table.cell(column, index))


def _among_numbers(table: _Table, column: _Texts, index: int) -> DnnlabError:
    what = "where most cells of the column are numbers; write a number there or remove that row"
    return table.refuse(column, index, what)


def _tell_merged(table: _Table, column: _Texts, values: Sequence[Any]) -> None:
    """Note texts of ``column`` that differ and have the same of its ``values``, and values that hardly differ."""
    same = defaultdict(list)
    for index, value in enumerate(values):
        same[value].append(index)
    near = alike(value for value in same if isinstance(value, str))
    for what, groups in {
        MERGED: same.values(),
        ALIKE: ([same[value][0] for value in group] for group in near),
    }.items():
        for one, other in (indices[:2] for indices in groups if len(indices) > 1):
            table.cells[what].append(f"{shown(column.texts[one])} and {table.cell(column, other)}")


def _tell_spellings(table: _Table, columns: Mapping[str, "pd.Series[Any]"]) -> None:
    """Note how the numbers in ``columns`` are written, where that may mean something else: with zeros before them, or
    with points that may be between thousands."""
    padded = set(columns) if _PADDED.search(table.content) else set()
    pointed = {name: _Points() for name, column in columns.items() if _may_be_thousands(column)}
    names = padded | set(pointed)
    parts = table.texts(sorted(names)) if names else iter(())
    for part in parts:
        for name in filter(padded.__contains__, part.columns):
            texts = part[name].tolist()
            if _LEADING_ZERO.search("\n".join(texts)):  # quicker than one after the other
                row = next(row for row, text in enumerate(texts) if _LEADING_ZERO.match(text))
                cell = f"{short(texts[row].strip())!r} in {table.place(int(part.index[row]))} of column {name!r}"
                table.cells[PADDED].append(cell)
                padded.remove(name)
        for name in filter(pointed.__contains__, part.columns):
            distinct = part[name].str.strip().drop_duplicates()
            for row, text in zip(map(int, distinct.index), distinct, strict=True):
                if not pointed[name].allow(text, row):
                    del pointed[name]
                    break
        if not padded and not pointed:
            break
    for name, points in pointed.items():
        if points.first is not None:
            row, text = points.first
            table.cells[POINTS if points.whole else ALL_POINTS].append(
                f"{text!r} in {table.place(row)} of column {name!r}"
            )


def _tell_same(table: _Table, columns: Sequence[str]) -> None:
    """Note different numbers at the top of ``columns`` that pandas has made the same."""
    if not columns or not _LONG.search(table.content):
        return
    top = next(table.texts(columns))[:_LOOKED_AT]
    if same := [name for name in columns if _become_same(top[name].str.strip().unique().tolist())]:
        table.others.append(f"{_columns(same)} {SAME}")


def _become_same(texts: Sequence[str]) -> bool:
    """Whether some of these numbers differ, and not in 64 bits."""
    numbers = [text for text in texts if kind(text) == NUMBER]
    return len(set(map(float, numbers))) < len(set(map(Decimal, numbers)))


@dataclass
class _Points:
    """Whether points may be between thousands, as in 950, 1.200, 2.500: no number of the column has other decimals."""

    whole: bool = False
    """Whether there are numbers without a point."""
    first: tuple[int, str] | None = None
    """The row and the text of the first number with one."""

    def allow(self, text: str, row: int) -> bool:
        """Whether that may still be so with this ``text``."""
        match = _THOUSANDS.fullmatch(text)
        if match and match[1] and self.first is None:
            self.first = row, text
        self.whole |= bool(match and not match[1])
        return match is not None


def _may_be_thousands(column: "pd.Series[Any]") -> bool:
    """Whether `_Points` may be, which is quickly told by the numbers: most columns are told apart here."""
    size = column.abs()
    if column.dtype.kind != "f" or size.max() >= 1000 or ((size > 0) & (size < 1)).any():
        return False
    thousandfold = (size * 1000).to_numpy()
    return bool(np.abs(thousandfold - thousandfold.round()).max() < 1e-6)


def _tell_coarse(table: _Table, column: "pd.Series[Any]", place: NDArray[np.float32], std: float) -> None:
    """Note a ``column`` that varies by what 64-bit numbers hardly hold, or by less than 32-bit ones do when it is
    standardised, which is in ``place``."""
    top = column[:_LOOKED_AT].nunique()
    if column.dtype.kind == "f" and column.min() < column.max() and 0.01 * std < np.spacing(column.abs().max()):
        table.coarse.append(column.name)
    # Random numbers of 17 digits may meet by chance, but hardly ever do.
    elif top - len(np.unique(place[:_LOOKED_AT])) > top // 100:
        table.merged.append(column.name)


def _columns(names: Sequence[object]) -> str:
    return f"column{'s'[: len(names) > 1]} {some(list(map(repr, names)), 5)}"
