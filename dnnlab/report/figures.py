"""Figures in one style, without pyplot: no display, no global state, the same bytes every time.

with new_figure(8, 4.5) as (figure, (axes,)):
    axes.plot(depth, norm, label="sigmoid", **line_style(0))
    axes.plot(depth, theory, label="theory", **THEORY)
    log_axis(axes.yaxis)
    legend(figure)
save(figure, folder / "norms")
"""

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import matplotlib
from cycler import cycler
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, NullFormatter
from matplotlib.transforms import Bbox

from dnnlab import atomic
from dnnlab.report.points import Along, name_lines
from dnnlab.report.svg import INK, PAPER, Caption
from dnnlab.report.ticks import EvenTicks, LogTicks, PowersOfTen, ends_and_between

PALETTE = ("#e07000", "#439bd0", "#b42d81", "#3ea370", "#7929ff", "#d60036", "#6e7ff7")
"""At least 3:1 against white and near-black; any two at least 27 apart (CIELAB) as seen by protanopes and
deuteranopes (Machado 2009), found by search."""

FULL, HALF = 9.5, 4.8
"""Widths in inches: of a figure that takes the whole page, and of one beside which there is room for another. The
second is also what the screen of a phone shows without scrolling."""

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_DASHES: tuple[str | tuple[int, tuple[float, ...]], ...] = ("-", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))

SMALLEST = 9.0
"""The size of the smallest text of a figure, in points."""

GREY = "#8a8a8a"
"""What is only there to compare with: lines that are not the point, the line of no change."""


class LineStyle(TypedDict):
    """Keyword arguments of ``Axes.plot``."""

    color: str
    marker: str
    linestyle: str | tuple[int, tuple[float, ...]]


THEORY = LineStyle(color=INK, marker="", linestyle="--")
"""Dashes in ink are theory in every figure; no measured line is dashed."""

_STYLE: dict[Any, Any] = {
    "figure.facecolor": PAPER,
    "figure.constrained_layout.use": True,
    "font.family": "sans-serif",
    # Matplotlib measures DejaVu Sans; where it is missing, Verdana is the nearest in width.
    "font.sans-serif": ["DejaVu Sans", "Verdana"],
    "font.size": 10,
    # A label is any text, a dollar sign too; and formulas have letters too small to read. Greek is Unicode.
    "text.parse_math": False,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "figure.labelsize": 10,
    "figure.titlesize": 10.5,
    "xtick.labelsize": SMALLEST,
    "ytick.labelsize": SMALLEST,
    "legend.fontsize": SMALLEST,
    "legend.title_fontsize": SMALLEST,
    "legend.frameon": False,
    "legend.handlelength": 3.0,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,  # a label says the whole number, not what to add to another one
    "axes.grid": True,
    "grid.color": INK,
    "grid.alpha": 0.15,
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.0,
    "axes.prop_cycle": cycler(color=PALETTE),
    "image.cmap": "cividis",  # even to a colour-blind reader, and in grey
    "svg.fonttype": "none",
    "svg.hashsalt": "dnnlab",
}


@dataclass(frozen=True)
class Live:
    """A model that a reader can change on the page: the file of the script that draws it, and what it must know."""

    script: Path
    known: Mapping[str, float | str]


@dataclass(frozen=True)
class Picture(Caption):
    """A figure and its words. ``name`` is the stem of its files."""

    figure: Figure
    narrow: Figure | None = None  # the same for a screen as narrow as a phone's; the page has both
    along: Along | None = None  # the same lines at other moments, which a page can show in turn
    live: Live | None = None


@contextlib.contextmanager
def _style() -> Iterator[None]:
    """The house's style over Matplotlib's own defaults, whatever the user's ``matplotlibrc`` says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


@contextlib.contextmanager
def new_figure(
    width: float,
    height: float,
    rows: int = 1,
    columns: int = 1,
    *,
    sharex: bool = False,
    sharey: bool = False,
) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure of ``width`` × ``height`` inches and its axes, row by row; draw inside the ``with``.

    Matplotlib fixes sizes and colours when an artist is made, so what is drawn outside is not in style.
    """
    with _style():
        figure = Figure(figsize=(width, height))
        panels = list(figure.subplots(rows, columns, sharex=sharex, sharey=sharey, squeeze=False).flat)
        for axes in panels:
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_locator(EvenTicks(SMALLEST))
        yield figure, panels


