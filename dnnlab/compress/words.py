"""The result in sentences. It needs the summary alone."""

import math
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from dnnlab.compress import columns as c
from dnnlab.compress.spec import Spec
from dnnlab.compress.summary import POINT
from dnnlab.errors import are, counted, listing
from dnnlab.networks import named
from dnnlab.report.advice import Advice
from dnnlab.report.numbers import Form, number
from dnnlab.runner.summary import not_learned, uncounted
from dnnlab.statistics.intervals import ENOUGH, SIGNIFICANT
from dnnlab.statistics.quantity import ACCURACY
from dnnlab.statistics.samples import sample

_INT8 = (3.5, 4.5)
"""The range of ratios that counts as "about 4×", as in the recipes."""
_LECTURE = 5
"""The ratio from which on the lecture's 5–10× are reached."""
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
    return f"{last['arch']} is {_times(last['ratio'])} with {_more_errors(last)}: {_verdict(last)}"


def conclusions(summary: pd.DataFrame, spec: Spec) -> Sequence[str]:
    """The size and accuracy at the end of each chain, the results of its controls, and the lecture's claims."""
    sentences = []
    for (_, _, recipe), rows in summary.groupby(["arch", "data", "recipe"], sort=False, dropna=False):
        chain = rows[(rows["role"] == "chain") & (rows["seeds"] > 0)]
        if recipe and not chain.empty:
            controls = rows[(rows["role"] == "control") & (rows["seeds"] > 0)]
            sentences += _chain(chain, controls)
            if spec.controls and not (controls["method"] == c.SMALL).any():
                sentences += _no_small(chain.iloc[-1])
    guessing = _learned_itself(summary) == 0
    sentences += [
        f"No seed of {row['arch']} itself is shown to have learned {row['data']}, so that nothing can be said of what "
        "its files lose."
        for row in summary[guessing].drop_duplicates(_NETWORK).to_dict("records")
    ]
    sentences += _better(summary[~guessing], spec)
    sentences += _undecided(summary[~guessing])
    sentences += not_learned(summary[~guessing], lambda row: f"{row['arch']}, {row['chain'] or row['method']}")
    sentences += _left_and_missed(summary[summary["seeds"] > 0])
    sentences += _claims(summary[summary["seeds"] > 0])
    if (summary["form"] == "coded").any():
        sentences.append("A coded container is for storage and transfer: no runtime executes it.")
    sentences += uncounted(summary)
    if summary["noisy"].fillna(False).any():
        sentences.append("The machine's own speed varied by more than a tenth while times were taken.")
    return sentences


_NETWORK = ["arch", "data"]
"""The columns that name a network."""


def _learned_itself(summary: pd.DataFrame) -> "pd.Series[float]":
    """In how many seeds the network of each row learned before any chain; nan where that was not measured."""
    own = summary[(summary["role"] == c.BASELINE) & (summary["seeds"] > 0)]
    counts = {(row["arch"], row["data"]): float(row["learned"]) for row in own.to_dict("records")}
    keys = zip(summary["arch"], summary["data"], strict=True)
    return pd.Series([counts.get(key, math.nan) for key in keys], summary.index, dtype=float)


def _chain(chain: pd.DataFrame, controls: pd.DataFrame) -> list[str]:
    last = chain.iloc[-1]
    told = [
        f"{last['arch']} on {last['data']}, {last['chain']}: {c.SCHEMA.number(last, 'bytes')}, "
        f"{_times(last['ratio'], 'less', 'more')} than 4 bytes a parameter, {_errors(last)} ({_more_errors(last)}): "
        f"{_verdict(last)}."
    ]
    beside = controls.to_dict("records")
    told += [f"Beside it, {row['method']}: {c.SCHEMA.number(row, 'bytes')}, {_errors(row)}." for row in beside]
    return told


def _no_small(row: Any) -> list[str]:
    """Why no small dense network stands beside a chain. Where seeds failed, it may have been one of those failures."""
    catalogue = named.in_catalogue(row["arch"])
    if catalogue and row["failed"]:
        return []
    why = "has none that is as small" if catalogue else "is not in the catalogue"
    return [f"Beside it stands no small dense network: {row['arch']} {why}."]


def _better(summary: pd.DataFrame, spec: Spec) -> list[str]:
    """A warning about networks that are less accurate than what was made of them: where that is shown, and in fewer
    than three seeds where the mean says so."""
    few = summary["seeds"] < ENOUGH
    shown = (summary["drop_hi"] < -POINT) & (summary["p"] < SIGNIFICANT) & (summary["learned"] >= ENOUGH)
    better = shown | (few & (summary["accuracy_drop"] < -POINT))
    rows = summary[(summary["role"] == "chain") & better].drop_duplicates(_NETWORK)
    how = "the rows called more epochs show" if spec.controls else "--controls measures"
    return [
        f"{_in_few(row['seeds'])}{row['arch']} itself is less accurate on {row['data']} than after {row['chain']}, by "
        f"more than a point. Losses against it are too low if it gains as much by longer training alone, which {how}."
        for row in rows.to_dict("records")
    ]


