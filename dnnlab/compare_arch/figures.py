"""Table to pictures, as the question has it."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dnnlab.compare_arch.questions import room
from dnnlab.report.figures import Picture


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Any) -> Sequence[Picture]:
    """The figures, in the order of the page."""
    pictures: Sequence[Picture] = room(spec.question, "figures").draw(cells, summary, spec)
    return pictures
