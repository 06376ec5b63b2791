"""The result in sentences."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from dnnlab.compare_arch.shallow_deep import columns as c
from dnnlab.compare_arch.shallow_deep.theory import fits_better
from dnnlab.compare_arch.spec import Spec
from dnnlab.errors import counted


def headline(summary: pd.DataFrame, spec: Spec) -> str:
    """The verdict on each task and kind of network."""
    said = [f"{row['task']} ({row['kind']}) {row['verdict']}" for row in summary.to_dict("records")]
    return f"How fast the units that are needed grow: {', '.join(said)}"


def conclusions(summary: pd.DataFrame, spec: Spec) -> Sequence[str]:
    """How units grow, whether the lecture's 2ⁿ and n² hold, and whether the answer hangs on the steps."""
    rows = [row for row in summary.to_dict("records") if row["seeds"]]
    sentences = [sentence for row in rows for sentence in (_growth(row), _steps(row), _unsolved(row)) if sentence]
    if any(row["task"] == "parity" for row in rows):
        sentences.append(
            "One hidden layer holds parity of n bits with n units, if they are the right ones: what is measured is "
            "what training finds."
        )
    return sentences


def _growth(row: dict[Any, Any]) -> str:
    name = f"{row['task']}, {row['kind']}"
    if math.isnan(row["factor"]):
        return f"{name}: the widths that failed and those that solved it do not tell how the units needed grow."
    better = fits_better(row["exponential_likelihood"], row["power_likelihood"])
    fits = f"{better} fits better" if better else "neither law is shown to fit better"
    factor, exponent = c.SCHEMA.estimate(row, "factor"), c.SCHEMA.estimate(row, "exponent")
    said = "" if row["verdict"] == c.UNDECIDED else f": {row['verdict']} ({row['claim']})"
    return f"{name}: units needed grow {factor} with each input, or as n to the {exponent}{said}; {fits}."


def _unsolved(row: dict[Any, Any]) -> str:
    """How many searches ended without a width that solves the task."""
    if not row["censored"]:
        return ""
    return (
        f"{row['task']}, {row['kind']}: no width solved it within the steps at {counted(row['censored'], 'pair')} of "
        "seed and size; wider layers may, or more steps (--budget)."
    )


def _steps(row: dict[Any, Any]) -> str:
    """What half of the steps would have given, where that is something else."""
    if row["training"] != c.NOT_ENDED:
        return ""
    return (
        f"{row['task']}, {row['kind']}: training had not ended. With half of the steps it would be "
        f"{c.SCHEMA.number(row, 'half_factor')} with each input, or n to the "
        f"{c.SCHEMA.number(row, 'half_exponent')}; more steps (--budget) may change it again."
    )
