"""Arithmetic has no pictures."""

from collections.abc import Sequence

import pandas as pd

from dnnlab.check.spec import Spec
from dnnlab.report.figures import Picture


def draw(cells: pd.DataFrame, summary: pd.DataFrame, spec: Spec) -> Sequence[Picture]:
    """No figures."""
    return []
