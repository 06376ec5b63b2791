"""The result in sentences."""

from collections.abc import Sequence

import pandas as pd

from dnnlab.compare_arch.blocks import columns as c
from dnnlab.compare_arch.spec import Spec
from dnnlab.errors import counted
from dnnlab.report.numbers import Form, number
from dnnlab.runner.summary import in_words, tally

_SAYS = {
    c.REFERENCE: ("is the reference", "are the references"),
    c.AS_COUNTED: ("takes the time of its operations", "take the time of their operations"),
    c.SLOWER: ("is slower than its operations say", "are slower than their operations say"),
    c.FASTER: ("is faster than its operations say", "are faster than their operations say"),
    c.UNDECIDED: ("is not decided", "are not decided"),
}


def headline(summary: pd.DataFrame, spec: Spec) -> str:
    """How many blocks take the time of their operations."""
    others = summary[(summary["verdict"] != c.REFERENCE) & summary["time_ratio"].notna()]
    if len(others) == 1:
        return f"{_name(others.iloc[0])} {_SAYS[others['verdict'].iloc[0]][0]}"
    return in_words(others["verdict"], _SAYS, "blocks") if len(others) else "Nothing was measured"


def _name(row: "pd.Series") -> str:
    return f"{row['block']} ({row['comparison']})"


def conclusions(summary: pd.DataFrame, spec: Spec) -> Sequence[str]:
    """Where time does not follow the multiply–accumulates, and where the gap is largest."""
    others = summary[(summary["verdict"] != c.REFERENCE) & summary["time_ratio"].notna()]
    if others.empty:
        return ["Nothing was measured."]
    their = "its" if len(others) == 1 else "their"
    against = f"{counted(len(others), 'block')} against the first of {their} comparison"
    sentences = [f"{against}: {tally(others['verdict'])}."]
    slower = others[(others["macs_ratio"] < 1) & (others["verdict"] == c.SLOWER)]
    if len(slower):
        gap = slower["time_ratio"] / slower["macs_ratio"]
        worst = slower.iloc[int(gap.to_numpy().argmax())]
        widest = "The widest gap that was measured: " if len(slower) > 1 else ""
        sentences.append(
            f"{widest}{_name(worst)} has {number(1 / worst['macs_ratio'], Form.FACTOR)} fewer MACs and takes "
            f"{c.SCHEMA.estimate(worst, 'time_ratio')} the time."
        )
    if summary["noisy"].any():
        sentences.append("The machine's own speed varied by more than a tenth while times were taken: measure again.")
    return sentences
