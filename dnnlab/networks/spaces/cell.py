"""The cell of NAS-Bench-201 (Dong & Yang 2020): four nodes, and one of five operations on each edge between them.

Importing this module does not import torch.
"""

import re
from typing import TYPE_CHECKING

from dnnlab.errors import UsageError
from dnnlab.networks.spaces.space import Choices, Space

if TYPE_CHECKING:
    from torch import nn

NODES = 4
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = tuple((i, j) for j in range(1, NODES) for i in range(j))
"""``(from, to)``, in the order of the table's strings."""
DIMENSIONS = {f"{i}-{j}": OPERATIONS for i, j in EDGES}


def label(choices: Choices) -> str:
    """The cell as the table of the benchmark writes it: ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``."""
    nodes = ("|" + "|".join(f"{choices[f'{i}-{j}']}~{i}" for i in range(j)) + "|" for j in range(1, NODES))
    return "+".join(nodes)


def parse(text: str) -> Choices:
    """The choices of such a string.

    Raises:
        UsageError: it is none.
    """
    parts = re.findall(r"(\w+)~(\d)", text)
    choices = {f"{i}-{j}": op for (op, _), (i, j) in zip(parts, EDGES, strict=False)}
    if len(choices) < len(EDGES) or label(choices) != text or not set(choices.values()) <= set(OPERATIONS):
        raise UsageError(f"{text!r} is no cell; one is {label(dict.fromkeys(DIMENSIONS, 'skip_connect'))}.")
    return choices


def canonical(choices: Choices) -> str:
    """The last node as a formula of the first: 4 930 of them for the 15 625 cells.

    A skip brings the terms of the node that it comes from, what comes from nothing is nothing, and sums have no order.
    The benchmark's own rule counts 6 466, since it keeps the nothings among the terms of a sum.
    """
    nodes = [["0"]]
    for j in range(1, NODES):
        terms: list[str] = []
        for i in range(j):
            operation = choices[f"{i}-{j}"]
            if operation == "skip_connect":
                terms += nodes[i]
            elif operation != "none" and nodes[i]:
                terms.append(f"({'+'.join(nodes[i])})@{operation}")
        nodes.append(sorted(terms))
    return "+".join(nodes[-1])


def skips(choices: Choices) -> float:
    """The share of edges that are skips."""
    return list(choices.values()).count("skip_connect") / len(EDGES)


def _build(choices: Choices, shape: tuple[int, ...], classes: int) -> "nn.Module":
    from dnnlab.networks.spaces.cell_net import CellNet

    return CellNet(choices, shape, classes)


def _supernet(shape: tuple[int, ...], classes: int) -> "nn.Module":
    from dnnlab.networks.spaces.cell_net import CellSupernet

    return CellSupernet(shape, classes)


SPACE = Space(
    DIMENSIONS,
    _build,
    canonical,
    label,
    _supernet,
    skips=skips,
    unused=tuple((name, "none") for name in DIMENSIONS),
)
