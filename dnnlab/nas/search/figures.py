"""The figures: how each strategy gets better, its result, which dimensions matter, and the network it ended in."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from dnnlab.errors import listing
from dnnlab.nas.pareto import front
from dnnlab.nas.search.curves import Band, bands
from dnnlab.nas.search.drawing import drawing
from dnnlab.nas.search.fronts import points, scaled
from dnnlab.nas.search.importance import architectures, effects
from dnnlab.nas.spec import Spec
from dnnlab.nas.strategies import AVERAGE, RANDOM
from dnnlab.report.figures import FULL, GREY, HALF, Picture, legend, line_style, log_axis, new_figure
from dnnlab.report.numbers import Form, number
from dnnlab.runner.summary import measured

_MOST_BARS = 16


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec) -> Sequence[Picture]:
    """The figures of a run; none where nothing was measured."""
    pictures: list[Picture] = []
    for data, rows in measured(cells).groupby("data", sort=False):
        table = summary[summary["data"] == data]
        name = f"-{len(pictures)}" if pictures else ""
        pictures.append(_anytime(rows, spec, f"anytime{name}", str(data)))
        if spec.several:
            pictures.append(_fronts(rows, spec, f"fronts{name}", str(data)))
        if table["test"].notna().any():
            pictures.append(_tests(table, spec, f"test{name}", str(data)))
        if importance := effects(*architectures(cells, spec, str(data)), spec):
            pictures.append(_importance(importance, f"importance{name}", str(data)))
        pictures += drawing(table, rows, spec, f"found{name}")
    return pictures


def _anytime(rows: pd.DataFrame, spec: Spec, name: str, data: str) -> Picture:
    quantity = "hypervolume" if spec.several else "test accuracy" if spec.table else "validation accuracy"
    axes_of = ("trainings",) if spec.table else ("trainings", "seconds")
    drawn = {by: bands(rows, spec, by) for by in axes_of}
    form = Form.NUMBER if quantity == "hypervolume" else Form.SHARE
    told = [f"{strategy}: {number(float(band.mean[-1]), form)}" for strategy, band in drawn["trainings"].items()]
    return Picture(
        name=name,
        title=f"How good the best so far is, on {data}",
        see="A line that is higher further left got as far with less; bands are 95 % intervals over seeds. Proxies and "
        "supernets count, and what stands before anything was trained is left out.",
        alt=f"Curves of {quantity} against the budget spent. At the end {'; '.join(told)}.",
        figure=_drawn_anytime(drawn, quantity, wide=True),
        narrow=_drawn_anytime(drawn, quantity, wide=False),
    )


def _drawn_anytime(drawn: Mapping[str, Mapping[str, Band]], quantity: str, *, wide: bool) -> Figure:
    count = len(drawn)
    size, shape = ((FULL, 4.4), (1, count)) if wide else ((HALF, 1.2 + 3.2 * count), (count, 1))
    with new_figure(*size, *shape, sharey=True) as (figure, panels):
        for axes, (by, curves) in zip(panels, drawn.items(), strict=True):
            for i, (strategy, band) in enumerate(curves.items()):
                _draw_band(axes, band, strategy, i)
            if by == "trainings" and curves:
                axes.set_ylim(*_limits(list(curves.values())))
            axes.set_xlabel("full trainings spent" if by == "trainings" else "seconds spent")
        if quantity == "hypervolume":
            panels[0].set_ylabel(quantity)
        else:
            panels[0].set_ylabel(f"{quantity} of the best so far")
            panels[0].yaxis.set_major_formatter(PercentFormatter(1.0))
        legend(figure, above=True)
    return figure


def _limits(bands: Sequence[Band]) -> tuple[float, float]:
    """The limits of the vertical axis: all means from a tenth of the budget on are in the picture; the first steps
    would flatten them."""
    tenth = 0.1 * max(band.x[-1] for band in bands)
    means = np.concatenate([band.mean[(band.x >= tenth) | (band.x == band.x[-1])] for band in bands])
    margin = max(0.002, 0.15 * float(means.max() - means.min()))
    return float(means.min()) - 2 * margin, float(means.max()) + margin


def _draw_band(axes: Any, band: Band, label: str, index: int) -> None:
    style = line_style(index)
    axes.plot(band.x, band.mean, label=label, markevery=max(1, len(band.x) // 8), **style)
    axes.fill_between(band.x, band.low, band.high, color=style["color"], alpha=0.2, linewidth=0)


def _tests(table: pd.DataFrame, spec: Spec, name: str, data: str) -> Picture:
    average = table.loc[table["strategy"] == AVERAGE, "test"].max()
    rows = table[table["test"].notna() & (table["strategy"] != AVERAGE)]
    places = np.arange(len(rows))[::-1]
    with new_figure(HALF, 1.3 + 0.4 * len(rows)) as (figure, (axes,)):
        for i, (place, row) in enumerate(zip(places, rows.to_dict("records"), strict=True)):
            style = line_style(i)
            axes.hlines(place, row["test_lo"], row["test_hi"], color=style["color"], linewidth=2.5)
            axes.plot(row["test"], place, linestyle="", marker=style["marker"], color=style["color"])
        for value in rows.loc[rows["strategy"] == RANDOM, "test"]:
            axes.axvline(value, color=GREY, linewidth=1, linestyle=":")
        axes.set_yticks(places, rows["strategy"].tolist())
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlabel("test accuracy")
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    over = "seeds" if spec.table else "seeds and examples"
    told = "; ".join(
        f"{row['strategy']} {number(row['test'], Form.SHARE)}, {row['verdict']}" for row in rows.to_dict("records")
    )
    return Picture(
        name=name,
        title=f"Test accuracy of what each search ended in, on {data}",
        see="The dotted line is random search; whether another is better, its verdict says. Bars are 95 % intervals "
        f"over {over}."
        + ("" if math.isnan(average) else f" The average architecture of the space has {number(average, Form.SHARE)}."),
        alt=f"Dot plot of test accuracy. {told}.",
        figure=figure,
    )


def _importance(importance: Sequence[Any], name: str, data: str) -> Picture:
    shown = list(importance)[:_MOST_BARS]
    places = np.arange(len(shown))[::-1]
    with new_figure(HALF, 1.3 + 0.42 * len(shown)) as (figure, (axes,)):
        axes.barh(places, [effect.share for effect in shown], color=line_style(0)["color"])
        axes.set_yticks(places, [f"{effect.dimension}\n(best: {effect.best})" for effect in shown])
        axes.set_xlabel("share of the variance of validation accuracy")
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlim(0, max(0.05, 1.1 * max(effect.share for effect in shown)))
    told = "; ".join(f"{effect.dimension} {number(effect.share, Form.SHARE)}" for effect in shown[:5])
    beyond = [effect.dimension for effect in importance if effect.shown]
    return Picture(
        name=name,
        title=f"What explains accuracy in this space, on {data}",
        see="How much of the spread of accuracy each choice explains by itself, among architectures that nobody "
        "selected; what several choices do together is in none of the bars. Beyond chance (by ranks, Holm-corrected): "
        f"{listing(beyond) if beyond else 'none'}.",
        alt=f"Bars of the variance that each dimension explains. {told}.",
        figure=figure,
    )


def _fronts(rows: pd.DataFrame, spec: Spec, name: str, data: str) -> Picture:
    """For each strategy the front of all its seeds together, in accuracy and the second objective."""
    trained = scaled(rows, spec)
    told = []
    with new_figure(HALF, 5.0) as (figure, (axes,)):
        for i, (strategy, searches) in enumerate(trained.groupby("strategy", sort=False)):
            values = points(searches, spec)[:, :2]
            best = values[front(values.tolist())]
            best = best[np.argsort(-best[:, 1])]
            axes.plot(-best[:, 1], best[:, 0], label=str(strategy), drawstyle="steps-post", **line_style(i))
            told.append(f"{strategy}: {len(best)} architectures")
        log_axis(axes.xaxis)
        unit = " (ms)" if spec.objectives[1] == "latency" else ""
        axes.set_xlabel(spec.objectives[1] + unit)
        axes.set_ylabel("validation accuracy")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        legend(figure, above=True)
    return Picture(
        name=name,
        title=f"What is not beaten in both, on {data}",
        see="Further up and left is better. Each line joins the architectures of a strategy, of all its seeds, that no "
        "other beats in both.",
        alt=f"Pareto fronts. {'; '.join(told)}.",
        figure=figure,
    )
