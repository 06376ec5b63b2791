"""Curves in one panel: the most telling ones in colour, each with its name at its end, and all others in grey."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnnlab.report.figures import GREY, SMALLEST, THEORY, LineStyle, legend, line_style, short

T = TypeVar("T")

HIGHLIGHTED = 5
"""The most curves in colour: of more a reader no longer knows which is which."""
BESIDE = "beside"
"""With this begin the ids, in the SVG, of what belongs to the lines as they are drawn, and not at other moments."""
_GAP = 1.35
"""Between the middles of two names, in heights of their letters."""
_SHARE = 0.8
"""The share of a figure's height that is its panel's, about: the rest is the axis below."""


@dataclass(frozen=True)
class Line:
    """A curve: ``y [point]`` over ``x [point]``, with the ends of its interval and what theory expects, where they are
    known."""

    name: str
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    theory: np.ndarray | None = None

    @property
    def end(self) -> tuple[float, float]:
        """The last point that can be drawn; nan where there is none."""
        known = np.flatnonzero(np.isfinite(self.y))
        return (float(self.x[known[-1]]), float(self.y[known[-1]])) if len(known) else (math.nan, math.nan)


def most_telling(values: Sequence[float], most: int = HIGHLIGHTED) -> list[int]:
    """The positions of at most ``most`` values that show how they spread: the smallest, the largest, and then in turn
    the one that lies farthest from those. What is not a number is left out as long as there are others."""
    known = [i for i, value in enumerate(values) if math.isfinite(value)] or list(range(len(values)))
    chosen: list[int] = []
    if len(known) > most:
        chosen = [min(known, key=lambda i: values[i]), max(known, key=lambda i: values[i])]
        while len(chosen) < most:
            others = [i for i in known if i not in chosen]
            chosen.append(max(others, key=lambda i: min(abs(values[i] - values[j]) for j in chosen)))
    return sorted(chosen or known[:most])


def spread_out(items: Sequence[T], most: int) -> list[T]:
    """At most ``most`` of the items, evenly over their order."""
    places = np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int))
    return [items[i] for i in places]


@dataclass(frozen=True)
class Named:
    """A line that is drawn, its last point and its style, for its name."""

    name: str
    end: tuple[float, float]
    style: LineStyle


def draw_lines(axes: Axes, lines: Sequence[Line], chosen: Sequence[int]) -> list[Named]:
    """Draw ``lines``, those at the positions ``chosen`` in colour, and give these.

    Every line is called by its name in the figure, so that whoever shows the figure knows which is which.
    """
    named = []
    for number, i in enumerate(chosen):
        line, style = lines[i], line_style(number)
        axes.plot(line.x, line.y, label=f"_{line.name}", markevery=max(1, len(line.x) // 10), zorder=3, **style)
        if line.low is not None and line.high is not None:
            band = axes.fill_between(line.x, line.low, line.high, color=style["color"], alpha=0.15, linewidth=0)
            _belongs_here(axes, band)
        if line.theory is not None:
            (dashes,) = axes.plot(line.x, line.theory, color=style["color"], linestyle="--", linewidth=1.2)
            _belongs_here(axes, dashes)
        named.append(Named(line.name, line.end, style))
    for i, line in enumerate(lines):
        if i not in chosen:
            axes.plot(line.x, line.y, color=GREY, linewidth=1, alpha=0.6, label=f"_{line.name}", zorder=1.5)
    return named


def name_at_ends(axes: Axes, named: Sequence[Named]) -> None:
    """Write the name of each line right of the panel, at the height of its end; names that would overlap are moved
    apart, with a stroke in the line's colour from each end to its name. From a line that ends before the edge of the
    panel, thin grey dots lead there.

    The limits of the axes must be settled.
    """
    shown = [each for each in named if math.isfinite(each.end[1])]
    ends = [_share(axes, each.end) for each in shown]
    letters = SMALLEST * _GAP / (72 * _SHARE * axes.figure.get_figure(root=True).get_size_inches()[1])
    for each, (x, y), place in zip(shown, ends, apart([y for _, y in ends], letters), strict=True):
        if x < _EDGE:
            _stroke(axes, [x, 1.0], [y, y], GREY, (0, (1, 4)), 0.8)
        dashes = each.style["linestyle"] if each.style["marker"] == "" else "-"
        _stroke(axes, [1.0, 1.03], [y, place], each.style["color"] if x >= _EDGE else GREY, dashes, 1.3)
        text = axes.text(1.04, place, short(each.name), transform=axes.transAxes, va="center", fontsize=SMALLEST)
        _belongs_here(axes, text)


_EDGE = 0.995
"""The share of a panel's width from which on a line ends at its edge."""


def _stroke(axes: Axes, x: Sequence[float], y: Sequence[float], colour: str, dashes: Any, width: float) -> None:
    (stroke,) = axes.plot(
        x, y, color=colour, linestyle=dashes, linewidth=width, transform=axes.transAxes, clip_on=False, zorder=2
    )
    _belongs_here(axes, stroke)


def _belongs_here(axes: Axes, artist: Artist) -> None:
    """Mark what belongs to the lines as they are drawn, and not to the same lines at other moments."""
    panel = axes.figure.axes.index(axes)
    marked = [each for each in axes.get_children() if (each.get_gid() or "").startswith(BESIDE)]
    artist.set_gid(f"{BESIDE}-{panel}-{len(marked)}")


def name_above(figure: Figure, axes: Axes, named: Sequence[Named], beside: Mapping[str, str] | None = None) -> None:
    """Write the names of the lines above the panel, where it is too narrow for names at their ends; and of what is
    drawn ``beside`` them, each with its dashes (`matplotlib.lines.Line2D.set_linestyle`)."""
    for each in named:
        axes.plot([], [], label=short(each.name), **each.style)
    for name, dashes in (beside or {}).items():
        axes.plot([], [], label=name, **(THEORY | {"linestyle": dashes}))
    legend(figure, above=True)


def others(lines: Sequence[Line], chosen: Sequence[int]) -> str:
    """What the caption says of the lines in grey; empty where there are none."""
    rest = len(lines) - len(chosen)
    return f" {'The grey line is the other one' if rest == 1 else f'Grey lines are the other {rest}'}." if rest else ""


def _share(axes: Axes, point: tuple[float, float]) -> tuple[float, float]:
    """The place of a point of the data in the panel, from 0 to 1 in both directions."""
    x, y = axes.transAxes.inverted().transform(axes.transData.transform(point))
    return float(np.clip(x, 0, 1)), float(np.clip(y, 0, 1))


def apart(heights: Sequence[float], least: float) -> list[float]:
    """The heights, moved as little as needed so that any two are ``least`` apart: neighbours that are too close stand
    evenly around their mean, and groups that then meet become one."""
    order = np.argsort(heights, kind="stable")
    groups: list[list[int]] = []
    for i in order:
        groups.append([int(i)])
        while len(groups) > 1 and _bottom(groups[-1], heights, least) < _top(groups[-2], heights, least) + least:
            last = groups.pop()
            groups[-1] += last
    placed = list(heights)
    for group in groups:
        for position, i in enumerate(group):
            placed[i] = _bottom(group, heights, least) + position * least
    return placed


def _bottom(group: Sequence[int], heights: Sequence[float], least: float) -> float:
    middle = float(np.mean([heights[i] for i in group]))
    return max(middle - (len(group) - 1) * least / 2, 0.0)


def _top(group: Sequence[int], heights: Sequence[float], least: float) -> float:
    return _bottom(group, heights, least) + (len(group) - 1) * least
