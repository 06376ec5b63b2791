"""The summary: dead units against what chance leaves dead at birth, and one verdict per row."""

import math
from typing import Any

import numpy as np
import pandas as pd

from dnnlab.dead_relu.census import columns as c
from dnnlab.dead_relu.spec import Spec
from dnnlab.report.table import fit
from dnnlab.runner.summary import Group, diverged, groups, learned, mean, mostly_diverged
from dnnlab.statistics.intervals import ENOUGH, Interval, share_interval
from dnnlab.statistics.quantity import ACCURACY
from dnnlab.statistics.samples import sample

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
    parts = []
    for configuration, group in groups(cells, TREATED):
        seeds = _seeds(group, spec)
        count = len(seeds["seed"])
        parts.append(seeds | {name: np.full(count, value, object) for name, value in configuration.items()})
    if not parts:
        return pd.DataFrame()
    table = pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    return table.infer_objects()


def _seeds(rows: Group, spec: Spec) -> dict[str, np.ndarray]:
    """What `columns.QUANTITIES` name of each seed of one configuration, ``[seed]``."""
    last = _measured_at(rows, spec.training_steps)
    layers, network = last.where(last["layer"] > 0), last.where(last["layer"] == 0)
    seeds, shares = _shares(layers)
    place = np.searchsorted(seeds, layers["seed"])
    units = np.bincount(place, _units(layers), len(seeds))
    silent = np.bincount(place, layers["dead"].astype(float) == 1, len(seeds)) > 0
    order = np.argsort(network["seed"])
    whole = {name: network[name][order] for name in ("accuracy", "right", "guessing", "loss")}
    return {
        "seed": seeds,
        **shares,
        **whole,
        "step_of_share": np.divide(1, units, out=np.full(len(seeds), math.nan), where=units > 0),
        "collapsed": silent | ~np.isfinite(whole["loss"].astype(float)),
        **_deaths(rows, seeds),
        **_back("back_first", layers.where(layers["layer"] == 1), seeds),
        **_back("back_deeper", layers.where(layers["layer"] > 1), seeds),
    }


def _back(name: str, layers: Group, seeds: np.ndarray) -> dict[str, np.ndarray]:
    """Of the units of these ``layers`` that were dead at some look the share that is alive, ``[seed]``; nan where none
    was. With the smallest step in which it can move, a mean over seeds."""
    place, units = np.searchsorted(seeds, layers["seed"]), _units(layers)
    revived, dead = (np.where(units > 0, layers[each].astype(float) * units, 0.0) for each in ("revived", "dead"))
    alive = np.bincount(place, revived, len(seeds))
    once = alive + np.bincount(place, dead, len(seeds))
    with np.errstate(divide="ignore", invalid="ignore"):
        return {name: alive / once, f"step_of_{name}": np.full(len(seeds), mean(1 / once))}


def _deaths(rows: Group, seeds: np.ndarray) -> dict[str, np.ndarray]:
    """Of each of the ``seeds`` the share of deaths with a fall of the unit's mean pre-activation before it, over all
    measured steps, and by how much it is above that of the living beside them, ``[seed]``; nan where nothing died."""
    layers = rows.where((rows["layer"] > 0) & np.isin(rows["seed"], seeds))
    deaths = layers["newly_dead"].astype(float) * _units(layers)
    place = np.searchsorted(seeds, layers["seed"])
    pushed, beside = (layers[name].astype(float) for name in ("pushed_down", "survivors_down"))

    def over_deaths(values: np.ndarray) -> np.ndarray:
        known = (deaths > 0) & np.isfinite(values)
        total, count = (np.bincount(place[known], x[known], len(seeds)) for x in (deaths * values, deaths))
        return np.divide(total, count, out=np.full(len(seeds), math.nan), where=count > 0)

    return {"pushed_down": over_deaths(pushed), "pushed_more": over_deaths(pushed - beside)}


def _measured_at(rows: Group, step: int) -> Group:
    return rows.where(rows["step"] == step).measured


