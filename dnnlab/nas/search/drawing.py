"""A drawing of the network that a search ended in: a cell as a graph, other networks as a row of boxes."""

import textwrap
from typing import Any

import pandas as pd

from dnnlab.nas.codes import read_code
from dnnlab.nas.search import columns as c
from dnnlab.nas.spec import Spec
from dnnlab.nas.strategies import AVERAGE
from dnnlab.networks import spaces
from dnnlab.networks.spaces.cell import DIMENSIONS, EDGES, NODES, OPERATIONS
from dnnlab.networks.spaces.space import Choices
from dnnlab.report.figures import Picture, legend, line_style, new_figure
from dnnlab.report.svg import INK, SHEET

_MOST_LETTERS = 24


def drawing(table: pd.DataFrame, rows: pd.DataFrame, spec: Spec, name: str) -> list[Picture]:
    """The drawing for the strategy with the best test accuracy, from its best seed; none where there is no result."""
    searched = table[(table["strategy"] != AVERAGE) & table["test"].notna() & table["found"].notna()]
    if searched.empty:
        return []
    best = searched.sort_values("test", ascending=False, kind="stable").iloc[0]
    final = rows[
        (rows["strategy"] == best["strategy"]) & (rows["seed"] == best["found_seed"]) & (rows["phase"] == c.FINAL)
    ]
    space = spaces.find(spec.space)
    choices = space.choices(read_code(final.iloc[0]["code"]))
    title = f"Found by {best['strategy']}, seed {best['found_seed']}, on {best['data']}"
    return [_cell(choices, name, title) if space.dimensions == DIMENSIONS else _boxes(str(best["found"]), name, title)]


def _cell(choices: Choices, name: str, title: str) -> Picture:
    """The drawing of a cell. Nodes stand from left to right; an edge is an arc whose colour is its operation, and
    ``none`` is not drawn."""
    with new_figure(8.5, 3.6) as (figure, (axes,)):
        axes.set_axis_off()
        axes.grid(visible=False)
        for i, j in EDGES:
            operation = choices[f"{i}-{j}"]
            if operation == "none":
                continue
            style = line_style(OPERATIONS.index(operation) - 1)
            bend = 0.0 if j == i + 1 else -0.35 if (i + j) % 2 else 0.35
            axes.annotate(
                "",
                (j, 0),
                (i, 0),
                arrowprops={
                    "arrowstyle": "-|>",
                    "connectionstyle": f"arc3,rad={bend}",
                    "color": style["color"],
                    "linestyle": style["linestyle"],
                    "linewidth": 2,
                    "shrinkA": 16,
                    "shrinkB": 16,
                },
            )
            axes.plot([], [], color=style["color"], linestyle=style["linestyle"], label=operation)
        for node in range(NODES):
            axes.plot(node, 0, marker="o", markersize=26, color=SHEET, markeredgecolor=INK)
            axes.text(node, 0, str(node), ha="center", va="center")
        axes.set_xlim(-0.4, NODES - 0.6)
        axes.set_ylim(-1, 1)
        legend(figure)
    told = "; ".join(f"{i} to {j}: {choices[f'{i}-{j}']}" for i, j in EDGES)
    return _picture(name, title, "A cell: each node is the sum of what its arrows bring.", told, figure)


def _boxes(line: str, name: str, title: str) -> Picture:
    """The drawing of a network: its parts from the input on, as boxes."""
    layers, _, rest = line.partition(";")
    parts = [part.strip() for part in layers.split(" | " if " | " in layers else ",")]
    boxes = ["input", *(_wrapped(part) for part in parts), "classes"]
    height = 1.4 + 0.22 * max(box.count("\n") for box in boxes)
    each = 1.5 if max(map(len, parts)) < _MOST_LETTERS else 1.9
    with new_figure(max(5.0, each * len(boxes)), height) as (figure, (axes,)):
        axes.set_axis_off()
        for i, text in enumerate(boxes):
            colour = INK if i in (0, len(boxes) - 1) else line_style(0)["color"]
            frame = {"boxstyle": "round,pad=0.5", "facecolor": SHEET, "edgecolor": colour, "linewidth": 1.6}
            axes.text(i, 0, text, ha="center", va="center", bbox=frame, zorder=3)
        axes.plot([0, len(boxes) - 1], [0, 0], color=INK, linewidth=1, zorder=2)
        axes.set_xlim(-0.6, len(boxes) - 0.4)
        axes.set_ylim(-1, 1)
        if rest.strip():
            axes.text(-0.5, -0.95, rest.strip().replace(";", ","), ha="left", va="bottom")
    return _picture(name, title, "The network from its input to its classes, layer by layer.", line, figure)


def _wrapped(text: str) -> str:
    """The text in lines of one or a few words; where it has no words, of as many letters as a box is wide."""
    return "\n".join(line for part in text.split(", ") for line in textwrap.wrap(part, _MOST_LETTERS))


def _picture(name: str, title: str, see: str, alt: str, figure: Any) -> Picture:
    return Picture(name=name, title=title, see=see, alt=f"Drawing of the network: {alt}.", figure=figure)
