"""Arithmetic has no pictures."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dnnlab.report.figures import Picture


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Any) -> Sequence[Picture]:
    """None."""
    return []
