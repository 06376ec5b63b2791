"""What came out, in sentences. Needs the summary alone."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from dnnlab.compare_arch.equal_budget import columns as c
from dnnlab.nets.named import short
from dnnlab.report.table import estimate


def conclusions(summary: pd.DataFrame, spec: Any) -> Sequence[str]:
    """The most accurate under each budget, what differs from the reference, whether the order changes."""
    if (summary["verdict"] == c.UNTRAINED).all():
        return [_costs(summary)]
    sentences = []
    groups = list(summary.groupby(list(c.COMPARED), sort=False, dropna=False))
    for (_, _, budget), rows in groups:
        sentences.append(_group(rows, str(budget)))
    sentences += _orders(groups)
    if spec.preset == "depth":
        sentences += _degradation(groups)
    if summary["noisy"].fillna(False).any():
        sentences.append("The machine's own speed varied by more than a tenth while times were taken: measure again.")
    return sentences


def name(row: Any, rows: pd.DataFrame) -> str:
    """The row by what tells it from the others."""
    options = ("optimizer", "lr", "weight_decay", "schedule", "label_smoothing", "augment", "ema", "batch_size")
    varying = [option for option in options if rows[option].nunique() > 1]
    words = [f"{option.replace('_', ' ')} {row[option]:g}" if isinstance(row[option], float) else str(row[option])
             for option in varying]  # fmt: skip
    return short(str(row["arch"])) + (f" ({', '.join(words)})" if words else "")


def _costs(summary: pd.DataFrame) -> str:
    few = summary.iloc[int(summary["macs"].astype(float).to_numpy().argmin())]
    least = f"{len(summary)} networks: {few['arch']} takes the fewest multiply–accumulates ({few['macs']:.3g})"
    if summary["latency_ms"].isna().all():  # too large to be run here
        return f"{least}."
    quick = summary.iloc[int(summary["latency_ms"].fillna(math.inf).to_numpy().argmin())]
    return f"{least}, {quick['arch']} the least time ({quick['latency_ms']:.3g} ms for one input)."


def _group(rows: pd.DataFrame, budget: str) -> str:
    trained = rows[rows["rank"].notna()]
    if trained.empty:
        return f"At {budget}: nothing was trained to the end, or all of it diverged."
    best = trained.iloc[int(trained["accuracy"].to_numpy().argmax())]
    shown = estimate(best["accuracy"], best["accuracy_lo"], best["accuracy_hi"])
    if len(rows) == 1:
        return f"At {budget}: {name(best, rows)} reaches {shown}."
    first = rows[rows["verdict"] == c.REFERENCE].iloc[0]
    counts = rows["verdict"].drop(first.name).value_counts()
    against = ", ".join(f"{count} {word}" for word, count in counts.items())
    said = f" Against {name(first, rows)}: {against}." if against else ""
    alone = len(trained) == 1 or (pd.notna(best["rank_hi"]) and best["rank_hi"] == 1)  # one seed: no rank is shown
    how = "is the most accurate" if alone else "has the highest accuracy, but is not shown to be ahead of all others"
    return f"At {budget}: {name(best, rows)} {how}, {shown}.{said}"


def _orders(groups: Sequence[tuple[Any, pd.DataFrame]]) -> list[str]:
    """Whether the networks come in another order when something else is equal."""
    orders = {}
    for (_, _, budget), rows in groups:
        ranked = rows[rows["rank"].notna()].sort_values("accuracy", ascending=False, kind="stable")
        orders[str(budget)] = " > ".join(name(row, rows) for row in ranked.to_dict("records"))
    if len(orders) < 2:
        return []
    if len(set(orders.values())) == 1:
        return [f"The order is the same under every budget: {next(iter(orders.values()))}."]
    return ["The order depends on what is equal: " + "; ".join(f"{b}: {o}" for b, o in orders.items()) + "."]


def _degradation(groups: Sequence[tuple[Any, pd.DataFrame]]) -> list[str]:
    """What more depth does to plain and to residual networks (He 2016)."""
    sentences = []
    for (_, _, budget), rows in groups:
        by_name = {row["arch"]: row for row in rows.to_dict("records")}
        told = []
        for kind in ("plain", "resnet"):
            depths = sorted(
                int(arch[len(kind) :]) for arch in by_name if arch.startswith(kind) and arch[len(kind) :].isdigit()
            )
            if len(depths) > 1:
                low, high = (by_name[f"{kind}{depth}"]["accuracy"] for depth in (depths[0], depths[-1]))
                if not math.isnan(low) and not math.isnan(high):
                    told.append(f"{kind} networks {'lose' if high < low else 'gain'} {abs(high - low):.3f}")
        if told:
            sentences.append(f"From the shallowest to the deepest, at {budget}: {', '.join(told)}.")
    return sentences
