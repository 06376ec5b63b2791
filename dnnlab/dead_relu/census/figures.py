"""The figures: dead units by layer and along training."""

import math
from collections.abc import Mapping, Sequence, Sized
from functools import partial
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from dnnlab.dead_relu.census.summary import TREATED
from dnnlab.dead_relu.spec import Spec
from dnnlab.report.figures import FULL, HALF, Picture, counting_axis, drawn, layer_axis, legend, line_style, new_figure
from dnnlab.report.lines import Line, draw_lines, most_telling, name_above, name_at_ends, others, spread_out
from dnnlab.report.numbers import Form, number
from dnnlab.report.points import Along
from dnnlab.runner.summary import Group, groups, measured
from dnnlab.statistics.intervals import Interval, mean_share

_MOST_PANELS, _MOST_LAYERS = 6, 5


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec) -> Sequence[Picture]:
    """The figures of a run; none where nothing was measured."""
    curves = _curves(cells, spec)
    if not curves:
        return []
    pictures = [_by_layer(curves, spec)]
    if spec.training_steps:
        pictures.append(_along_training(curves))
    return pictures


def _curves(cells: pd.DataFrame, spec: Spec) -> list[tuple[str, Group]]:
    """Label and rows of each configuration and remedy of which something was measured."""
    # A network that left the range of numbers has no units to draw.
    found = [
        (k, rows)
        for k, rows in groups(measured(cells), TREATED)
        if not np.isnan(rows["dead"][rows["step"] == spec.training_steps].astype(float)).all()
    ]
    varying = [name for name in TREATED if len({k[name] for k, _ in found}) > 1]
    return [(label(k, varying), rows) for k, rows in found]


def label(configuration: Mapping[Any, Any], varying: Sequence[str]) -> str:
    words = {"lr": "lr {:g}", "depth": "depth {}", "width": "width {}", "norm": "norm {}", "skip": "skip {}"}
    words |= {"batch_size": "batch {}", "weight_decay": "decay {:g}", "clip": "clip {:g}", "remedy": "remedy {}"}
    named = list(varying) or ["model" if configuration["model"] else "act"]
    return ", ".join(words.get(name, "{}").format(configuration[name]) for name in named)


def only(shown: Sized, of: Sized) -> str:
    return drawn(shown, of, "configurations")


def _intervals(rows: Group, by: str) -> tuple[np.ndarray, list[Interval]]:
    """The values of the column ``by``, and the interval of the dead share over seeds at each."""
    keys, dead = np.unique(rows[by]), rows["dead"].astype(float)
    return keys, [mean_share(dead[rows[by] == key].tolist()) for key in keys]


def _expected(rows: Group, layers: np.ndarray) -> np.ndarray:
    """The share of units that chance leaves dead at birth, of each of the ``layers``; nan where it is not known."""
    expected = rows["expected_dead"].astype(float)
    return np.array([expected[rows["layer"] == layer].mean() for layer in layers])


def _by_layer(curves: Sequence[tuple[str, Group]], spec: Spec) -> Picture:
    lines = [_line(label, rows, spec.training_steps) for label, rows in curves]
    chosen = most_telling([float(np.nanmax(line.y)) for line in lines])
    along = _along(curves, lines, spec.training_steps)
    drawn = partial(_drawn, lines, chosen)
    when = "after training" if spec.training_steps else "as the network is"
    expected = bool(spec.training_steps) and any(lines[i].theory is not None for i in chosen)
    above = "Above its dashed line a layer has more dead units than chance leaves at birth on average. "
    return Picture(
        name="dead-by-layer",
        title=f"Dead units by layer, {when}",
        see=f"{above * expected}The band around a line is the 95 % interval over seeds.{others(lines, chosen)}",
        alt="Share of dead units by layer. "
        + "; ".join(f"{lines[i].name}: {number(float(np.nanmax(lines[i].y)), Form.SHARE)} at most" for i in chosen)
        + ".",
        figure=drawn(wide=True),
        narrow=drawn(wide=False),
        along=along,
    )


