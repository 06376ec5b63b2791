"""One HTML page per run: it opens offline, in light or dark, on a phone, on paper and in a screen reader.

It is made from files (``summary.csv`` by :func:`dnnlab.report.table.read_csv`, ``figures/*.svg``), so it can
be made again without the run.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup

from dnnlab import atomic
from dnnlab.report.columns import Column
from dnnlab.report.svg import Caption, themed
from dnnlab.report.table import FEW, by_importance, cells, fold
from dnnlab.terminal import commands_apart


@dataclass(frozen=True)
class Page:
    """Everything a page shows. All text is escaped, whatever it holds."""

    title: str  # the finding in a few words
    about: str  # what was measured, and when
    sentences: Sequence[str]  # what came out; a command stands in backticks
    command: str  # what reproduces the run
    frame: pd.DataFrame
    columns: Sequence[Column]
    tones: Mapping[str, str]  # see dnnlab.report.screen.render
    names: Sequence[str]  # the columns that tell rows apart
    first: Sequence[str]  # the columns that matter most; without any, all are shown at once
    pictures: Sequence[tuple[Caption, Path]]  # a Picture is a Caption; the path is its SVG
    provenance: Mapping[str, str]
    notes: Sequence[str]  # warnings, and what a reader should know before believing the numbers


def html_table(
    frame: pd.DataFrame,
    columns: Sequence[Column],
    tones: Mapping[str, str],
    names: Sequence[str] = (),
    first: Sequence[str] = (),
) -> str:
    """The table as an HTML ``<table>``, for the page and for ``_repr_html_`` in a notebook: an interval beside its
    estimate, and what all rows share in the caption.

    Every column is there, those of the screen first; or, where ``first`` says which matter most, a few: those that
    ``names`` tell the rows apart, the verdict, and the first.
    ``tones`` becomes the class of a word: ``good``, ``bad``, ``warn`` or ``muted``.
    """
    ends = {end for column in columns for end in (column.low, column.high)}
    told = [column for column in columns if column.name not in ends and (column.screen or not first)]
    shown, same = fold(frame, sorted(told, key=lambda column: not column.screen))
    if first and len(shown) > FEW:
        stay, others = by_importance(shown, names, first)
        kept = [*stay, *others[: max(1, FEW - len(stay))]]
        shown = [column for column in shown if column in kept]
    rows = zip(*(cells(frame, column) for column in shown), strict=True)
    return template("report/table").render(columns=shown, rows=rows, same=same, tones=tones, count=len(frame))


_MOST = 200
"""The most rows of a page that has all of their columns; ``summary.csv`` has those of more."""


def write_page(path: Path, page: Page) -> None:
    """Write ``page`` to ``path`` as one self-contained file that requests nothing.

    Raises:
        OSError: a figure cannot be read, or ``path`` cannot be written; it is then as it was.
        xml.etree.ElementTree.ParseError: a figure is no SVG.
    """
    said = [commands_apart(sentence) for sentence in page.sentences]
    figures = [(caption, Markup(themed(svg.read_text("utf-8"), caption))) for caption, svg in page.pictures]
    few = Markup(html_table(page.frame, page.columns, page.tones, page.names, page.first))
    every = Markup(html_table(page.frame, page.columns, page.tones)) if page.first and len(page.frame) <= _MOST else ""
    html = template("report/page").render(page=page, said=said, figures=figures, few=few, every=every)
    # A command line may hold a file name that is no UTF-8, which Python keeps as lone surrogates.
    atomic.write(path, html.encode("utf-8", "backslashreplace"))


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("dnnlab", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def template(name: str) -> jinja2.Template:
    """The template ``FOLDER/NAME.html.jinja`` of the package; all that it shows is escaped."""
    return _environment().get_template(f"{name}.html.jinja")
