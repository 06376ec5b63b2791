"""The best remedy, in sentences."""

import math
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from dnnlab.dead_relu.census.words import name
from dnnlab.dead_relu.remedies import columns as c
from dnnlab.dead_relu.remedy import REMEDIES, treat
from dnnlab.dead_relu.spec import Spec
from dnnlab.errors import some
from dnnlab.report.advice import Advice
from dnnlab.report.numbers import Form, number
from dnnlab.runner.options import arguments
from dnnlab.statistics.intervals import ENOUGH


def headline(summary: pd.DataFrame, spec: Spec) -> str:
    """The remedies that cure or help the first network; where none is shown to, whether that is decided."""
    _, rows = next(iter(summary.groupby(list(c.CONFIGURATION), sort=False, dropna=False)))
    good = rows[rows["verdict"].isin((c.CURES, c.HELPS))]
    if good.empty and (rows["verdict"] == c.UNDECIDED).any():
        return f"Which remedy cures {name(rows.iloc[0])} is not decided"
    if good.empty:
        return f"No remedy is shown to cure {name(rows.iloc[0])}"
    cures = good[good["verdict"] == c.CURES]
    chosen = cures if len(cures) else good
    verb = ("cure" if len(cures) else "help") + "s" * (len(chosen) == 1)
    return f"{some(chosen['remedy'].tolist())} {verb} {name(rows.iloc[0])}"


def _state(row: pd.Series) -> str:
    if math.isnan(row["dead"]):
        return "its numbers left the range of floats"
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
        open_ = tried[tried["verdict"] == c.UNDECIDED]
        if good.empty:
            costly = tried.loc[tried["verdict"] == c.COSTS, "remedy"].tolist()
            kept = "no remedy is shown to keep units alive"
            if costly:
                verb, cost = ("leaves", "costs") if len(costly) == 1 else ("leave", "cost")
                kept = (
                    f"{some(costly)} {verb} fewer units dead but {cost} accuracy; {kept.replace('no', 'no other', 1)}"
                )
            sentences += [f"{start}; {kept}.", *_would_decide(untreated, open_, len(tried))]
            continue
        best = good.iloc[0]
        sentences.append(
            f"{start}. Take {best['remedy']}: {_state(best)} ({c.SCHEMA.estimate(best, 'accuracy_change')})."
        )
        lecture = [remedy.name for remedy in REMEDIES if remedy.source == "lecture"]
        told = tried[tried["remedy"].isin(lecture)]
        words = "; ".join(f"{row['remedy']}: {row['verdict']}" for _, row in told.iterrows())
        if words:
            sentences.append(f"Of the lecture's own: {words}.")
    return sentences


def _would_decide(untreated: pd.Series, open_: pd.DataFrame, tried: int) -> list[str]:
    """How many seeds it takes for a verdict on the remedies in ``open_``, where most seeds collapse without any: an
    exact test needs so many in which the two differ to reach 5 % among all that were ``tried``, and where no seed
    collapses under a remedy, they differ in as many as collapse without it."""
    share = untreated["collapsed"]
    if open_.empty or not share > 0.5 or untreated["seeds"] < ENOUGH:
        return []
    needed = math.ceil(math.log2(4 * tried / 0.05) / share)
    one = len(open_) == 1
    few = bool(untreated["seeds"] - round(share * untreated["seeds"]) < ENOUGH)
    told = (
        f"{some(open_['remedy'].tolist())} {'is' if one else 'are'} not decided: {number(share, Form.SHARE)} of the "
        f"seeds collapse without {'it' if one else 'them'}{', and the others are too few to compare' * few}."
    )
    more = f" A remedy under which no seed collapses takes about {needed} seeds: --seeds {needed}."
    return [told + more * bool(untreated["seeds"] < needed)]


def advice(cells: Callable[[], pd.DataFrame], summary: pd.DataFrame, spec: Spec, folder: Path) -> Advice | None:
    """The best remedy that is shown to cure or help the first network, with what it changed."""
    _, rows = next(iter(summary.groupby(list(c.CONFIGURATION), sort=False, dropna=False)))
    base, good = rows[rows["verdict"] == c.UNTREATED], rows[rows["verdict"].isin((c.CURES, c.HELPS))]
    if base.empty or good.empty:
        return None
    before, after = base.iloc[0], good.iloc[0]  # the rows are in order of their verdict and accuracy
    dead, accuracy = ([c.SCHEMA.estimate(row, what) for row in (before, after)] for what in ("dead", "accuracy"))
    return Advice(
        what=f"Take {after['remedy']}, which {after['verdict']} {name(before)}, on the same seeds. Of those that are "
        f"shown to do so it ends most accurate.",
        command=_command(spec, {each: before[each] for each in c.CONFIGURATION}, after["remedy"]),
        changes=[("dead units", dead[0], dead[1]), ("accuracy", accuracy[0], accuracy[1])],
    )


def _command(spec: Spec, configuration: dict[str, Any], remedy: str) -> str:
    """The command that measures one configuration under a remedy, with all other options of ``spec``."""
    treated = treat(configuration, remedy)
    alone: dict[str, Any] = {
        option: (value,) for option, value in treated.items() if option != "model" and hasattr(spec, option)
    }
    return shlex.join(["dnnlab", "dead-relu", *arguments(replace(spec, **alone, remedies=False))])
