"""The figures: the effect of each remedy, and dead units by layer and along training."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from dnnlab.dead_relu.census import figures as census
from dnnlab.dead_relu.census.columns import CONFIGURATION
from dnnlab.dead_relu.census.figures import label, only
from dnnlab.dead_relu.remedy import NO_REMEDY
from dnnlab.dead_relu.spec import Spec
from dnnlab.report.figures import FULL, GREY, HALF, Picture, line_style, new_figure

_MOST_DOTS = 40
_AXES = {"dead": "dead units", "accuracy": "validation accuracy"}


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec) -> Sequence[Picture]:
    """The figures of a run; none where nothing was measured."""
    others = census.draw(cells, summary, spec)
    return [_dots(summary), *others] if others else []


def _dots(summary: pd.DataFrame) -> Picture:
    rows = summary.head(_MOST_DOTS)
    others = [name for name in CONFIGURATION if summary[name].nunique(dropna=False) > 1]
    labels = [
        " · ".join(
            [row["remedy"] if row["remedy"] != NO_REMEDY else "no remedy", *([label(row, others)] * bool(others))]
        )
        for row in rows.to_dict("records")
    ]
    verdicts = "; ".join(f"{label}: {word}" for label, word in zip(labels, rows["verdict"], strict=True))
    return Picture(
        name="remedies",
        title="What each remedy does",
        see="A remedy is better the fewer units are dead and the higher the accuracy. Bars are 95 % intervals over "
        "seeds; a dot without a bar has no interval."
        + " The dotted line is the network without a remedy." * (not others)
        + only(labels, summary.index),
        alt=f"Dot plot of the share of dead units and of accuracy under each remedy. {verdicts}.",
        figure=_drawn(rows, labels, not others, wide=True),
        narrow=_drawn(rows, labels, not others, wide=False),
    )


def _drawn(rows: pd.DataFrame, labels: Sequence[str], of_one: bool, *, wide: bool) -> Figure:
    places = np.arange(len(rows))[::-1]
    size = (FULL, 1.3 + 0.34 * len(rows)) if wide else (HALF, 2.2 + 0.62 * len(rows))
    with new_figure(*size, *((1, 2) if wide else (2, 1)), sharey=True) as (figure, panels):
        for i, (axes, quantity) in enumerate(zip(panels, ("dead", "accuracy"), strict=True)):
            colour = line_style(i)["color"]
            mean, low, high = (rows[f"{quantity}{end}"].to_numpy(dtype=float) for end in ("", "_lo", "_hi"))
            axes.hlines(places, low, high, color=colour, linewidth=2.5)
            axes.plot(mean, places, linestyle="", marker="o", color=colour, label=f"_{_AXES[quantity]}")
            if of_one:
                axes.axvline(mean[0], color=GREY, linewidth=1, linestyle=":")
            axes.xaxis.set_major_formatter(PercentFormatter(1.0))
            axes.set_xlim(-0.03, 1.03)
            axes.set_ylim(-0.6, len(rows) - 0.4)
            axes.set_xlabel(_AXES[quantity])
            axes.set_yticks(places, labels)
    return figure
