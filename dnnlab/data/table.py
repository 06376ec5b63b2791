"""A table of comma-separated values, one column of which is the class."""

import io
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dnnlab.data.dataset import Content
from dnnlab.data.files import DataFile
from dnnlab.data.splits import Split, fixed_stream, require_enough, stratified
from dnnlab.errors import DnnlabError, UsageError, listing, unknown

MOST_CLASSES = 1000
MOST_CATEGORIES = 100
LARGEST_VALUE = 1e38  # differences of two such values are still float32


def read(file: DataFile, target: str) -> Content:
    """The table in ``file``: ``x`` ``[n, feature]``, numbers as they are, texts one-hot; split 80/10/10.

    Classes are the distinct values of ``target``, sorted. Every class is split alike.

    Raises:
        UsageError: the file is no such table, or a column cannot be used; the sentence names it.
    """
    frame = _frame(file)
    if len(frame.columns) == 1 and (other := [mark for mark in ";\t|" if mark in str(frame.columns[0])]):
        raise UsageError(f"{file.path} is separated by {other[0]!r}; dnnlab reads values separated by commas.")
    if target not in frame:
        raise unknown("column", target, frame.columns)
    if missing := [name for name in frame if frame[name].isna().any()]:
        raise _unusable(file, "has missing values", missing, "fill them in or remove those rows")
    numeric = [name for name in frame if pd.api.types.is_numeric_dtype(frame[name].dtype)]
    if wild := [name for name in numeric if (frame[name].astype(float).abs() > LARGEST_VALUE).any()]:
        raise _unusable(file, "has infinite or enormous values", wild, f"keep them within ±{LARGEST_VALUE:g}")
    y, classes = _classes(file, frame[target])
    features = frame.drop(columns=target)
    if features.empty:
        raise UsageError(f"{file.path} has no column beside {target!r} to predict it from; add one.")
    split = Split(*stratified(y, [0.1, 0.1], classes, fixed_stream("csv")))
    require_enough(str(file.path), classes, split.train)
    columns = [
        column
        for name in features
        for column in ([features[name]] if name in numeric else _one_hot(file, features[name]))
    ]
    # It is filled column by column, and columns are contiguous until then.
    x = np.empty((len(features), len(columns)), np.float32, order="F")
    coarse = [column.name for column, place in zip(columns, x.T, strict=True) if _is_coarse(column, place)]
    notes = (f"{_columns(coarse)} is coarse in 32-bit numbers; subtract a constant from it",) if coarse else ()
    return Content(x, y, split, classes, notes)


def _frame(file: DataFile) -> pd.DataFrame:
    """The table as pandas reads it, with a distinct name for every column and a row at least."""
    try:
        content = file.content()
        # Without a space or a tab there is nothing to skip, and pandas takes half as long if it does not look for any.
        skips = b" " in content or b"\t" in content
        stream = io.BytesIO(content)
        with warnings.catch_warnings():
            # pandas only warns when it drops the end of rows that are longer than the header.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # The header is read first by itself: pandas makes up names for columns that share one or have none.
            head = pd.read_csv(
                stream, header=None, nrows=1, dtype=str, index_col=False, encoding="utf-8-sig",
                skipinitialspace=skips, keep_default_na=False,
            )  # fmt: skip
            stream.seek(0)
            frame = pd.read_csv(stream, index_col=False, encoding="utf-8-sig", skipinitialspace=skips, low_memory=False)
    except UnicodeDecodeError as error:
        raise file.problem(f"is no text in UTF-8 (byte {error.start + 1:,})") from None
    except pd.errors.EmptyDataError:
        raise file.problem("is empty") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise file.problem(f"has rows that do not match its header ({' '.join(str(error).split())})") from None
    names = head.iloc[0].tolist()
    if "" in names:
        raise UsageError(f"{file.path} has no name for column {names.index('') + 1}; name it, or drop a row count.")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"{file.path} has several columns named {twice[0]!r}; give each a name of its own.")
    if frame.empty:
        raise file.problem("has a header and no rows")
    return frame


def _classes(file: DataFile, column: pd.Series) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels ``[n]`` and the name of each class."""
    kind = column.dtype.kind
    if kind == "f" and (column % 1 == 0).all():
        column = column.map(int)
        kind = "i"
    if kind not in "iub":
        column = column.astype(str)
    y, values = pd.factorize(column, sort=True)
    if kind == "f" or len(values) > MOST_CLASSES:
        raise UsageError(
            f"column {column.name!r} of {file.path} has {len(values):,} different "
            f"{'numbers with fractions' if kind == 'f' else 'values'}: dnnlab classifies, and wants a "
            f"column of at most {MOST_CLASSES:,} classes."
        )
    return y.astype(np.int64), tuple(map(str, values))


def _one_hot(file: DataFile, column: pd.Series) -> list[pd.Series]:
    """A column for each distinct text."""
    if (count := column.nunique()) > MOST_CATEGORIES:
        raise UsageError(
            f"column {column.name!r} of {file.path} has {count:,} different texts, more than "
            f"{MOST_CATEGORIES}; remove it or make it a number."
        )
    dummies = pd.get_dummies(column.astype(str), prefix=str(column.name), prefix_sep="=")
    return [each for _, each in dummies.items()]


def _is_coarse(column: pd.Series, place: NDArray[np.float32]) -> bool:
    """Put ``column`` into ``place``. Whether it varies by what 32-bit numbers do not hold, as times in seconds since
    1970 do."""
    exact = column.to_numpy(np.float64)
    place[:] = exact
    lost = np.abs(exact - place).max()
    return bool(lost > 0 and exact.max() > exact.min() and lost > 0.01 * exact.std())


def _unusable(file: DataFile, what: str, names: Sequence[object], remedy: str) -> DnnlabError:
    return UsageError(f"{file.path} {what} in {_columns(names)}; {remedy}.")


def _columns(names: Sequence[object]) -> str:
    shown = [*map(repr, names[:5]), *([f"{len(names) - 5} more"] if len(names) > 5 else [])]
    return f"column{'s'[: len(names) > 1]} {listing(shown)}"
