"""The figures: accuracy against bytes beside the literature, the bytes after each stage, and latencies."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter

from dnnlab.compress import columns as c
from dnnlab.compress import records
from dnnlab.compress.spec import Spec
from dnnlab.report.figures import Picture, legend, line_style, log_axis, new_figure

_MOST = 12
_PUBLISHED = "x+*1234"
"""Markers of published results, black and thin."""


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec) -> Sequence[Picture]:
    """The figures of a run."""
    pictures = []
    for number, ((arch, data), rows) in enumerate(summary.groupby(["arch", "data"], sort=False)):
        measured = rows[rows["seeds"] > 0]
        if (measured["role"] == "chain").any():
            pictures.append(_front(measured, str(arch), str(data), number))
            pictures += _waterfalls(measured, number)
            pictures.append(_latencies(measured, number))
    return pictures


def _front(rows: pd.DataFrame, arch: str, data: str, number: int) -> Picture:
    shown = rows[rows["method"] != c.ZSTD].head(_MOST)
    known = records.of(arch, data)
    with new_figure(9.5, 4.6) as (figure, (axes,)):
        for i, row in enumerate(shown.to_dict("records")):
            style = line_style(i)
            axes.vlines(row["ratio"], 1 - row["accuracy_hi"], 1 - row["accuracy_lo"], color=style["color"], linewidth=2)
            axes.plot(
                [row["ratio"]], [1 - row["accuracy"]], linestyle="", marker=style["marker"], color=style["color"],
                label=_name(row),
            )  # fmt: skip
        for marker, record in zip(_PUBLISHED, known, strict=False):
            axes.plot(
                [record.ratio], [record.error], linestyle="", marker=marker, markersize=8, color="#000000",
                label=f"{record.name} (published)",
            )  # fmt: skip
        log_axis(axes.xaxis)
        axes.margins(x=0.1, y=0.15)
        axes.set_xlabel("4 bytes a parameter, over bytes of the file")
        axes.set_ylabel("test error")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        legend(figure)
    told = "; ".join(
        f"{_name(row)} {row['ratio']:.3g}× at {1 - row['accuracy']:.2%}" for row in shown.to_dict("records")
    )
    more = f" Of {len(rows)} rows {len(shown)} are drawn." if len(shown) < len(rows) else ""
    return Picture(
        name=f"error-against-ratio-{number + 1}",
        title=f"Error against size: {arch} on {data}",
        see="Down and to the right is better; bars are 95 % intervals over seeds. Black marks are published results, "
        f"by their authors' own count of bytes.{more}",
        alt=f"Test error against compression ratio. {told}.",
        figure=figure,
    )


def _name(row: Any) -> str:
    return str(row["method"]) if row["role"] != "chain" else str(row["chain"])


def _waterfalls(rows: pd.DataFrame, number: int) -> list[Picture]:
    """One figure for each chain of several stages."""
    pictures = []
    base = rows[rows["role"] == "baseline"]
    for count, (recipe, group) in enumerate(rows[rows["role"] == "chain"].groupby("recipe", sort=False)):
        if len(group) < 2:
            continue
        stages = pd.concat([base, group])
        names = ["FP32", *group["method"]]
        places = np.arange(len(stages))
        ticks = [_wrapped(str(name)) for name in names]
        with new_figure(_wide(ticks), 3.8, 1, 2) as (figure, (sizes, errors)):
            style = line_style(0)  # no bars: on a log axis they would begin anywhere
            sizes.plot(places, stages["bytes"] / 1000, color=style["color"], marker=style["marker"], linestyle="-")
            log_axis(sizes.yaxis)
            for x, ratio in zip(places, stages["ratio"], strict=True):
                height = float(stages["bytes"].iloc[x]) / 1000
                sizes.annotate(f"{ratio:.3g}×", (x, height), textcoords="offset points", xytext=(6, 5))
            sizes.margins(x=0.12, y=0.15)
            sizes.set_ylabel("file (kB)")
            wrong = 1 - stages["accuracy"].to_numpy()
            spread = [wrong - (1 - stages["accuracy_hi"]), (1 - stages["accuracy_lo"]) - wrong]
            style = line_style(1)
            errors.errorbar(places, wrong, yerr=np.nan_to_num(np.abs(spread)), color=style["color"],
                            marker=style["marker"], linestyle="-", capsize=3)  # fmt: skip
            errors.set_ylabel("test error")
            errors.yaxis.set_major_formatter(PercentFormatter(1.0))
            for axes in (sizes, errors):
                axes.set_xticks(places, ticks)
        steps = "; ".join(f"{n} {b:,.0f} bytes" for n, b in zip(names, stages["bytes"], strict=True))
        pictures.append(
            Picture(
                name=f"waterfall-{number + 1}-{count + 1}",
                title=f"Stage by stage: {recipe}",
                see="Bytes of the file after each stage, on a log axis, with the ratio above; and the error of that "
                "file, read back, with its 95 % interval over seeds.",
                alt=f"Bytes and test error by stage. {steps}.",
                figure=figure,
            )
        )
    return pictures


def _wrapped(name: str) -> str:
    return name.replace(":", ":\n", 1) if len(name) > 10 else name


def _wide(ticks: Sequence[str]) -> float:
    """The width in inches of two panels in which the labels stand side by side."""
    letters = 1.5 + max(len(line) for tick in ticks for line in tick.split("\n"))
    return max(9.5, 2 * (1.0 + 1.24 * (len(ticks) - 1) * letters * 0.08))


def _latencies(rows: pd.DataFrame, number: int) -> Picture:
    shown = rows[rows["method"] != c.ZSTD].head(_MOST)
    places = np.arange(len(shown))[::-1]
    names = [_name(row) for row in shown.to_dict("records")]
    width = max(9.5, 5.5 + 0.08 * max(map(len, names)))
    with new_figure(width, 1.4 + 0.36 * len(shown), 1, 2, sharey=True) as (figure, panels):
        for i, (axes, column, label) in enumerate(
            zip(panels, ("latency_ms", "latency32_ms"), ("1 input (ms)", "32 inputs (ms)"), strict=True)
        ):
            axes.barh(places, shown[column], color=line_style(i)["color"], height=0.65)
            axes.plot(shown[f"base_{column}"], places, linestyle="", marker="|", markersize=14, color="#000000",
                      label="FP32, in turns with it")  # fmt: skip
            axes.set_xlabel(label)
            axes.set_xlim(left=0)
        panels[0].set_yticks(places, names)
        legend(figure)
    return Picture(
        name=f"latency-{number + 1}",
        title="Latency in ONNX Runtime, one thread",
        see="Bars are medians; the black mark is the network itself, timed in turns with each. A container is decoded "
        "first, and then runs as the dense network that it holds.",
        alt="Bars of the latency of one input and of 32, a row a file.",
        figure=figure,
    )
