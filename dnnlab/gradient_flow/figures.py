"""The figures: the gradient by layer, the same along training, and a map of all configurations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from dnnlab.gradient_flow.columns import CONFIGURATION
from dnnlab.gradient_flow.layers import Measured, measured_at
from dnnlab.gradient_flow.spec import Spec
from dnnlab.gradient_flow.summary import setting
from dnnlab.report.figures import THEORY, Picture, counting_axis, ink_on, legend, line_style, log_axis, new_figure
from dnnlab.runner.summary import Group, groups, measured
from dnnlab.statistics.intervals import mean_interval
from dnnlab.theory.gradients import predict

_MOST_LINES = 10
_MOST_PANELS = 6
_MOST_ROWS = 30
SIGMOID_BOUND = 0.25
"""The lecture's factor per sigmoid layer: the largest slope of the sigmoid, with weights of 1."""


@dataclass(frozen=True)
class _Curve:
    """One configuration to draw."""

    label: str
    configuration: dict[str, Any]
    rows: Group
    """Its rows without an error."""

    @cached_property
    def first(self) -> Measured:
        seen = measured_at(self.rows, 0)
        assert seen is not None
        return seen

    def profile(self, measured: Measured) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Norm of δ relative to the last hidden layer: geometric mean over seeds, and its interval, ``[layer]``."""
        with np.errstate(divide="ignore", invalid="ignore"):
            delta = measured.layers["delta_norm"]
            last = [next((d for d in reversed(each) if d > 0), math.nan) for each in delta]  # that received a gradient
            logs = np.log(delta / np.array(last)[:, None])
        intervals = [mean_interval(column.tolist()) for column in logs.T]
        return tuple(np.exp([getattr(i, end) for i in intervals]) for end in ("mean", "low", "high"))  # type: ignore[return-value]


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec) -> Sequence[Picture]:
    """The figures of a run; none where no configuration was measured."""
    varying = [name for name in CONFIGURATION if summary[name].nunique() > 1]
    curves = [
        _Curve(_label(configuration, varying), configuration, rows)
        for configuration, rows in groups(measured(cells), CONFIGURATION)
        if (rows["step"] == 0).any()
    ]
    if not curves:
        return []
    pictures = [_by_layer(curves), _map(curves)]
    if spec.steps:
        pictures.append(_along_training(curves, spec))
    return pictures


def _label(configuration: dict[str, Any], varying: Sequence[str]) -> str:
    named = [name for name in varying if configuration[name] != ""] or ["model" if configuration["model"] else "act"]
    words = {
        "depth": "depth {}",
        "width": "width {}",
        "batch_size": "batch {}",
        "lr": "lr {:g}",
        "norm": "norm {}",
        "skip": "skip {}",
        "dropout": "dropout {:g}",
        "clip": "clip {:g}",
        "weight_decay": "decay {:g}",
    }
    return ", ".join(words.get(name, "{}").format(configuration[name]) for name in named)


def _spread_out(curves: Sequence[_Curve], most: int) -> list[_Curve]:
    """At most ``most`` of the curves, evenly over the plan."""
    places = np.unique(np.linspace(0, len(curves) - 1, min(most, len(curves))).round().astype(int))
    return [curves[i] for i in places]


def _only(shown: Sequence[_Curve], curves: Sequence[_Curve]) -> str:
    if len(shown) == len(curves):
        return ""
    more = "; the map holds all" if len(curves) <= _MOST_ROWS else ""
    return f" Of {len(curves)} configurations {len(shown)} are drawn{more}."


def _by_layer(curves: Sequence[_Curve]) -> Picture:
    shown = _spread_out(curves, _MOST_LINES)
    with new_figure(8.5, 4.8) as (figure, (axes,)):
        theory = bound = False
        for i, curve in enumerate(shown):
            style = line_style(i)
            mean, low, high = curve.profile(curve.first)
            layers = np.arange(1, len(mean) + 1)
            axes.plot(layers, mean, label=curve.label, markevery=max(1, len(mean) // 10), **style)
            axes.fill_between(layers, low, high, color=style["color"], alpha=0.2, linewidth=0)
            chosen = setting(curve.configuration, curve.first)
            predicted = predict(chosen) if chosen is not None else None
            if predicted is not None:
                expected = np.exp(predicted.log_delta - predicted.log_delta[-1])
                axes.plot(layers, expected, color=style["color"], linestyle="--", linewidth=1.2)
                theory = True
            if curve.configuration["act"] == "sigmoid" and not bound:
                drop = SIGMOID_BOUND ** (len(mean) - layers.astype(float))
                axes.plot(layers, drop, color="#8a8a8a", linestyle=":", label="lecture: 0.25 a sigmoid layer")
                bound = True
        if theory:
            axes.plot([], [], label="theory, in the colour of its line", **THEORY)
        _layer_axes(axes)
        legend(figure)
    rates = "; ".join(
        f"{c.label}: {math.exp(np.nanmean(c.first.log_rates())):.3g}"
        for c in shown
        if np.isfinite(c.first.log_rates()).any()
    )
    return Picture(
        name="gradient-by-layer",
        title="Gradient norm by layer, at initialisation",
        see="A line that falls towards layer 1 is a gradient that vanishes on its way down, one that rises explodes; "
        "bands are 95 % intervals over seeds, dashes are theory." + _only(shown, curves),
        alt=f"Norm of the gradient by layer over that at the last hidden layer, on a log axis. Rate a layer: {rates}.",
        figure=figure,
    )


def _layer_axes(axes: Axes) -> None:
    log_axis(axes.yaxis)
    counting_axis(axes.xaxis)
    axes.set_xlabel("layer (1 is next to the inputs)")
    axes.set_ylabel("‖δ‖ relative to the last layer")
    axes.axhline(1.0, linewidth=0.8, color="#8a8a8a")


def _map(curves: Sequence[_Curve]) -> Picture:
    shown = _spread_out(curves, _MOST_ROWS)
    depth = max(curve.first.depth for curve in shown)
    grid = np.full((len(shown), depth), math.nan)
    for row, curve in zip(grid, shown, strict=True):
        mean, _, _ = curve.profile(curve.first)
        with np.errstate(divide="ignore"):
            row[: len(mean)] = np.log10(mean)
    grid[~np.isfinite(grid)] = math.nan
    reach = max(2.0, min(12.0, float(np.nanmax(np.abs(grid), initial=0.0))))
    with new_figure(8.5, 1.6 + 0.32 * len(shown)) as (figure, (axes,)):
        image = axes.imshow(
            grid,
            aspect="auto",
            cmap="RdBu_r",
            vmin=-reach,
            vmax=reach,
            extent=(0.5, depth + 0.5, len(shown) - 0.5, -0.5),
            interpolation="nearest",
        )
        axes.set_yticks(range(len(shown)), [curve.label for curve in shown])
        counting_axis(axes.xaxis)
        axes.set_xlabel("layer (1 is next to the inputs; a shorter net ends earlier)")
        axes.grid(visible=False)
        colours = image.get_cmap()(image.norm(np.nan_to_num(grid[:, 0])))
        for i, (value, colour) in enumerate(zip(grid[:, 0], colours, strict=True)):
            if np.isfinite(value):
                axes.text(0.75, i, f"{value:+.1f}", va="center", ha="left", fontsize=9, color=ink_on(tuple(colour)))
        figure.colorbar(image, ax=axes, label="log₁₀ ‖δ‖ relative to the last layer")
    return Picture(
        name="gradient-map",
        title="All configurations at a glance",
        see="Blue is a gradient that has shrunk, red one that has grown, on its way from the last layer to the first; "
        "the number is the power of ten at layer 1." + _only(shown, curves),
        alt="Heat map of the logarithm of the gradient norm, a row a configuration and a column a layer. At layer 1: "
        + "; ".join(f"{c.label} {v:+.1f}" for c, v in zip(shown, grid[:, 0], strict=True))
        + ".",
        figure=figure,
    )


def _along_training(curves: Sequence[_Curve], spec: Spec) -> Picture:
    shown = _spread_out(curves, _MOST_PANELS)
    columns = min(3, len(shown))
    rows = math.ceil(len(shown) / columns)
    steps = sorted(
        {spec.measured_steps()[i] for i in np.linspace(0, len(spec.measured_steps()) - 1, 5).round().astype(int)}
    )
    with new_figure(3.2 * columns + 1.6, 2.9 * rows + 0.4, rows, columns, sharey=True) as (figure, panels):
        for axes, curve in zip(panels, shown, strict=False):
            for i, step in enumerate(steps):
                seen = measured_at(curve.rows, step)
                if seen is None:
                    continue
                mean, _, _ = curve.profile(seen)
                axes.plot(
                    np.arange(1, len(mean) + 1),
                    mean,
                    label=f"step {step}",
                    markevery=max(1, len(mean) // 6),
                    **line_style(i),
                )
            log_axis(axes.yaxis)
            axes.set_title(curve.label, fontsize=10)
            axes.set_xlabel("layer")
        for axes in panels[::columns]:
            axes.set_ylabel("‖δ‖ relative to the last layer")
        for axes in panels[len(shown) :]:
            axes.set_axis_off()
        legend(figure)
    return Picture(
        name="gradient-along-training",
        title="The same along training",
        see="Lines of later steps that lie flatter than step 0 belong to nets that training has mended."
        + _only(shown, curves),
        alt="Small multiples, a panel a configuration: norm of the gradient by layer at training steps "
        + ", ".join(map(str, steps))
        + ".",
        figure=figure,
    )
