"""What happens on the device, as the question has it."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from dnnlab.compare_arch.questions import PACKAGES
from dnnlab.runner.journal import Rows


def measure(cells: Sequence[Any], spec: Any, device: str, progress: Callable[[float], None]) -> Rows:
    """Rows of one stack."""
    # Named in full, and not by `room`: what measures, and nothing else, is in the key of a run.
    room = importlib.import_module(f"dnnlab.compare_arch.{PACKAGES[spec.question]}.measure")
    rows: Rows = room.measure(cells, spec, device, progress)
    return rows
