"""The summary as text: cells for a reader, CSV, and strict JSON."""

import csv
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dnnlab import atomic
from dnnlab.errors import plain
from dnnlab.report.columns import Column, check
from dnnlab.report.numbers import MISSING, estimate, number

Value = str | int | float | bool | None


def values(series: pd.Series) -> list[Value]:
    """The column as plain Python values, None where one is missing (NaN too)."""
    return [
        None if missing else value.item() if isinstance(value, np.generic) else value
        for value, missing in zip(series.tolist(), series.isna(), strict=True)
    ]


def cells(frame: pd.DataFrame, column: Column) -> list[str]:
    """The texts of ``column``, row by row: estimates with intervals, a dash for missing values."""
    if column.low:
        rows = zip(*(values(frame[name]) for name in (column.name, column.low, column.high)), strict=True)
        return [estimate(value, low, high, column.form) for value, low, high in rows]
    return [_cell(value, column) for value in values(frame[column.name])]


def _cell(value: Value, column: Column) -> str:
    if _says_nothing(value, column):
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain(value) if isinstance(value, str) else number(value, column.form)


def _says_nothing(value: Value, column: Column) -> bool:
    return value is None or value == column.blank or (isinstance(value, str) and not value.strip())


def fold(frame: pd.DataFrame, columns: Sequence[Column]) -> tuple[list[Column], str]:
    """The columns worth showing, and the others in one line: those with one value in all of several rows.

    Estimates and the column ``verdict`` stay: that all rows agree there is the news. Columns that hold nothing in
    any row are in neither.
    """
    shown, same = [], []
    for column in columns:
        if len(frame) and all(_says_nothing(value, column) for value in values(frame[column.name])):
            continue
        told = column.low or column.name == "verdict"
        if told or len(frame) < 2 or frame[column.name].nunique(dropna=False) > 1:
            shown.append(column)
        else:
            same.append(column)
    return shown, written(same, frame)


def written(columns: Sequence[Column], frame: pd.DataFrame) -> str:
    """The values of ``columns`` in the first row, in one line."""
    return " · ".join(
        f"{column.screen or column.name} {cells(frame, column)[0]} {column.unit_beside}".rstrip() for column in columns
    )


FEW = 6
"""The most columns where there is no room for all, if more are not needed to tell rows apart."""


def by_importance(
    columns: Sequence[Column], names: Sequence[str], first: Sequence[str]
) -> tuple[list[Column], list[Column]]:
    """The columns that always stay, which are those of ``names``, by which rows are told apart, and the verdict; and
    the others, the ``first`` ones before the rest."""
    kept = [column for column in columns if column.name in names or column.name == "verdict"]
    others = [column for column in columns if column not in kept]
    return kept, sorted(others, key=lambda column: first.index(column.name) if column.name in first else len(first))


