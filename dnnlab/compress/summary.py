"""The summary: sizes, accuracy of the files, its paired change over seeds and over examples, and one verdict per
row."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from dnnlab.compress import columns as c
from dnnlab.compress.spec import Spec
from dnnlab.errors import listing
from dnnlab.report.columns import ANSWERS
from dnnlab.report.table import fit
from dnnlab.runner.summary import compared, configurations, corrected, failed, geometric, learned, mostly_diverged
from dnnlab.statistics.comparisons import Comparison, holm
from dnnlab.statistics.intervals import ENOUGH, SIGNIFICANT, Interval
from dnnlab.statistics.quantity import ACCURACY
from dnnlab.statistics.samples import by_guessing, sample

_CHAIN = ("arch", "data", "recipe")
"""The columns that name a chain: a failure concerns all of its stages and controls."""
POINT = 0.01
"""The loss of accuracy that the lecture's claims allow: one percentage point."""
_SMALLER = 1.05
"""The `ratio_onnx` from which on a file counts as smaller."""
_MEANS = (
    *("params", "nonzeros", "macs", "bytes", "ratio", "ratio_onnx", "bits_per_weight", "entropy_bound"),
    *("int8_share", "errors", "base_errors"),
)
_MEDIANS = (
    *("latency_ms", "latency_min_ms", "latency_p95_ms", "base_latency_ms"),
    *("latency32_ms", "latency32_min_ms", "latency32_p95_ms", "base_latency32_ms"),
    "memory_bytes",
)
"""Columns that the machine decides, of which the median is taken: one seed measured beside other work would move a
mean."""
_TOLD = ("int8_kind", "in_floats", "uncounted", "left", "missed", "unread")
"""Columns of texts that may differ from seed to seed."""


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per network, chain and stage, and one per control, in the order of the plan."""
    lost = {tuple(chain.values()): failed(group) for chain, group in configurations(cells, _CHAIN)}
    tested = list(configurations(_final(cells), c.CONFIGURATION))
    own = {(key["arch"], key["data"]): group for key, group in tested if key["role"] == c.BASELINE}
    bases = [own.get((key["arch"], key["data"]), _base_of(group)) for key, group in tested]
    changes = corrected(
        [
            compared(base if key["role"] != c.BASELINE else None, group, ACCURACY)
            for (key, group), base in zip(tested, bases, strict=True)
        ]
    )
    drops = [drop_of(key, group, change) for (key, group), change in zip(tested, changes, strict=True)]
    rows = [
        _row(key, group, drop, change) | {"failed": lost[tuple(key[name] for name in _CHAIN)]}
        for (key, group), drop, change in zip(tested, drops, changes, strict=True)
    ]
    for row, verdict in zip(rows, verdicts(rows, drops, [_learned(base) for base in bases]), strict=True):
        row["verdict"] = verdict
    present = {tuple(row[name] for name in _CHAIN) for row in rows}
    for chain, count in lost.items():
        if count and chain not in present:
            empty = dict(zip(_CHAIN, chain, strict=True)) | {"role": "chain", "stage": 0, "method": ""}
            rows.append(
                empty
                | {
                    "chain": empty["recipe"],
                    "seeds": 0,
                    "learned": 0,
                    "failed": count,
                    "verdict": c.UNDECIDED,
                    "noisy": False,
                }
            )
    return fit(pd.DataFrame(rows), c.SUMMARY)


def per_cell(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per file and seed: its configuration, and the quantities by which runs are compared."""
    answers = [column.name for column in ANSWERS]
    names = [*c.CONFIGURATION, "seed", *answers, *(quantity.name for quantity in c.QUANTITIES)]
    table = _final(cells)[names].reset_index(drop=True)
    steps = {f"step_of_{name}": table[name] / table["bytes"] for name in ("ratio", "ratio_onnx")}
    return table.assign(step_of_bytes=1.0, step_of_params=1.0, **steps)


def _final(cells: pd.DataFrame) -> pd.DataFrame:
    """The rows of files that were tested; trials of a search were not."""
    return cells[cells["accuracy"].notna()]


def _base_of(rows: pd.DataFrame) -> pd.DataFrame:
    """The seeds of the network itself where it has no row, from what was counted beside each file. Where one is not
    better than guessing, its accuracy is not known."""
    accuracy = 1 - rows["base_errors"] / rows["tested"]
    guessed = by_guessing(float(rows["guessing"].iloc[0]), int(rows["tested"].iloc[0]))
    return rows.assign(accuracy=accuracy.where(accuracy > guessed), right="")


def _learned(rows: pd.DataFrame) -> int:
    """The number of seeds that learned."""
    return int(sample(rows, ACCURACY).succeeded.sum())


def drop_of(key: dict[str, Any], rows: pd.DataFrame, change: Comparison) -> Interval:
    """What the accuracy of a file is below that of the network itself."""
    if key["role"] == c.BASELINE or key["method"] == c.ZSTD:  # which no seeds and examples make uncertain
        return Interval(0.0, 0.0, 0.0, len(rows))
    gain = change.difference
    return replace(gain, mean=0.0 - gain.mean, low=0.0 - gain.high, high=0.0 - gain.low, shift=0.0 - gain.shift)


