"""What came out, in sentences."""

from collections.abc import Sequence

import pandas as pd

from dnnlab.check import columns as c
from dnnlab.check.spec import Spec


def conclusions(summary: pd.DataFrame, spec: Spec) -> Sequence[str]:
    """How many hold, and what those come to that do not."""
    refuted = summary[summary["verdict"] == c.REFUTED]
    head = f"{int((summary['verdict'] == c.HOLDS).sum())} of {len(summary)} statements hold."
    return [head, *(f"{row['statement']} does not hold{_come_to(row['derivation'])}." for _, row in refuted.iterrows())]


def _come_to(derivation: str) -> str:
    """What a statement's left side comes to; nothing where it is a mere number."""
    return f": {derivation}" if derivation else ""
