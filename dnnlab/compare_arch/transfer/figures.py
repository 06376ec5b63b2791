"""The figure: accuracy on the new classes under each treatment."""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import name
from dnnlab.report.figures import FULL, HALF, Picture, drawn, line_style, new_figure
from dnnlab.report.numbers import Form, number

_MOST = 24


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec) -> Sequence[Picture]:
    """One figure: accuracy by treatment."""
    known = summary[summary["accuracy"].notna()]
    rows = known.head(_MOST)
    if rows.empty:
        return []
    more = drawn(rows, known, "rows")
    labels = [f"{name(row, rows)}, {row['treatment']}" for row in rows.to_dict("records")]
    told = "; ".join(
        f"{name(row, rows)} {row['treatment']} {number(row['accuracy'], Form.SHARE)}" for row in rows.to_dict("records")
    )
    return [
        Picture(
            name="transfer",
            title="What one half of the classes teaches about the other",
            see="Frozen layers that beat random ones carry something over; bars are 95 % intervals over seeds and "
            "examples." + more,
            alt=f"Accuracy on the new classes under each treatment. {told}.",
            figure=_drawn(rows, labels, wide=True),
            narrow=_drawn(rows, labels, wide=False),
        )
    ]


def _drawn(rows: pd.DataFrame, labels: Sequence[str], *, wide: bool) -> Figure:
    places = np.arange(len(rows))[::-1]
    with new_figure(FULL if wide else HALF, 1.2 + (0.36 if wide else 0.5) * len(rows)) as (figure, (axes,)):
        colour = line_style(0)["color"]
        axes.hlines(places, rows["accuracy_lo"], rows["accuracy_hi"], color=colour, linewidth=2.5)
        axes.plot(rows["accuracy"], places, linestyle="", marker="o", color=colour, label="_accuracy")
        axes.set_yticks(places, [fill(label, 60 if wide else 20) for label in labels])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlabel("test accuracy on the new classes")
    return figure
