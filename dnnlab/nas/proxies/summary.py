"""The summary: how well cheap scores rank architectures on these data, and whether they do it better than plain
size."""

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from dnnlab.nas.proxies import columns as c
from dnnlab.nas.spec import Spec
from dnnlab.report.table import fit
from dnnlab.runner.summary import configurations, failed, measured
from dnnlab.statistics.intervals import Interval
from dnnlab.statistics.rank import bootstrap, interval, tau
from dnnlab.statistics.streams import stream

FEW = 20
"""The number of architectures below which nothing is concluded."""
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
    wide = rows.pivot_table(index=["seed", "id"], columns="score", values="value", sort=False, dropna=False)
    truth = rows.drop_duplicates(["seed", "id"]).set_index(["seed", "id"])["validation"].reindex(wide.index)
    kept = truth.notna()
    wide, truth = wide[kept], truth[kept]
    taus = {size: tau(wide[size].to_numpy(), truth.to_numpy()) for size in _SIZES}
    size = max(_SIZES, key=lambda name: -2.0 if math.isnan(taus[name]) else taus[name])
    names = [name for name in c.SCORES if name in wide]
    seconds = rows.groupby("score")["seconds"].mean()
    return [_row(name, wide, truth, size, spec) | {"seconds": float(seconds[name])} for name in names]


def _row(name: str, wide: pd.DataFrame, truth: pd.Series, size: str, spec: Spec) -> dict[str, Any]:
    known = wide[name].notna()
    score, accuracy = wide.loc[known, name].to_numpy(float), truth[known].to_numpy(float)
    if len(score) < 2:
        return {"score": name, "n": len(score), "verdict": c.UNDECIDED}
    resampled = _resampled(score, accuracy, spec)
    agreement = interval(tau(score, accuracy), resampled, len(score))
    sizes = wide.loc[known, size].to_numpy(float)
    over = interval(agreement.mean - tau(sizes, accuracy), resampled - _resampled(sizes, accuracy, spec), len(score))
    top = accuracy >= np.quantile(accuracy, 0.75)
    with np.errstate(invalid="ignore"):
        spearman = float(stats.spearmanr(score, accuracy).statistic) if len(set(score)) > 1 else math.nan
    row = {"score": name, "n": len(score), **agreement.named("tau"), "spearman": spearman}
    row |= {"top": tau(score[top], accuracy[top]), "verdict": verdict(name, agreement, over)}
    return row | (over.named("over_size") if name not in _SIZES else {})


def _resampled(score: np.ndarray, accuracy: np.ndarray, spec: Spec) -> np.ndarray:
    return bootstrap(score, accuracy, stream(spec.seed, 0, "bootstrap"))


def verdict(name: str, agreement: Interval, over_size: Interval) -> str:
    """Whether a score predicts accuracy, and better than the size of the network does."""
    if agreement.n < FEW or math.isnan(agreement.low):
        return c.UNDECIDED
    if name in _SIZES:
        return c.SIZE
    if agreement.low <= 0:
        return c.USELESS
    return c.PREDICTS if over_size.low > 0 else c.AS_SIZE


def per_cell(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per seed and score."""
    scored = configurations(measured(cells), ("space", "data", "score", "seed"))
    return pd.DataFrame(
        [seed | {"tau": tau(group["value"].tolist(), group["validation"].tolist())} for seed, group in scored]
    )
