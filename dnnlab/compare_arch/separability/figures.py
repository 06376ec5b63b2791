"""The figure: a linear classifier's accuracy by layer."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import CONFIGURATION, name
from dnnlab.report.figures import FULL, HALF, Picture, counting_axis, drawn, new_figure
from dnnlab.report.lines import Line, draw_lines, name_above, name_at_ends
from dnnlab.report.numbers import Form, number

_MOST = 3


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec) -> Sequence[Picture]:
    """One figure with two lines per network."""
    groups = [rows for _, rows in summary.groupby(list(CONFIGURATION), sort=False, dropna=False)]
    shown = [rows for rows in groups if rows["trained"].notna().any()][:_MOST]
    if not shown:
        return []
    lines = [
        Line(
            f"{name(rows.iloc[0], summary)}, {quantity}",
            *(rows[column].to_numpy(float) for column in ("layer", quantity, f"{quantity}_lo", f"{quantity}_hi")),
        )
        for rows in shown
        for quantity in ("untrained", "trained")
    ]
    more = drawn(shown, groups, "networks")
    told = "; ".join(
        f"{name(rows.iloc[0], summary)}: {number(rows['trained'].iloc[0], Form.SHARE)} to "
        f"{number(rows['trained'].max(), Form.SHARE)}"
        for rows in shown
    )
    return [
        Picture(
            name="separability",
            title="How separable each layer is by a line",
            see="A line that climbs is a network that unfolds its classes layer by layer; untrained layers show how "
            "much of that chance does. Bands are 95 % intervals over seeds and examples." + more,
            alt=f"Accuracy of a linear classifier on each layer, before and after training. {told}.",
            figure=_drawn(lines, wide=True),
            narrow=_drawn(lines, wide=False),
        )
    ]


def _drawn(lines: Sequence[Line], *, wide: bool) -> Figure:
    chosen = range(len(lines))
    with new_figure(*((FULL, 4.6) if wide else (HALF, 4.6 + 0.2 * len(lines)))) as (figure, (axes,)):
        named = draw_lines(axes, lines, chosen)
        counting_axis(axes.xaxis)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlabel("layer: 0 is the input")
        axes.set_ylabel("test accuracy of a linear classifier" if wide else "test accuracy, linear classifier")
        axes.set_xlim(right=max(float(line.x.max()) for line in lines))
        axes.set_ylim(*axes.get_ylim())
        if wide:
            name_at_ends(axes, named)
        else:
            name_above(figure, axes, named)
    return figure
