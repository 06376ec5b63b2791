"""A table as text for other documents: Markdown, LaTeX, or CSV in full precision."""

import re
import unicodedata
from collections.abc import Callable, Sequence

import pandas as pd

from dnnlab.report.columns import Column
from dnnlab.report.table import FEW, cells, csv_parts, fold, written


def markdown(frame: pd.DataFrame, columns: Sequence[Column], names: Sequence[str] = ()) -> str:
    """The table of the screen in GitHub's Markdown, and below it what all rows share."""
    shown, (headings, *rows), same = _texts(frame, columns, names)
    sides = ["---" if column.dtype is str else "---:" for column in shown]
    lines = ["| " + " | ".join(map(_markdown_cell, row)) + " |" for row in (headings, sides, *rows)]
    return "\n".join([*lines, *(["", _markdown_cell(same)] if same else [])])


def latex(frame: pd.DataFrame, columns: Sequence[Column], names: Sequence[str] = ()) -> str:
    """The table of the screen as a LaTeX ``tabular`` for ``booktabs``; a comment says what all rows share."""
    shown, rows, same = _texts(frame, columns, names)
    sides = "".join("l" if column.dtype is str else "r" for column in shown)
    heading, *lines = (f"{' & '.join(map(_latex_cell, row))} \\\\" for row in rows)
    table = [
        rf"\begin{{tabular}}{{{sides}}}",
        r"\toprule",
        heading,
        r"\midrule",
        *lines,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join([*table, *([f"% {' '.join(same.split())}"] if same else [])])


def comma_separated(frame: pd.DataFrame, columns: Sequence[Column], names: Sequence[str] = ()) -> str:
    """The whole summary as ``summary.csv`` has it."""
    return b"".join(csv_parts(frame, columns)).decode().rstrip("\n")


WRITTEN: dict[str, Callable[[pd.DataFrame, Sequence[Column], Sequence[str]], str]] = {
    "markdown": markdown,
    "latex": latex,
    "csv": comma_separated,
}
"""The function for each of `run_options.FORMS`, of a summary, its columns, and the names of those that tell rows
apart."""


def _texts(
    frame: pd.DataFrame, columns: Sequence[Column], names: Sequence[str]
) -> tuple[list[Column], list[list[str]], str]:
    """The columns of the screen, their headings and cells row by row, and what all rows share. One row need not be told
    apart from others by the columns ``names``, so that in a wide table they stand below it."""
    shown, same = fold(frame, [column for column in columns if column.screen])
    if len(frame) == 1 and len(shown) > FEW:
        same = written([column for column in shown if column.name in names], frame)
        shown = [column for column in shown if column.name not in names]
    rows = zip(*(cells(frame, column) for column in shown), strict=True)
    return shown, [[column.heading for column in shown], *map(list, rows)], same


def _markdown_cell(text: str) -> str:
    """``text`` such that nothing in it is read as a mark."""
    return "".join(f"\\{c}" if c in "\\|`*_<>[]&~$" else c for c in " ".join(text.split()))


_LATEX = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "[": "{[}",  # at the beginning of a row it would belong to the line before
    "×": r"$\times$",
    "·": r"$\cdot$",
}
_POWER = re.compile("10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)")


def _latex_cell(text: str) -> str:
    """``text`` such that LaTeX sets it as it is."""
    escaped = "".join(_LATEX.get(c, c) for c in " ".join(text.split()))
    return _POWER.sub(_latex_power, escaped).replace("$$", " ")  # what of it is mathematics side by side is one formula


def _latex_power(power: re.Match[str]) -> str:
    return f"$10^{{{unicodedata.normalize('NFKC', power[1])}}}$".replace("\N{MINUS SIGN}", "-")
