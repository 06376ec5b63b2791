"""The summary: how well cheap scores rank architectures on these data, and whether they do it better than plain
size."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from dnnlab.nas.codes import each_once
from dnnlab.nas.proxies import columns as c
from dnnlab.nas.spec import Spec
from dnnlab.report.table import fit
from dnnlab.runner.summary import configurations, failed, measured
from dnnlab.statistics.comparisons import holm
from dnnlab.statistics.intervals import SIGNIFICANT, Interval
from dnnlab.statistics.rank import bootstrap, interval, tau
from dnnlab.statistics.streams import stream

LOW = 0.3
"""Kendall's τ under which a ranking says little (Yu 2020)."""
_SIZES = ("parameters", "macs")


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per score, in the order of `columns.SCORES`."""
    rows = []
    for start, group in configurations(cells, ("space", "data")):
        scores = _scores(measured(group), spec) or [{"score": "", "n": 0, "verdict": c.UNDECIDED}]
        rows += [start | row | {"failed": failed(group)} for row in scores]
    return fit(pd.DataFrame(rows), c.SUMMARY)


def _scores(rows: pd.DataFrame, spec: Spec) -> list[dict[str, Any]]:
    if rows.empty:
        return []
    # As `each_once` averages accuracies, so are scores.
    wide = rows.pivot_table(index="id", columns="score", values="value", sort=False, dropna=False)
    truth = each_once(rows).reindex(wide.index)
    kept = truth.notna()
    wide, truth = wide[kept], truth[kept]
    taus = {size: tau(wide[size].to_numpy(), truth.to_numpy()) for size in _SIZES}
    size = max(_SIZES, key=lambda name: -2.0 if math.isnan(taus[name]) else taus[name])
    names = [name for name in c.SCORES if name in wide]
    seconds = rows.groupby("score")["seconds"].mean()
    found = [_row(name, wide, truth, size, spec) for name in names]
    judged = [agreement for _, agreement in found if agreement and agreement.name not in _SIZES]
    corrected = dict(zip([each.name for each in judged], _corrected(judged), strict=True))
    return [
        row
        | {
            "seconds": float(seconds[row["score"]]),
            "verdict": verdict(row["score"], corrected.get(row["score"], known)),
        }
        for row, known in found
    ]


@dataclass(frozen=True)
class Agreement:
    """How one score agrees with accuracy: how many architectures there are, and three two-sided p-values, nan where one
    is not known."""

    name: str
    n: int
    above: float
    """Of τ being zero, in favour of one above zero; 1 where τ is not above zero."""
    over: float
    """Of τ being that of the size, in favour of a larger one."""
    below: float
    """Of τ being `LOW`, in favour of a smaller one."""


def _row(
    name: str, wide: pd.DataFrame, truth: pd.Series, size: str, spec: Spec
) -> tuple[dict[str, Any], Agreement | None]:
    """The columns of a score, and how it agrees; None of fewer than two architectures."""
    known = wide[name].notna()
    score, accuracy = wide.loc[known, name].to_numpy(float), truth[known].to_numpy(float)
    if len(score) < 2:
        return {"score": name, "n": len(score)}, None
    resampled = _resampled(score, accuracy, spec)
    agreement = interval(tau(score, accuracy), resampled, len(score))
    sizes = wide.loc[known, size].to_numpy(float)
    beyond = resampled - _resampled(sizes, accuracy, spec)
    over = interval(agreement.mean - tau(sizes, accuracy), beyond, len(score))
    top = accuracy >= np.quantile(accuracy, 0.75)
    varies = len(set(score)) > 1 and len(set(accuracy)) > 1
    spearman = float(stats.spearmanr(score, accuracy).statistic) if varies else math.nan
    row = {"score": name, "n": len(score), **agreement.named("tau"), "spearman": spearman}
    row["top"] = tau(score[top], accuracy[top])
    ps = (_p(agreement, resampled), _p(over, beyond), _p(agreement, LOW - resampled))
    return row | (over.named("over_size") if name not in _SIZES else {}), Agreement(name, len(score), *ps)


def _resampled(score: np.ndarray, accuracy: np.ndarray, spec: Spec) -> np.ndarray:
    return bootstrap(score, accuracy, stream(spec.seed, 0, "bootstrap"))


def _p(of: Interval, resampled: np.ndarray) -> float:
    """The p-value of what was ``resampled`` not being above zero: twice the share of it that is not (Davison & Hinkley
    1997); nan where it has no interval."""
    if math.isnan(of.low):
        return math.nan
    known = resampled[np.isfinite(resampled)]
    return min(1.0, 2 * (1 + int((known <= 0).sum())) / (1 + len(known)))


def _corrected(rows: Sequence[Agreement]) -> list[Agreement]:
    """The p-values corrected for the number of rows, each kind by itself (Holm)."""
    above, over, below = (holm([getattr(row, kind) for row in rows]) for kind in ("above", "over", "below"))
    return [replace(row, above=a, over=o, below=b) for row, a, o, b in zip(rows, above, over, below, strict=True)]


def verdict(name: str, agreement: Agreement | None) -> str:
    """Whether a score is shown to predict accuracy, and better than the size of the network does; or to rank so badly
    that it says little."""
    if agreement is None or agreement.n < c.FEW or math.isnan(agreement.above):
        return c.UNDECIDED
    if name in _SIZES:
        return c.SIZE
    if agreement.above < SIGNIFICANT:
        if math.isnan(agreement.over):  # the size ranks nothing, such as where all networks have the same
            return c.UNDECIDED
        return c.PREDICTS if agreement.over < SIGNIFICANT else c.AS_SIZE
    return c.USELESS if agreement.below < SIGNIFICANT else c.UNDECIDED


def per_cell(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per seed and score."""
    scored = configurations(measured(cells), ("space", "data", "score", "seed"))
    return pd.DataFrame(
        [seed | {"tau": tau(group["value"].tolist(), group["validation"].tolist())} for seed, group in scored]
    )