def _shares(layers: Group) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The seeds, and shares of all units of a network, by seed; nan where no layer has a value."""
    seeds, seed = np.unique(layers["seed"], return_inverse=True)
    units = _units(layers)
    whole = np.bincount(seed, units, len(seeds))
    shares = {}
    for name in _SHARES:
        values = layers[name].astype(float) * units
        known = ~np.isnan(values) & (units > 0)
        total = np.bincount(seed[known], values[known], len(seeds))
        found = np.bincount(seed[known], minlength=len(seeds)) > 0
        shares[name] = np.divide(total, whole, out=np.full(len(seeds), math.nan), where=found)
    return seeds, shares


def _units(layers: Group) -> np.ndarray:
    """The units of each row, float; none where they are not known, so that shares leave them out."""
    return np.nan_to_num(layers["units"].astype(float))


def _not_known(layers: Group, network: Group) -> str:
    """The names of activations whose units are not known, in networks whose numbers are finite."""
    finite = network["seed"][np.isfinite(network["loss"].astype(float))]
    rows = np.isin(layers["seed"], finite) & np.isnan(layers["units"].astype(float))
    return ", ".join(dict.fromkeys(layers["name"][rows].tolist()))


def _row(configuration: dict[str, Any], rows: Group, spec: Spec) -> dict[str, Any]:
    row = configuration | {
        "seeds": 0,
        "learned": 0,
        "verdict": c.UNDECIDED,
        "diverged": 0,
        "steps": spec.training_steps,
    }
    row["failed"] = rows.failed
    last = _measured_at(rows, spec.training_steps)
    if not len(last):
        return row
    layers, network = last.where(last["layer"] > 0), last.where(last["layer"] == 0)
    seeds = _seeds(rows, spec)
    row["seeds"] = len(network)
    row["not_known"] = _not_known(layers, network)
    row["diverged"] = diverged(network["loss"])
    row["depth"] = configuration["depth"] or int(layers["layer"].max())
    row |= {name: mean(seeds[name]) for name in _SHARES}
    samples = {quantity.name: sample(seeds, quantity) for quantity in c.QUANTITIES}
    intervals = {name: each.interval for name, each in samples.items()}
    row |= learned(samples[ACCURACY.name])
    collapsed = share_interval(int(seeds["collapsed"].sum()), len(seeds["seed"]))
    if of_one_network(spec):
        intervals |= {name: _exact(each) for name, each in intervals.items() if name != ACCURACY.name}
        collapsed = _exact(collapsed)
        row |= {"learned_lo": math.nan, "learned_hi": math.nan}
    row |= collapsed.named("collapsed")
    for name, each in intervals.items():
        row |= each.named(name)
    first = _measured_at(rows, 0)
    row["born_dead"] = mean(_shares(first.where(first["layer"] > 0))[1]["dead"])
    row["irreversible"] = mean(layers["irreversible"])
    row["expected_dead"] = _expected(layers)
    row["loss"] = mean(network["loss"])
    row |= _causes(rows)
    row["verdict"] = verdict(row, intervals[c.DEAD.name], bool(seeds["collapsed"].mean() > 0.5))
    return row


def of_one_network(spec: Spec) -> bool:
    """Whether all seeds look at the same weights, which were given and are not trained. They see the same units on the
    same inputs, so that what is counted has no spread; of the accuracy the examples remain a source of chance."""
    return bool(spec.weights) and not spec.training_steps


def _exact(interval: Interval) -> Interval:
    """The mean of equal counts, which is the count itself."""
    return Interval(interval.mean, interval.mean, interval.mean, interval.n)


def _expected(layers: Group) -> float:
    """The share of all units that chance leaves dead at birth; nan where it is not known, as in runs of earlier
    versions."""
    units = _units(layers)
    weighted = layers["expected_dead"].astype(float) * units
    known = ~np.isnan(weighted) & (units > 0)
    return float(weighted[known].sum() / units.sum()) if known.any() else math.nan


def _causes(rows: Group) -> dict[str, float]:
    """Columns of the updates that killed units and those that did not, over all measured steps."""
    layers = rows.where(rows["layer"] > 0)
    deaths = layers["newly_dead"].astype(float) * _units(layers)
    fatal = layers["fatal_update"].astype(float)
    known = ~np.isnan(fatal) & (deaths > 0)
    weight = deaths[known]
    total = float(weight.sum())
    survived = layers["survived_update"].astype(float)[layers["step"] > 0]
    survived = survived[~np.isnan(survived)]
    return {
        "fatal_update": float((fatal[known] * weight).sum() / total) if total else math.nan,
        "survived_update": float(survived.mean()) if len(survived) else math.nan,
    }


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