def _line(label: str, rows: Group, step: int) -> Line:
    """The dead share of each layer at one step, with what is expected at birth."""
    last = rows.where((rows["step"] == step) & (rows["layer"] > 0))
    layers, shares = _intervals(last, "layer")
    expected = _expected(last, layers)
    known = not np.isnan(expected).any() and bool(np.any(expected))
    mean, low, high = (np.array([getattr(share, end) for share in shares]) for end in ("mean", "low", "high"))
    return Line(label, layers, mean, low, high, expected if known else None)


def _along(curves: Sequence[tuple[str, Group]], lines: Sequence[Line], last: int) -> Along | None:
    """The same lines at each step that was looked at in all networks."""
    steps = sorted(set.intersection(*(set(rows["step"].tolist()) for _, rows in curves)))
    moments: dict[int, dict[str, np.ndarray]] = {}
    for step in steps:
        heights = {label: _line(label, rows, step).y for label, rows in curves}
        if all(len(heights[line.name]) == len(line.x) for line in lines):
            moments[int(step)] = heights
    return Along("training step", moments, last) if len(moments) > 1 and last in moments else None


def _drawn(lines: Sequence[Line], chosen: Sequence[int], *, wide: bool) -> Figure:
    with new_figure(*((FULL, 4.6) if wide else (HALF, 5.0))) as (figure, (axes,)):
        named = draw_lines(axes, lines, chosen)
        expected = any(lines[i].theory is not None for i in chosen)
        axes.set_ylim(-0.03, 1.03)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        layers = int(max(line.x.max() for line in lines))
        axes.set_xlim(1 - 0.02 * layers, layers)
        layer_axis(axes.xaxis, layers)
        axes.set_xlabel("layer: 1 is next to the input" + "; dashes: expected at birth" * (wide and expected))
        axes.set_ylabel("dead units")
        if wide:
            name_at_ends(axes, named)
        else:
            name_above(figure, axes, named, {"expected at birth": "--"} if expected else None)
    return figure


def _along_training(curves: Sequence[tuple[str, Group]]) -> Picture:
    shown = spread_out(curves, _MOST_PANELS)
    return Picture(
        name="dead-along-training",
        title="Dead units along training",
        see="A line that climbs is a layer whose units die; one that falls again has units revived by the layers "
        "below. Bands are 95 % intervals over seeds." + only(shown, curves),
        alt="Small multiples: a panel for each network, and in it a line for each layer, or for "
        f"{_MOST_LAYERS} of them where there are more; the share of dead units by training step.",
        figure=_small_multiples(shown, across=3),
        narrow=_small_multiples(shown, across=2),
    )


def _small_multiples(shown: Sequence[tuple[str, Group]], across: int) -> Figure:
    columns = min(across, len(shown))
    down = math.ceil(len(shown) / columns)
    width, height = (FULL, 2.6) if across > 2 else (HALF, 2.2)
    with new_figure(width, height * down + 0.7, down, columns, sharey=True) as (figure, panels):
        for axes, (label, rows) in zip(panels, shown, strict=False):
            layers = rows.where(rows["layer"] > 0)
            for i, layer in enumerate(spread_out(np.unique(layers["layer"]).tolist(), _MOST_LAYERS)):
                steps, shares = _intervals(layers.where(layers["layer"] == layer), "step")
                style = line_style(i)
                axes.plot(steps, [s.mean for s in shares], label=f"layer {layer}", **style)
                low, high = [s.low for s in shares], [s.high for s in shares]
                axes.fill_between(steps, low, high, color=style["color"], alpha=0.15, linewidth=0)
            axes.set_ylim(-0.03, 1.03)
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
            counting_axis(axes.xaxis)
            axes.set_title(fill(label, 24), fontsize=10)
            axes.set_xlabel("step")
        for axes in panels[::columns]:
            axes.set_ylabel("dead units")
        for axes in panels[len(shown) :]:
            axes.set_axis_off()
        legend(figure, above=True)
    return figure
