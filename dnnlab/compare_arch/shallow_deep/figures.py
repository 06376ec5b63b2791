"""The figure: units needed against the number of inputs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dnnlab.compare_arch.shallow_deep.summary import per_cell
from dnnlab.compare_arch.shallow_deep.theory import sufficient
from dnnlab.compare_arch.spec import Spec
from dnnlab.report.figures import THEORY, Picture, counting_axis, legend, line_style, log_axis, new_figure
from dnnlab.statistics.intervals import mean_interval


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec) -> Sequence[Picture]:
    """One figure with one panel per task."""
    needed = per_cell(cells, spec)
    if needed.empty:
        return []
    tasks = list(needed["task"].unique())
    with new_figure(9.0, 4.2, 1, len(tasks), sharey=True) as (figure, panels):
        for axes, task in zip(panels, tasks, strict=True):
            for i, (kind, group) in enumerate(needed[needed["task"] == task].groupby("kind", sort=False)):
                sizes = sorted(group["inputs"].unique())
                logs = [mean_interval(list(group.loc[group["inputs"] == n, "log2_units"])) for n in sizes]
                style = line_style(i)
                axes.plot(sizes, [2**x.mean for x in logs], label=str(kind), **style)
                axes.fill_between(
                    sizes,
                    [2**x.low for x in logs],
                    [2**x.high for x in logs],
                    color=style["color"],
                    alpha=0.2,
                    linewidth=0,
                )
            sizes = sorted(needed.loc[needed["task"] == task, "inputs"].unique())
            if task == "parity":
                axes.plot(sizes, [2.0**n for n in sizes], label="2ⁿ (the lecture, shallow)", **THEORY)
                known = [sufficient("parity", "shallow", int(n)) for n in sizes]
                axes.plot(sizes, np.array(known, float), label="n + 1 suffice", **(THEORY | {"linestyle": ":"}))
            log_axis(axes.yaxis)
            counting_axis(axes.xaxis)
            axes.set_title(task)
            axes.set_xlabel("inputs")
        panels[0].set_ylabel("hidden units needed")
        legend(figure)
    told = "; ".join(f"{row['task']}, {row['kind']}: {row['needed']}" for row in summary.to_dict("records"))
    return [
        Picture(
            name="units-needed",
            title="Hidden units needed, by the number of inputs",
            see="On a log axis a straight line is exponential growth. Geometric means of what each seed needed; bands "
            "are 95 % intervals.",
            alt=f"Units needed against inputs, shallow and deep, a panel a task. {told}.",
            figure=figure,
        )
    ]
