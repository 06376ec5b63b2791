"""The figures: accuracy against each cost, training curves, parameters and MACs beside time."""

from collections.abc import Hashable, Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, PercentFormatter

from dnnlab.compare_arch.equal_budget import columns as c
from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import CONFIGURATION, name
from dnnlab.report.figures import FULL, HALF, Picture, drawn, legend, line_style, log_axis, new_figure
from dnnlab.report.lines import Line, draw_lines
from dnnlab.statistics.intervals import mean_share

_MOST_LINES = 10
_MOST_BARS = 30
_AXES = {"params": "parameters", "macs": "MACs of one input", "latency_ms": "latency (ms)"}


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec) -> Sequence[Picture]:
    """The figures of a run."""
    pictures = []
    for number, (_, rows) in enumerate(summary.groupby(list(c.COMPARED), sort=False, dropna=False)):
        if rows["accuracy"].notna().any():
            pictures += [_fronts(rows, number), _curves(rows, cells, number)]
    if summary["macs"].notna().any():
        pictures.append(_bars(summary))
    return pictures


def _where(rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    size = f", {first['train_size']} examples" if first["train_size"] else ""
    return f"{first['data']}{size}, {first['budget']}"


def _fronts(rows: pd.DataFrame, number: int) -> Picture:
    shown = rows[rows["accuracy"].notna()].head(_MOST_LINES)
    told = "; ".join(f"{name(row, shown)} {c.SCHEMA.number(row, 'accuracy')}" for row in shown.to_dict("records"))
    more = drawn(shown, rows, "rows")
    return Picture(
        name=f"accuracy-against-cost-{number + 1}",
        title=f"Accuracy against cost: {_where(rows)}",
        see="Up and to the left is better; bars are 95 % intervals over seeds and examples. Costs are on log axes."
        + more,
        alt=f"Test accuracy against parameters, MACs and latency. {told}.",
        figure=_drawn_fronts(shown, wide=True),
        narrow=_drawn_fronts(shown, wide=False),
    )


def _drawn_fronts(shown: pd.DataFrame, *, wide: bool) -> Figure:
    names = [name(row, shown) for row in shown.to_dict("records")]
    size = (FULL, 3.8 + 0.1 * len(names)) if wide else (HALF, 7.0 + 0.2 * len(names))
    shape = (1, len(_AXES)) if wide else (len(_AXES), 1)
    with new_figure(*size, *shape, sharey=True) as (figure, panels):
        for axes, (cost, label) in zip(panels, _AXES.items(), strict=True):
            for i, (row, told) in enumerate(zip(shown.to_dict("records"), names, strict=True)):
                style = line_style(i)
                axes.vlines(row[cost], row["accuracy_lo"], row["accuracy_hi"], color=style["color"], linewidth=2)
                axes.plot(
                    [row[cost]], [row["accuracy"]], linestyle="", marker=style["marker"], color=style["color"],
                    label=fill(told, 48),
                )  # fmt: skip
            log_axis(axes.xaxis)
            axes.margins(x=0.15)
            axes.set_xlabel(label)
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        panels[0 if wide else 1].set_ylabel("test accuracy")
        legend(figure, above=True)
    return figure


def _curves(rows: pd.DataFrame, cells: pd.DataFrame, number: int) -> Picture:
    looks = cells[cells["macs_spent"].notna()]
    shown = rows[rows["accuracy"].notna()].head(_MOST_LINES)
    lines = [_lines(row, name(row, shown), looks) for row in shown.to_dict("records")]
    more = drawn(shown, rows, "rows")
    return Picture(
        name=f"training-{number + 1}",
        title=f"Along training: {_where(rows)}",
        see="Against the multiply–accumulates spent, so that networks of different cost can be compared at any moment; "
        "bands are 95 % intervals over seeds." + more,
        alt="Training loss and validation accuracy against multiply–accumulates spent, a line for each network that is "
        "drawn." + more,
        figure=_drawn_curves(lines, wide=True),
        narrow=_drawn_curves(lines, wide=False),
    )


def _lines(row: Mapping[Hashable, Any], label: str, looks: pd.DataFrame) -> tuple[Line, Line]:
    """Loss and validation accuracy of one network along its training."""
    curve = looks
    for column in CONFIGURATION:
        curve = curve[curve[column] == row[column]]
    at, losses = _by_place(curve, "loss")
    # Not every look was at the validation split.
    later, accuracies = _by_place(curve[curve["validation_accuracy"].notna()], "validation_accuracy")
    bands = [mean_share(each) for each in accuracies]
    mean, low, high = (np.array([getattr(band, end) for band in bands]) for end in ("mean", "low", "high"))
    return Line(label, at, np.array([np.mean(each) for each in losses])), Line(label, later, mean, low, high)


def _by_place(curve: pd.DataFrame, quantity: str) -> tuple[np.ndarray, list[list[float]]]:
    """The mean multiply–accumulates spent at each look, and the quantity there over seeds: by the place of the look,
    since under a budget of seconds the steps of the seeds differ."""
    place = curve.groupby("seed").cumcount()
    at = curve["macs_spent"].groupby(place).mean().to_numpy(float)
    return at, [list(values) for _, values in curve[quantity].groupby(place)]


def _drawn_curves(lines: Sequence[tuple[Line, Line]], *, wide: bool) -> Figure:
    size, shape = ((FULL, 4.0), (1, 2)) if wide else ((HALF, 6.2), (2, 1))
    with new_figure(size[0], size[1] + 0.18 * len(lines), *shape) as (figure, panels):
        for axes, label, drawn in zip(
            panels, ("training loss (nats)", "validation accuracy"), zip(*lines, strict=True), strict=True
        ):
            for each in draw_lines(axes, drawn, range(len(drawn))):
                axes.plot([], [], label=fill(each.name, 48), **each.style)
            axes.set_xlabel("MACs of the training")
            _large_numbers(axes)
            axes.set_ylabel(label)
        panels[1].yaxis.set_major_formatter(PercentFormatter(1.0))
        legend(figure, above=True)
    return figure


def _large_numbers(axes: Axes) -> None:
    """Labels such as 250k or 2.5G."""
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))


