"""Table to sentences, as the question has it."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dnnlab.compare_arch.questions import room


def conclusions(summary: pd.DataFrame, spec: Any) -> Sequence[str]:
    """What came out."""
    sentences: Sequence[str] = room(spec.question, "words").conclusions(summary, spec)
    return sentences
