"""Where the points of a figure's lines lie in its SVG, and what they say, for whoever points at them on a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, PercentFormatter

from dnnlab.report.numbers import Form, number

_MOST = 4000
"""The most points of a figure: with more a page would be large, and nobody can point at one of them."""
_NAME = "line-{}-{}"
"""The id of a line in the SVG, by the numbers of its panel and of the line in it."""


@dataclass(frozen=True)
class Along:
    """The lines of a figure at several moments: ``what`` counts these, such as training steps, and ``y`` has for each
    of its values the heights of each line by its name. ``drawn`` is the moment that the figure shows."""

    what: str
    y: Mapping[int, Mapping[str, np.ndarray]]
    drawn: int


def name_lines(figure: Figure) -> None:
    """Give each line that has a name an id in the SVG."""
    for panel, axes in enumerate(figure.axes):
        for count, line in enumerate(axes.lines):
            if _name(line):
                line.set_gid(_NAME.format(panel, count))


def _name(line: Line2D) -> str:
    """The name of a line; empty for one that is only part of the drawing. A name that is written beside the line and is
    not to be in a legend begins with a low line."""
    name = str(line.get_label())
    own = not name.startswith("_child") and np.size(line.get_xdata()) > 0
    return name.removeprefix("_") if own else ""


def points(figure: Figure, along: Along | None = None) -> list[dict[str, Any]]:
    """For each panel of a saved figure that has named lines: the names of its axes, its frame, and for each line its
    name, its id and its points ``[x, y, text of x, text of y]``, where x and y are in points of the SVG; and the same
    points at each moment ``along``.

    A figure of more than a few thousand points has none.
    """
    panels: list[dict[str, Any]] = []
    for panel, axes in enumerate(figure.axes):
        lines = []
        for count, line in enumerate(axes.lines):
            name = _name(line)
            if not name or line.get_transform() != axes.transData:
                continue
            x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
            told: dict[str, Any] = {"name": name, "id": _NAME.format(panel, count), "at": _points(axes, x, y)}
            moments = list(along.y.values()) if along else []
            if moments and all(name in heights for heights in moments):
                told["along"] = [_points(axes, x, heights[name]) for heights in moments]
            lines.append(told)
        if lines:
            told_axes = {"x": axes.get_xlabel(), "y": axes.get_ylabel() or _shared_label(axes, figure)}
            panels.append({"title": axes.get_title(loc="left"), **told_axes, **_frame(axes), "lines": lines})
    every = [at for each in panels for line in each["lines"] for at in (line["at"], *line.get("along", ()))]
    return panels if sum(map(len, every)) <= _MOST else []


def _frame(axes: Axes) -> dict[str, list[float]]:
    """The ``box`` of a panel in points of the SVG, left, top, right and bottom; and its ``scale``, x₀, dx, y₀ and dy:
    x₀ + dx·x is where x lies, or its logarithm to base 10 on a logarithmic axis."""
    zero, one = _in_svg(axes, (axes.transLimits + axes.transAxes).transform([(0, 0), (1, 1)]))
    (left, bottom), (right, top) = _in_svg(axes, axes.transAxes.transform([(0, 0), (1, 1)]))
    return {
        "scale": [round(float(v), 3) for v in (zero[0], one[0] - zero[0], zero[1], one[1] - zero[1])],
        "box": [round(float(v), 1) for v in (left, top, right, bottom)],
    }


def _points(axes: Axes, x: np.ndarray, y: np.ndarray) -> list[list[Any]]:
    """The points of a line that can be seen, as `points` gives them."""
    with np.errstate(all="ignore"):
        places = _in_svg(axes, axes.transData.transform(np.column_stack([x, y])))
    seen = np.isfinite(places).all(axis=1)
    texts = zip(_written(axes.xaxis, x[seen]), _written(axes.yaxis, y[seen]), strict=True)
    return [
        [round(float(across), 1), round(float(down), 1), *text]
        for (across, down), text in zip(places[seen], texts, strict=True)
    ]


def _in_svg(axes: Axes, places: np.ndarray) -> np.ndarray:
    """Where ``places [point, 2]``, in dots from the figure's lower left, lie in the SVG: in points from its upper
    left."""
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    return np.array([0, figure.get_size_inches()[1] * 72]) + np.array([1, -1]) * places * (72 / figure.dpi)


def _shared_label(axes: Any, figure: Figure) -> str:
    """The label of the vertical axis of the panel left of this one, with which it shares the axis."""
    shared = axes.get_shared_y_axes()
    return next((other.get_ylabel() for other in figure.axes if shared.joined(axes, other) and other.get_ylabel()), "")


def _written(axis: Axis, values: Sequence[float] | np.ndarray) -> list[str]:
    """The values as a reader sees them: as percentages or by the names on the axis, where it has such."""
    formatter = axis.get_major_formatter()
    if isinstance(formatter, PercentFormatter):
        return [number(float(value), Form.SHARE) for value in values]
    if isinstance(formatter, FixedFormatter):
        names = dict(zip(map(float, axis.get_ticklocs()), formatter.seq, strict=False))
        return [names.get(float(value), number(float(value))) for value in values]
    return [
        str(int(value)) if float(value).is_integer() and abs(value) < 1e6 else number(float(value)) for value in values
    ]
