"""The figure: how well cheap scores rank architectures."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dnnlab.nas.proxies import columns as c
from dnnlab.nas.spec import Spec
from dnnlab.report.figures import FULL, GREY, HALF, Picture, line_style, new_figure
from dnnlab.runner.summary import measured


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec) -> Sequence[Picture]:
    """One figure; none where nothing was measured."""
    return [] if measured(cells).empty or summary.empty else [_dots(summary)]


def _dots(summary: pd.DataFrame) -> Picture:
    rows = summary[summary["tau"].notna()]
    several = rows[["space", "data"]].drop_duplicates().shape[0] > 1
    labels = [f"{row['score']} ({row['data']})" if several else row["score"] for row in rows.to_dict("records")]
    told = "; ".join(f"{row['score']} {row['tau']:.2f}" for row in rows.to_dict("records"))
    return Picture(
        name="proxies",
        title="How well cheap scores rank architectures",
        see="Right is better; squares are parameters and MACs. Whether a score ranks better than these is tested in "
        "pairs, and its verdict says it. Bars are 95 % intervals by bootstrap over architectures.",
        alt=f"Dot plot of rank correlations. {told}.",
        figure=_drawn(rows, labels, wide=True),
        narrow=_drawn(rows, labels, wide=False),
    )


def _drawn(rows: pd.DataFrame, labels: Sequence[str], *, wide: bool) -> Figure:
    places = np.arange(len(rows))[::-1]
    with new_figure(FULL if wide else HALF, 1.3 + 0.36 * len(rows)) as (figure, (axes,)):
        for place, row in zip(places, rows.to_dict("records"), strict=True):
            style = line_style(0 if row["verdict"] != c.SIZE else 1)
            axes.hlines(place, row["tau_lo"], row["tau_hi"], color=style["color"], linewidth=2.5)
            axes.plot(row["tau"], place, linestyle="", marker=style["marker"], color=style["color"])
        axes.axvline(0, color=GREY, linewidth=1, linestyle=":")
        axes.set_yticks(places, labels)
        axes.set_xlabel("Kendall's τ with accuracy after training")
        axes.set_ylim(-0.6, len(rows) - 0.4)
    return figure
