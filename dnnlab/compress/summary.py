"""The summary: sizes, accuracy of the files, its paired change over seeds and over examples, and one verdict per
row."""

from typing import Any

import pandas as pd

from dnnlab.compress import columns as c
from dnnlab.compress.spec import Spec
from dnnlab.report.columns import ANSWERS
from dnnlab.report.table import fit
from dnnlab.runner.summary import compared, configurations, corrected, failed, geometric, learned, mostly_diverged
from dnnlab.statistics.comparisons import Comparison
from dnnlab.statistics.intervals import ENOUGH, Interval
from dnnlab.statistics.quantity import ACCURACY
from dnnlab.statistics.samples import sample

_CHAIN = ("arch", "data", "recipe")
"""The columns that name a chain: a failure concerns all of its stages and controls."""
POINT = 0.01
"""The loss of accuracy that the lecture's claims allow: one percentage point."""
_SMALLER = 1.05
"""The ratio from which on a file counts as smaller."""
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
_FIRST = ("int8_kind", "in_floats", "judged_batch", "uncounted", "left", "missed", "unread", "file")
"""Columns that are the same for all seeds, or told of the first."""


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
    rows = []
    for (key, group), base, change in zip(tested, bases, changes, strict=True):
        rows.append(_row(key, group, base, change) | {"failed": lost[tuple(key[name] for name in _CHAIN)]})
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
    """The seeds of the network itself where it has no row, from what was counted beside each file."""
    return rows.assign(accuracy=1 - rows["base_errors"] / rows["tested"], right="")


def _row(key: dict[str, Any], rows: pd.DataFrame, base: pd.DataFrame, change: Comparison) -> dict[str, Any]:
    first = rows.iloc[0]
    chain = first["chain"] if rows["chain"].nunique() == 1 else key["recipe"]
    accuracies, gain = sample(rows, ACCURACY), change.difference
    drop = Interval(0.0 - gain.mean, 0.0 - gain.high, 0.0 - gain.low, gain.n)
    if key["role"] == c.BASELINE or key["method"] == c.ZSTD:  # which no seeds and examples make uncertain
        drop = Interval(0.0, 0.0, 0.0, len(rows))
    row = {
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
        **{name: first[name] for name in _FIRST},
        "noisy": bool((rows["noisy"] == 1).any()),
        "diverged": int((rows["diverged"] == 1).sum()),
    }
    return row | {"verdict": verdict(row, drop, fewer=row["learned"] < int(sample(base, ACCURACY).succeeded.sum()))}


def verdict(row: dict[str, Any], drop: Interval, fewer: bool) -> str:
    """Whether the file is smaller and shown to lose less than a point. Where ``fewer`` seeds of it than of the network
    itself are better than guessing, it is not."""
    if row["role"] == "baseline":
        return c.BASELINE
    if mostly_diverged(row):
        return c.DIVERGED
    if drop.n < ENOUGH:
        return c.UNDECIDED
    if row["ratio_onnx"] < _SMALLER:
        return c.NO_SMALLER
    if drop.high < POINT:
        return c.UNDECIDED if fewer else c.HOLDS
    return c.LOSES if drop.low > POINT else c.UNDECIDED
