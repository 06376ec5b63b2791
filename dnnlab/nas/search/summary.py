"""The summary: each strategy's result, against random search and the average architecture, and one verdict per row."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from dnnlab.errors import some
from dnnlab.nas.search import columns as c
from dnnlab.nas.search.fronts import front_rows
from dnnlab.nas.search.importance import architectures, effects, mixed
from dnnlab.nas.spec import Spec
from dnnlab.nas.strategies import AVERAGE, RANDOM
from dnnlab.nas.strategies.oneshot import UNSELECTED
from dnnlab.nas.strategies.prefilter import MEASURED
from dnnlab.report.table import fit
from dnnlab.runner.summary import (
    by_configuration,
    compared,
    configurations,
    corrected,
    decided,
    failed,
    learned,
    mean,
    measured,
    named,
)
from dnnlab.statistics.answers import joined
from dnnlab.statistics.comparisons import Comparison
from dnnlab.statistics.intervals import ENOUGH, mean_share
from dnnlab.statistics.quantity import Quantity
from dnnlab.statistics.rank import tau
from dnnlab.statistics.samples import sample

GUARD = 0.5
"""The share of skips above which the network that a supernet ended in counts as collapsed."""


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per strategy and data set."""
    seeds = by_configuration(per_cell(cells, spec), c.CONFIGURATION)
    rows = [_row(key, group, seeds.get(_key(key)), spec) for key, group in configurations(cells, c.CONFIGURATION)]
    table = _compared(pd.DataFrame(rows), seeds, spec.question.schema.compared[0])
    table = pd.DataFrame([row | _matters(row, cells, spec) for row in table.to_dict("records")])
    return fit(table, spec.question.schema.summary)


