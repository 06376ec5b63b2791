"""The result in sentences. It needs the summary alone, so that a finished run is shown without torch."""

import math
import shlex
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from dnnlab.errors import some
from dnnlab.nas.search import columns as c
from dnnlab.nas.spec import Spec
from dnnlab.nas.strategies import AVERAGE, RANDOM
from dnnlab.report.advice import Advice
from dnnlab.report.numbers import Form, estimate, number
from dnnlab.runner.summary import unseen
from dnnlab.statistics.intervals import ENOUGH

_LOW = 0.3
"""Kendall's τ of shared weights below which their ranking says little (Yu 2020)."""


def headline(summary: pd.DataFrame, spec: Spec) -> str:
    """The strategies that are shown to be better than random search."""
    judged = summary[~summary["strategy"].isin((RANDOM, AVERAGE))]
    better = judged[judged["verdict"] == c.BETTER]["strategy"].unique().tolist()
    if len(better):
        return f"{some(better)} {'find' if len(better) > 1 else 'finds'} better networks than random search"
    return "No strategy is shown to be better than random search"


def conclusions(summary: pd.DataFrame, spec: Spec) -> list[str]:
    """The strategy to take, its gain, and results that are not to be trusted."""
    sentences = []
    for _, rows in summary.groupby("data", sort=False):
        sentences += _strategies(rows, spec)
    return sentences


def _strategies(rows: pd.DataFrame, spec: Spec) -> list[str]:
    searched = rows[rows["strategy"] != AVERAGE]
    quantity = "hypervolume" if spec.several else "test"
    if searched[quantity].isna().all():
        return ["No search ended in a trained network; give it more --budget."]
    best = searched.sort_values(quantity, ascending=False, kind="stable").iloc[0]
    value = estimate(best[quantity], best[f"{quantity}_lo"], best[f"{quantity}_hi"], Form.SHARE)
    what = "largest hypervolume" if spec.several else "highest test accuracy"
    named = f"On {best['data']}, the {what} for {best['budget']} is that of {best['strategy']}, {value}"
    sentences = [f"{named}{_against_random(best, searched[searched['strategy'] != RANDOM])}."]
    judged = searched[searched["strategy"] != RANDOM]
    if len(judged):
        counts = "; ".join(f"{row['strategy']} {row['verdict']}" for row in judged.to_dict("records"))
        sentences.append(f"Against random search on the same budget and seeds: {counts}.")
        sentences += unseen(judged, c.NO_BETTER)
    average = rows[rows["strategy"] == AVERAGE]
    if not spec.several and len(average) and not math.isnan(average.iloc[0]["test"]):
        random = rows[rows["strategy"] == RANDOM].iloc[0]
        also = (
            ""
            if best["strategy"] == RANDOM
            else f", and {best['strategy']} {c.SCHEMA.estimate(best, 'gain_over_average')}"
        )
        sentences.append(
            f"The average architecture of the space has {c.SCHEMA.number(average.iloc[0], 'test')}; random search "
            f"already gains {c.SCHEMA.estimate(random, 'gain_over_average')} over it{also}."
        )
    return sentences + _warnings(searched) + _matters(rows[rows["strategy"] == RANDOM].iloc[0]) + _network(best)


def _against_random(best: pd.Series, judged: pd.DataFrame) -> str:
    """What is shown of the strategy with the highest value, as the end of a sentence; ``judged`` are those that were
    compared with random search."""
    if best["seeds"] < ENOUGH:
        return ", under too few seeds for a verdict"
    if best["strategy"] == RANDOM:
        nothing = len(judged) and not (judged["verdict"] == c.BETTER).any()
        return ": no other strategy is shown to be better" if nothing else ""
    shown = best["verdict"] == c.BETTER
    return ", better than random search" if shown else ", but it is not shown to be better than random search"


def _warnings(rows: pd.DataFrame) -> list[str]:
    sentences = []
    skips = rows["skips"] if "skips" in rows else pd.Series(math.nan, index=rows.index)
    for _, row in rows[skips.notna()].iterrows():
        sentences.append(
            f"Of {row['supernets']} supernets of {row['strategy']} {row['collapsed']} collapsed, that is ended in more "
            f"than half skips; the average is {c.SCHEMA.number(row, 'skips')}."
        )
    taus = rows["tau"] if "tau" in rows else pd.Series(math.nan, index=rows.index)
    for _, row in rows[taus.notna()].iterrows():
        low = ", too low to be trusted" if row["tau"] < _LOW else ""
        sentences.append(
            f"The cheap scores of {row['strategy']} rank as full trainings do with Kendall's τ "
            f"{c.SCHEMA.number(row, 'tau')} ({row['tau_n']} architectures){low}."
        )
    return sentences


def _matters(random: pd.Series) -> list[str]:
    """The lecture's claim that a uniform activation often works well, and that a mixture can be better."""
    sentences = []
    if isinstance(random["importance"], str) and random["importance"]:
        sentences.append(
            f"What matters most in this space, each by itself, with its best choice: {random['importance']}."
        )
    low, high = random["mixed_gain_lo"], random["mixed_gain_hi"]
    if not math.isnan(low):
        moved = "more" if low > 0 else "less" if high < 0 else "neither more nor less"
        sentences.append(
            f"Networks of several activations are {moved} accurate than those of one that are as deep: "
            f"{c.SCHEMA.estimate(random, 'mixed_gain')}."
        )
    return sentences


def _network(best: pd.Series) -> list[str]:
    if not isinstance(best["found"], str) or not best["found"]:
        return []
    size = (
        f", {number(best['found_parameters'], Form.COUNT)} parameters"
        if not math.isnan(best["found_parameters"])
        else ""
    )
    return [f"Found by {best['strategy']}, seed {best['found_seed']}: {best['found']}{size}; artifacts/ has its spec."]


def advice(cells: Callable[[], pd.DataFrame], summary: pd.DataFrame, spec: Spec, folder: Path) -> Advice | None:
    """The network that the best search ended in, where that search is shown to gain over the average network of its
    space."""
    _, rows = next(iter(summary.groupby("data", sort=False)))
    searched, average = rows[rows["strategy"] != AVERAGE], rows[rows["strategy"] == AVERAGE]
    if spec.table or spec.several or searched["test"].isna().all() or average.empty:
        return None
    best = searched.sort_values("test", ascending=False, kind="stable").iloc[0]
    if best["seeds"] < ENOUGH or not best["gain_over_average_lo"] > 0:
        return None
    file = folder / "artifacts" / f"{best['strategy']}-seed{best['found_seed']}.toml"
    if not file.exists() or "," in str(file):  # behind a comma --arch has another network
        return None
    before, after = (c.SCHEMA.estimate(row, "test") for row in (average.iloc[0], best))
    return Advice(
        what=f"Take {best['found']}, found by {best['strategy']}. Before is the average network of the space, after "
        "what this strategy ends in.",
        then="This trains it anew; --arch takes others to compare it with, behind a comma.",
        command=shlex.join(["dnnlab", "compare-arch", "--arch", str(file), "--data", str(best["data"])]),
        changes=[("test accuracy", before, after)],
    )
