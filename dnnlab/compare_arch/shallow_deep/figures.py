"""The figure: units needed against the number of inputs."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dnnlab.compare_arch.shallow_deep.summary import per_cell
from dnnlab.compare_arch.shallow_deep.theory import sufficient
from dnnlab.compare_arch.spec import Spec
from dnnlab.report.figures import FULL, HALF, THEORY, Picture, counting_axis, legend, line_style, log_axis, new_figure


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec) -> Sequence[Picture]:
    """One figure with one panel per task."""
    needed = per_cell(cells, spec)
    if needed.empty:
        return []
    tasks = list(needed["task"].unique())
    told = "; ".join(f"{row['task']}, {row['kind']}: {row['needed']}" for row in summary.to_dict("records"))
    return [
        Picture(
            name="units-needed",
            title="Hidden units needed, by the number of inputs",
            see="On a log axis a straight line is exponential growth. Lines: units that half of the seeds solve it "
            "with. Bands: from the most units with which a seed failed to the fewest with which it solved the task, "
            "over all seeds. There is no line and no band where the widest layers were not enough.",
            alt=f"Units needed against inputs, shallow and deep, a panel a task. {told}.",
            figure=_drawn(needed, tasks, wide=True),
            narrow=_drawn(needed, tasks, wide=False),
        )
    ]


def _drawn(needed: pd.DataFrame, tasks: Sequence[str], *, wide: bool) -> Figure:
    size, shape = ((FULL, 4.6), (1, len(tasks))) if wide else ((HALF, 1.0 + 3.2 * len(tasks)), (len(tasks), 1))
    with new_figure(*size, *shape, sharey=True) as (figure, panels):
        for axes, task in zip(panels, tasks, strict=True):
            for i, (kind, group) in enumerate(needed[needed["task"] == task].groupby("kind", sort=False)):
                sizes = sorted(group["inputs"].unique())
                style = line_style(i)
                axes.plot(sizes, [_median(group, n) for n in sizes], label=str(kind), **style)
                axes.fill_between(
                    sizes,
                    [_end(group, n, "low", np.min) for n in sizes],
                    [_end(group, n, "high", np.max) for n in sizes],
                    color=style["color"],
                    alpha=0.2,
                    linewidth=0,
                )
            sizes = sorted(needed.loc[needed["task"] == task, "inputs"].unique())
            if task == "parity":
                axes.plot(sizes, [2.0**n for n in sizes], label="2ⁿ (the lecture, shallow)", **THEORY)
                known = [sufficient("parity", int(n), 1) for n in sizes]
                axes.plot(sizes, np.array(known, float), label="n suffice", **(THEORY | {"linestyle": ":"}))
            log_axis(axes.yaxis)
            counting_axis(axes.xaxis)
            axes.set_title(task)
            axes.set_xlabel("inputs")
        panels[0].set_ylabel("hidden units needed")
        legend(figure, above=True)
    return figure


def _median(group: pd.DataFrame, inputs: int) -> float:
    units = group.loc[group["inputs"] == inputs, "units"].quantile(0.5, interpolation="higher")
    return float(units) if np.isfinite(units) else np.nan


def _end(group: pd.DataFrame, inputs: int, bound: str, of: Callable[[np.ndarray], float]) -> float:
    """One end of the band; a seed that solved it with the narrowest layers needs one unit at least."""
    found = float(of(group.loc[group["inputs"] == inputs, bound].to_numpy(float)))
    return np.nan if np.isposinf(found) else 2 ** max(found, 0.0)