def _in_few(seeds: int) -> str:
    return "" if seeds >= ENOUGH else f"In {counted(seeds, 'seed')}, which may be chance, "


def _undecided(summary: pd.DataFrame) -> list[str]:
    """What could be shown in rows that are undecided by their interval, and not for want of seeds that learned."""
    fewer = summary["learned"] < _learned_itself(summary)
    rows = summary[(summary["verdict"] == c.UNDECIDED) & summary["visible"].notna() & ~fewer]
    told = []
    for data, wide in rows[rows["visible"] > POINT].groupby("data", sort=False):
        told.append(
            f"On the {counted(int(wide['tested'].iloc[0]), 'test example')} of {data} a change of "
            f"{number(float(wide['visible'].max()), Form.POINTS)} would have been shown with probability .8"
            f"{f' in each of {len(wide)} undecided rows' if len(wide) > 1 else ''}, and a smaller one less often: more "
            "test examples, or more seeds, may decide."
        )
    apart = int(((rows["drop_hi"] < POINT) | (rows["drop_lo"] > POINT)).sum())
    if apart:
        told.append(
            f"{counted(apart, 'row')} {are(apart)} undecided, though the interval lies on one side of a point: the "
            "p-value counts all rows that are judged, and takes it that a hundredth of the answers differ at least."
        )
    return told


def _times(ratio: float, less: str = "smaller", more: str = "larger") -> str:
    """``8× smaller``, or of a ratio below 1 ``1.1× larger``."""
    return f"{number(ratio, Form.FACTOR)} {less}" if not ratio < 1 else f"{number(1 / ratio, Form.FACTOR)} {more}"


def _verdict(row: Any) -> str:
    """The verdict of a row, with the ratio that it goes by where the other one may say something else."""
    if row["verdict"] == c.NO_SMALLER or (row["verdict"] == c.HOLDS and not row["ratio"] > 1):
        return f"{row['verdict']} (ratio_onnx {c.SCHEMA.number(row, 'ratio_onnx')})"
    return str(row["verdict"])


def _errors(row: Any) -> str:
    """The errors of the seeds of which the accuracy is."""
    share = 1 - row["accuracy"]
    errors = round(share * row["tested"], 6)  # without the rounding of the difference
    return f"{number(errors, Form.COUNT)} errors of {c.SCHEMA.number(row, 'tested')} ({number(share, Form.SHARE)})"


def _more_errors(row: Any) -> str:
    """The loss of accuracy in a few words: ``0.3 points more error``."""
    drop = row["accuracy_drop"]
    if math.isnan(drop):
        return "an unknown change of error"
    if drop == 0:
        return "the same error"
    return f"{number(abs(drop), Form.POINTS)} {'more' if drop > 0 else 'less'} error"


def _left_and_missed(summary: pd.DataFrame) -> list[str]:
    told = []
    for row in summary[summary["role"] == "chain"].to_dict("records"):
        name = f"{row['arch']}, {row['chain']}"
        if row["missed"]:
            told.append(f"{name}: {row['missed']}.")
        if row["left"]:
            told.append(f"{row['arch']}, {row['method']} left as they were: {row['left']}.")
        if row["in_floats"] and row["int8_share"] < _NEARLY_ALL:
            told.append(
                f"{name}: operators that still run in floats, with their shares of all MACs: {row['in_floats']}."
            )
        if row["judged_batch"] > 0:
            inputs = counted(int(row["judged_batch"]), "input")
            told.append(f"{name}: all inputs of a call share one range of activations; accuracy is at {inputs} a call.")
    return list(dict.fromkeys(told))


