"""The figures: the bytes of each file, error against size beside the literature, and latencies."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from dnnlab.compress import columns as c
from dnnlab.compress import records
from dnnlab.compress.spec import Spec
from dnnlab.errors import counted
from dnnlab.report.figures import FULL, HALF, SMALLEST, Picture, drawn, legend, line_style, log_axis, new_figure
from dnnlab.report.numbers import Form, number
from dnnlab.report.svg import INK

_MOST = 12
_PUBLISHED = "x+*1234"
"""Markers of published results, black and thin."""


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec) -> Sequence[Picture]:
    """The figures of a run."""
    pictures = []
    for group, ((arch, data), rows) in enumerate(summary.groupby(["arch", "data"], sort=False)):
        measured = rows[rows["seeds"] > 0]
        if (measured["role"] == "chain").any():
            pictures.append(_sizes(measured, str(arch), str(data), group))
            pictures.append(_front(measured, str(arch), str(data), group))
            pictures.append(_latencies(measured, group))
    return pictures


def _sizes(rows: pd.DataFrame, arch: str, data: str, group: int) -> Picture:
    shown = rows.sort_values("role", key=lambda role: role != "baseline", kind="stable").head(_MOST)
    names = [_name(row) if row["role"] != "baseline" else "FP32" for row in shown.to_dict("records")]
    told = [
        ", ".join(c.SCHEMA.number(row, name) for name in ("bytes", "ratio"))
        + f", {c.SCHEMA.number(row, 'accuracy')} right"
        for row in shown.to_dict("records")
    ]
    more = drawn(shown, rows, "files")
    return Picture(
        name=f"sizes-{group + 1}",
        title=f"The bytes of each file, and what it gets right: {arch} on {data}",
        see="Beside each bar: the size of the file, how many times smaller it is than four bytes for each parameter, "
        f"and its accuracy on the test split, read back.{more}",
        alt="Bars of the bytes of each file. " + "; ".join(f"{n}: {t}" for n, t in zip(names, told, strict=True)) + ".",
        figure=_bars(shown, names, told, wide=True),
        narrow=_bars(shown, names, told, wide=False),
    )


def _bars(shown: pd.DataFrame, names: Sequence[str], told: Sequence[str], *, wide: bool) -> Figure:
    """Bars of bytes from zero, the words about each beside it; on a narrow screen above it."""
    places = np.arange(len(shown))[::-1]
    size = shown["bytes"].to_numpy(float) / 1000
    labels = [fill(name, 32) for name in names]
    row = 0.16 + 0.2 * max(label.count("\n") + 1 for label in labels) if wide else 0.62
    with new_figure(FULL if wide else HALF, 1.1 + row * len(shown)) as (figure, (axes,)):
        axes.barh(places, size, color=line_style(0)["color"], height=0.6 if wide else 0.35)
        for place, kilobytes, name, words in zip(places, size, names, told, strict=True):
            if wide:
                axes.annotate(words, (kilobytes, place), textcoords="offset points", xytext=(5, 0), va="center",
                              fontsize=SMALLEST)  # fmt: skip
            else:
                axes.text(0, place + 0.22, f"{fill(name, 44)}\n{words}", va="bottom", fontsize=SMALLEST)
        axes.set_yticks(places if wide else [], labels if wide else [])
        axes.set_xlim(0, 1.7 * size.max() if wide else 1.05 * size.max())
        axes.set_ylim(-0.6, len(shown) - (0.4 if wide else 0.1))
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("file (kB)")
    return figure


def _front(rows: pd.DataFrame, arch: str, data: str, group: int) -> Picture:
    files = rows[rows["method"] != c.ZSTD]
    shown = files.head(_MOST)
    known = records.of(arch, data)
    told = "; ".join(
        f"{_name(row)} {c.SCHEMA.number(row, 'ratio')} at {number(1 - row['accuracy'], Form.SHARE)}"
        for row in shown.to_dict("records")
    )
    more = drawn(shown, files, "files")
    published = " Black marks are published results, by their authors' own count of bytes." if known else ""
    return Picture(
        name=f"error-against-ratio-{group + 1}",
        title=f"Error against size: {arch} on {data}",
        see=f"Down and to the right is better; bars are 95 % intervals over seeds and examples.{published}{more}",
        alt=f"Test error against compression ratio. {told}.",
        figure=_drawn_front(shown, known, wide=True),
        narrow=_drawn_front(shown, known, wide=False),
    )


def _drawn_front(shown: pd.DataFrame, known: Sequence[records.Record], *, wide: bool) -> Figure:
    with new_figure(*((FULL, 4.6) if wide else (HALF, 4.0 + 0.2 * (len(shown) + len(known))))) as (figure, (axes,)):
        for i, row in enumerate(shown.to_dict("records")):
            style = line_style(i)
            axes.vlines(row["ratio"], 1 - row["accuracy_hi"], 1 - row["accuracy_lo"], color=style["color"], linewidth=2)
            axes.plot(
                [row["ratio"]], [1 - row["accuracy"]], linestyle="", marker=style["marker"], color=style["color"],
                label=fill(_name(row), 44),
            )  # fmt: skip
        for marker, record in zip(_PUBLISHED, known, strict=False):
            axes.plot(
                [record.ratio], [record.error], linestyle="", marker=marker, markersize=8, color=INK,
                label=f"{record.name} (published)",
            )  # fmt: skip
        log_axis(axes.xaxis)
        axes.margins(x=0.1, y=0.15)
        axes.set_xlabel("4 bytes for each parameter, over bytes of the file" if wide else "how many times smaller")
        axes.set_ylabel("test error")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        legend(figure, above=not wide)
    return figure


def _name(row: Any) -> str:
    return str(row["method"]) if row["role"] != "chain" else str(row["chain"])


def _latencies(rows: pd.DataFrame, group: int) -> Picture:
    timed = rows[rows["method"] != c.ZSTD]
    shown = timed.head(_MOST)
    more = drawn(shown, timed, "files")
    return Picture(
        name=f"latency-{group + 1}",
        title="Latency in ONNX Runtime, one thread",
        see="Bars are medians; the black mark is the network itself, timed in turns with each. A container is decoded "
        f"first, and then runs as the dense network that it holds.{more}",
        alt=f"Bars of the latency of one input and of 32, with a row for each of {counted(len(shown), 'file')}.",
        figure=_drawn_latencies(shown, wide=True),
        narrow=_drawn_latencies(shown, wide=False),
    )


def _drawn_latencies(shown: pd.DataFrame, *, wide: bool) -> Figure:
    places = np.arange(len(shown))[::-1]
    names = [fill(_name(row), 44 if wide else 22) for row in shown.to_dict("records")]
    row = 0.15 + 0.2 * max(name.count("\n") + 1 for name in names)
    size = (FULL, 1.4 + row * len(shown)) if wide else (HALF, 2.0 + 2 * row * len(shown))
    with new_figure(*size, *((1, 2) if wide else (2, 1)), sharey=True) as (figure, panels):
        for i, (axes, column, label) in enumerate(
            zip(panels, ("latency_ms", "latency32_ms"), ("1 input (ms)", "32 inputs (ms)"), strict=True)
        ):
            axes.barh(places, shown[column], color=line_style(i)["color"], height=0.65)
            axes.plot(shown[f"base_{column}"], places, linestyle="", marker="|", markersize=14, color=INK,
                      label="FP32, in turns with it")  # fmt: skip
            axes.set_xlabel(label)
            axes.set_xlim(left=0)
            axes.set_ylim(-0.6, len(shown) - 0.4)
            axes.set_yticks(places, names)
        legend(figure, above=True)
    return figure
