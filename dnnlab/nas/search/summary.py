"""Rows to table: what each strategy found, against random search and the average architecture; a verdict a row."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from dnnlab.nas.search import columns as c
from dnnlab.nas.search.fronts import front_rows
from dnnlab.nas.search.importance import architectures, effects, mixed
from dnnlab.nas.spec import Spec
from dnnlab.nas.strategies import AVERAGE, RANDOM
from dnnlab.nas.strategies.oneshot import UNSELECTED
from dnnlab.nas.strategies.prefilter import MEASURED
from dnnlab.report.table import fit
from dnnlab.statistics.intervals import ENOUGH, Comparison, direction, holm, mean_interval, mean_share, paired
from dnnlab.statistics.rank import tau

GUARD = 0.5
"""A share of skips above which what a supernet ended in counts as collapsed."""


_TOLD = 3
"""Dimensions that the summary names."""


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row a strategy and data set."""
    seeds = per_cell(cells, spec)
    rows = [_row(key, own, seeds, spec) for key, own in _groups(cells)]
    table = _compared(pd.DataFrame(rows), seeds, "hypervolume" if spec.several else "test")
    table = pd.DataFrame([row | _matters(row, cells, spec) for row in table.to_dict("records")])
    return fit(table, spec.question.schema.summary)


def _groups(cells: pd.DataFrame) -> Any:
    return cells.groupby(list(c.CONFIGURATION), sort=False)


def per_cell(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row a search: what it found and spent."""
    measured = _measured(cells)
    fronts = front_rows(measured, spec) if spec.several else {}
    rows = []
    for key, own in measured.groupby([*c.CONFIGURATION, "seed"], sort=False):
        named = dict(zip((*c.CONFIGURATION, "seed"), key, strict=True))
        rows.append(named | _search(own, spec) | fronts.get(key, {}))
    return pd.DataFrame(rows)


def _measured(cells: pd.DataFrame) -> pd.DataFrame:
    return cells[cells["error"].fillna("") == ""]


def _search(rows: pd.DataFrame, spec: Spec) -> dict[str, Any]:
    """One search: its best, its test, what it spent."""
    trained = rows[rows["phase"] == "search"]
    full = trained[trained["epochs"] >= trained["epochs"].max()] if not spec.table else trained
    final = rows[rows["phase"] == c.FINAL]
    evaluations = len(trained) if not spec.table else int(final["evaluation"].max()) if len(final) else 0
    best = float(full["validation"].max()) if len(full) else math.nan
    found = final.iloc[0] if len(final) else None
    ended = rows.loc[rows["phase"] == "supernet", "skips"].dropna()
    return {
        "test": float(final["test"].mean()),
        "best_validation": float(final["validation"].mean()) if math.isnan(best) and spec.table else best,
        "retrained": float(final["validation"].mean()),
        "found": found["architecture"] if found is not None else "",
        "found_id": found["id"] if found is not None else "",
        "found_parameters": float(found["parameters"]) if found is not None else math.nan,
        "found_macs": float(found["net_macs"]) if found is not None else math.nan,
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
    """Those that were trained before the score chose any, since choosing narrows the range of both: they are the first,
    and come in the order in which they were scored."""
    most = min(len(trained), len(scored), UNSELECTED if (scored["phase"] == "inherit").any() else MEASURED)
    same = trained["id"].to_numpy()[:most] == scored["id"].to_numpy()[:most]
    return trained[: most if same.all() else int(same.argmin())]


def _row(key: Sequence[Any], cells: pd.DataFrame, seeds: pd.DataFrame, spec: Spec) -> dict[str, Any]:
    row: dict[str, Any] = dict(zip(c.CONFIGURATION, key, strict=True))
    row |= {"objectives": ", ".join(spec.objectives), "seeds": 0, "verdict": c.UNDECIDED, "tau_n": 0, "failures": 0}
    row["failed"] = int((cells["error"].fillna("") != "").groupby(cells["seed"]).any().sum())
    own = _of(seeds, row) if len(seeds) else seeds
    if own.empty:
        return row
    means = ("best_validation", "evaluations", "epochs", "macs", "seconds", "tau", "skips")
    row |= {name: mean_interval(own[name].tolist()).mean for name in means}
    row |= mean_share(own["test"].tolist()).named("test")
    if spec.several:
        row |= mean_share(own["hypervolume"].tolist()).named("hypervolume")
        row["front"] = float(own["front"].mean())
    row |= {"seeds": int(own["test"].notna().sum()), "tau_n": int(own["tau_n"].sum())}
    row["failures"] = int(own["failures"].sum())
    if row["strategy"] != AVERAGE and own["retrained"].notna().any():
        best = own.sort_values("retrained", ascending=False, kind="stable").iloc[0]
        row |= {"found_seed": int(best["seed"]), "found": best["found"]}
        row |= {name: best[name] for name in ("found_parameters", "found_macs")}
    row |= {name: int(own[name].sum()) for name in ("supernets", "collapsed")}
    return row


def _matters(row: dict[Any, Any], cells: pd.DataFrame, spec: Spec) -> dict[str, Any]:
    """On the row of random search: what of the space matters."""
    if row["strategy"] != RANDOM:
        return {}
    choices, accuracy = architectures(cells, spec, row["data"])
    told = [f"{e.dimension} {e.share:.0%} ({e.best})" for e in effects(choices, accuracy, spec)[:_TOLD] if e.share > 0]
    gain = mixed(choices, accuracy, spec).difference
    return {"importance": ", ".join(told), **gain.named("mixed_gain")}


def _of(seeds: pd.DataFrame, row: dict[Any, Any]) -> pd.DataFrame:
    same = pd.concat([seeds[name] == row[name] for name in c.CONFIGURATION], axis=1).all(axis=1)
    return seeds[same].set_index("seed", drop=False)


def _compared(table: pd.DataFrame, seeds: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """The rows with their gains over random search and over the average architecture, seed by seed."""
    gains, averages = [], []
    for row in table.to_dict("records"):
        gains.append(_gain(row, RANDOM, seeds, quantity))
        averages.append(_gain(row, AVERAGE, seeds, "test"))
    for name, found in (("gain_over_random", gains), ("gain_over_average", averages)):
        short = "gain" if name == "gain_over_random" else name
        table[name] = [gain.difference.mean for gain in found]
        table[f"{short}_lo"] = [gain.difference.low for gain in found]
        table[f"{short}_hi"] = [gain.difference.high for gain in found]
    table["p"] = holm([gain.p for gain in gains])
    table["verdict"] = [
        verdict(row, gain, p) for row, gain, p in zip(table.to_dict("records"), gains, table["p"], strict=True)
    ]
    return table


def _gain(row: dict[Any, Any], baseline: str, seeds: pd.DataFrame, quantity: str) -> Comparison:
    if seeds.empty or row["strategy"] in (baseline, AVERAGE):
        return paired([], [])
    before, after = _of(seeds, row | {"strategy": baseline})[quantity], _of(seeds, row)[quantity]
    before, after = before.align(after, join="inner")
    return paired(before.tolist(), after.tolist())


def verdict(row: dict[Any, Any], gain: Comparison, p: float) -> str:
    """Against random search on the same seeds; undecided under three of them."""
    if row["strategy"] in (RANDOM, AVERAGE):
        return c.BASELINE
    if row["seeds"] >= ENOUGH and 2 * row.get("collapsed", 0) > row.get("supernets", 0):
        return c.COLLAPSED
    moved = direction(gain.difference, p)
    return c.UNDECIDED if moved is None else {1: c.BETTER, 0: c.NO_BETTER, -1: c.WORSE}[moved]
