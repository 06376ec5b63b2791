"""The result in sentences."""

from collections.abc import Sequence

import pandas as pd

from dnnlab.check import columns as c
from dnnlab.check.spec import Spec
from dnnlab.errors import counted


def headline(summary: pd.DataFrame, spec: Spec) -> str:
    """How many statements hold; of one, whether it does."""
    if len(summary) == 1:
        row = summary.iloc[0]
        return f"{row['statement']}: {row['verdict']}"
    return _count(summary)


def _count(summary: pd.DataFrame) -> str:
    holding = int((summary["verdict"] == c.HOLDS).sum())
    return f"{holding} of {counted(len(summary), 'statement')} {'holds' if holding == 1 else 'hold'}"


def conclusions(summary: pd.DataFrame, spec: Spec) -> Sequence[str]:
    """How many statements hold, and the values of those that do not; of one, whether it holds, and its values."""
    refuted = summary[summary["verdict"] == c.REFUTED]
    told = [f"{row['statement']} does not hold{_come_to(row['derivation'])}." for _, row in refuted.iterrows()]
    if len(summary) > 1:
        return [f"{_count(summary)}.", *told]
    row = summary.iloc[0]
    says = "holds" if row["verdict"] == c.HOLDS else "is not decided"
    return told or [f"{row['statement']} {says}{_come_to(row['derivation'])}."]


def _come_to(derivation: str) -> str:
    """The value of a statement's left side; empty where that is a mere number."""
    return f": {derivation}" if derivation else ""
