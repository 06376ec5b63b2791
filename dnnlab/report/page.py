"""One HTML page per run: it opens offline, in light or dark, on a phone, on paper and in a screen reader.

It is made from files (``summary.csv`` by :func:`dnnlab.report.table.read_csv`, ``figures/*.svg``), so it can
be made again without the run.
"""

import base64
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from dnnlab import atomic
from dnnlab.errors import counted
from dnnlab.report.advice import Advice
from dnnlab.report.columns import Column
from dnnlab.report.svg import Caption, themed
from dnnlab.report.table import FEW, by_importance, cells, fold, values, written
from dnnlab.terminal import commands_apart, tied


@dataclass(frozen=True)
class Drawing:
    """A figure as the page shows it. ``points`` are those of its lines (`dnnlab.report.points`)."""

    caption: Caption
    svg: str
    points: Sequence[Mapping[str, Any]] = ()
    narrow: "Drawing | None" = None  # for the screen of a phone
    along: tuple[str, Sequence[int], int] | None = None  # what counts the moments of the points, its values, that shown
    live: tuple[Path, Mapping[str, Any]] | None = None  # the script of a model to change, and what it must know


@dataclass(frozen=True)
class Page:
    """Everything a page shows. All text is escaped, whatever it holds."""

    title: str  # the finding in a few words
    about: str  # what was measured, and when
    sentences: Sequence[str]  # what came out, the most important one first; a command stands in backticks
    advice: Advice | None
    command: str  # what reproduces the run
    frame: pd.DataFrame
    columns: Sequence[Column]
    tones: Mapping[str, str]  # see dnnlab.report.screen.render
    names: Sequence[str]  # the columns that tell rows apart
    first: Sequence[str]  # the columns that matter most; without any, all are shown at once
    drawings: Sequence[Drawing]  # the most important one first
    files: Mapping[str, str]  # what lies beside the page: the path of each, and what it is
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
        # One row need not be told apart from others: what it was measured on is said above the table.
        stay, others = by_importance(shown, names if len(frame) > 1 else (), first)
        kept = [*stay, *others[: max(1, FEW - len(stay))]]
        if len(frame) == 1:
            same = written([column for column in shown if column not in kept and not column.low], frame)
        shown = [column for column in shown if column in kept]
        # On a phone the last columns are out of sight, and the verdict must not be.
        shown.sort(key=lambda column: 0 if column.name in names else 1 if column.name == "verdict" else 2)
    more = "" if len(frame) <= _MOST_ROWS else f"The first {_MOST_ROWS} of {len(frame)} rows; summary.csv has all."
    frame = frame.head(_MOST_ROWS)
    rows = zip(*(zip(cells(frame, c), values(frame[c.name]), strict=True) for c in shown), strict=True)
    return template("report/table").render(
        columns=shown, rows=rows, same=same, tones=tones, count=len(frame), more=more
    )


_MOST_ROWS = 400
"""The most rows of a table on a page; ``summary.csv`` has all."""
_MOST_CELLS = 3000
"""The most cells of a table that has all columns; ``summary.csv`` has those of more."""


def write_page(path: Path, page: Page) -> None:
    """Write ``page`` to ``path`` as one self-contained file that requests nothing.

    Raises:
        OSError: a figure cannot be read, or ``path`` cannot be written; it is then as it was.
        xml.etree.ElementTree.ParseError: a figure is no SVG.
    """
    every = (
        Markup(html_table(page.frame, page.columns, page.tones))
        if page.first and page.frame.size <= _MOST_CELLS
        else ""
    )
    html = template("report/page").render(
        page=page,
        said=[commands_apart(tied(sentence)) for sentence in page.sentences],
        figures=[_shown(drawing, f"f{number}") for number, drawing in enumerate(page.drawings)],
        few=_few(page),
        every=every,
        **_scripts(page.drawings),
    )
    _write(path, html)


def write_together(path: Path, pages: Sequence[tuple[str, Page]]) -> None:
    """Write what matters most of several pages to ``path`` as one self-contained file: of each its finding, its first
    sentence, figure and table. Before each stands the link to the page itself.

    Raises:
        OSError: ``path`` cannot be written; it is then as it was.
    """
    parts = [
        {
            "page": page,
            "link": link,
            "said": commands_apart(tied(page.sentences[0])) if page.sentences else (),
            "figure": _shown(page.drawings[0], f"r{number}") if page.drawings else None,
            "table": _few(page),
        }
        for number, (link, page) in enumerate(pages)
    ]
    scripts = _scripts([drawing for _, page in pages for drawing in page.drawings[:1]])
    title = f"{counted(len(pages), 'run')} on one page" if len(pages) > 1 else pages[0][1].title
    _write(path, template("report/together").render(title=title, parts=parts, **scripts))


def _write(path: Path, html: str) -> None:
    # A command line may hold a file name that is no UTF-8, which Python keeps as lone surrogates.
    atomic.write(path, html.encode("utf-8", "backslashreplace"))


def _few(page: Page) -> Markup:
    """The table of a page with the columns that matter most."""
    return Markup(html_table(page.frame, page.columns, page.tones, page.names, page.first))


def _scripts(drawings: Sequence[Drawing]) -> dict[str, Any]:
    """The ``scripts`` that a page with these ``drawings`` needs, and their ``digests`` for its policy."""
    files = dict.fromkeys([_SCRIPT, *(drawing.live[0] for drawing in drawings if drawing.live)])
    scripts = [_script(file) for file in files]
    return {"scripts": [script for script, _ in scripts], "digests": " ".join(digest for _, digest in scripts)}


@dataclass(frozen=True)
class _Figure:
    """A figure in the page's own HTML."""

    caption: Caption
    views: Sequence[tuple[str, Markup, Markup]]
    """For each size of screen its class, the SVG, and what the page's script must know, as JSON."""


def _shown(drawing: Drawing, prefix: str) -> _Figure:
    views = [_view(drawing, "wide" if drawing.narrow else "any", prefix)]
    if drawing.narrow:
        narrow = replace(drawing.narrow, along=drawing.along, live=drawing.live)
        views.append(_view(narrow, "narrow", f"{prefix}n"))
    return _Figure(drawing.caption, views)


def _view(drawing: Drawing, screen: str, prefix: str) -> tuple[str, Markup, Markup]:
    what, moments, shown = drawing.along or ("", (), 0)
    told = {"what": what, "moments": list(moments), "shown": shown}
    known = {"prefix": f"{prefix}-", "panels": drawing.points} | (told if what else {})
    known |= {"live": drawing.live[1]} if drawing.live else {}
    island = _island(known) if drawing.points else Markup("")
    return screen, Markup(themed(drawing.svg, drawing.caption, prefix)), island


def _island(content: Mapping[str, Any]) -> Markup:
    """``content`` as JSON inside a ``<script>`` that is data: nothing in it ends the element."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


_SCRIPT = Path(__file__).parent / "page.js"
"""What every page can do."""


@functools.cache
def _script(file: Path) -> tuple[Markup, str]:
    """A script of the page, and its hash as a content security policy names it."""
    text = file.read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Markup(text), f"'sha256-{digest}'"


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
