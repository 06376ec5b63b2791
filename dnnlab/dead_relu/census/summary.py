"""The summary: dead units against what chance leaves dead at birth, and one verdict per row."""

import math
from typing import Any

import numpy as np
import pandas as pd

from dnnlab.dead_relu.census import columns as c
from dnnlab.dead_relu.spec import Spec
from dnnlab.report.table import fit
from dnnlab.runner.summary import Group, diverged, groups, mean, mostly_diverged
from dnnlab.statistics.intervals import ENOUGH, Interval, mean_share

FEW = 0.01
"""The share of units whose death is no trouble: below it a network is healthy whatever was expected, and up to so much
above the usual share it is as expected."""
_SHARES = ("born_dead", "dead", "died", "revived", "certified_dead", "inactive", "zero_fraction")


TREATED = (*c.CONFIGURATION, "remedy")
"""The columns that name a row: those of a configuration, and its remedy."""


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per configuration."""
    return fit(rows_of(cells, spec), c.SUMMARY)


def rows_of(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per configuration and remedy: its dead units, and the verdict on them."""
    return pd.DataFrame([_row(configuration, group, spec) for configuration, group in groups(cells, TREATED)])


def per_cell(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per cell: configuration, seed, and at the end of training its shares of units and its accuracy."""
    rows = []
    for configuration, group in groups(cells, TREATED):
        last = _measured_at(group, spec.training_steps)
        seeds, shares = _shares(last.where(last["layer"] > 0))
        network = last.where(last["layer"] == 0)
        whole = {seed: place for place, seed in enumerate(network["seed"].tolist())}
        for place, seed in enumerate(seeds.tolist()):
            row = {"seed": int(seed), **{name: float(shares[name][place]) for name in _SHARES}}
            row |= {name: float(network[name][whole[seed]]) for name in ("accuracy", "loss")}
            rows.append(row | configuration)
    return pd.DataFrame(rows)


def _measured_at(rows: Group, step: int) -> Group:
    return rows.where(rows["step"] == step).measured


def _shares(layers: Group) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The seeds, and shares of all units of a network, by seed; nan where no layer has a value."""
    seeds, seed = np.unique(layers["seed"], return_inverse=True)
    units = layers["units"].astype(float)
    whole = np.bincount(seed, units, len(seeds))
    shares = {}
    for name in _SHARES:
        values = layers[name].astype(float) * units
        known = ~np.isnan(values)
        total = np.bincount(seed[known], values[known], len(seeds))
        shares[name] = np.where(np.bincount(seed[known], minlength=len(seeds)) > 0, total, math.nan) / whole
    return seeds, shares


def _row(configuration: dict[str, Any], rows: Group, spec: Spec) -> dict[str, Any]:
    row = configuration | {"seeds": 0, "verdict": c.UNDECIDED, "diverged": 0, "steps": spec.training_steps}
    row["failed"] = rows.failed
    last = _measured_at(rows, spec.training_steps)
    if not len(last):
        return row
    layers, network = last.where(last["layer"] > 0), last.where(last["layer"] == 0)
    _, shares = _shares(layers)
    row["seeds"] = len(network)
    row["diverged"] = diverged(network["loss"])
    row["depth"] = configuration["depth"] or int(layers["layer"].max())
    row |= {name: mean(shares[name]) for name in _SHARES}
    first = _measured_at(rows, 0)
    row["born_dead"] = mean(_shares(first.where(first["layer"] > 0))[1]["dead"])
    row["irreversible"] = mean(layers["irreversible"])
    row["expected_dead"] = _expected(layers)
    row["loss"] = mean(network["loss"])
    row |= (dead := mean_share(shares["dead"].tolist())).named("dead")
    row |= mean_share(network["accuracy"].astype(float).tolist()).named("accuracy")
    row |= _causes(rows)
    row["verdict"] = verdict(row, dead, _collapsed(layers))
    return row


def _expected(layers: Group) -> float:
    """The share of all units that chance leaves dead at birth; nan where it is not known, as in runs of earlier
    versions."""
    units = layers["units"].astype(float)
    weighted = layers["expected_dead"].astype(float) * units
    return float(np.nansum(weighted) / units.sum()) if (~np.isnan(weighted)).any() else math.nan


def _causes(rows: Group) -> dict[str, float]:
    """Columns of the updates that killed units and those that did not, and of whether the dying were pushed down; over
    all measured steps."""
    layers = rows.where(rows["layer"] > 0)
    deaths = layers["newly_dead"].astype(float) * layers["units"].astype(float)
    fatal, pushed = layers["fatal_update"].astype(float), layers["pushed_down"].astype(float)
    known = ~np.isnan(fatal) & (deaths > 0)
    weight = deaths[known]
    total = float(weight.sum())
    survived = layers["survived_update"].astype(float)[layers["step"] > 0]
    survived = survived[~np.isnan(survived)]
    return {
        "fatal_update": float((fatal[known] * weight).sum() / total) if total else math.nan,
        "pushed_down": float(np.nansum(pushed[known] * weight) / total) if total else math.nan,
        "survived_update": float(survived.mean()) if len(survived) else math.nan,
    }


def _collapsed(layers: Group) -> bool:
    """Whether most seeds have a layer without a living unit: nothing of the input gets past it."""
    dead = set(layers["seed"][layers["dead"].astype(float) == 1].tolist())
    return len(dead) > len(set(layers["seed"].tolist())) / 2


def verdict(row: dict[str, Any], dead: Interval, collapsed: bool) -> str:
    """Healthy, expected, dying, collapsed or diverged; undecided under three seeds or where the interval straddles.

    The measure is not zero but what chance leaves dead at birth: in many networks, and in the very ones measured.
    """
    if row["seeds"] < ENOUGH:
        return c.UNDECIDED
    if mostly_diverged(row):
        return c.DIVERGED
    if collapsed:
        return c.COLLAPSED
    if dead.n < ENOUGH:
        return c.UNDECIDED
    if dead.high <= FEW:
        return c.HEALTHY
    limit = usual(row) + FEW
    if dead.low > limit:
        return c.DYING
    return c.EXPECTED if dead.high <= limit else c.UNDECIDED


def usual(row: Any) -> float:
    """The dead share that is no sign of trouble: the larger of the expected one and of that of the measured networks at
    birth."""
    if row["model"] and not math.isnan(row["expected_dead"]):
        return float(row["expected_dead"])
    return float(np.nanmax([row["expected_dead"], row["born_dead"]]))
