"""The figures: dead units by layer and along training."""

import math
from collections.abc import Mapping, Sequence, Sized
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter

from dnnlab.dead_relu.census.summary import TREATED
from dnnlab.dead_relu.spec import Spec
from dnnlab.report.figures import THEORY, Picture, counting_axis, legend, line_style, new_figure
from dnnlab.runner.summary import Group, groups, measured
from dnnlab.statistics.intervals import Interval, mean_share

_MOST_PANELS = 6
_MOST_LINES = 8


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


def _spread_out(items: Sequence[Any], most: int) -> list[Any]:
    """At most ``most`` of the items, evenly over the plan."""
    places = np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int))
    return [items[i] for i in places]


def only(shown: Sized, of: Sized) -> str:
    return f" Of {len(of)} configurations {len(shown)} are drawn." if len(shown) < len(of) else ""


def _intervals(rows: Group, by: str) -> tuple[np.ndarray, list[Interval]]:
    """The values of the column ``by``, and the interval of the dead share over seeds at each."""
    keys, dead = np.unique(rows[by]), rows["dead"].astype(float)
    return keys, [mean_share(dead[rows[by] == key].tolist()) for key in keys]


def _expected(rows: Group, layers: np.ndarray) -> np.ndarray:
    """The share of units that chance leaves dead at birth, of each of the ``layers``; nan where it is not known."""
    expected = rows["expected_dead"].astype(float)
    return np.array([expected[rows["layer"] == layer].mean() for layer in layers])


def _by_layer(curves: Sequence[tuple[str, Group]], spec: Spec) -> Picture:
    shown = _spread_out(curves, _MOST_LINES)
    told = []
    with new_figure(8.5, 4.6) as (figure, (axes,)):
        drawn = False
        for i, (label, rows) in enumerate(shown):
            last = rows.where(rows["step"] == spec.training_steps)
            layers, shares = _intervals(last.where(last["layer"] > 0), "layer")
            style = line_style(i)
            means = np.array([s.mean for s in shares])
            axes.plot(layers, means, label=label, **style)
            axes.fill_between(
                layers, [s.low for s in shares], [s.high for s in shares], color=style["color"], alpha=0.2, linewidth=0
            )
            expected = _expected(last.where(last["layer"] > 0), layers)
            if not np.isnan(expected).any() and np.any(expected):
                axes.plot(layers, expected, color=style["color"], linestyle="--", linewidth=1.2)
                drawn = True
            told.append(f"{label}: {np.nanmax(means):.0%} at most")
        if drawn:
            axes.plot([], [], label="expected at birth, in the colour of its line", **THEORY)
        axes.set_ylim(-0.03, 1.03)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        counting_axis(axes.xaxis)
        axes.set_xlabel("layer (1 is next to the inputs)")
        axes.set_ylabel("dead units")
        legend(figure)
    when = "after training" if spec.training_steps else "as the network is"
    return Picture(
        name="dead-by-layer",
        title=f"Dead units by layer, {when}",
        see="Above its dashed line, which is what chance leaves dead at birth, a layer has lost units to training; "
        "bands are 95 % intervals over seeds." + only(shown, curves),
        alt=f"Share of dead units by layer. {'; '.join(told)}.",
        figure=figure,
    )


def _along_training(curves: Sequence[tuple[str, Group]]) -> Picture:
    shown = _spread_out(curves, _MOST_PANELS)
    across = min(3, len(shown))
    down = math.ceil(len(shown) / across)
    with new_figure(3.2 * across + 1.6, 2.8 * down + 0.4, down, across, sharey=True) as (figure, panels):
        for axes, (label, rows) in zip(panels, shown, strict=False):
            layers = rows.where(rows["layer"] > 0)
            for i, layer in enumerate(_spread_out(np.unique(layers["layer"]).tolist(), 5)):
                steps, shares = _intervals(layers.where(layers["layer"] == layer), "step")
                style = line_style(i)
                axes.plot(steps, [s.mean for s in shares], label=f"layer {layer}", **style)
                low, high = [s.low for s in shares], [s.high for s in shares]
                axes.fill_between(steps, low, high, color=style["color"], alpha=0.2, linewidth=0)
            axes.set_ylim(-0.03, 1.03)
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
            counting_axis(axes.xaxis)
            axes.set_title(label, fontsize=10)
            axes.set_xlabel("step")
        for axes in panels[::across]:
            axes.set_ylabel("dead units")
        for axes in panels[len(shown) :]:
            axes.set_axis_off()
        legend(figure)
    return Picture(
        name="dead-along-training",
        title="Dead units along training",
        see="A line that climbs is a layer whose units die; one that falls again has units revived by the layers "
        "below. Bands are 95 % intervals over seeds." + only(shown, curves),
        alt="Small multiples, a panel a configuration: share of dead units by training step, a line a layer.",
        figure=figure,
    )