def _bars(summary: pd.DataFrame) -> Picture:
    costed = summary[summary["macs"].notna()].drop_duplicates(list(c.COSTED))
    rows = costed.head(_MOST_BARS)
    columns = {"parameters": rows["params"], "MACs of one input": rows["macs"]}
    timed = rows["throughput"].notna().any()
    if timed:
        columns["ms an input, in batches"] = 1e3 / rows["throughput"].astype(float)
    names = [name(row, rows) for row in rows.to_dict("records")]
    figure, narrow = (_drawn_bars(columns, names, wide=wide) for wide in (True, False))
    more = drawn(rows, costed, "networks")
    if not timed:
        return Picture(
            name="cost",
            title="Parameters and MACs",
            see="Where the two panels differ in shape, networks use the same weights more or less often." + more,
            alt="Bars of parameters and multiply–accumulates, one row for each network.",
            figure=figure,
            narrow=narrow,
        )
    return Picture(
        name="cost",
        title="Parameters and MACs beside time",
        see="Where the last two panels differ in shape, multiply–accumulates do not tell the time: memory traffic and "
        "small operations do." + more,
        alt="Bars of parameters, multiply–accumulates and measured time an input, one row for each network.",
        figure=figure,
        narrow=narrow,
    )


def _drawn_bars(columns: Mapping[str, "pd.Series[float]"], names: Sequence[str], *, wide: bool) -> Figure:
    places = np.arange(len(names))[::-1]
    told = [fill(each, 40 if wide else 22) for each in names]
    row = 0.12 + 0.2 * max(each.count("\n") + 1 for each in told)
    size, shape = ((FULL, 1.4 + row * len(names)), (1, len(columns)))
    if not wide:
        size, shape = (HALF, len(columns) * (0.8 + row * len(names))), (len(columns), 1)
    with new_figure(*size, *shape, sharey=True) as (figure, panels):
        for i, (axes, (label, values)) in enumerate(zip(panels, columns.items(), strict=True)):
            axes.barh(places, values.astype(float), color=line_style(i)["color"], height=0.7)
            axes.set_xlabel(label)
            axes.set_ylim(-0.6, len(names) - 0.4)
            axes.set_yticks(places, told)
            if label in ("parameters", "MACs of one input"):
                _large_numbers(axes)
    return figure