def _row(key: dict[str, Any], rows: pd.DataFrame, drop: Interval, change: Comparison) -> dict[str, Any]:
    first = rows.iloc[0]
    chain = first["chain"] if rows["chain"].nunique() == 1 else key["recipe"]
    accuracies = sample(rows, ACCURACY)
    return {
        **key,
        "stage": int(key["stage"]),
        "chain": chain,
        "form": first["form"],
        "seeds": len(rows),
        **{name: float(rows[name].mean()) for name in _MEANS},
        **{name: float(rows[name].dropna().median()) for name in _MEDIANS},
        **geometric(sample(rows, c.SPEEDUP).interval).named("speedup"),
        **geometric(sample(rows, c.SPEEDUP32).interval).named("speedup32"),
        **learned(accuracies),
        **accuracies.interval.named("accuracy"),
        **drop.named("accuracy_drop", "drop"),
        "visible": change.visible,
        "p": change.p,
        "errors_lo": float(rows["errors"].min()),
        "errors_hi": float(rows["errors"].max()),
        "tested": int(first["tested"]),
        **{name: _of_seeds(rows, name) for name in _TOLD},
        "judged_batch": first["judged_batch"],
        "file": first["file"],
        "noisy": bool((rows["noisy"] == 1).any()),
        "diverged": int((rows["diverged"] == 1).sum()),
    }


def _of_seeds(rows: pd.DataFrame, column: str) -> str:
    """The text of all seeds. Where they differ, the first text that there is, with its seeds and those with another."""
    texts = rows[column].fillna("")
    if texts.nunique() == 1:
        return str(texts.iloc[0])
    text = texts[texts != ""].iloc[0]
    same, others = (rows.loc[chosen, "seed"].tolist() for chosen in (texts == text, (texts != text) & (texts != "")))
    rest = f"; {_seeds(others)}: see cells.csv" if others else ""
    return f"{text} ({_seeds(same)}{rest})"


def _seeds(numbers: Sequence[int]) -> str:
    return f"seed{'s'[: len(numbers) != 1]} {listing(map(str, numbers))}"


def verdicts(rows: Sequence[dict[str, Any]], drops: Sequence[Interval], own: Sequence[int]) -> list[str]:
    """Whether each file is smaller and shown to lose less than a point. The p-values of a drop of one point are
    corrected for the number of rows that are judged by them (Holm).

    Args:
        rows: Of the summary.
        drops: What each file loses against the network itself.
        own: In how many seeds the network itself learned, for each row.
    """
    known = [_undisputed(row, drop, learned) for row, drop, learned in zip(rows, drops, own, strict=True)]
    ps = holm(
        [
            math.nan if verdict else _p_of_a_point(drop, row["tested"])
            for verdict, row, drop in zip(known, rows, drops, strict=True)
        ]
    )
    return [
        verdict or _judged(drop, p, fewer=row["learned"] < learned)
        for verdict, row, drop, p, learned in zip(known, rows, drops, ps, own, strict=True)
    ]


def _undisputed(row: dict[str, Any], drop: Interval, own: int) -> str:
    """The verdict on which the size of the drop has no say; empty where it has."""
    if row["role"] == "baseline":
        return c.BASELINE
    if mostly_diverged(row):
        return c.DIVERGED
    if drop.n < ENOUGH:
        return c.UNDECIDED
    if row["ratio_onnx"] < _SMALLER:
        return c.NO_SMALLER
    return "" if own else c.UNDECIDED  # where the network itself only guesses, there is nothing to lose


def _p_of_a_point(drop: Interval, tested: int) -> float:
    """The p-value of the true drop being one point; nan without a standard error.

    If it is, the answers to a hundredth of the examples differ at least, so that the error is never taken for smaller
    than these make it, however few were seen to differ. It is the error of a score test (Tango 1998); without it, ten
    files that lose a point on a thousand examples get a false verdict in one table of ten. And its degrees of freedom
    are those of the seeds alone: where few seeds happen to agree, they would be taken for far too many.
    """
    least = math.sqrt(POINT * (1 - POINT) / tested) if drop.floor else 0.0
    return replace(drop, error=max(drop.error, least), freedom=min(drop.freedom, drop.n - 1.0)).p(POINT)


def _judged(drop: Interval, p: float, fewer: bool) -> str:
    """The verdict by a drop and its corrected p-value of being one point. Where ``fewer`` seeds of the file than of the
    network itself learned, it does not hold."""
    # An interval without a standard error has no p: it has no ends, and shows nothing, or is exact.
    if p >= SIGNIFICANT:
        return c.UNDECIDED
    if drop.high < POINT:
        return c.UNDECIDED if fewer else c.HOLDS
    return c.LOSES if drop.low > POINT else c.UNDECIDED
