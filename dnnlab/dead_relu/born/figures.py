"""The figure: the share of networks born dead by width."""

from collections.abc import Sequence

import pandas as pd

from dnnlab.dead_relu.spec import Spec
from dnnlab.report.figures import Picture, counting_axis, legend, line_style, log_axis, new_figure

_BOUNDS = "proven bounds (dashed)"


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec) -> Sequence[Picture]:
    """One figure; none where nothing was measured."""
    return [_curve(summary)] if (summary["n"] > 0).any() else []


def _curve(summary: pd.DataFrame) -> Picture:
    measured = summary[summary["n"] > 0]
    with new_figure(8.5, 4.6) as (figure, (axes,)):
        told = []
        for i, ((init, depth), rows) in enumerate(measured.groupby(["init", "depth"], sort=False)):
            style = line_style(i)
            ordered = rows.sort_values("width")
            width, p = ordered["width"], ordered["probability"].where(ordered["probability"] > 0)
            label = f"{init}, depth {depth}"
            axes.plot(width, p, label=label, **style)
            axes.fill_between(
                width,
                ordered["probability_lo"].clip(lower=1e-9),
                ordered["probability_hi"],
                color=style["color"],
                alpha=0.2,
                linewidth=0,
            )
            for bound in ("lower_bound", "upper_bound"):
                axes.plot(width, ordered[bound], color=style["color"], linestyle="--", linewidth=1.2, label=_BOUNDS)
            told.append(f"{label}: {ordered['probability'].iloc[0]:.3g} to {ordered['probability'].iloc[-1]:.3g}")
        log_axis(axes.yaxis)
        low = float(measured["probability"].where(measured["probability"] > 0).min())
        axes.set_ylim(max(low / 20, 1e-7) if low == low else 1e-7, 1.5)
        counting_axis(axes.xaxis)
        axes.set_xlabel("width")
        axes.set_ylabel("networks born dead")
        legend(figure)
    return Picture(
        name="born-dead",
        title="How often a whole network is born dead",
        see="Each unit of width about halves the chance that a layer is silent from birth; measured points lie between "
        "the dashed bounds.",
        alt=f"Share of networks that are constant from birth, by width, on a log axis. {'; '.join(told)}.",
        figure=figure,
    )
