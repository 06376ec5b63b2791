"""The figure: what each block saves in parameters, MACs and time."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dnnlab.compare_arch.blocks import columns as c
from dnnlab.compare_arch.spec import Spec
from dnnlab.report.figures import Picture, legend, line_style, log_axis, new_figure


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec) -> Sequence[Picture]:
    """One figure: the ratio of each block to the reference of its comparison."""
    rows = summary[(summary["verdict"] != c.REFERENCE) & summary["time_ratio"].notna()]
    if rows.empty:
        return []
    places = np.arange(len(rows))[::-1]
    with new_figure(9.5, 1.2 + 0.36 * len(rows)) as (figure, (axes,)):
        for i, (quantity, label) in enumerate(
            (("params_ratio", "parameters"), ("macs_ratio", "MACs"), ("time_ratio", "training time"))
        ):
            style = line_style(i)
            axes.plot(rows[quantity], places, linestyle="", marker=style["marker"], color=style["color"], label=label)
            if quantity == "time_ratio":
                axes.hlines(places, rows["time_ratio_lo"], rows["time_ratio_hi"], color=style["color"], linewidth=2)
        axes.axvline(1, linewidth=1, color="#8a8a8a", linestyle=":")
        axes.set_yticks(
            places, [f"{row['block']} ({row['comparison'].split(',')[0]})" for row in rows.to_dict("records")]
        )
        log_axis(axes.xaxis)
        axes.set_xlabel("over the first block of the comparison")
        legend(figure)
    told = "; ".join(f"{row['block']}: MACs {row['macs_ratio']:.2f}, time {row['time_ratio']:.2f}"
                     for row in rows.to_dict("records"))  # fmt: skip
    return [
        Picture(
            name="blocks",
            title="What each block saves",
            see="Left of the dotted line is less than the reference. Where time lies to the right of MACs, the saving "
            "is smaller than it counts.",
            alt=f"Dots of parameters, MACs and time relative to the reference. {told}.",
            figure=figure,
        )
    ]
