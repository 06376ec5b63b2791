"""The result in sentences."""

from collections.abc import Sequence

import pandas as pd

from dnnlab.compare_arch.blocks import columns as c
from dnnlab.compare_arch.spec import Spec
from dnnlab.runner.summary import tally


def conclusions(summary: pd.DataFrame, spec: Spec) -> Sequence[str]:
    """Where time does not follow the multiply–accumulates, and where the gap is largest."""
    others = summary[(summary["verdict"] != c.REFERENCE) & summary["time_ratio"].notna()]
    if others.empty:
        return ["Nothing was measured."]
    fewer = others[others["macs_ratio"] < 1]
    sentences = [f"{len(others)} blocks against the first of their comparison: {tally(others['verdict'])}."]
    if len(fewer):
        gap = fewer["time_ratio"] / fewer["macs_ratio"]
        worst = fewer.iloc[int(gap.to_numpy().argmax())]
        sentences.append(
            f"The widest gap: {worst['block']} ({worst['comparison']}) has {1 / worst['macs_ratio']:.2f} times fewer "
            f"MACs and takes {1 / worst['time_ratio']:.2f} times less time."
        )
    if summary["noisy"].any():
        sentences.append("The machine's own speed varied by more than a tenth while times were taken: measure again.")
    return sentences
