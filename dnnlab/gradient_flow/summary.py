"""The summary: rates with intervals, theory beside them, the cause in numbers, a verdict and a remedy."""

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd

from dnnlab.gradient_flow.columns import (
    CONFIGURATION,
    DEAD,
    EXPLODING,
    HEALTHY,
    SUMMARY,
    TRAINED,
    UNDECIDED,
    VANISHING,
)
from dnnlab.gradient_flow.layers import Measured, logarithms, measured_at
from dnnlab.gradient_flow.remedy import command
from dnnlab.gradient_flow.spec import Spec
from dnnlab.networks.activations import per_layer
from dnnlab.networks.shape import MLPShape, parse_skip
from dnnlab.report.numbers import estimate
from dnnlab.report.table import fit
from dnnlab.runner.summary import Group, diverged, geometric, groups, learned, mean
from dnnlab.statistics.intervals import ENOUGH, Interval, log_interval, mean_interval, mean_share, share_interval
from dnnlab.statistics.quantity import ACCURACY
from dnnlab.statistics.samples import sample
from dnnlab.theory.gradients import (
    InputStatistics,
    Setting,
    max_trainable_depth,
    predict,
    prepare,
    silence,
)

UNHEALTHY = math.log(100.0)
"""A network is vanishing or exploding when its rate, over all its layers, makes two orders of magnitude."""

_RESOLUTION = 2.0**-23
"""The relative distance of neighbouring numbers in float32: a weight that moves by less does not move."""

TOO_FEW = f"none is recommended under {ENOUGH} seeds"
"""The column ``remedy`` of an unhealthy network with so few."""


def _ends(rows: Group, spec: Spec) -> tuple[Measured | None, Measured | None]:
    """The rows of one configuration before and after training, which are the same where there is none."""
    first = measured_at(rows, 0)
    return first, measured_at(rows, spec.steps) if spec.steps else first


