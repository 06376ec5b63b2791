"""The result in sentences."""

from collections.abc import Sequence

import pandas as pd

from dnnlab.compare_arch.blocks import columns as c
from dnnlab.compare_arch.spec import Spec
from dnnlab.report.numbers import Form, number
from dnnlab.runner.summary import in_words, tally

_SAYS = {
    c.REFERENCE: ("is the reference", "are the references"),
    c.AS_COUNTED: ("takes the time of its operations", "take the time of their operations"),
    c.SLOWER: ("is slower than its operations say", "are slower than their operations say"),
    c.FASTER: ("is faster than its operations say", "are faster than their operations say"),
}


def headline(summary: pd.DataFrame, spec: Spec) -> str:
    """How many blocks take the time of their operations."""
    others = summary[(summary["verdict"] != c.REFERENCE) & summary["time_ratio"].notna()]
    return in_words(others["verdict"], _SAYS, "blocks") if len(others) else "Nothing was measured"


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
        fewer_macs, less_time = (number(1 / worst[ratio], Form.FACTOR) for ratio in ("macs_ratio", "time_ratio"))
        sentences.append(
            f"The widest gap: {worst['block']} ({worst['comparison']}) has {fewer_macs} fewer MACs and takes "
            f"{less_time} less time."
        )
    if summary["noisy"].any():
        sentences.append("The machine's own speed varied by more than a tenth while times were taken: measure again.")
    return sentences
