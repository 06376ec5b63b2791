"""The figure: what each block saves in parameters, MACs and time."""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dnnlab.compare_arch.blocks import columns as c
from dnnlab.compare_arch.spec import Spec
from dnnlab.report.figures import FULL, GREY, HALF, Picture, legend, line_style, log_axis, new_figure


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec) -> Sequence[Picture]:
    """One figure: the ratio of each block to the reference of its comparison."""
    rows = summary[(summary["verdict"] != c.REFERENCE) & summary["time_ratio"].notna()]
    if rows.empty:
        return []
    told = "; ".join(f"{row['block']}: MACs {row['macs_ratio']:.2f}, time {row['time_ratio']:.2f}"
                     for row in rows.to_dict("records"))  # fmt: skip
    return [
        Picture(
            name="blocks",
            title="What each block saves",
            see="Left of the dotted line is less than the reference. Where time lies to the right of MACs, the saving "
            "is smaller than it counts.",
            alt=f"Dots of parameters, MACs and time relative to the reference. {told}.",
            figure=_drawn(rows, wide=True),
            narrow=_drawn(rows, wide=False),
        )
    ]


def _drawn(rows: pd.DataFrame, *, wide: bool) -> Figure:
    places = np.arange(len(rows))[::-1]
    with new_figure(FULL if wide else HALF, 1.6 + (0.36 if wide else 0.5) * len(rows)) as (figure, (axes,)):
        for i, (quantity, label) in enumerate(
            (("params_ratio", "parameters"), ("macs_ratio", "MACs"), ("time_ratio", "training time"))
        ):
            style = line_style(i)
            axes.plot(rows[quantity], places, linestyle="", marker=style["marker"], color=style["color"], label=label)
            if quantity == "time_ratio":
                axes.hlines(places, rows["time_ratio_lo"], rows["time_ratio_hi"], color=style["color"], linewidth=2)
        axes.axvline(1, linewidth=1, color=GREY, linestyle=":")
        axes.set_yticks(
            places,
            [
                fill(f"{row['block']} ({row['comparison'].split(',')[0]})", 60 if wide else 22)
                for row in rows.to_dict("records")
            ],
        )
        log_axis(axes.xaxis)
        axes.set_xlabel("over the first block of the comparison")
        axes.set_ylim(-0.6, len(rows) - 0.4)
        legend(figure, above=True)
    return figure
