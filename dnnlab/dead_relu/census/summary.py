"""The summary: dead units against what chance leaves dead at birth, and one verdict per row."""

import math
from typing import Any

import numpy as np
import pandas as pd

from dnnlab.dead_relu.census import columns as c
from dnnlab.dead_relu.remedy import treat
from dnnlab.dead_relu.spec import Spec
from dnnlab.networks.activations import per_layer
from dnnlab.networks.shape import MLPShape, parse_skip
from dnnlab.report.table import fit
from dnnlab.runner.summary import configurations, diverged, failed, mean, measured, mostly_diverged
from dnnlab.statistics.intervals import ENOUGH, Interval, mean_share
from dnnlab.theory.death import Inputs, expected_dead

FEW = 0.01
"""The share of dead units below which a network is healthy whatever was expected."""
SLACK = 0.03
"""How far above expectation a dead share may lie: theory of infinite width errs by as much at width 64."""
_SHARES = ("born_dead", "dead", "died", "revived", "certified_dead", "inactive", "zero_fraction")


TREATED = (*c.CONFIGURATION, "remedy")
"""The columns that name a row: those of a configuration, and its remedy."""


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per configuration."""
    return fit(rows_of(cells, spec), c.SUMMARY)


def rows_of(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per configuration and remedy: its dead units, and the verdict on them."""
    return pd.DataFrame([_row(configuration, group, spec) for configuration, group in configurations(cells, TREATED)])


def per_cell(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per cell: configuration, seed, and at the end of training its shares of units and its accuracy."""
    parts = []
    for configuration, rows in configurations(cells, TREATED):
        last = _measured_at(rows, spec.training_steps)
        if last.empty:
            continue
        table = _shares(last[last["layer"] > 0])
        network = last[last["layer"] == 0].set_index("seed")
        table = table.join(network[["accuracy", "loss"]].astype(float)).reset_index()
        parts.append(table.assign(**configuration))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _measured_at(rows: pd.DataFrame, step: int) -> pd.DataFrame:
    return measured(rows[rows["step"] == step])


def _shares(layers: pd.DataFrame) -> pd.DataFrame:
    """Shares of all units of a network, by seed."""
    weight = layers["units"].astype(float)
    shares = {name: layers[name].astype(float) * weight for name in _SHARES}
    total = pd.DataFrame({**shares, "units": weight, "seed": layers["seed"]}).groupby("seed").sum(min_count=1)
    return total[list(_SHARES)].div(total["units"], axis=0)


def _row(configuration: dict[str, Any], rows: pd.DataFrame, spec: Spec) -> dict[str, Any]:
    row = configuration | {"seeds": 0, "verdict": c.UNDECIDED, "diverged": 0, "steps": spec.training_steps}
    row["failed"] = failed(rows)
    last = _measured_at(rows, spec.training_steps)
    if last.empty:
        return row
    layers, network = last[last["layer"] > 0], last[last["layer"] == 0]
    shares = _shares(layers)
    row["seeds"] = len(network)
    row["diverged"] = diverged(network["loss"])
    row["depth"] = configuration["depth"] or int(layers["layer"].max())
    row |= {name: mean(shares[name]) for name in _SHARES}
    first = _measured_at(rows, 0)
    row["born_dead"] = mean(_shares(first[first["layer"] > 0])["dead"])
    row["irreversible"] = mean(layers["irreversible"])
    row["expected_dead"] = _expected(configuration, layers, network)
    row["loss"] = mean(network["loss"])
    row |= (dead := mean_share(shares["dead"].tolist())).named("dead")
    row |= mean_share(network["accuracy"].astype(float).tolist()).named("accuracy")
    row |= _causes(rows)
    row["verdict"] = verdict(row, dead, _collapsed(layers))
    return row


def _expected(configuration: dict[str, Any], layers: pd.DataFrame, network: pd.DataFrame) -> float:
    if configuration["model"]:
        weighted = layers["expected_dead"].astype(float) * layers["units"]
        return float(weighted.sum(min_count=1) / layers["units"].sum())
    fractions = theory(configuration, network)
    return float(np.mean(fractions)) if fractions else math.nan


def theory(configuration: dict[str, Any], network: pd.DataFrame) -> list[float]:
    """The expected dead share of each hidden layer at birth, under the configuration's remedy."""
    seen = network[["input_mean_square", "input_mean_product", "input_count", "input_features"]].astype(float).mean()
    if configuration["model"] or seen.isna().any():
        return []
    treated = treat({k: v for k, v in configuration.items() if k != "remedy"}, configuration["remedy"])
    depth = int(treated["depth"])
    acts, skip = per_layer(treated["act"], depth), parse_skip(treated["skip"])
    # Classes enter the fans of the output layer alone, which has no units that could die.
    shape = MLPShape(int(seen["input_features"]), 10, depth, int(treated["width"]), acts, treated["norm"], skip)
    inputs = Inputs(seen["input_mean_square"], seen["input_mean_product"], int(seen["input_count"]))
    return expected_dead(shape, treated["init"], inputs)


def _causes(rows: pd.DataFrame) -> dict[str, float]:
    """Columns of the updates that killed units and those that did not, and of whether the dying were pushed down; over
    all measured steps."""
    layers = rows[rows["layer"] > 0]
    deaths = layers["newly_dead"].astype(float) * layers["units"].astype(float)
    fatal, pushed = layers["fatal_update"].astype(float), layers["pushed_down"].astype(float)
    known = fatal.notna() & (deaths > 0)
    weight = deaths[known]
    total = float(weight.sum())
    return {
        "fatal_update": float((fatal[known] * weight).sum() / total) if total else math.nan,
        "pushed_down": float((pushed[known] * weight).sum() / total) if total else math.nan,
        "survived_update": float(layers.loc[layers["step"] > 0, "survived_update"].astype(float).mean()),
    }


def _collapsed(layers: pd.DataFrame) -> bool:
    """Whether most seeds have a layer without a living unit: nothing of the input gets past it."""
    whole = layers["dead"].astype(float).eq(1).groupby(layers["seed"]).any()
    return bool(whole.mean() > 0.5)


def verdict(row: dict[str, Any], dead: Interval, collapsed: bool) -> str:
    """Healthy, expected, dying, collapsed or diverged; undecided under three seeds or where the interval straddles.

    The measure is not zero but what chance leaves dead at birth: by theory, and in the very networks measured.
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
    limit = usual(row) + SLACK
    if dead.low > limit:
        return c.DYING
    return c.EXPECTED if dead.high <= limit else c.UNDECIDED


def usual(row: Any) -> float:
    """The dead share that is no sign of trouble: the larger of theory's and of that of the measured networks at
    birth."""
    if row["model"] and not math.isnan(row["expected_dead"]):
        return float(row["expected_dead"])
    return float(np.nanmax([row["expected_dead"], row["born_dead"]]))
