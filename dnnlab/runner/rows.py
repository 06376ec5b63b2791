"""Rows of layered networks: one per member, measured step and layer; layer 0 has the values of the whole network."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dnnlab.runner.journal import Rows

if TYPE_CHECKING:
    from torch import Tensor


class NetworkRows:
    """Collects the rows of networks that are measured one by one, each with all that it has; nan in others."""

    def __init__(self) -> None:
        self.rows: Rows = {}

    def add(self, cell: int, row: Mapping[str, Any]) -> None:
        """Add a row of the cell with this number."""
        _extend(self.rows, {"cell": [cell], **{name: [value] for name, value in row.items()}}, 1)


class LayerRows:
    """Collects the rows of a stack of ``members``. ``names``, ``kinds``, ``acts`` and the columns ``more`` describe its
    layers."""

    def __init__(
        self, members: int, names: Sequence[str], kinds: Sequence[str], acts: Sequence[str], **more: Sequence[str]
    ) -> None:
        self.members = members
        self.names, self.kinds, self.acts = ["network", *names], ["network", *kinds], ["", *acts]
        self.more = {name: ["", *values] for name, values in more.items()}
        self.rows: Rows = {}

    def add(self, step: int, quantities: "Mapping[str, Tensor | list[Any]]") -> None:
        """Add one measured step of all members: values ``[member, layer]`` of layers, ``[member]`` of the network,
        which may be a list of what is no tensor."""
        count = len(self.names)
        absent = [math.nan]
        numbers = {name: v if isinstance(v, list) else v.double().tolist() for name, v in quantities.items()}
        for member in range(self.members):
            columns: Rows = {
                "cell": [member] * count,
                "step": [step] * count,
                "layer": list(range(count)),
                "name": self.names,
                "kind": self.kinds,
                "layer_act": self.acts,
                **self.more,
            }
            for name, values in numbers.items():
                whole = getattr(quantities[name], "ndim", 1) == 1
                columns[name] = [values[member], *absent * (count - 1)] if whole else [*absent, *values[member]]
            _extend(self.rows, columns, count)


def _extend(rows: Rows, columns: Rows, count: int) -> None:
    """Add ``count`` rows; nan where either lacks a column."""
    length = len(next(iter(rows.values()), []))
    for name in columns.keys() - rows.keys():
        rows[name] = [math.nan] * length
    for name, column in rows.items():
        column.extend(columns.get(name, [math.nan] * count))


def joined(tables: Iterable[Rows]) -> Rows:
    """The rows of several tables, cell by cell; nan where a table lacks a column."""
    tables = list(tables)
    cells = [cell for table in tables for cell in table["cell"]]
    order = sorted(range(len(cells)), key=cells.__getitem__)
    result: Rows = {}
    for name in dict.fromkeys(name for table in tables for name in table):
        values = [value for table in tables for value in table.get(name, [math.nan] * len(table["cell"]))]
        result[name] = [values[row] for row in order]
    return result
