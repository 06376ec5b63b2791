"""The result in sentences."""

from collections.abc import Sequence

import pandas as pd

from dnnlab.check import columns as c
from dnnlab.check.spec import Spec
from dnnlab.errors import counted

_SAYS = {c.HOLDS: "holds", c.REFUTED: "does not hold", c.UNDECIDED: "is not decided"}


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
    """How many statements hold, and the values of those that do not or are too close to tell; of one, whether it holds,
    and its values."""
    told = [
        f"{row['statement']} {_SAYS[row['verdict']]}{_come_to(row)}."
        for _, row in summary.iterrows()
        if len(summary) == 1 or row["verdict"] != c.HOLDS
    ]
    return told if len(summary) == 1 else [f"{_count(summary)}.", *told]


def _come_to(row: pd.Series) -> str:
    """The values of a statement's sides, where they are no mere numbers, and why they decide nothing."""
    close = row["verdict"] == c.UNDECIDED and not row["failed"]
    told = [row["derivation"] or "", "its sides are too close to tell" if close else ""]
    return f": {'; '.join(filter(None, told))}" if any(told) else ""
