"""The figure: the share of networks born dead by width."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dnnlab.dead_relu.spec import Spec
from dnnlab.errors import some
from dnnlab.report.figures import FULL, HALF, Picture, counting_axis, log_axis, new_figure
from dnnlab.report.lines import Line, draw_lines, most_telling, name_above, name_at_ends, others
from dnnlab.report.numbers import number

_BOUNDS = {"proven bounds": "--"}


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec) -> Sequence[Picture]:
    """One figure; none where nothing was measured."""
    return [_curve(summary)] if (summary["n"] > 0).any() else []


def _curve(summary: pd.DataFrame) -> Picture:
    measured = summary[summary["n"] > 0]
    rows = [(f"{init}, depth {depth}", group.sort_values("width"))
            for (init, depth), group in measured.groupby(["init", "depth"], sort=False)]  # fmt: skip
    lines = [_line(label, group) for label, group in rows]
    chosen = most_telling([math.log(p) if (p := line.end[1]) > 0 else math.nan for line in lines])
    told = [f"{n}: {number(g['probability'].iloc[0])} to {number(g['probability'].iloc[-1])}" for n, g in rows]
    none = [f"{row['init']} at width {row['width']}" for row in measured.to_dict("records") if not row["probability"]]
    missing = f" The axis has no zero, so that there is no point for {some(none)}, where none was." if none else ""
    bounded = measured["lower_bound"].notna().any()
    between = "; dashes are proven bounds, where there are such" if bounded else ""
    return Picture(
        name="born-dead",
        title="How often a whole network is born dead",
        see="Each unit of width about halves the chance that a layer is silent from birth"
        f"{between}.{missing}{others(lines, chosen)}",
        alt=f"Share of networks that are constant from birth, by width, on a log axis. {'; '.join(told)}.",
        figure=_drawn(rows, lines, chosen, wide=True),
        narrow=_drawn(rows, lines, chosen, wide=False),
    )


def _line(label: str, rows: pd.DataFrame) -> Line:
    p = rows["probability"].where(rows["probability"] > 0)
    low, high = rows["probability_lo"].clip(lower=1e-9), rows["probability_hi"]
    return Line(label, *(values.to_numpy(float) for values in (rows["width"], p, low, high)))


def _drawn(
    rows: Sequence[tuple[str, pd.DataFrame]], lines: Sequence[Line], chosen: Sequence[int], *, wide: bool
) -> Figure:
    with new_figure(*((FULL, 4.6) if wide else (HALF, 5.0))) as (figure, (axes,)):
        named = draw_lines(axes, lines, chosen)
        for each, i in zip(named, chosen, strict=True):
            for bound in ("lower_bound", "upper_bound"):
                axes.plot(
                    rows[i][1]["width"], rows[i][1][bound], color=each.style["color"], linestyle="--", linewidth=1.2
                )
        log_axis(axes.yaxis)
        every = np.concatenate([line.y for line in lines])
        low = float(np.nanmin(every)) if np.isfinite(every).any() else 1e-6
        axes.set_ylim(max(low / 20, 1e-7), 1.5)
        counting_axis(axes.xaxis)
        axes.set_xlabel("width; dashes: proven bounds" if wide else "width")
        axes.set_ylabel("networks born dead")
        axes.set_xlim(right=max(float(line.x.max()) for line in lines))
        if wide:
            name_at_ends(axes, named)
        else:
            name_above(figure, axes, named, _BOUNDS)
    return figure
