"""The rows of a file of comma-separated values, and where each is in the file."""

import codecs
import csv
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from dnnlab.data.cells import NUMBER, kind
from dnnlab.data.files import DataFile
from dnnlab.errors import DnnlabError, UsageError, counted, short, unknown

_NO_TEXT = {
    b"PK\x03\x04": "a zip archive or a spreadsheet: save the table in it as comma-separated values in UTF-8",
    b"\x1f\x8b": "packed by gzip, and its name does not end in .csv.gz",
}
"""What files are that begin so."""
_CELL = re.compile(
    rb' *"[^"]*(?:""[^"]*)*(?:"(?P<behind>[^,\r\n]*)(?:[,\r\n]|\Z)|(?P<unclosed>\Z))|[^,\r\n]*(?:[,\r\n]|\Z)'
)
"""One cell and what ends it, from whose quotation marks is told what they do not close."""
_ENDS = re.compile(rb"\r\n?|\n")
_ROWS = 10_000
"""Rows whose texts are held at a time."""


@dataclass
class Rows:
    """The ``content`` of a ``file``, once `frame` has read it."""

    file: DataFile
    content: bytes
    names: list[str] = field(default_factory=list)
    """The names of its columns."""
    count: int = 0
    """The number of rows below the header."""

    def frame(self, target: str) -> pd.DataFrame:
        """The table as pandas reads it, the column ``target`` as texts: two columns and a row at least.

        Raises:
            UsageError: the file is no such table.
        """
        self._require_text()
        # Without a space or a tab there is nothing to skip, and pandas takes half as long if it does not look for any.
        skips = b" " in self.content or b"\t" in self.content
        try:
            self.names = self._names(target)
            self._require_closed_cells()
            with warnings.catch_warnings():
                # pandas only warns when it drops the end of rows that are longer than the header.
                warnings.simplefilter("error", pd.errors.ParserWarning)
                frame = pd.read_csv(
                    io.BytesIO(self.content), header=0, names=self.names, dtype={target: str}, index_col=False,
                    encoding="utf-8-sig", skipinitialspace=skips, low_memory=False, keep_default_na=False,
                    na_values=[""],
                )  # fmt: skip
        except UnicodeDecodeError:
            raise self._no_text() from None
        except (pd.errors.ParserError, pd.errors.ParserWarning, csv.Error) as error:
            raise self._mismatch(self._uneven() or str(error)) from None
        if frame.empty:
            raise self.file.problem("has a header and no rows")
        self.count = len(frame)
        return frame

    def _names(self, target: str) -> list[str]:
        """The distinct names of all columns, without spaces around them. pandas would make some up."""
        path = self.file.path
        _, header = next(self._records(), (0, []))
        names = [name.strip() for name in header]
        if not names:
            raise self.file.problem("is empty")
        if len(names) == 1 and (other := [mark for mark in ";\t|" if mark in names[0]]):
            decimal = other[0] == ";" and re.search(rb"(?m)(?:^|;)\s*-?[0-9]+,[0-9]", self.content)
            also, points = (" and has decimal commas", ", with decimal points") if decimal else ("", "")
            raise UsageError(
                f"{path} is separated by {other[0]!r}{also}; dnnlab reads values separated by commas{points}."
            )
        if target not in names:
            raise unknown("column", target, names)
        if "" in names:
            raise UsageError(f"{path} has no name for column {names.index('') + 1}; name it, or drop a row count.")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            below = "write names above the first row" if kind(twice[0]) == NUMBER else "give each a name of its own"
            raise UsageError(f"{path} has several columns named {twice[0]!r}; {below}.")
        if len(names) == 1:
            raise UsageError(f"{path} has no column beside {target!r} to predict it from; add one.")
        return names

    def _records(self, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
        """The cells of each row, the header's first, and the line where it begins, counted from 1. Blank lines are
        left out, as pandas does. Where it is ``strict``, quotation marks elsewhere than the format has them are a
        ``csv.Error``."""
        csv.field_size_limit(max(csv.field_size_limit(), len(self.content)))
        text = io.TextIOWrapper(io.BytesIO(self.content), "utf-8-sig", newline="")
        reader, line = csv.reader(text, skipinitialspace=True, strict=strict), 1
        for cells in reader:
            if len(cells) > 1 or "".join(cells).strip():
                yield line, cells
            line = reader.line_num + 1

    @cached_property
    def _lines(self) -> Sequence[int]:
        """The line where each row begins; empty where it cannot be known."""
        content = self.content
        ends = content.count(b"\n")
        simple = b'"' not in content and content.count(b"\r") == content.count(b"\r\n")
        if simple and ends + (not content.endswith(b"\n")) == self.count + 1:
            return range(2, self.count + 2)
        try:
            lines = [line for line, _ in self._records()][1:]
        except csv.Error:
            return ()
        return lines if len(lines) == self.count else ()

    def texts(self, names: Sequence[str]) -> Iterator[pd.DataFrame]:
        """The texts of columns, numbers too, some rows at a time; the index counts rows from 0 below the header."""
        with pd.read_csv(
            io.BytesIO(self.content), header=0, names=self.names, usecols=list(names), dtype=str, index_col=False,
            encoding="utf-8-sig", skipinitialspace=True, keep_default_na=False, chunksize=_ROWS,
        ) as parts:  # fmt: skip
            yield from parts

    def place(self, row: int) -> str:
        """Where ``row`` is, counted from 0 below the header."""
        return f"line {self._lines[row]:,}" if self._lines else f"row {row + 1:,} below the header"

    def require_equal(self) -> None:
        """Raise where a row has fewer cells than the header. pandas fills it up with missing ones."""
        if uneven := self._uneven():
            raise self._mismatch(uneven)

    def _require_text(self) -> None:
        """Raise for files that look like texts to pandas and are none."""
        for start, what in _NO_TEXT.items():
            if self.content.startswith(start):
                raise self.file.problem(f"is {what}")
        if (end := self.content.find(b"\0")) >= 0:
            line = self.content[:end].count(b"\n") + 1
            raise self.file.problem(
                f"is no text in UTF-8 (a zero byte in line {line:,}, as UTF-16 has them): save it as UTF-8"
            )

    def _require_closed_cells(self) -> None:
        """Raise where a quotation mark opens a cell and none closes it, or the cell goes on behind the one that closes
        it: both parsers would take the rows up to the next mark for one cell, and leave out that mark."""
        if b'"' not in self.content or self._is_strict():
            return
        content = self.content.removeprefix(codecs.BOM_UTF8)
        for cell in _CELL.finditer(content):
            behind = (cell["behind"] or b"").decode(errors="replace").strip()
            unclosed = cell["unclosed"] is not None
            if not behind and not unclosed:
                continue
            line = f"line {len(_ENDS.findall(content, 0, cell.start())) + 1:,}"
            raise self._mismatch(
                f"a quotation mark opens a cell in {line}, and none closes it"
                if unclosed
                else f"a cell that a quotation mark opens in {line} goes on behind the next mark, "
                f"with {short(behind)}; inside a cell write two of them for one"
            )

    def _is_strict(self) -> bool:
        """Whether all quotation marks stand where the format has them."""
        try:
            for _ in self._records(strict=True):
                pass
        except csv.Error:
            return False
        return True

    def _no_text(self) -> DnnlabError:
        try:
            self.content.decode()
        except UnicodeDecodeError as error:
            line = self.content[: error.start].count(b"\n") + 1
            where = f"byte {error.start + 1:,}, in line {line:,}"
            return self.file.problem(f"is no text in UTF-8 ({where}): save it as UTF-8")
        return self.file.problem("is no text in UTF-8")

    def _mismatch(self, why: str) -> DnnlabError:
        return self.file.problem(f"has rows that do not match its header ({why})")

    def _uneven(self) -> str:
        """The first row that has not as many cells as the header; empty where there is none."""
        try:
            for line, cells in self._records():
                if len(cells) != len(self.names):
                    counts = f"line {line:,} has {counted(len(cells), 'cell')}, and the header {len(self.names):,}"
                    comma = ": a comma inside a cell takes quotation marks around it"
                    return counts + comma * (len(cells) > len(self.names))
        except csv.Error:
            pass
        return ""

    @property
    def first_line(self) -> int:
        """The line of the header."""
        return next(self._records())[0]