def fit(frame: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """``frame`` with just the columns of the schema, in its order and types.

    What is absent or missing becomes NaN, a missing ``Int64`` or ``boolean``, or "".
    """
    nothing = pd.Series([None] * len(frame), dtype=object, index=frame.index)
    return pd.DataFrame({c.name: _of_type(frame.get(c.name, nothing), c.dtype) for c in columns}, copy=False)


def _of_type(series: pd.Series, dtype: type) -> pd.Series:
    if dtype is str:
        return series.astype(object).where(series.notna(), "")
    if dtype is float:
        return series.astype("float64")
    gaps = bool(series.isna().any())
    if dtype is bool:
        return series.astype("boolean" if gaps else "bool")
    return series.astype("Int64" if gaps else "int64")


def to_csv(frame: pd.DataFrame, columns: Sequence[Column], path: Path) -> None:
    r"""Write ``frame`` whole or not at all: columns in the schema's order, floats that read back bit for bit.

    Lines end in ``\n``, a missing value is empty, infinities are ``inf`` and ``-inf``, truth ``True`` and
    ``False``. A lone surrogate (a file name that was no UTF-8) is written as an escape such as ``\udc80``.

    Raises:
        ValueError: ``frame`` does not fit ``columns``.
        OSError: ``path`` cannot be written; it is then as it was.
    """
    atomic.write_parts(path, csv_parts(frame, columns))


def csv_parts(frame: pd.DataFrame, columns: Sequence[Column]) -> Iterator[bytes]:
    """The text that `to_csv` writes, in pieces.

    Raises:
        ValueError: ``frame`` does not fit ``columns``.
    """
    check(frame, columns)
    return (text.encode("utf-8", "backslashreplace") for text in _csv(frame, columns))


_ROWS = 20_000
"""The number of rows that are turned into text at a time."""


def _csv(frame: pd.DataFrame, columns: Sequence[Column]) -> Iterator[str]:
    # csv.writer leaves a lone \r unquoted before Python 3.13, and pandas then reads a line's end there.
    yield _lines([[_quoted(column.name)] for column in columns])
    for start in range(0, len(frame), _ROWS):
        part = frame.iloc[start : start + _ROWS]
        yield _lines([_fields(part[column.name], column.dtype) for column in columns])


def _lines(columns: Sequence[Sequence[str]]) -> str:
    empty = '""'  # an empty line would be no row, which concerns files of one column
    return "".join(f"{line or empty}\n" for line in map(",".join, zip(*columns, strict=True)))


def _fields(series: pd.Series, dtype: type) -> list[str]:
    """The column as text, by column rather than by cell: tables have millions."""
    if dtype is float:
        numbers = series.to_numpy(float)
        texts = np.full(len(numbers), "", dtype=object)
        there = ~np.isnan(numbers)
        texts[there] = list(map(repr, numbers[there].tolist()))
        return list(texts)
    codes, distinct = pd.factorize(series)
    written = [_quoted(str(value)) for value in distinct]
    return list(np.array([*written, ""], dtype=object)[codes])  # missing values have the code -1


def _quoted(field: str) -> str:
    if field and not any(mark in field for mark in ',"\r\n'):
        return field
    return '"' + field.replace('"', '""') + '"' if field else ""


def read_csv(path: Path, columns: Sequence[Column]) -> pd.DataFrame:
    """Read what :func:`to_csv` wrote, the types from the schema; a text "NA" or "None" stays that text.

    Empty is NaN for floats, missing for ``Int64`` and ``boolean`` (used only where one is missing) and "" for
    text.

    Raises:
        ValueError: the file is not of this schema.
        OSError: the file cannot be read.
    """
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    if torn := next((line for line, row in enumerate(rows, 2) if len(row) != len(header)), None):
        raise ValueError(f"row {torn} of {path} has not as many fields as the header.")
    types = {column.name: column.dtype for column in columns}
    frame = pd.DataFrame(
        {name: _typed([row[position] for row in rows], types.get(name, str)) for position, name in enumerate(header)}
    )
    check(frame, columns)
    return frame


def _typed(fields: list[str], dtype: type) -> pd.Series:
    if dtype is str:
        return pd.Series(fields, dtype=object)
    if dtype is float:
        return pd.Series([float(field) if field else math.nan for field in fields], dtype="float64")
    gaps = "" in fields
    if dtype is bool:
        if strange := set(fields) - {"True", "False", ""}:
            raise ValueError(f"{strange.pop()!r} is neither True nor False.")
        truth = [field == "True" if field else None for field in fields]
        return pd.Series(truth, dtype="boolean" if gaps else "bool")
    return pd.Series([int(field) if field else None for field in fields], dtype="Int64" if gaps else "int64")


def to_records(frame: pd.DataFrame) -> list[dict[str, Value]]:
    """The rows for strict JSON, which knows neither NaN nor infinity: both become None."""
    columns = {str(name): values(frame[name]) for name in frame.columns}
    return [
        {name: None if isinstance(value, float) and math.isinf(value) else value for name, value in row.items()}
        for row in (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    ]


def to_json(frame: pd.DataFrame) -> str:
    """The rows as a JSON array that any strict parser reads, full precision, one object a row."""
    return json.dumps(to_records(frame), indent=2, allow_nan=False)