def line_style(index: int) -> LineStyle:
    """Colour, marker and dashes of the ``index``-th line; no two of the first 56 share colour and marker."""
    return LineStyle(
        color=PALETTE[index % len(PALETTE)],
        marker=_MARKERS[index % len(_MARKERS)],
        linestyle=_DASHES[index // len(PALETTE) % len(_DASHES)],
    )


def ink_on(color: str | tuple[float, float, float, float]) -> str:
    """Black or white, whichever is easier to read on ``color``: for text on a heat map's cell."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


def log_axis(axis: Axis) -> None:
    """Make ``axis`` (``axes.xaxis`` or ``axes.yaxis``) logarithmic, labelled 10⁻⁴, 0.01, 1, 100, 10⁴.

    The only way to a logarithmic axis here: Matplotlib's own labels are formulas, and the style reads none.
    """
    axes = axis.axes
    (axes.set_xscale if axis is axes.xaxis else axes.set_yscale)("log")
    axis.set_major_locator(LogTicks(SMALLEST))
    axis.set_major_formatter(PowersOfTen())
    axis.set_minor_formatter(NullFormatter())


def counting_axis(axis: Axis) -> None:
    """Ticks of ``axis`` at whole numbers alone, for what is counted: layers, steps."""
    axis.set_major_locator(EvenTicks(SMALLEST, integer=True))


_MOST_NAMES = 24
"""The most layers whose names have room on an axis."""
_LETTERS = 18
"""The most letters of a layer's name on an axis."""


def drawn(shown: Sized, of: Sized, what: str) -> str:
    """How many of all ``what`` are drawn, in a sentence with a space before it; empty where all are."""
    return f" Of {len(of)} {what} {len(shown)} are drawn." if len(shown) < len(of) else ""


def short(name: str, most: int = 36) -> str:
    """``name`` with its middle left out where it is long: a figure has room for so many letters."""
    return name if len(name) <= most else f"{name[: most // 2]}…{name[1 - (most + 1) // 2 :]}"


def layer_axis(axis: Axis, layers: int, names: Sequence[str] = ()) -> None:
    """Ticks of a horizontal ``axis`` at the first and the last of ``layers`` and at round numbers between them; at
    every layer, with its name, where there are ``names`` and room for them."""
    if names and layers <= _MOST_NAMES:
        told = [short(name, _LETTERS) for name in names]
        axis.axes.set_xticks(range(1, layers + 1), told, rotation=55, ha="right", rotation_mode="anchor")
    else:
        axis.set_major_locator(FixedLocator(ends_and_between(1, layers)))


def legend(figure: Figure, above: bool = False) -> None:
    """One legend for all axes of ``figure``, right of them or ``above``, each label once, in the order of drawing."""
    handles: dict[str, Artist] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.pop(label, None)  # what is drawn beside every line, such as theory, comes last
            handles[label] = handle
    figure.legend(list(handles.values()), list(handles), loc="outside upper left" if above else "outside right upper")


def save(figure: Figure, stem: Path) -> tuple[Path, Path]:
    """Write ``stem``.svg and ``stem``.png (150 dots an inch, on white); returns both paths.

    The same figure gives the same bytes: no date, no random ids. Text stays text in the SVG.

    Raises:
        OSError: they cannot be written.
    """
    paths = []
    for ending, content in (("svg", svg(figure)), ("png", _written(figure, "png"))):
        paths.append(stem.with_name(f"{stem.name}.{ending}"))
        atomic.write(paths[-1], content)
    return paths[0], paths[1]


def svg(figure: Figure) -> bytes:
    """The figure as an SVG file. From now on nothing in it moves, and each line that has a name has an id."""
    _settle(figure)
    name_lines(figure)
    return _written(figure, "svg")


def _settle(figure: Figure) -> None:
    """Lay the figure out once and for all, so that it is the same in all files.

    Matplotlib makes room for the labels of an axis as they would be at the size that the axis had before, and an axis
    of another size may have other labels, which then stand out at its end, over the next panel or the edge. So the
    ticks are chosen first, and room is made for their labels after.
    """
    layout = figure.get_layout_engine()
    if not isinstance(layout, ConstrainedLayoutEngine):
        return
    with _style():
        for _ in range(2):  # it moves a little after its first time
            layout.execute(figure)
        for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
            if isinstance(axis.get_major_locator(), EvenTicks | LogTicks):
                axis.set_major_locator(FixedLocator([*axis.get_majorticklocs()]))
        for _ in range(2):
            layout.execute(figure)
        figure.set_layout_engine("none")


_OPTIONS: dict[str, Any] = {
    "svg": {"metadata": {"Date": None, "Creator": None}},
    "png": {"dpi": 150, "facecolor": "white", "metadata": {"Software": None}},
}


def _written(figure: Figure, form: str) -> bytes:
    buffer = io.BytesIO()
    with _style():
        figure.savefig(buffer, format=form, **_OPTIONS[form])
    return buffer.getvalue()


class _Texts(RendererAgg):
    """Draws as Agg does, and keeps where each text came to stand."""

    def __init__(self, width: float, height: float, dpi: float) -> None:
        super().__init__(width, height, dpi)
        self.placed: list[tuple[str, float, Bbox]] = []

    def draw_text(self, gc, x, y, s, prop: FontProperties, angle, ismath=False, mtext=None):  # type: ignore[no-untyped-def]
        width, height, descent = self.get_text_width_height_descent(s, prop, ismath)
        if angle == 90:
            box = Bbox.from_extents(x - height + descent, y - width, x + descent, y)
        else:
            box = Bbox.from_extents(x, y - height + descent, x + width, y + descent)
        if angle in (0, 90):
            self.placed.append((s, prop.get_size_in_points(), box))
        super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)


def faults(figure: Figure) -> list[str]:
    """The flaws of a figure: text under 9 points, cut off, or over other text; a legend over data.

    For the tests of whoever draws. Slanted text is not looked at.
    """
    _settle(figure)
    width, height = figure.bbox.size
    renderer = _Texts(width, height, figure.dpi)
    with _style():
        figure.draw(renderer)
    result = []
    for position, (text, size, box) in enumerate(renderer.placed):
        if size < SMALLEST:
            result.append(f"{text!r} is set in {size:g} points")
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1:
            result.append(f"{text!r} is cut off at the figure's edge")
        result += [
            f"{text!r} overlaps {other!r}"
            for other, _, rival in renderer.placed[:position]
            if (shared := Bbox.intersection(box, rival)) and min(shared.width, shared.height) > 1
        ]
    legends = [*figure.legends, *(inner for axes in figure.axes if (inner := axes.get_legend()))]
    for each in legends:
        if any(each.get_window_extent(renderer).overlaps(axes.get_window_extent(renderer)) for axes in figure.axes):
            result.append("a legend stands over the data")
    return result
