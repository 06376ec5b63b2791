"""The best remedy, in sentences."""

import pandas as pd

from dnnlab.dead_relu.census.words import name
from dnnlab.dead_relu.remedies import columns as c
from dnnlab.dead_relu.remedy import REMEDIES
from dnnlab.dead_relu.spec import Spec
from dnnlab.errors import some


def headline(summary: pd.DataFrame, spec: Spec) -> str:
    """The remedies that cure or help the first network."""
    _, rows = next(iter(summary.groupby(list(c.CONFIGURATION), sort=False, dropna=False)))
    good = rows[rows["verdict"].isin((c.CURES, c.HELPS))]
    if good.empty:
        return f"No remedy is shown to cure {name(rows.iloc[0])}"
    cures = good[good["verdict"] == c.CURES]
    chosen = cures if len(cures) else good
    verb = ("cure" if len(cures) else "help") + "s" * (len(chosen) == 1)
    return f"{some(chosen['remedy'].tolist())} {verb} {name(rows.iloc[0])}"


def _state(row: pd.Series) -> str:
    return f"{c.SCHEMA.number(row, 'dead')} dead, accuracy {c.SCHEMA.number(row, 'accuracy')}"


def conclusions(summary: pd.DataFrame, spec: Spec) -> list[str]:
    """For each configuration the best remedy, and the effect of the lecture's own."""
    sentences = []
    for _, rows in summary.groupby(list(c.CONFIGURATION), sort=False, dropna=False):
        base, tried = rows[rows["verdict"] == c.UNTREATED], rows[rows["verdict"] != c.UNTREATED]
        if base.empty or tried.empty:
            continue
        untreated = base.iloc[0]
        start = f"{name(untreated)}: {_state(untreated)}"
        good = tried[tried["verdict"].isin((c.CURES, c.HELPS, c.FEWER))]
        if good.empty:
            sentences.append(f"{start}; no remedy is shown to keep units alive.")
            continue
        best = good.iloc[0]
        sentences.append(
            f"{start}. Take {best['remedy']}: {_state(best)} ({c.SCHEMA.estimate(best, 'accuracy_change')})."
        )
        lecture = [remedy.name for remedy in REMEDIES if remedy.source == "lecture"]
        told = tried[tried["remedy"].isin(lecture)]
        words = "; ".join(f"{row['remedy']}: {row['verdict']}" for _, row in told.iterrows())
        sentences.append(f"Of the lecture's own: {words}.")
    return sentences
