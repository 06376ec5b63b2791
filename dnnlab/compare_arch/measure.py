"""What happens on the device, as the question has it."""

from collections.abc import Callable, Sequence
from typing import Any

from dnnlab.compare_arch.questions import room
from dnnlab.runner.journal import Rows


def measure(cells: Sequence[Any], spec: Any, device: str, progress: Callable[[float], None]) -> Rows:
    """Rows of one stack."""
    rows: Rows = room(spec.question, "measure").measure(cells, spec, device, progress)
    return rows