def _key(row: Mapping[Any, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in c.CONFIGURATION)


def per_cell(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per search: its result and what it spent."""
    rows = measured(cells)
    fronts = front_rows(rows, spec) if spec.several else {}
    searches = configurations(rows, (*c.CONFIGURATION, "seed"))
    return pd.DataFrame([key | _search(group, spec) | fronts.get(tuple(key.values()), {}) for key, group in searches])


def _search(rows: pd.DataFrame, spec: Spec) -> dict[str, Any]:
    """The columns of one search: its best network, its test accuracy, what it spent."""
    trained = rows[rows["phase"] == "search"]
    full = trained[trained["epochs"] >= trained["epochs"].max()] if not spec.table else trained
    final = rows[rows["phase"] == c.FINAL]
    evaluations = len(trained) if not spec.table else int(final["evaluation"].max()) if len(final) else 0
    best = float(full["validation"].max()) if len(full) else math.nan
    network = final.iloc[0] if len(final) else None
    ended = rows.loc[rows["phase"] == "supernet", "skips"].dropna()
    return {
        "test": float(final["test"].mean()),
        "right": joined(list(final["right"])) if len(final) else "",
        "guessing": float(final["guessing"].mean()),
        "best_validation": float(final["validation"].mean()) if math.isnan(best) and spec.table else best,
        "retrained": float(final["validation"].mean()),
        "found": network["architecture"] if network is not None else "",
        "found_id": network["id"] if network is not None else "",
        "found_parameters": float(network["parameters"]) if network is not None else math.nan,
        "found_macs": float(network["net_macs"]) if network is not None else math.nan,
        "evaluations": float(evaluations),
        **{name: float(rows[name].sum()) for name in ("epochs", "macs", "seconds")},
        "failures": int((rows.loc[rows["phase"].isin(("search", c.RETRAIN)), "problem"].fillna("") != "").sum()),
        "skips": float(ended.mean()),
        "supernets": len(ended),
        "collapsed": int((ended > GUARD).sum()),
        **_agreement(rows, full),
    }


def _agreement(rows: pd.DataFrame, full: pd.DataFrame) -> dict[str, float]:
    """Kendall's τ between a search's cheap scores and its full trainings: proxies, shared weights, short trainings."""
    scored = rows[rows["phase"].isin(("score", "inherit"))].sort_values("evaluation").drop_duplicates("id")
    truth = full.sort_values("evaluation").drop_duplicates("id")
    if scored.empty:
        trained = rows[(rows["phase"] == "search") & ~rows.index.isin(full.index)]
        cheap = trained.drop_duplicates("id", keep="last").set_index("id")["validation"]
    else:
        truth = _unselected(truth, scored)
        cheap = scored.set_index("id")["score"]
    both = pd.concat([cheap, truth.set_index("id")["validation"]], axis=1, join="inner").dropna()
    if len(both) < ENOUGH:
        return {"tau": math.nan, "tau_n": 0}
    return {"tau": tau(both.iloc[:, 0].tolist(), both.iloc[:, 1].tolist()), "tau_n": len(both)}


def _unselected(trained: pd.DataFrame, scored: pd.DataFrame) -> pd.DataFrame:
    """The trainings from before the score selected any, since selection narrows the range of both: they are the first,
    and come in the order in which they were scored."""
    most = min(len(trained), len(scored), UNSELECTED if (scored["phase"] == "inherit").any() else MEASURED)
    same = trained["id"].to_numpy()[:most] == scored["id"].to_numpy()[:most]
    return trained[: most if same.all() else int(same.argmin())]


def _row(key: dict[str, Any], cells: pd.DataFrame, seeds: pd.DataFrame | None, spec: Spec) -> dict[str, Any]:
    """The row of a configuration; ``seeds`` has one row per seed that was measured."""
    row = key | {"objectives": ", ".join(spec.objectives), "seeds": 0, "verdict": c.UNDECIDED, "failures": 0}
    row |= {"tau_n": 0, "learned": 0, "failed": failed(cells)}
    if seeds is None:
        return row
    means = ("best_validation", "evaluations", "epochs", "macs", "seconds", "tau", "skips")
    row |= {name: mean(seeds[name]) for name in means}
    tests = sample(seeds, c.TEST)
    row |= learned(tests) | tests.interval.named("test")
    if spec.several:
        row |= mean_share(seeds["hypervolume"].tolist()).named("hypervolume")
        row["front"] = float(seeds["front"].mean())
    row |= {"seeds": int(seeds["test"].notna().sum()), "tau_n": int(seeds["tau_n"].sum())}
    row["failures"] = int(seeds["failures"].sum())
    if row["strategy"] != AVERAGE and seeds["retrained"].notna().any():
        best = seeds.sort_values("retrained", ascending=False, kind="stable").iloc[0]
        row |= {"found_seed": int(best["seed"]), "found": best["found"]}
        row |= {name: best[name] for name in ("found_parameters", "found_macs")}
    row |= {name: int(seeds[name].sum()) for name in ("supernets", "collapsed")}
    return row


def _matters(row: dict[Any, Any], cells: pd.DataFrame, spec: Spec) -> dict[str, Any]:
    """The columns on which dimensions of the space matter, which the row of random search has."""
    if row["strategy"] != RANDOM:
        return {}
    choices, accuracy = architectures(cells, spec, row["data"])
    text = [f"{e.dimension} {e.share:.0%} ({e.best})" for e in effects(choices, accuracy, spec) if e.shown]
    gain = mixed(choices, accuracy, spec)
    return {"importance": some(text) if text else "", **gain.named("mixed_gain")}


def _compared(table: pd.DataFrame, seeds: Mapping[Any, pd.DataFrame], quantity: Quantity) -> pd.DataFrame:
    """The rows with their gains over random search and over the average architecture, seed by seed."""
    rows = table.to_dict("records")
    gains = corrected([_gain(row, RANDOM, seeds, quantity) for row in rows])
    averages = [_gain(row, AVERAGE, seeds, c.TEST) for row in rows]
    return table.assign(
        **named([gain.difference for gain in gains], "gain_over_random", "gain"),
        **named([gain.difference for gain in averages], "gain_over_average"),
        visible=[gain.visible for gain in gains],
        p=[gain.p for gain in gains],
        verdict=[verdict(row, gain) for row, gain in zip(rows, gains, strict=True)],
    )


def _gain(row: dict[Any, Any], baseline: str, seeds: Mapping[Any, pd.DataFrame], quantity: Quantity) -> Comparison:
    base = None if row["strategy"] in (baseline, AVERAGE) else seeds.get(_key(row | {"strategy": baseline}))
    return compared(base, seeds.get(_key(row)), quantity)


def verdict(row: dict[Any, Any], gain: Comparison) -> str:
    """The verdict against random search on the same seeds; undecided where fewer than three can be compared."""
    if row["strategy"] in (RANDOM, AVERAGE):
        return c.BASELINE
    if row["seeds"] >= ENOUGH and 2 * row.get("collapsed", 0) > row.get("supernets", 0):
        return c.COLLAPSED
    return _VERDICTS[decided(gain)]


_VERDICTS = {None: c.UNDECIDED, 0: c.NO_BETTER, 1: c.BETTER, -1: c.WORSE}
