"""The result in sentences. It needs the summary alone."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from dnnlab.compress import columns as c
from dnnlab.compress.spec import Spec
from dnnlab.compress.summary import POINT
from dnnlab.errors import counted
from dnnlab.networks import named
from dnnlab.report.advice import Advice
from dnnlab.report.numbers import Form, number
from dnnlab.runner.summary import not_learned, uncounted

_INT8 = (3.2, 4.8)
"""The range of ratios that counts as "about 4×"."""
_CLEARLY = 1.1
"""How many times the memory of floats counts as more: some pages are chance."""
_NEARLY_ALL = 0.99
"""The share of eight-bit products from which on the others are not named."""


def headline(summary: pd.DataFrame, spec: Spec) -> str:
    """The size and the loss at the end of the first chain, with its verdict."""
    chains = summary[(summary["role"] == "chain") & (summary["seeds"] > 0)]
    if chains.empty:
        return "Nothing was compressed"
    first = chains[chains["recipe"] == chains["recipe"].iloc[0]]
    last = first[(first["arch"] == first["arch"].iloc[0]) & (first["data"] == first["data"].iloc[0])].iloc[-1]
    return f"{last['arch']} is {c.SCHEMA.number(last, 'ratio')} smaller with {_more_errors(last)}: {last['verdict']}"


def conclusions(summary: pd.DataFrame, spec: Spec) -> Sequence[str]:
    """The size and accuracy at the end of each chain, the results of its controls, and the lecture's claims."""
    sentences = []
    for (_, _, recipe), rows in summary.groupby(["arch", "data", "recipe"], sort=False, dropna=False):
        chain = rows[(rows["role"] == "chain") & (rows["seeds"] > 0)]
        if recipe and not chain.empty:
            controls = rows[(rows["role"] == "control") & (rows["seeds"] > 0)]
            sentences += _chain(chain, controls)
            if spec.controls and not (controls["method"] == c.SMALL).any():
                arch = chain.iloc[-1]["arch"]
                why = "has none that is as small" if named.in_catalogue(arch) else "is not in the catalogue"
                sentences.append(f"Beside it stands no small dense network: {arch} {why}.")
    better = summary[(summary["role"] == "chain") & (summary["drop_hi"] < -POINT)]
    if not better.empty:
        sentences.append(
            f"{better.iloc[0]['arch']} itself is less accurate than what was made of it: it was trained too little to "
            "judge by. Give it more --epochs; each stage recovers for --recover of them."
        )
    sentences += _unseen(summary)
    sentences += not_learned(summary, lambda row: f"{row['arch']}, {row['chain'] or row['method']}")
    sentences += _left_and_missed(summary[summary["seeds"] > 0])
    sentences += _claims(summary[summary["seeds"] > 0])
    if (summary["form"] == "coded").any():
        sentences.append("A coded container is for storage and transfer: no runtime executes it.")
    sentences += uncounted(summary)
    if summary["noisy"].fillna(False).any():
        sentences.append("The machine's own speed varied by more than a tenth while times were taken.")
    return sentences


def _chain(chain: pd.DataFrame, controls: pd.DataFrame) -> list[str]:
    last = chain.iloc[-1]
    told = [
        f"{last['arch']} on {last['data']}, {last['chain']}: {c.SCHEMA.number(last, 'bytes')}, "
        f"{c.SCHEMA.number(last, 'ratio')} less than 4 bytes a parameter, {_errors(last)} ({_more_errors(last)}): "
        f"{last['verdict']}."
    ]
    beside = controls.to_dict("records")
    told += [f"Beside it, {row['method']}: {c.SCHEMA.number(row, 'bytes')}, {_errors(row)}." for row in beside]
    return told


def _unseen(summary: pd.DataFrame) -> list[str]:
    """What so few seeds and examples cannot show."""
    open_ = summary[(summary["verdict"] == c.UNDECIDED) & (summary["visible"] > POINT)]
    if open_.empty:
        return []
    least, row = float(open_["visible"].min()), open_.iloc[0]
    return [
        f"On {c.SCHEMA.number(row, 'tested')} test examples a change under {number(least, Form.POINTS)} can hardly be "
        "told from none, so that a loss of less than a point cannot be shown: take data with more test examples."
    ]


def _errors(row: Any) -> str:
    errors, tested = c.SCHEMA.number(row, "errors"), c.SCHEMA.number(row, "tested")
    return f"{errors} errors of {tested} ({number(row['errors'] / row['tested'], Form.SHARE)})"


def _more_errors(row: Any) -> str:
    """The loss of accuracy in a few words: ``0.3 points more error``."""
    drop = row["accuracy_drop"]
    if drop == 0:
        return "the same error"
    return f"{number(abs(drop), Form.POINTS)} {'more' if drop > 0 else 'less'} error"


