"""The figure: a linear classifier's accuracy by layer."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.ticker import PercentFormatter

from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import CONFIGURATION, name
from dnnlab.report.figures import Picture, counting_axis, legend, line_style, new_figure

_MOST = 4


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec) -> Sequence[Picture]:
    """One figure with two lines per network."""
    groups = [rows for _, rows in summary.groupby(list(CONFIGURATION), sort=False, dropna=False)]
    shown = [rows for rows in groups if rows["trained"].notna().any()][:_MOST]
    if not shown:
        return []
    with new_figure(8.5, 4.4) as (figure, (axes,)):
        for i, rows in enumerate(shown):
            for j, quantity in enumerate(("untrained", "trained")):
                style = line_style(2 * i + j)
                axes.plot(rows["layer"], rows[quantity], label=f"{name(rows.iloc[0], summary)}, {quantity}", **style)
                axes.fill_between(
                    rows["layer"].astype(int), rows[f"{quantity}_lo"], rows[f"{quantity}_hi"],
                    color=style["color"], alpha=0.2, linewidth=0,
                )  # fmt: skip
        counting_axis(axes.xaxis)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlabel("layer (0 is the inputs)")
        axes.set_ylabel("test accuracy of a linear classifier")
        legend(figure)
    more = f" Of {len(groups)} networks {len(shown)} are drawn." if len(shown) < len(groups) else ""
    told = "; ".join(
        f"{name(rows.iloc[0], summary)}: {rows['trained'].iloc[0]:.1%} to {rows['trained'].max():.1%}" for rows in shown
    )
    return [
        Picture(
            name="separability",
            title="How separable each layer is by a line",
            see="A line that climbs is a network that unfolds its classes layer by layer; untrained layers show how "
            "much of that chance does. Bands are 95 % intervals over seeds." + more,
            alt=f"Accuracy of a linear classifier on each layer, before and after training. {told}.",
            figure=figure,
        )
    ]
