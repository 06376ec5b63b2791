"""The figures: the effect of each remedy, and dead units by layer and along training."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter

from dnnlab.dead_relu.census import figures as census
from dnnlab.dead_relu.census.columns import CONFIGURATION
from dnnlab.dead_relu.census.figures import label, only
from dnnlab.dead_relu.remedy import NO_REMEDY
from dnnlab.dead_relu.spec import Spec
from dnnlab.report.figures import Picture, line_style, new_figure

_MOST_DOTS = 40
_GREY = "#8a8a8a"


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
    places = np.arange(len(rows))[::-1]
    with new_figure(8.5, 1.3 + 0.34 * len(rows), 1, 2, sharey=True) as (figure, panels):
        for i, (axes, quantity) in enumerate(zip(panels, ("dead", "accuracy"), strict=True)):
            colour = line_style(i)["color"]
            mean, low, high = (rows[f"{quantity}{end}"].to_numpy(dtype=float) for end in ("", "_lo", "_hi"))
            axes.hlines(places, low, high, color=colour, linewidth=2.5)
            axes.plot(mean, places, linestyle="", marker="o", color=colour)
            if not others:
                axes.axvline(mean[0], color=_GREY, linewidth=1, linestyle=":")
            axes.xaxis.set_major_formatter(PercentFormatter(1.0))
            axes.set_xlabel({"dead": "dead units", "accuracy": "validation accuracy"}[quantity])
        panels[0].set_yticks(places, labels)
    verdicts = "; ".join(f"{label}: {word}" for label, word in zip(labels, rows["verdict"], strict=True))
    return Picture(
        name="remedies",
        title="What each remedy does",
        see="Left is better in the left panel, right in the right one; bars are 95 % intervals over seeds, the dotted "
        "line is the network without a remedy." + only(labels, summary.index),
        alt=f"Dot plot of the share of dead units and of accuracy under each remedy. {verdicts}.",
        figure=figure,
    )