def per_cell(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per cell: configuration, seed, what is measured at initialisation, and its last accuracy."""
    rows = []
    for configuration, group in groups(cells, CONFIGURATION):
        first, last = _ends(group, spec)
        if first is None or last is None:
            continue
        measured = {
            "seed": first.network["seed"].tolist(),
            "rate": np.exp(first.log_rates()).tolist(),
            "first_last_ratio": np.exp(first.log_first_to_last()).tolist(),
            "zero_fraction": first.by_seed("zero_fraction").tolist(),
            **{name: values.tolist() for name, values in _trained(last, spec).items()},
            **{name: last.network[name].tolist() for name in ("accuracy", "right", "guessing")},
        }
        rows += [
            configuration | dict(zip(measured, values, strict=True)) for values in zip(*measured.values(), strict=True)
        ]
    return pd.DataFrame(rows)


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per configuration, with the columns of `SUMMARY`."""
    rows = []
    waiting = groups(cells, CONFIGURATION)
    while together := [(each, group, *_ends(group, spec)) for each, group in itertools.islice(waiting, _TOGETHER)]:
        settings = [setting(each, first) for each, _, first, _ in together if first is not None]
        prepare([each for each in settings if each is not None])
        rows += [
            _row(each, first, last, _clipped_share(group), spec)
            | _remedies(each, group, first, spec)
            | {"failed": group.failed}
            if first is not None and last is not None
            else _unmeasured(each, spec) | {"failed": group.failed}
            for each, group, first, last in together
        ]
    return fit(pd.DataFrame(rows), SUMMARY)


_TOGETHER = 256
"""Configurations whose theory is computed at once."""


def _unmeasured(configuration: dict[str, Any], spec: Spec) -> dict[str, Any]:
    return configuration | {"steps": spec.steps, "seeds": 0, "verdict": UNDECIDED, "diverged": 0, "learned": 0}


def _row(configuration: dict[str, Any], first: Measured, last: Measured, clipped: float, spec: Spec) -> dict[str, Any]:
    row = _unmeasured(configuration, spec)
    rate = mean_interval(first.log_rates().tolist())
    row |= {"seeds": len(first.network)} | geometric(rate).named("rate")
    row["depth"] = configuration["depth"] or first.depth
    row |= geometric(log_interval(first.log_first_to_last())).named("first_last_ratio")
    row["no_gradient"] = _no_gradient(configuration, first)
    row["verdict"] = verdict(first, rate)
    row |= {term: math.exp(value) for term, value in first.log_terms().items()}
    for name in ("saturation", "dead_fraction"):
        row[name] = mean(first.layers[name])
    row |= mean_share(first.by_seed("zero_fraction")).named("zero_fraction")
    row |= _theory(configuration, first, rate)
    row |= _training(last, clipped, spec)
    for name, values in _jacobian(first.network).items():
        row[name] = math.exp(mean(values))
    return row


def _no_gradient(configuration: dict[str, Any], first: Measured) -> str:
    """What the rate leaves out: the layers of a network of one's own that received no gradient, and seeds."""
    layers = first.without_gradient() if configuration["model"] else []
    return "; ".join([*([", ".join(layers)] if layers else []), *first.left_out()])


def verdict(first: Measured, log_rate: Interval) -> str:
    """Vanishing, healthy, exploding or dead; undecided under three seeds or where the interval straddles a limit."""
    seeds = len(first.network)
    if seeds < ENOUGH:
        return UNDECIDED
    if np.mean((first.layers["dead_fraction"] == 1).any(axis=1)) > 0.5:
        return DEAD
    shares = {EXPLODING: float(np.mean(first.infinite())), VANISHING: float(np.mean(first.vanished()))}
    for word, share in shares.items():
        if share > 0.5:
            return word
    by_rate = _by_rate(first, log_rate)
    # Such seeds have no rate, so that the interval says nothing of them.
    return by_rate if all(share == 0 or by_rate == word for word, share in shares.items()) else UNDECIDED


def _by_rate(first: Measured, log_rate: Interval) -> str:
    if log_rate.n < ENOUGH:
        return UNDECIDED
    low, high = (end * (first.depth - 1) for end in (log_rate.low, log_rate.high))
    if low > UNHEALTHY:
        return EXPLODING
    if high < -UNHEALTHY:
        return VANISHING
    return HEALTHY if low >= -UNHEALTHY and high <= UNHEALTHY else UNDECIDED


def _remedies(configuration: dict[str, Any], rows: Group, first: Measured, spec: Spec) -> dict[str, str]:
    """What was tried on an unhealthy network: first the remedies under which it is healthy, the nearest to 1 first."""
    tried = dict.fromkeys(name for name in rows["remedy"].tolist() if name)
    seeds = first.network["seed"].tolist()
    if not tried or verdict(first, mean_interval(first.log_rates().tolist())) == HEALTHY:
        return {}
    if len(seeds) < ENOUGH:
        return {"remedy": TOO_FEW}
    rates: dict[str, Interval] = {}
    others = []
    for name in tried:
        seen = measured_at(rows, 0, name)
        if seen is None or seen.network["seed"].tolist() != seeds:
            others.append(f"{name}: not measured in all seeds")
            continue
        log_rate = mean_interval(seen.log_rates().tolist())
        word = verdict(seen, log_rate)
        if word == HEALTHY:
            rates[name] = log_rate
        else:
            others.append(f"{name}: {word}")
    healthy = sorted(rates, key=lambda name: abs(rates[name].mean))
    told = [(name, geometric(rates[name])) for name in healthy]
    return {
        "remedy": "; ".join([*(f"{name}: rate {estimate(r.mean, r.low, r.high)}" for name, r in told), *others]),
        "remedy_command": "; ".join(command(spec, configuration, name) for name in healthy),
    }


def setting(configuration: dict[str, Any], first: Measured) -> Setting | None:
    """The configuration as theory describes it; ``None`` where the network is a user's own or a published one."""
    if configuration["model"]:
        return None
    told = ("input_mean_square", "input_variance", "input_square_spread", "input_product_spread")
    network = {name: mean(first.network[name]) for name in ("input_features", "classes", *told)}
    depth = int(configuration["depth"])
    shape = MLPShape(
        int(network["input_features"]),
        int(network["classes"]),
        depth,
        int(configuration["width"]),
        per_layer(configuration["act"], depth),
        configuration["norm"],
        parse_skip(configuration["skip"]),
    )
    inputs = InputStatistics(*(network[name] for name in told))
    batch_size, dropout = int(configuration["batch_size"]), float(configuration["dropout"])
    return Setting(shape, configuration["init"], inputs, batch_size, dropout)


def _theory(configuration: dict[str, Any], first: Measured, rate: Interval) -> dict[str, Any]:
    chosen = setting(configuration, first)
    if chosen is None:
        return {"no_theory": "theory is about fully connected networks of dnnlab"}
    prediction = predict(chosen)
    if prediction is None:
        return {"no_theory": silence(chosen)}
    error = prediction.standard_error(len(first.network))
    band = Interval(prediction.log_rate, prediction.log_rate - 1.96 * error, prediction.log_rate + 1.96 * error, 0)
    return {
        **geometric(band).named("rate_theory", "theory"),
        "z": (rate.mean - prediction.log_rate) / error,
        "max_depth": max_trainable_depth(chosen),
    }


def _trained(last: Measured, spec: Spec) -> dict[str, np.ndarray]:
    """What `columns.TRAINED` name of each seed, ``[seed]``: nan without training, and where it diverged."""
    changes, loss = last.layers["weight_change"], np.asarray(last.network["loss"], float)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = changes.max(axis=1) / changes.min(axis=1)
    found = {"rate_end": np.exp(last.log_rates()), "first_change": changes[:, 0], "change_spread": spread, "loss": loss}
    known = np.isfinite(loss) & bool(spec.steps)
    trained = {name: np.where(known, each, math.nan) for name, each in found.items()}
    return trained | {"resolution": np.full(len(loss), _RESOLUTION)}


def _clipped_share(rows: Group) -> float:
    """The share of all training steps whose gradient was clipped, mean over seeds. Each row knows it of the steps since
    the measurement before it."""
    network = rows.where((rows["layer"] == 0) & (rows["remedy"] == "")).measured
    steps, places = np.unique(network["step"], return_inverse=True)
    taken = np.diff(steps, prepend=0)[places]
    trained = taken > 0
    shares = network["clipped_share"].astype(float)[trained]
    known = np.isfinite(shares)
    return float(np.average(shares[known], weights=taken[trained][known])) if known.any() else math.nan


def _training(last: Measured, clipped: float, spec: Spec) -> dict[str, Any]:
    if not spec.steps:
        return {}
    network, accuracies = last.network, sample(last.network, ACCURACY)
    lost = diverged(network["loss"])
    seeds = {"seed": network["seed"], **_trained(last, spec)}
    shown: dict[str, float] = {}
    for quantity in TRAINED:
        interval = sample(seeds, quantity).interval
        shown |= (geometric(interval) if quantity.log else interval).named(quantity.name)
    return {
        **shown,
        **learned(accuracies),
        **accuracies.interval.named("accuracy"),
        "clipped_share": clipped,
        "diverged": lost,
        **share_interval(lost, len(network)).named("diverged_share"),
    }


def _jacobian(network: Group | pd.DataFrame) -> dict[str, np.ndarray]:
    values = {name: np.asarray(network[f"jacobian_{name}"], float) for name in ("rms", "max", "min")}
    return {
        "jacobian_rms": logarithms(values["rms"]),
        "jacobian_spread": logarithms(values["max"]) - logarithms(values["min"]),
    }
