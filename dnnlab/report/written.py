"""A table as text for other documents: Markdown, LaTeX, or CSV in full precision."""

from collections.abc import Callable, Sequence

import pandas as pd

from dnnlab.report.columns import Column
from dnnlab.report.table import cells, csv_parts, fold


def markdown(frame: pd.DataFrame, columns: Sequence[Column]) -> str:
    """The table of the screen in GitHub's Markdown, and below it what all rows share."""
    shown, same = fold(frame, [column for column in columns if column.screen])
    headings, sides = [c.heading for c in shown], ["---" if c.dtype is str else "---:" for c in shown]
    rows = [headings, sides, *map(list, zip(*(cells(frame, column) for column in shown), strict=True))]
    lines = ["| " + " | ".join(_markdown_cell(text) for text in row) + " |" for row in rows]
    return "\n".join([*lines, *(["", _markdown_cell(same)] if same else [])])


def latex(frame: pd.DataFrame, columns: Sequence[Column]) -> str:
    """The table of the screen as a LaTeX ``tabular`` for ``booktabs``; a comment says what all rows share."""
    shown, same = fold(frame, [column for column in columns if column.screen])
    sides = "".join("l" if column.dtype is str else "r" for column in shown)
    rows = map(list, zip(*(cells(frame, column) for column in shown), strict=True))
    heading, *lines = (f"{' & '.join(map(_latex_cell, row))} \\\\" for row in ([c.heading for c in shown], *rows))
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


def comma_separated(frame: pd.DataFrame, columns: Sequence[Column]) -> str:
    """The whole summary as ``summary.csv`` has it."""
    return b"".join(csv_parts(frame, columns)).decode().rstrip("\n")


WRITTEN: dict[str, Callable[[pd.DataFrame, Sequence[Column]], str]] = {
    "markdown": markdown,
    "latex": latex,
    "csv": comma_separated,
}
"""The function for each of `run_options.FORMS`."""


def _markdown_cell(text: str) -> str:
    """``text`` such that nothing in it is read as a mark."""
    return "".join(f"\\{c}" if c in "\\|`*_<>[]&~$" else c for c in " ".join(text.split()))


_LATEX = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "[": "{[}",  # at the beginning of a row it would belong to the line before
}


def _latex_cell(text: str) -> str:
    """``text`` such that LaTeX sets it as it is."""
    return "".join(_LATEX.get(c, c) for c in " ".join(text.split()))