def _left_and_missed(summary: pd.DataFrame) -> list[str]:
    told = []
    for row in summary[summary["role"] == "chain"].to_dict("records"):
        if row["missed"]:
            told.append(f"{row['arch']}, {row['chain']}: {row['missed']}.")
        if row["left"]:
            told.append(f"{row['arch']}, {row['method']} left as they were: {row['left']}.")
        if row["in_floats"] and row["int8_share"] < _NEARLY_ALL:
            told.append(
                f"{row['arch']}, {row['chain']}: in floats still run {row['in_floats']}, as shares of all MACs."
            )
        if row["judged_batch"] > 0:
            told.append(
                f"{row['arch']}, {row['chain']}: a range is that of all inputs of a call; its accuracy is that at "
                f"{counted(int(row['judged_batch']), 'input')} a call."
            )
    return list(dict.fromkeys(told))


def _at_most(row: pd.Series) -> str:
    """The upper end of the interval of what was lost, in words."""
    return f"with at most {c.SCHEMA.number(row, 'drop_hi')} lost" if row["drop_hi"] > 0 else "with nothing lost"


def _claims(summary: pd.DataFrame) -> list[str]:
    told = []
    chains = summary[summary["role"] == "chain"]
    # The last stage of each chain stands for the chain.
    final = chains.groupby(["arch", "data", "recipe"], sort=False, dropna=False).tail(1)
    good = final[(final["ratio"] >= 5) & (final["verdict"] == c.HOLDS)]
    judged = final[(final["ratio"] >= 5) & final["verdict"].isin((c.HOLDS, c.LOSES))]
    if not good.empty:
        best = good.iloc[int(good["ratio"].to_numpy().argmax())]
        told.append(
            f"The lecture's 5–10× at under a point lost holds: {c.SCHEMA.number(best, 'ratio')} {_at_most(best)}."
        )
    elif not judged.empty:
        told.append("The lecture's 5–10× at under a point lost does not hold here: every such chain loses more.")
    for row in chains[chains["form"] == "int8"].to_dict("records"):
        low, high = _INT8
        ratio = row["ratio_onnx"]
        # What other stages saved is no part of what the lecture says of INT8.
        says = "holds" if low <= ratio <= high else "is exceeded" if ratio > high else "does not hold"
        claim = f"INT8 at about 4× {says} for" if ">" not in row["chain"] else "Quantised,"
        told.append(
            f"{claim} {row['arch']}, {row['chain']}: {c.SCHEMA.number(row, 'ratio_onnx')} smaller in ONNX, "
            f"{c.SCHEMA.number(row, 'int8_share')} of its multiply–accumulates in eight bits, "
            f"{c.SCHEMA.estimate(row, 'speedup')} as fast at one input and {c.SCHEMA.estimate(row, 'speedup32')} at 32."
        )
        if min(row["speedup_hi"], row["speedup32_hi"]) < 1:
            told.append(f"Warning: {row['chain']} is slower in INT8 than in FP32 on this machine.")
        same = (summary["arch"] == row["arch"]) & (summary["data"] == row["data"])
        held = float(summary.loc[same & (summary["role"] == "baseline"), "memory_bytes"].mean())
        if row["memory_bytes"] > _CLEARLY * held:
            told.append(
                f"Warning: {row['chain']} takes more memory in ONNX Runtime than FP32: "
                f"{c.SCHEMA.number(row, 'memory_bytes')} against {number(held, Form.BYTES)}."
            )
    return told


def advice(cells: Callable[[], pd.DataFrame], summary: pd.DataFrame, spec: Spec, folder: Path) -> Advice | None:
    """The smallest file of the chains that is shown to lose less than a point, beside the network's own."""
    chains = summary[(summary["role"] == "chain") & (summary["verdict"] == c.HOLDS)]
    if chains.empty:
        return None
    row = chains.iloc[int(chains["bytes"].to_numpy().argmin())]
    files = cells()
    of = (files["arch"] == row["arch"]) & (files["data"] == row["data"])
    made = files[of & (files["recipe"] == row["recipe"]) & (files["stage"] == row["stage"]) & (files["file"] != "")]
    same = (summary["arch"] == row["arch"]) & (summary["data"] == row["data"])
    base = summary[same & (summary["role"] == "baseline")]
    if made.empty or base.empty:
        return None
    file = made.iloc[0]["file"]
    coded = file.endswith(".dnnz")
    before, after = base.iloc[0], row
    accuracies = [c.SCHEMA.estimate(each, "accuracy") for each in (before, after)]
    return Advice(
        what=f"Take {file}, made by {row['chain']}: of these chains the smallest file that is shown to lose less than "
        f"a point against {row['arch']} itself. It is that of seed {made.iloc[0]['seed']}; those of the others lie "
        "beside it.",
        then="This writes its weights, exactly, as a .safetensors file." if coded else "",
        command=shlex.join(["dnnlab", "decompress", str(folder / file)]) if coded else "",
        changes=[
            ("file", c.SCHEMA.number(before, "bytes"), c.SCHEMA.number(after, "bytes")),
            ("accuracy", accuracies[0], accuracies[1]),
        ],
    )
