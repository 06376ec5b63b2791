"""The summary: rates with intervals, theory beside them, the cause in numbers, a verdict and a remedy."""

import itertools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from dnnlab.gradient_flow.columns import (
    CONFIGURATION,
    DEAD,
    EXPLODING,
    FIRST,
    HEALTHY,
    HIDDEN,
    OUTPUT,
    SUMMARY,
    TRAINED,
    UNDECIDED,
    UNUSED,
    VANISHING,
)
from dnnlab.gradient_flow.remedy import command
from dnnlab.gradient_flow.spec import Spec
from dnnlab.networks.activations import per_layer
from dnnlab.networks.shape import MLPShape, parse_skip
from dnnlab.report.table import estimate, fit
from dnnlab.runner.summary import Group, diverged, geometric, groups, learned, mean
from dnnlab.statistics.intervals import ENOUGH, Interval, mean_interval, mean_share, share_interval
from dnnlab.statistics.quantity import ACCURACY
from dnnlab.statistics.samples import sample
from dnnlab.theory.gradients import (
    InputStatistics,
    Setting,
    max_trainable_depth,
    predict,
    prepare,
    silence,
    slope_weights,
)

UNHEALTHY = math.log(100.0)
"""A network is vanishing or exploding when its rate, over all its layers, makes two orders of magnitude."""

_RESOLUTION = 2.0**-23
"""The relative distance of neighbouring numbers in float32: a weight that moves by less does not move."""

TOO_FEW = f"none is recommended under {ENOUGH} seeds"
"""The column ``remedy`` of an unhealthy network with so few."""

_LAYER = ("delta_norm", "saturation", "dead_fraction", "zero_fraction", "weight_change")
_FACTORS = {
    "weight_term": "weight_factor",
    "act_term": "act_factor",
    "norm_term": "norm_factor",
    "skip_term": "skip_factor",
}


@dataclass(frozen=True)
class Measured:
    """One configuration at one step: its hidden layers as ``[seed, layer]``, the network as one row per seed.

    The layers of a network of one's own are put together by name, as a pass may leave some out.
    """

    layers: dict[str, np.ndarray]
    network: Group | pd.DataFrame
    names: tuple[str, ...] = ()
    """The names of its layers."""
    reads_input: np.ndarray = field(default_factory=lambda: np.array([0]))
    """The numbers of the layers that read the network's input."""

    @property
    def depth(self) -> int:
        return self.layers["delta_norm"].shape[1]

    def log_rates(self) -> np.ndarray:
        """Least-squares log rate of δ, ``[seed]``: over the layers that received a gradient, and nan where that is
        less than two."""
        return self.slope(self.layers["delta_norm"])

    def slope(self, norms: np.ndarray) -> np.ndarray:
        """The least-squares log rate of ``norms [seed, layer]``, ``[seed]``."""
        logs = _log(norms)
        rates = logs @ slope_weights(self.depth)
        if "layer" in self.layers:
            for seed in np.flatnonzero(~np.isfinite(rates)):
                rates[seed] = _slope(logs[seed], self.layers["layer"][seed])
        return rates

    def log_first_to_last(self) -> np.ndarray:
        """The logarithm of δ in the first hidden layer over the last, of those that received a gradient, ``[seed]``;
        nan where that is less than two."""
        logs = _log(self.layers["delta_norm"])
        known = [each[np.isfinite(each)] for each in logs]
        return np.array([each[0] - each[-1] if len(each) > 1 else math.nan for each in known])

    def by_seed(self, name: str) -> np.ndarray:
        """The mean over layers ``[seed]``; nan where no layer has a value."""
        return np.array([mean(each) for each in self.layers[name]])

    def vanished(self) -> np.ndarray:
        """``[seed]``, whether the gradient at every layer that reads the input is exactly zero, but not behind it."""
        delta = self.layers["delta_norm"]
        first = delta[:, self.reads_input]
        received = ~np.isnan(first)
        with np.errstate(invalid="ignore"):
            return received.any(axis=1) & ((first == 0) | ~received).all(axis=1) & (delta > 0).any(axis=1)

    def without_gradient(self) -> list[str]:
        """The layers that received none, or only zeros, in some seed whose pass they were part of."""
        delta, part = self.layers["delta_norm"], np.isfinite(self.layers.get("layer", self.layers["delta_norm"]))
        lacking = (part & ~(delta > 0)).any(axis=0)
        return [name for name, lacks in zip(self.names, lacking, strict=False) if lacks]

    def log_terms(self) -> dict[str, float]:
        """The log rate as a sum over weights, activation, normalisation and skip, mean over seeds."""
        # The rate weights each layer's ratio by the sum of the least-squares weights up to it; so do the factors.
        entering = np.cumsum(slope_weights(self.depth))[:-1]
        return {term: float(np.mean(_log(self.layers[factor][:, :-1]) @ entering)) for term, factor in _FACTORS.items()}


def _slope(logs: np.ndarray, numbers: np.ndarray) -> float:
    """The least-squares log rate of one seed over the layers ``[layer]`` that have one.

    ``numbers`` are their places in the pass, nan for a layer that was no part of it.
    """
    places = pd.Series(numbers).rank().to_numpy()
    known = np.isfinite(logs) & np.isfinite(places)
    if known.sum() < 2:
        return math.nan
    centred = places[known] - places[known].mean()
    return float(-(centred @ logs[known]) / (centred @ centred))