def _claims(summary: pd.DataFrame) -> list[str]:
    chains = summary[summary["role"] == "chain"]
    told = _of_the_lecture(chains[chains["ratio"] >= _LECTURE])
    for row in chains[chains["form"] == "int8"].to_dict("records"):
        low, high = _INT8
        ratio, name = row["ratio_onnx"], f"{row['arch']}, {row['chain']}"
        # What other stages saved is no part of what the lecture says of INT8, and a file that diverged is of no use.
        says = "holds" if low <= ratio <= high else "is exceeded" if ratio > high else "does not hold"
        alone = ">" not in row["chain"] and row["verdict"] != c.DIVERGED
        told.append(
            f"{f'INT8 at about 4× {says} in size for ' if alone else ''}{name}: {_times(ratio)} in ONNX, "
            f"{c.SCHEMA.number(row, 'int8_share')} of its multiply–accumulates in eight bits, "
            f"{c.SCHEMA.estimate(row, 'speedup')} as fast at one input and {c.SCHEMA.estimate(row, 'speedup32')} at 32."
        )
        slow = [at for at, end in (("at one input", "speedup_hi"), ("at 32 inputs", "speedup32_hi")) if row[end] < 1]
        if slow:
            told.append(f"Warning: {name} is slower in INT8 than in FP32 on this machine, {listing(slow)}.")
        same = (summary["arch"] == row["arch"]) & (summary["data"] == row["data"])
        held = float(summary.loc[same & (summary["role"] == "baseline"), "memory_bytes"].mean())
        if row["memory_bytes"] > _CLEARLY * held:
            told.append(
                f"Warning: {name} takes more memory in ONNX Runtime than FP32: "
                f"{c.SCHEMA.number(row, 'memory_bytes')} against {number(held, Form.BYTES)}."
            )
    return told


def _of_the_lecture(files: pd.DataFrame) -> list[str]:
    """What the ``files``, each after a stage of a chain and as small as the lecture says, say of its claim."""
    claim = "The lecture's 5–10× at under a point lost"
    counts = files["verdict"].value_counts()
    if c.HOLDS in counts:
        good = files[files["verdict"] == c.HOLDS]
        best = good.iloc[int(good["ratio"].to_numpy().argmax())]
        size, drop = c.SCHEMA.number(best, "ratio"), c.SCHEMA.estimate(best, "accuracy_drop")
        return [f"{claim} holds for {best['arch']}, {best['chain']}: {size} at a drop of {drop}."]
    if c.LOSES not in counts:
        return []
    lost, count = int(counts[c.LOSES]), len(files)
    if lost == count:
        files_are = "the one file" if count == 1 else f"all {count} files"
        return [f"{claim} does not hold here: {files_are} of {_LECTURE}× or more {are(lost)} shown to lose more."]
    shown = f"{lost} of {count} files of {_LECTURE}× or more {are(lost)} shown to lose more"
    rest = [f"{counts[kind]} {kind}" for kind in (c.UNDECIDED, c.DIVERGED) if kind in counts]
    return [f"{claim} is not shown here: {', '.join([shown, *rest])}."]


def advice(cells: Callable[[], pd.DataFrame], summary: pd.DataFrame, spec: Spec, folder: Path) -> Advice | None:
    """The smallest file of the chains that is shown to lose less than a point, beside the network's own. It is that of
    the first seed in which both learned."""
    chains = summary[(summary["role"] == "chain") & (summary["verdict"] == c.HOLDS)]
    if chains.empty:
        return None
    row = chains.iloc[int(chains["bytes"].to_numpy().argmin())]
    files = cells()
    files = files[(files["arch"] == row["arch"]) & (files["data"] == row["data"]) & files["accuracy"].notna()]
    stage = (files["recipe"] == row["recipe"]) & (files["role"] == "chain") & (files["stage"] == row["stage"])
    before, after = (_that_learned(each) for each in (files[files["role"] == c.BASELINE], files[stage]))
    seeds = sorted(set(before.index) & set(after.index))
    if not seeds:
        return None
    own, made = before.loc[seeds[0]], after.loc[seeds[0]]
    file = made["file"]
    coded = file.endswith(".dnnz")
    return Advice(
        what=f"Take {file}, made by {made['chain']}: of the chains that are shown to lose less than a point against "
        f"{row['arch']} itself, this one has the smallest files on average. It is that of seed {seeds[0]}; those of "
        "the others lie beside it.",
        then="This writes its weights, exactly, as a .safetensors file." if coded else "",
        command=shlex.join(["dnnlab", "decompress", str(folder / file)]) if coded else "",
        changes=[
            ("file", c.SCHEMA.number(own, "bytes"), c.SCHEMA.number(made, "bytes")),
            ("accuracy", c.SCHEMA.number(own, "accuracy"), c.SCHEMA.number(made, "accuracy")),
        ],
    )


def _that_learned(rows: pd.DataFrame) -> pd.DataFrame:
    """Those of the ``rows``, one per seed, that learned and did not diverge, by seed."""
    if rows.empty:
        return rows.set_index("seed")
    known = sample(rows, ACCURACY)
    learned = rows["seed"].isin(known.seeds[known.succeeded].tolist())
    return rows[learned & (rows["diverged"] != 1) & (rows["file"] != "")].set_index("seed")
