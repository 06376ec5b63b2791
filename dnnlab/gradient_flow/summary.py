"""The summary: rates with intervals, theory beside them, the cause in numbers, a verdict and a remedy."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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
    UNDECIDED,
    UNUSED,
    VANISHING,
)
from dnnlab.gradient_flow.spec import Spec
from dnnlab.networks.activations import per_layer
from dnnlab.networks.meanfield import critical
from dnnlab.networks.shape import MLPShape, Skip, parse_skip
from dnnlab.report.table import fit
from dnnlab.runner.summary import Group, diverged, geometric, groups, mean
from dnnlab.statistics.intervals import ENOUGH, Interval, mean_interval, mean_share
from dnnlab.theory.gradients import (
    InputStatistics,
    Prediction,
    Setting,
    log_rate,
    max_trainable_depth,
    predict,
    prepare,
    silence,
    slope_weights,
)

UNHEALTHY = math.log(100.0)
"""A network is vanishing or exploding when its rate, over all its layers, makes two orders of magnitude."""

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


def measured_at(rows: Group, step: int) -> Measured | None:
    """The rows of one configuration at ``step``; ``None`` where all its seeds failed.

    Raises:
        ValueError: a seed has two rows of one layer.
    """
    rows = rows.where(rows["step"] == step).measured
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
    for name in ("delta_norm", "saturation", "dead_fraction", "zero_fraction", *_FACTORS.values(), *own):
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
    """One row per cell: configuration, seed, its rate at initialisation and its last accuracy."""
    rows = []
    for configuration, group in groups(cells, CONFIGURATION):
        first, last = _ends(group, spec)
        if first is None or last is None:
            continue
        rates = np.exp(first.log_rates()).tolist()
        for seed, rate, accuracy in zip(first.network["seed"], rates, last.network["accuracy"], strict=True):
            rows.append({**configuration, "seed": int(seed), "rate": rate, "accuracy": float(accuracy)})
    return pd.DataFrame(rows)


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per configuration, with the columns of `SUMMARY`."""
    rows = []
    waiting = groups(cells, CONFIGURATION)
    while together := [(each, group, *_ends(group, spec)) for each, group in itertools.islice(waiting, _TOGETHER)]:
        _prepare([setting(each, first) for each, _, first, _ in together if first is not None])
        rows += [
            _row(each, first, last, spec) | {"failed": group.failed}
            if first is not None and last is not None
            else _unmeasured(each, spec) | {"failed": group.failed}
            for each, group, first, last in together
        ]
    return fit(pd.DataFrame(rows), SUMMARY)


_TOGETHER = 256
"""Configurations whose theory is computed at once."""


def _prepare(settings: Sequence[Setting | None]) -> None:
    """Compute at once what theory needs for all of the ``settings``, and for the remedies of those that need one."""
    known = [setting for setting in settings if setting is not None]
    prepare(known)
    expected = [(setting, predict(setting)) for setting in known]
    ill = [setting for setting, prediction in expected if prediction and _is_ill(setting, prediction.log_rate)]
    prepare((other for setting in ill for _, other in _ways(setting)), rates_alone=True)


def _unmeasured(configuration: dict[str, Any], spec: Spec) -> dict[str, Any]:
    return configuration | {"steps": spec.steps, "seeds": 0, "verdict": UNDECIDED, "diverged": 0}


def _row(configuration: dict[str, Any], first: Measured, last: Measured, spec: Spec) -> dict[str, Any]:
    row = _unmeasured(configuration, spec)
    rate = mean_interval(first.log_rates().tolist())
    row |= {"seeds": len(first.network)} | geometric(rate).named("rate")
    row["depth"] = configuration["depth"] or first.depth
    row["first_last_ratio"] = _first_to_last(first)
    row["no_gradient"] = ", ".join(first.without_gradient()) if configuration["model"] else ""
    row["verdict"] = verdict(first, rate)
    row |= {term: math.exp(value) for term, value in first.log_terms().items()}
    for name in ("saturation", "dead_fraction", "zero_fraction"):
        row[name] = mean(first.layers[name])
    row |= _theory(configuration, first, rate)
    row |= _training(last, spec)
    for name, values in _jacobian(first.network).items():
        row[name] = math.exp(mean(values))
    return row


def _first_to_last(seen: Measured) -> float:
    """δ in the first hidden layer over the last, of those that received a gradient; the geometric mean over seeds."""
    logs = _log(seen.layers["delta_norm"])
    if seen.vanished().all():
        return 0.0
    ratios = [float(known[0] - known[-1]) for each in logs if len(known := each[np.isfinite(each)]) > 1]
    return math.exp(mean(ratios))


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
        "remedy": remedy(chosen, prediction),
    }


def remedy(network: Setting, prediction: Prediction) -> str:
    """What would bring the rate near 1 by theory, in words; empty where the rate is near 1."""
    if not _is_ill(network, prediction.log_rate):
        return ""
    cures = []
    for name, other in _ways(network):
        expected = log_rate(other)
        if not math.isnan(expected) and not _is_ill(network, expected):
            cures.append(f"{name}: rate {math.exp(expected):.3g}")
    return "; ".join(cures) or "none of init, norm and skip alone"


def _is_ill(network: Setting, log_rate: float) -> bool:
    """Whether a rate of the ``network``, over all its layers, makes two orders of magnitude."""
    return abs(log_rate) * (network.shape.depth - 1) > UNHEALTHY


def _ways(network: Setting) -> list[tuple[str, Setting]]:
    """The changes of ``network`` that may bring its rate near 1, each with its name."""
    ways = []
    shape = network.shape
    if shape.norm == "none" and shape.skip.kind == "none" and len(set(shape.acts)) == 1:
        point = critical(shape.acts[0])
        if point is not None:
            ways.append(
                (
                    f"init critical (σw {math.sqrt(point.weight):.3g}, σb {math.sqrt(point.bias):.3g})",
                    replace(network, init="critical"),
                )
            )
    scale = float(f"{1 / math.sqrt(shape.depth - 1):.2g}")
    changes = [(f"norm {norm}", replace(shape, norm=norm)) for norm in ("layer", "batch") if norm != shape.norm]
    changes.append((f"skip residual:{scale:g}", replace(shape, skip=Skip("residual", scale))))
    return ways + [(name, replace(network, shape=other)) for name, other in changes]


def _training(last: Measured, spec: Spec) -> dict[str, Any]:
    if not spec.steps:
        return {}
    network = last.network
    return {
        **geometric(mean_interval(last.log_rates().tolist())).named("rate_end"),
        "loss": mean(network["loss"]),
        **mean_share(np.asarray(network["accuracy"], float).tolist()).named("accuracy"),
        "clipped_share": mean(network["clipped_share"]),
        "diverged": diverged(network["loss"]),
    }


def _jacobian(network: Group | pd.DataFrame) -> dict[str, np.ndarray]:
    values = {name: np.asarray(network[f"jacobian_{name}"], float) for name in ("rms", "max", "min")}
    return {"jacobian_rms": _log(values["rms"]), "jacobian_spread": _log(values["max"]) - _log(values["min"])}