def _log(values: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(values)
    return np.where(np.isfinite(logs), logs, math.nan)


def measured_at(rows: Group, step: int, remedy: str = "") -> Measured | None:
    """The rows of one configuration at ``step``, under a ``remedy`` or as it was asked for; ``None`` where it has none
    that was measured.

    Raises:
        ValueError: a seed has two rows of one layer.
    """
    rows = rows.where((rows["step"] == step) & (rows["remedy"] == remedy)).measured
    if not len(rows):
        return None
    layer, place = rows["layer"], _places(rows)
    kept = (place == FIRST) | (place == HIDDEN)
    # The output layer has no activation and other sizes; a shallow network of the user's has little else.
    if len(set(rows.where(kept)["name"].tolist())) < 2:
        kept = (layer > 0) & (place != UNUSED)
    hidden = rows.where(kept)
    seeds, seed = np.unique(hidden["seed"], return_inverse=True)
    names, number = _by_name(hidden)
    places = seed * len(names) + number
    if len(set(places.tolist())) < len(places):
        raise ValueError("a seed has two rows of one layer")
    layers = {}
    own = ["layer"] if rows["model"][0] else []
    for name in (*_LAYER, *_FACTORS.values(), *own):
        matrix = np.full(len(seeds) * len(names), math.nan)
        matrix[places] = hidden[name]
        layers[name] = matrix.reshape(len(seeds), len(names))
    first = np.unique(number[place[kept] == FIRST])
    return Measured(layers, rows.where(layer == 0), names, first)


def _places(rows: Group) -> np.ndarray:
    """Where the layer of each row stands, ``[row]``. Runs of earlier versions do not say so: their last layer is the
    output."""
    layer, place = rows["layer"], rows["place"]
    if (place != "").any():
        return place
    return np.select([layer == 0, layer == layer.max(), layer == 1], ["", OUTPUT, FIRST], HIDDEN)


def _by_name(rows: Group) -> tuple[tuple[str, ...], np.ndarray]:
    """The names of layers in the order of their mean place in a pass, and the number ``[row]`` of each row's layer
    among them."""
    names, number = np.unique(rows["name"].astype(str), return_inverse=True)
    order = np.argsort(np.bincount(number, rows["layer"]) / np.bincount(number), kind="stable")
    return tuple(names[order].tolist()), np.argsort(order)[number]


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
            _row(each, first, last, spec) | _remedies(each, group, first, spec) | {"failed": group.failed}
            if first is not None and last is not None
            else _unmeasured(each, spec) | {"failed": group.failed}
            for each, group, first, last in together
        ]
    return fit(pd.DataFrame(rows), SUMMARY)


_TOGETHER = 256
"""Configurations whose theory is computed at once."""


def _unmeasured(configuration: dict[str, Any], spec: Spec) -> dict[str, Any]:
    return configuration | {"steps": spec.steps, "seeds": 0, "verdict": UNDECIDED, "diverged": 0, "learned": 0}


def _row(configuration: dict[str, Any], first: Measured, last: Measured, spec: Spec) -> dict[str, Any]:
    row = _unmeasured(configuration, spec)
    rate = mean_interval(first.log_rates().tolist())
    row |= {"seeds": len(first.network)} | geometric(rate).named("rate")
    row["depth"] = configuration["depth"] or first.depth
    row |= _first_to_last(first)
    row["no_gradient"] = ", ".join(first.without_gradient()) if configuration["model"] else ""
    row["verdict"] = verdict(first, rate)
    row |= {term: math.exp(value) for term, value in first.log_terms().items()}
    for name in ("saturation", "dead_fraction"):
        row[name] = mean(first.layers[name])
    row |= mean_share(first.by_seed("zero_fraction")).named("zero_fraction")
    row |= _theory(configuration, first, rate)
    row |= _training(last, spec)
    for name, values in _jacobian(first.network).items():
        row[name] = math.exp(mean(values))
    return row


def _first_to_last(seen: Measured) -> dict[str, float]:
    """The columns of δ in the first hidden layer over the last, of those that received a gradient; the geometric mean
    over seeds."""
    if seen.vanished().all():
        return {"first_last_ratio": 0.0}
    return geometric(mean_interval(seen.log_first_to_last())).named("first_last_ratio")


def verdict(first: Measured, log_rate: Interval) -> str:
    """Vanishing, healthy, exploding or dead; undecided under three seeds or where the interval straddles a limit."""
    seeds = len(first.network)
    if seeds < ENOUGH:
        return UNDECIDED
    if np.mean((first.layers["dead_fraction"] == 1).any(axis=1)) > 0.5:
        return DEAD
    if np.mean(~np.isfinite(np.asarray(first.network["loss"], float))) > 0.5:
        return EXPLODING  # the forward pass has left the range of numbers
    vanished = float(np.mean(first.vanished()))
    if vanished > 0.5:
        return VANISHING
    by_rate = _by_rate(first, log_rate)
    # Seeds whose gradient is zero have no rate, so that the interval says nothing of them.
    return by_rate if vanished == 0 or by_rate == VANISHING else UNDECIDED


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


def _training(last: Measured, spec: Spec) -> dict[str, Any]:
    if not spec.steps:
        return {}
    network, accuracies = last.network, sample(last.network, ACCURACY)
    lost = diverged(network["loss"])
    seeds = {"seed": network["seed"], **_trained(last, spec)}
    shown = {}
    for quantity in TRAINED:
        interval = sample(seeds, quantity).interval
        shown |= (geometric(interval) if quantity.log else interval).named(quantity.name)
    return {
        **shown,
        **learned(accuracies),
        **accuracies.interval.named("accuracy"),
        "clipped_share": mean(network["clipped_share"]),
        "diverged": lost,
        **share_interval(lost, len(network)).named("diverged_share"),
    }


def _jacobian(network: Group | pd.DataFrame) -> dict[str, np.ndarray]:
    values = {name: np.asarray(network[f"jacobian_{name}"], float) for name in ("rms", "max", "min")}
    return {"jacobian_rms": _log(values["rms"]), "jacobian_spread": _log(values["max"]) - _log(values["min"])}
