"""The summary: sizes, accuracy of the files, its paired change over seeds and over examples, and one verdict per
row."""

import math
from typing import Any

import numpy as np
import pandas as pd

from dnnlab.compress import columns as c
from dnnlab.compress.spec import Spec
from dnnlab.report.table import fit
from dnnlab.runner.summary import configurations, failed, mostly_diverged
from dnnlab.statistics.intervals import ENOUGH, LEVEL, Interval, holm, mean_interval, mean_share
from dnnlab.statistics.streams import stream

_CHAIN = ("arch", "data", "recipe")
"""The columns that name a chain: a failure concerns all of its stages and controls."""
POINT = 0.01
"""The loss of accuracy that the lecture's claims allow: one percentage point."""
_SMALLER = 1.05
"""The ratio from which on a file counts as smaller."""
_DRAWS = 10_000
_MEANS = (
    *("params", "nonzeros", "macs", "bytes", "ratio", "ratio_onnx", "bits_per_weight", "entropy_bound"),
    *("int8_share", "errors", "base_errors"),
)
_MEDIANS = (
    *("latency_ms", "latency_min_ms", "latency_p95_ms", "base_latency_ms", "speedup"),
    *("latency32_ms", "latency32_min_ms", "latency32_p95_ms", "base_latency32_ms", "speedup32"),
    "memory_bytes",
)
"""Columns that the machine decides, of which the median is taken: one seed measured beside other work would move a
mean."""
_FIRST = ("int8_kind", "in_floats", "judged_batch", "uncounted", "left", "missed", "file")
"""Columns that are the same for all seeds, or told of the first."""


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per network, chain and stage, and one per control, in the order of the plan."""
    lost = {tuple(chain.values()): failed(group) for chain, group in configurations(cells, _CHAIN)}
    rows = []
    for key, group in configurations(_final(cells), c.CONFIGURATION):
        rows.append(_row(key, group) | {"failed": lost[tuple(key[name] for name in _CHAIN)]})
    present = {tuple(row[name] for name in _CHAIN) for row in rows}
    for chain, count in lost.items():
        if count and chain not in present:
            empty = dict(zip(_CHAIN, chain, strict=True)) | {"role": "chain", "stage": 0, "method": ""}
            rows.append(
                empty | {"chain": empty["recipe"], "seeds": 0, "failed": count, "verdict": c.UNDECIDED, "noisy": False}
            )
    table = pd.DataFrame(rows)
    if "mcnemar_p" in table:
        table["mcnemar_p"] = holm(table["mcnemar_p"].astype(float).tolist())
    return fit(table, c.SUMMARY)


def per_cell(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per file and seed: its configuration, and the quantities by which runs are compared."""
    return _final(cells)[[*c.CONFIGURATION, "seed", "accuracy", "bytes"]].reset_index(drop=True)


def _final(cells: pd.DataFrame) -> pd.DataFrame:
    """The rows of files that were tested; trials of a search were not."""
    return cells[cells["accuracy"].notna()]


def _row(key: dict[str, Any], rows: pd.DataFrame) -> dict[str, Any]:
    first = rows.iloc[0]
    chain = first["chain"] if rows["chain"].nunique() == 1 else key["recipe"]
    drop = mean_interval(((rows["errors"] - rows["base_errors"]) / rows["tested"]).tolist())
    lost, gained, tested = (int(rows[name].sum()) for name in ("lost", "gained", "tested"))
    low, high = bootstrap(lost, gained, tested)
    row = {
        **key,
        "stage": int(key["stage"]),
        "chain": chain,
        "form": first["form"],
        "seeds": len(rows),
        **{name: float(rows[name].mean()) for name in _MEANS},
        **{name: float(rows[name].dropna().median()) for name in _MEDIANS},
        **mean_share(rows["accuracy"].tolist()).named("accuracy"),
        **drop.named("accuracy_drop", "drop"),
        "drop_examples_lo": low,
        "drop_examples_hi": high,
        "mcnemar_p": math.nan if key["role"] == "baseline" else mcnemar(lost, gained),
        "errors_lo": float(rows["errors"].min()),
        "errors_hi": float(rows["errors"].max()),
        "tested": int(first["tested"]),
        **{name: first[name] for name in _FIRST},
        "noisy": bool((rows["noisy"] == 1).any()),
        "diverged": int((rows["diverged"] == 1).sum()),
    }
    return row | {"verdict": verdict(row, drop)}


def bootstrap(lost: int, gained: int, tested: int) -> tuple[float, float]:
    """Percentile interval of (lost - gained) / tested when the examples are drawn again (Efron 1979).

    Only three kinds of example matter, so that a resample is one multinomial draw.
    """
    shares = [lost / tested, gained / tested, (tested - lost - gained) / tested]
    drawn = stream(0, 0, "bootstrap").multinomial(tested, shares, _DRAWS)
    low, high = np.quantile((drawn[:, 0] - drawn[:, 1]) / tested, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def mcnemar(lost: int, gained: int) -> float:
    """Exact p-value of losing and gaining being as likely (McNemar 1947)."""
    from scipy import stats  # takes long to import

    return float(stats.binomtest(lost, lost + gained).pvalue) if lost + gained else 1.0


def verdict(row: dict[str, Any], drop: Interval) -> str:
    """Whether the file is smaller and shown to lose less than a point."""
    if row["role"] == "baseline":
        return c.BASELINE
    if mostly_diverged(row):
        return c.DIVERGED
    if drop.n < ENOUGH:
        return c.UNDECIDED
    if row["ratio_onnx"] < _SMALLER:
        return c.NO_SMALLER
    if drop.high < POINT:
        return c.HOLDS
    return c.LOSES if drop.low > POINT else c.UNDECIDED
