"""The figures: the gradient by layer, the same along training, and a map of all configurations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dnnlab.errors import counted, some
from dnnlab.gradient_flow.columns import CONFIGURATION
from dnnlab.gradient_flow.layers import Measured, measured_at
from dnnlab.gradient_flow.spec import Spec
from dnnlab.gradient_flow.summary import UNHEALTHY, setting
from dnnlab.networks import initialisers
from dnnlab.report.figures import (
    FULL,
    HALF,
    SMALLEST,
    THEORY,
    Live,
    Picture,
    counting_axis,
    layer_axis,
    legend,
    line_style,
    log_axis,
    new_figure,
    short,
)
from dnnlab.report.lines import (
    Line,
    Named,
    draw_lines,
    most_telling,
    name_above,
    name_at_ends,
    others,
    spread_out,
)
from dnnlab.report.numbers import number
from dnnlab.report.points import Along
from dnnlab.report.svg import PAPER
from dnnlab.report.ticks import Times
from dnnlab.runner.summary import Group, diverged, groups, mean, measured
from dnnlab.statistics.intervals import log_interval
from dnnlab.theory.gradients import predict

_MOST_PANELS = 4
_MOST_ROWS = 30
_MOST_BOXES = 60
_LETTERS = 20
_HEALTHY = round(math.exp(UNHEALTHY))
_BAND = "#3ea370"
_LIVE_ACTS = ("sigmoid", "tanh", "relu", "linear", "leaky_relu", "elu", "selu", "gelu", "swish", "softplus")
"""The activations that ``live.js`` knows."""
_DRAWN_OTHERWISE = ("rai", "orthogonal")
"""The initialisers whose weights are not independent Gaussians, as that theory takes them to be."""
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
        """Norm of δ relative to the last hidden layer: geometric mean over seeds, and its interval, ``[layer]``. It is
        nan where no gradient arrives in most seeds, as an axis of powers has no zero, and where it is not known."""
        intervals = [log_interval(column) for column in measured.log_to_last().T]
        mean, low, high = (np.exp([getattr(i, end) for i in intervals]) for end in ("mean", "low", "high"))
        return np.where(mean > 0, mean, math.nan), low, high


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
    pictures = [_by_layer(curves, spec)]
    if spec.steps:
        pictures += [_loss(curves, spec), _along_training(curves, spec)]
    return [*pictures, _map(curves)]


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


def _only(shown: Sequence[_Curve], curves: Sequence[_Curve]) -> str:
    if len(shown) == len(curves):
        return ""
    more = "; the map holds all" if len(curves) <= _MOST_ROWS else ""
    return f" Of {len(curves)} configurations {len(shown)} are drawn{more}."


def _by_layer(curves: Sequence[_Curve], spec: Spec) -> Picture:
    lines = [_line(curve) for curve in curves]
    chosen = most_telling([_logarithm(line.end[1]) for line in lines])
    drawn = partial(_drawn, curves, lines, chosen)
    rates = "".join(
        f" {curves[i].label}: {number(math.exp(np.nanmean(curves[i].first.log_rates())))} a layer."
        for i in chosen
        if np.isfinite(curves[i].first.log_rates()).any()
    )
    theory = " Dashes are theory." if any(lines[i].theory is not None for i in chosen) else ""
    early = " A line ends where no gradient arrives in most seeds." if any(map(_nothing_arrives, curves)) else ""
    early += _left_out([curves[i] for i in chosen])
    band = " The band around a line is the 95 % interval over seeds." if spec.seeds > 1 else ""
    along = _along(curves, spec) if spec.steps else None
    return Picture(
        name="gradient-by-layer",
        title="The gradient on its way from the last layer back to the first",
        see="A line that leaves the shaded band has lost or gained a factor of more than 100 before it reaches the "
        f"first layer.{early}{band}{theory}{others(lines, chosen)}",
        alt=f"Norm of the gradient by layer over that at the last hidden layer, on a log axis.{rates}",
        figure=drawn(wide=True, along=along),
        narrow=drawn(wide=False, along=along),
        along=along,
        live=_live([curves[i] for i in chosen], max(len(line.x) for line in lines)),
    )


def _nothing_arrives(curve: _Curve) -> bool:
    """Whether no gradient arrives at layer 1 in most seeds."""
    return bool(np.isneginf(log_interval(curve.first.log_to_last()[:, 0]).mean))


def _left_out(curves: Sequence[_Curve]) -> str:
    """That some seeds have no part in the lines, and how many of which network."""
    told = [f"{lost} of {curve.label}" for curve in curves for lost in curve.first.left_out()]
    return f" A seed has no part in a line where its gradient is zero or not finite: {some(told)}." if told else ""


def _live(curves: Sequence[_Curve], layers: int) -> Live | None:
    """Theory that a reader can change, from the first network that is plain: no normalisation, skip or dropout."""
    for curve in curves:
        asked = curve.configuration
        plain = (asked["norm"], asked["skip"], asked["dropout"]) == ("none", "none", 0) and asked["act"] in _LIVE_ACTS
        if asked["model"] or not plain or asked["init"] in _DRAWN_OTHERWISE or layers < 2:
            continue
        width = asked["width"]
        variances = initialisers.variances(asked["init"], width, width, asked["act"], asked["act"])
        known = {
            "act": asked["act"],
            "weights": round(math.sqrt(variances.weight * width), 2),
            "bias": round(math.sqrt(variances.bias), 2),
            "layers": layers,
            "input": float(np.mean(np.asarray(curve.first.network["input_mean_square"], float))),
        }
        return Live(Path(__file__).with_name("live.js"), known)
    return None


def _line(curve: _Curve) -> Line:
    """The gradient of one configuration at each layer, from the last back to the first."""
    mean, low, high = (values[::-1] for values in curve.profile(curve.first))
    chosen = setting(curve.configuration, curve.first)
    predicted = predict(chosen) if chosen is not None else None
    theory = None if predicted is None else np.exp(predicted.log_delta - predicted.log_delta[-1])[::-1]
    return Line(curve.label, np.arange(len(mean), 0, -1), mean, low, high, theory)


def _told(value: float) -> str:
    return number(float(value)) if math.isfinite(value) else "not a number"


def _logarithm(value: float) -> float:
    return math.log(value) if value > 0 else math.nan


def _along(curves: Sequence[_Curve], spec: Spec) -> Along | None:
    """The same lines at each step at which all of them were measured."""
    heights: dict[int, dict[str, np.ndarray]] = {}
    for step in spec.measured_steps():
        seen = [measured_at(curve.rows, step) for curve in curves]
        if all(each is not None and each.depth == curve.first.depth for each, curve in zip(seen, curves, strict=True)):
            heights[step] = {c.label: c.profile(m)[0][::-1] for c, m in zip(curves, seen, strict=True) if m is not None}
    return Along("training step", heights, 0) if len(heights) > 1 and 0 in heights else None


def _drawn(
    curves: Sequence[_Curve], lines: Sequence[Line], chosen: Sequence[int], *, wide: bool, along: Along | None
) -> Figure:
    depth = max(len(line.x) for line in lines)
    names = {curve.first.names for curve in curves if curve.configuration["model"]}
    with new_figure(*((FULL, 4.8) if wide else (HALF, 5.2))) as (figure, (axes,)):
        axes.axhspan(1 / _HEALTHY, _HEALTHY, color=_BAND, alpha=0.12, linewidth=0)
        named = draw_lines(axes, lines, chosen)
        theory = any(lines[i].theory is not None for i in chosen)
        sigmoids = [lines[i] for i in chosen if curves[i].configuration["act"] == "sigmoid"]
        if sigmoids:
            layers = max(sigmoids, key=lambda line: len(line.x)).x
            bound = SIGMOID_BOUND ** (layers.max() - layers.astype(float))
            style = THEORY | {"linestyle": ":"}
            axes.plot(layers, bound, **style)
            named.append(Named(f"lecture: {SIGMOID_BOUND} a layer", (1.0, float(bound[-1])), style))
        log_axis(axes.yaxis)
        axes.yaxis.set_major_formatter(Times())
        axes.set_ylim(*_limits([line.y for line in lines], along))
        if depth > 1:
            axes.set_xlim(depth, 1)
        layer_axis(axes.xaxis, depth, next(iter(names)) if wide and len(names) == 1 == len(curves) else ())
        axes.set_xlabel(
            "layer: from the last back to the first, which is next to the input" + "; dashes: theory" * theory
        )
        axes.set_ylabel("gradient, compared with the last layer")
        axes.text(0.012, _HEALTHY * 0.75, "within 100×", transform=axes.get_yaxis_transform(), va="top",
                  fontsize=SMALLEST)  # fmt: skip
        if wide:
            name_at_ends(axes, named)
        else:
            axes.set_xlabel("layer, from the last back to the first")
            name_above(figure, axes, named, {"theory": "--"} if theory else None)
    return figure


def _limits(heights: Sequence[np.ndarray], along: Along | None) -> tuple[float, float]:
    """The limits of the vertical axis: the healthy band is always in the picture, so that a healthy network does not
    look like one that collapses; and so are all heights, at every moment."""
    every = [*heights, *(y for moment in (along.y.values() if along else ()) for y in moment.values())]
    known = np.concatenate([y[np.isfinite(y) & (y > 0)] for y in every] or [np.ones(1)])
    low, high = float(known.min(initial=1.0)), float(known.max(initial=1.0))
    return min(low / 3, 1 / (5 * _HEALTHY)), max(high * 3, 5 * _HEALTHY)


def _map(curves: Sequence[_Curve]) -> Picture:
    shown = spread_out(curves, _MOST_ROWS)
    depth = max(curve.first.depth for curve in shown)
    grid = np.full((len(shown), depth), math.nan)
    for row, curve in zip(grid, shown, strict=True):
        mean, _, _ = curve.profile(curve.first)
        with np.errstate(divide="ignore"):
            row[: len(mean)] = np.log10(mean)
    grid[~np.isfinite(grid)] = math.nan
    reach = max(2.0, min(12.0, float(np.nanmax(np.abs(grid), initial=0.0))))
    ends = [
        Times()(float(f"{10**value:.2g}"))
        if math.isfinite(value)
        else ("no gradient" if _nothing_arrives(curve) else "not a number")
        for value, curve in zip(grid[:, 0], shown, strict=True)
    ]
    alone = shown[0] if len(curves) == 1 else None
    labels = [curve.label for curve in shown]
    names = alone.first.names if alone and alone.configuration["model"] else ()
    title = "The network, its layers coloured by the gradient" if alone else "The networks at a glance"
    return Picture(
        name="gradient-map",
        title=title,
        see="Blue is a gradient that has shrunk, red one that has grown, on its way from the last layer to the first; "
        "what is left at the first layer stands beside it." + _only(shown, curves),
        alt="Heat map of the logarithm of the gradient norm, with a row for each network and a column for each layer. "
        "At layer 1: " + "; ".join(f"{c.label} {v}" for c, v in zip(shown, ends, strict=True)) + ".",
        figure=_mapped(grid, reach, labels, names, ends, wide=True),
        narrow=_mapped(grid, reach, labels, (), ends, wide=False),
    )


def _mapped(
    grid: np.ndarray, reach: float, labels: Sequence[str], names: Sequence[str], ends: Sequence[str], *, wide: bool
) -> Figure:
    """``grid [network, layer]`` as boxes; on a narrow screen what is left at the first layer stands below the name."""
    count, depth = grid.shape
    told = labels if wide else [f"{fill(label, _LETTERS)}\n{end}" for label, end in zip(labels, ends, strict=True)]
    row = 0.34 if wide else 0.2 * max(label.count("\n") + 1 for label in told)
    height = 1.5 + (0.7 if names else 0) + row * count
    with new_figure(FULL if wide else HALF, height) as (figure, (axes,)):
        image = axes.pcolormesh(
            np.arange(depth + 1) + 0.5, np.arange(count + 1) - 0.5, grid, cmap="RdBu_r", vmin=-reach, vmax=reach,
            edgecolors=PAPER, linewidth=1.5 if depth <= _MOST_BOXES else 0,
        )  # fmt: skip
        axes.set_xlim(depth + 0.5, 0.5)
        axes.set_ylim(count - 0.5, -0.5)
        axes.set_yticks(range(count), told)
        layer_axis(axes.xaxis, depth, names)
        axes.set_xlabel("layer, from the last back to the first")
        axes.grid(visible=False)
        for i, end in enumerate(ends if wide else ()):
            axes.text(1.015, i, end, transform=axes.get_yaxis_transform(), va="center", fontsize=SMALLEST)
        bar = figure.colorbar(image, ax=axes, location="bottom", aspect=40, fraction=0.3 / height, pad=0.1 / height)
        bar.set_label("power of ten" + (" of the gradient, compared with the last layer" if wide else ""))
    return figure


def _loss(curves: Sequence[_Curve], spec: Spec) -> Picture:
    """Whether a network learns, beside whether its first layers receive a gradient."""
    losses, ratios = [], []
    for curve in curves:
        seen = {step: m for step in spec.measured_steps() if (m := measured_at(curve.rows, step)) is not None}
        steps = np.array(list(seen))
        loss = np.array([mean(np.asarray(m.network["loss"], float)) for m in seen.values()])
        first = np.exp([log_interval(m.log_first_to_last()).mean for m in seen.values()])
        losses.append(Line(curve.label, steps, loss))
        ratios.append(Line(curve.label, steps, first))
    chosen = most_telling([float(line.y[-1]) for line in losses])
    with new_figure(HALF, 5.4, 2, 1) as (figure, (left, right)):
        for axes, lines, label in ((left, losses, "loss (nats)"), (right, ratios, "gradient, first layer to last")):
            for each in draw_lines(axes, lines, chosen):
                axes.plot([], [], label=short(each.name), **each.style)
            axes.set_xlabel("training step")
            axes.set_ylabel(label)
            counting_axis(axes.xaxis)
        log_axis(right.yaxis)
        legend(figure, above=True)
    told = "; ".join(f"{losses[i].name}: {_told(losses[i].y[-1])}" for i in chosen)
    return Picture(
        name="loss",
        title="The loss beside the gradient, along training",
        see="A loss that stays where it began, beside a gradient far below 1, is a network whose first layers cannot "
        f"learn. Both are means over seeds.{_diverged(curves, chosen, spec)}" + others(losses, chosen),
        alt=f"Loss and ratio of the gradients by training step, a line for each network. Loss at the end: {told}.",
        figure=figure,
    )


def _diverged(curves: Sequence[_Curve], chosen: Sequence[int], spec: Spec) -> str:
    """That seeds whose loss is no number are left out, and how many these are at the end."""
    told = []
    for curve in (curves[i] for i in chosen):
        end = measured_at(curve.rows, spec.steps)
        lost = diverged(end.network["loss"]) if end is not None else 0
        if end is not None and lost:
            told.append(f"{lost} of {counted(len(end.network), 'seed')} of {curve.label}")
    return f" Losses that are infinite or not a number are left out, at the end those of {some(told)}." if told else ""


def _along_training(curves: Sequence[_Curve], spec: Spec) -> Picture:
    shown = spread_out(curves, _MOST_PANELS)
    steps = sorted(
        {spec.measured_steps()[i] for i in np.linspace(0, len(spec.measured_steps()) - 1, 5).round().astype(int)}
    )
    drawn = partial(_small_multiples, shown, steps)
    return Picture(
        name="gradient-along-training",
        title="The gradient by layer, along training",
        see="Lines of later steps that lie flatter than step 0 belong to networks that training has mended."
        + _only(shown, curves),
        alt="Small multiples, a panel for each network: norm of the gradient by layer at training steps "
        + ", ".join(map(str, steps))
        + ".",
        figure=drawn(across=4),
        narrow=drawn(across=2),
    )


def _small_multiples(shown: Sequence[_Curve], steps: Sequence[int], across: int) -> Figure:
    columns = min(across, len(shown))
    rows = math.ceil(len(shown) / columns)
    width, height = (FULL, 3.0) if across > 2 else (HALF, 2.2)
    with new_figure(width, height * rows + 0.9, rows, columns, sharey=True) as (figure, panels):
        for axes, curve in zip(panels, shown, strict=False):
            for i, step in enumerate(steps):
                seen = measured_at(curve.rows, step)
                if seen is None:
                    continue
                heights = curve.profile(seen)[0][::-1]
                style = line_style(i) | {"marker": ""}
                axes.plot(np.arange(len(heights), 0, -1), heights, label=f"step {step}", **style)
            log_axis(axes.yaxis)
            axes.set_title(fill(curve.label, _LETTERS), fontsize=10)
            axes.set_xlabel("layer")
            if curve.first.depth > 1:
                axes.set_xlim(curve.first.depth, 1)
            layer_axis(axes.xaxis, curve.first.depth)
        for axes in panels[::columns]:
            axes.set_ylabel("gradient, compared\nwith the last layer")
        for axes in panels[len(shown) :]:
            axes.set_axis_off()
        legend(figure, above=True)
    return figure
