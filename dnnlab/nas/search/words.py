"""The result in sentences. It needs the summary alone, so that a finished run is shown without torch."""

import math
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from dnnlab.errors import counted, listing, some
from dnnlab.nas.export import name_of
from dnnlab.nas.search import columns as c
from dnnlab.nas.spec import Spec
from dnnlab.nas.strategies import AVERAGE, RANDOM
from dnnlab.report.advice import Advice
from dnnlab.report.numbers import Form, estimate, number
from dnnlab.runner.summary import names_with_data, not_learned, of_seeds, unseen
from dnnlab.statistics.intervals import ENOUGH

_LOW = 0.3
"""Kendall's τ of shared weights below which their ranking says little (Yu 2020)."""


def headline(summary: pd.DataFrame, spec: Spec) -> str:
    """The strategies that are shown to be better than random search, and on which data where they are not on all."""
    better = summary[summary["verdict"] == c.BETTER]
    names = names_with_data(better, "strategy", summary)
    if not names:
        return "No strategy is shown to be better than random search"
    return f"{some(names)} {'find' if len(names) > 1 else 'finds'} better networks than random search"


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
    leading = searched[searched[quantity] == searched[quantity].max()]
    best = leading.iloc[0]
    judged = searched[searched["strategy"] != RANDOM]
    what = "largest hypervolume" if spec.several else "highest test accuracy"
    start = f"On {best['data']}, with a budget of {best['budget']},"
    if len(leading) > 1:
        names = some([row["strategy"] + of_seeds(row) for row in leading.to_dict("records")])
        sentences = [f"{start} {names} have the same {what}, {number(best[quantity], Form.SHARE)}."]
    else:
        value = estimate(best[quantity], best[f"{quantity}_lo"], best[f"{quantity}_hi"], Form.SHARE)
        against = _against_random(best, searched, quantity)
        sentences = [f"{start} {best['strategy']} has the {what}, {value}{of_seeds(best)}{against}."]
    if len(judged):
        counts = "; ".join(f"{row['strategy']} {row['verdict']}" for row in judged.to_dict("records"))
        sentences.append(f"Against random search on the same budget and seeds: {counts}.")
        sentences += unseen(judged, c.NO_BETTER)
    sentences += not_learned(rows, lambda row: f"{row['strategy']} on {row['data']}", accuracy="test")
    average = rows[rows["strategy"] == AVERAGE]
    if not spec.several and len(average) and not math.isnan(average.iloc[0]["test"]):
        gains = [
            _gain(row)
            for row in searched.to_dict("records")
            if row["strategy"] in (RANDOM, best["strategy"]) and not math.isnan(row["gain_over_average"])
        ]
        over = f": over it {listing(gains)}" if gains else ""
        reached = c.SCHEMA.number(average.iloc[0], "test") + of_seeds(average.iloc[0])
        sentences.append(f"The average architecture of the space has {reached}{over}.")
    sentences += _warnings(searched)
    for random in searched[searched["strategy"] == RANDOM].to_dict("records"):
        sentences += _matters(random)
    return sentences + _network(best)


def _gain(row: dict[Any, Any]) -> str:
    """What a strategy gains over the average architecture, as its interval shows it."""
    shown = row["gain_over_average_lo"] > 0 or row["gain_over_average_hi"] < 0
    does = ("gains" if row["gain_over_average"] > 0 else "loses") if shown else "is not shown to gain or to lose"
    search = "random search" if row["strategy"] == RANDOM else row["strategy"]
    return f"{search} {does} ({c.SCHEMA.estimate(row, 'gain_over_average')})"


def _against_random(best: pd.Series, searched: pd.DataFrame, quantity: str) -> str:
    """What is shown of the strategy with the highest value, as the end of a sentence."""
    random, judged = (searched[searched["strategy"] == RANDOM], searched[searched["strategy"] != RANDOM])
    if best["seeds"] < ENOUGH:
        return ", under too few seeds for a verdict"
    if best["strategy"] == RANDOM:
        nothing = len(judged) and not (judged["verdict"] == c.BETTER).any()
        return ": no other strategy is shown to be better" if nothing else ""
    if random[quantity].isna().all():
        return "; random search has no result to compare it with"
    return _ENDS.get(best["verdict"], ", but it is not shown to be better than random search")


_ENDS = {
    c.BETTER: ", better than random search",
    c.WORSE: ", but by its verdict it is worse than random search",
    c.COLLAPSED: ", but most of its supernets collapsed",
}


def _warnings(rows: pd.DataFrame) -> list[str]:
    sentences = []
    skips = rows["skips"] if "skips" in rows else pd.Series(math.nan, index=rows.index)
    for _, row in rows[skips.notna()].iterrows():
        sentences.append(
            f"{row['collapsed'] or 'None'} of {counted(row['supernets'], 'supernet')} of {row['strategy']} collapsed "
            f"(ended in more than half skips). On average {c.SCHEMA.number(row, 'skips')} of the operations are skips."
        )
    taus = rows["tau"] if "tau" in rows else pd.Series(math.nan, index=rows.index)
    for _, row in rows[taus.notna()].iterrows():
        low = ", too low to be trusted" if row["tau"] < _LOW else ""
        sentences.append(
            f"The cheap scores of {row['strategy']} rank as full trainings do with Kendall's τ "
            f"{c.SCHEMA.number(row, 'tau')} ({counted(row['tau_n'], 'architecture')}){low}."
        )
    return sentences


def _matters(random: dict[Any, Any]) -> list[str]:
    """The lecture's claim that a uniform activation often works well, and that a mixture can be better."""
    sentences = []
    if isinstance(random["importance"], str) and random["importance"]:
        sentences.append(
            "What matters in this space beyond chance, each by itself, with the choice of the highest mean: "
            f"{random['importance']}."
        )
    low, high = random["mixed_gain_lo"], random["mixed_gain_hi"]
    if not math.isnan(low):
        moved = "more accurate" if low > 0 else "less accurate" if high < 0 else "not shown to be more or less accurate"
        sentences.append(
            f"Networks of several activations are {moved} than those of one that are as deep: "
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
    space, and under every seed found a network that learns."""
    _, rows = next(iter(summary.groupby("data", sort=False)))
    searched, average = rows[rows["strategy"] != AVERAGE], rows[rows["strategy"] == AVERAGE]
    if spec.table or spec.several or searched["test"].isna().all() or average.empty:
        return None
    best = searched.sort_values("test", ascending=False, kind="stable").iloc[0]
    if best["seeds"] < ENOUGH or best["learned"] < best["seeds"] or not best["gain_over_average_lo"] > 0:
        return None
    name = name_of(best["strategy"], int(best["found_seed"]), best["data"], spec.data)
    file = folder / "artifacts" / f"{name}.toml"
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
