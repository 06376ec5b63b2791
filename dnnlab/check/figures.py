"""Arithmetic has no pictures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dnnlab.check.spec import Spec

if TYPE_CHECKING:
    import pandas as pd

    from dnnlab.report.figures import Picture


def draw(cells: "pd.DataFrame", summary: "pd.DataFrame", spec: Spec) -> Sequence["Picture"]:
    """No figures."""
    return []
