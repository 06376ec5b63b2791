"""The figures: accuracy against each cost, training curves, parameters and MACs beside time."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, PercentFormatter

from dnnlab.compare_arch.equal_budget import columns as c
from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import CONFIGURATION, name
from dnnlab.report.figures import Picture, legend, line_style, log_axis, new_figure
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
    with new_figure(9.5, 4.2, 1, len(_AXES), sharey=True) as (figure, panels):
        for axes, (cost, label) in zip(panels, _AXES.items(), strict=True):
            for i, row in enumerate(shown.to_dict("records")):
                style = line_style(i)
                axes.vlines(row[cost], row["accuracy_lo"], row["accuracy_hi"], color=style["color"], linewidth=2)
                axes.plot(
                    [row[cost]], [row["accuracy"]], linestyle="", marker=style["marker"], color=style["color"],
                    label=name(row, shown),
                )  # fmt: skip
            log_axis(axes.xaxis)
            axes.margins(x=0.15)
            axes.set_xlabel(label)
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        panels[0].set_ylabel("test accuracy")
        legend(figure)
    told = "; ".join(f"{name(row, shown)} {row['accuracy']:.1%}" for row in shown.to_dict("records"))
    more = f" Of {len(rows)} rows {len(shown)} are drawn." if len(shown) < len(rows) else ""
    return Picture(
        name=f"accuracy-against-cost-{number + 1}",
        title=f"Accuracy against cost: {_where(rows)}",
        see="Up and to the left is better; bars are 95 % intervals over seeds. Costs are on log axes." + more,
        alt=f"Test accuracy against parameters, MACs and latency. {told}.",
        figure=figure,
    )


def _curves(rows: pd.DataFrame, cells: pd.DataFrame, number: int) -> Picture:
    looks = cells[cells["macs_spent"].notna()]
    shown = rows[rows["accuracy"].notna()].head(_MOST_LINES)
    with new_figure(9.5, 4.2, 1, 2) as (figure, panels):
        for i, row in enumerate(shown.to_dict("records")):
            curve = looks
            for column in CONFIGURATION:
                curve = curve[curve[column] == row[column]]
            style = line_style(i)
            for axes, quantity in zip(panels, ("loss", "validation_accuracy"), strict=True):
                if quantity == "validation_accuracy":  # not every look was at the validation split
                    curve = curve[curve[quantity].notna()]
                # By the place in the training, since under a budget of seconds the steps of the seeds differ.
                place = curve.groupby("seed").cumcount()
                at = curve["macs_spent"].groupby(place).mean()
                values = [list(v) for _, v in curve[quantity].groupby(place)]
                if quantity == "loss":
                    axes.plot(at, [np.mean(v) for v in values], label=name(row, shown), **style)
                    continue
                bands = [mean_share(v) for v in values]
                axes.plot(at, [b.mean for b in bands], label=name(row, shown), **style)
                axes.fill_between(
                    at, [b.low for b in bands], [b.high for b in bands], color=style["color"], alpha=0.2, linewidth=0
                )
        for axes, label in zip(panels, ("training loss (nats)", "validation accuracy"), strict=True):
            axes.set_xlabel("MACs of the training")
            _large_numbers(axes)
            axes.set_ylabel(label)
        panels[1].yaxis.set_major_formatter(PercentFormatter(1.0))
        legend(figure)
    return Picture(
        name=f"training-{number + 1}",
        title=f"Along training: {_where(rows)}",
        see="Against the multiply–accumulates spent, so that networks of different cost can be compared at any moment; "
        "bands are 95 % intervals over seeds.",
        alt="Training loss and validation accuracy against multiply–accumulates spent, a line a network.",
        figure=figure,
    )


def _large_numbers(axes: Axes) -> None:
    """Labels such as 250k or 2.5G."""
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))


def _bars(summary: pd.DataFrame) -> Picture:
    costed = summary[summary["macs"].notna()].drop_duplicates(list(c.COSTED))
    rows = costed.head(_MOST_BARS)
    places = np.arange(len(rows))[::-1]
    columns = {"parameters": rows["params"], "MACs of one input": rows["macs"]}
    timed = rows["throughput"].notna().any()
    if timed:
        columns["ms an input, in batches"] = 1e3 / rows["throughput"].astype(float)
    with new_figure(9.5, 1.4 + 0.32 * len(rows), 1, len(columns), sharey=True) as (figure, panels):
        for i, (axes, (label, values)) in enumerate(zip(panels, columns.items(), strict=True)):
            axes.barh(places, values.astype(float), color=line_style(i)["color"], height=0.7)
            axes.set_xlabel(label)
            if label in ("parameters", "MACs of one input"):
                _large_numbers(axes)
        panels[0].set_yticks(places, [name(row, rows) for row in rows.to_dict("records")])
    more = f" Of {len(costed)} networks {len(rows)} are drawn." if len(rows) < len(costed) else ""
    if not timed:
        return Picture(
            name="cost",
            title="Parameters and MACs",
            see="Where the two panels differ in shape, networks use the same weights more or less often." + more,
            alt="Bars of parameters and multiply–accumulates, one row for each network.",
            figure=figure,
        )
    return Picture(
        name="cost",
        title="Parameters and MACs beside time",
        see="Where the last two panels differ in shape, multiply–accumulates do not tell the time: memory traffic and "
        "small operations do." + more,
        alt="Bars of parameters, multiply–accumulates and measured time an input, one row for each network.",
        figure=figure,
    )
