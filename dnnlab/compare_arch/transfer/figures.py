"""The figure: accuracy on the new classes under each treatment."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter

from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import name
from dnnlab.report.figures import Picture, line_style, new_figure

_MOST = 24


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec) -> Sequence[Picture]:
    """One figure: accuracy by treatment."""
    rows = summary[summary["accuracy"].notna()].head(_MOST)
    if rows.empty:
        return []
    places = np.arange(len(rows))[::-1]
    with new_figure(8.0, 1.2 + 0.36 * len(rows)) as (figure, (axes,)):
        colour = line_style(0)["color"]
        axes.hlines(places, rows["accuracy_lo"], rows["accuracy_hi"], color=colour, linewidth=2.5)
        axes.plot(rows["accuracy"], places, linestyle="", marker="o", color=colour)
        axes.set_yticks(places, [f"{name(row, rows)}, {row['treatment']}" for row in rows.to_dict("records")])
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlabel("test accuracy on the new classes")
    told = "; ".join(f"{name(row, rows)} {row['treatment']} {row['accuracy']:.1%}" for row in rows.to_dict("records"))
    return [
        Picture(
            name="transfer",
            title="What one half of the classes teaches about the other",
            see="Frozen layers that beat random ones carry something over; bars are 95 % intervals over seeds.",
            alt=f"Accuracy on the new classes under each treatment. {told}.",
            figure=figure,
        )
    ]
