"""``--list``: the catalogue with its costs, counted while it is printed. It imports no pandas, so that it takes a
second or two."""

import gc
import json
from typing import Any

from dnnlab.compare_arch.spec import Spec
from dnnlab.terminal import tell

_HEADINGS = {
    "name": "name",
    "family": "family",
    "input": "input",
    "parameters": "parameters",
    "auxiliary": "auxiliary",
    "macs": "MACs",
    "activations": "activations",
    "published_accuracy": "published",
    "options": "options",
}
_TEXT = ("name", "family", "options")


def is_requested(spec: Spec) -> bool:
    """Whether the catalogue is asked for, and nothing measured."""
    return spec.list


def show(as_json: bool) -> None:
    """Print every member of the catalogue to stdout."""
    rows = _rows()
    if as_json:
        tell(json.dumps({"summary": rows}, indent=2))
        return
    table = [list(_HEADINGS.values()), *([_cell(name, row[name]) for name in _HEADINGS] for row in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(_HEADINGS))]
    for line in table:
        cells = zip(_HEADINGS, line, widths, strict=True)
        tell(
            "  ".join(cell.ljust(width) if name in _TEXT else cell.rjust(width) for name, cell, width in cells).rstrip()
        )


def _rows() -> list[dict[str, Any]]:
    from dnnlab.instruments.cost import costs
    from dnnlab.networks.family import FAMILIES
    from dnnlab.networks.members import MEMBERS

    gc.freeze()  # with thousands of new modules it would walk through all of torch again and again
    return [
        {
            "name": name,
            "family": (member := MEMBERS[name]).family,
            "input": member.input_size,
            "classes": member.classes,
            "parameters": cost.parameters,
            "auxiliary": cost.auxiliary,
            "buffers": cost.buffers,
            "macs": cost.macs,
            "training_macs": cost.training_macs,
            "activations": cost.activations,
            "published_accuracy": None if member.top1 is None else member.top1 / 100,
            "options": list(FAMILIES[member.family].options),
            "paper": member.paper,
        }
        for name, cost in costs().items()
    ]


def _cell(name: str, value: Any) -> str:
    if value is None or (name == "auxiliary" and not value):
        return "–"
    if isinstance(value, list):
        return ",".join(value)
    if name == "published_accuracy":
        return f"{value:.2%}"
    return f"{value:,}" if isinstance(value, int) else str(value)
