"""The result of a run in sentences."""

from typing import TYPE_CHECKING

from dnnlab.runner.experiment import Spec

if TYPE_CHECKING:
    import pandas as pd


def conclusions(summary: "pd.DataFrame", spec: Spec) -> list[str]:
    """The experiment's own conclusions from the rows in which something was measured."""
    measured = summary[spec.question.schema.count] > 0
    known = summary[measured | (summary["failed"] == 0)]
    if known.empty:
        return ["Nothing was measured: every cell failed."]
    return list(spec.question.words.conclusions(known, spec))
