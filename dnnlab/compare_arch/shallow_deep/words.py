"""The result in sentences."""

from collections.abc import Sequence

import pandas as pd

from dnnlab.compare_arch.shallow_deep import columns as c
from dnnlab.compare_arch.spec import Spec
from dnnlab.report.table import estimate


def conclusions(summary: pd.DataFrame, spec: Spec) -> Sequence[str]:
    """How units grow, and whether the lecture's 2ⁿ and n² hold."""
    sentences = []
    for row in summary.to_dict("records"):
        if not row["seeds"]:
            continue
        better = "an exponential" if row["exponential_error"] < row["power_error"] else "a power law"
        factor = estimate(row["factor"], row["factor_lo"], row["factor_hi"])
        exponent = estimate(row["exponent"], row["exponent_lo"], row["exponent_hi"])
        said = "" if row["verdict"] == c.UNDECIDED else f": {row['verdict']} ({row['claim']})"
        sentences.append(
            f"{row['task']}, {row['kind']}: units needed grow {factor} times with each input, or as n to the "
            f"{exponent}; {better} fits better{said}."
        )
    unsolved = summary[summary["censored"].fillna(0) > 0]
    if len(unsolved):
        which = ", ".join(f"{row['task']} {row['kind']} {row['censored']}" for row in unsolved.to_dict("records"))
        sentences.append(f"Never solved at any width, and counted as twice the widest: {which} seeds and sizes.")
    if (summary["task"] == "parity").any():
        sentences.append(
            "One hidden layer holds parity of n bits with n + 1 units, if they are the right ones: what is measured "
            "is what training finds."
        )
    return sentences
