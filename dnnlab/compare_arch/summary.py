"""Rows to table, as the question has it."""

from typing import Any

import pandas as pd

from dnnlab.compare_arch.questions import room


def summarise(cells: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """One row a configuration."""
    table: pd.DataFrame = room(spec.question, "summary").summarise(cells, spec)
    return table


def per_cell(cells: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """One row a cell: its configuration, seed and the quantities that runs are compared by."""
    table: pd.DataFrame = room(spec.question, "summary").per_cell(cells, spec)
    return table
