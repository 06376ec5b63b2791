"""What the rows of one configuration say at one step: its layers as matrices, and their rates."""

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from dnnlab.errors import counted
from dnnlab.gradient_flow.columns import FIRST, HIDDEN, INFINITE, OUTPUT, UNUSED
from dnnlab.runner.summary import Group, mean
from dnnlab.theory.gradients import slope_weights

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
    received: np.ndarray = field(default_factory=lambda: np.array(True))
    """``[seed]``, whether any layer received a gradient. The output counts, but not in a network of one's own: a branch
    that starts at zero leaves all its layers without one, and has not lost it on the way."""

    @property
    def depth(self) -> int:
        return self.layers["delta_norm"].shape[1]

    def log_rates(self) -> np.ndarray:
        """Least-squares log rate of δ, ``[seed]``: over the layers that received a gradient, and nan where that is
        less than two."""
        return self.slope(self.layers["delta_norm"])

    def slope(self, norms: np.ndarray) -> np.ndarray:
        """The least-squares log rate of ``norms [seed, layer]``, ``[seed]``."""
        logs = logarithms(norms)
        rates = logs @ slope_weights(self.depth)
        if "layer" in self.layers:
            for seed in np.flatnonzero(~np.isfinite(rates)):
                rates[seed] = _slope(logs[seed], self.layers["layer"][seed])
        return rates

    def log_first_to_last(self) -> np.ndarray:
        """The logarithm of δ in the first hidden layer over the last, ``[seed]``: -inf where the gradient has
        `vanished`; nan where the last receives none, one of the two is not finite, and where there is one layer.

        Of a network of one's own it is over the layers that received a gradient, as some cannot receive any: nan where
        less than two did.
        """
        logs = logarithms(self.layers["delta_norm"])
        known = [each[np.isfinite(each)] for each in logs] if "layer" in self.layers else logs
        ratios = np.array([each[0] - each[-1] if len(each) > 1 else math.nan for each in known])
        return np.where(self.vanished(), -math.inf, ratios)

    def log_to_last(self) -> np.ndarray:
        """The logarithm of δ in each layer over the last hidden one, ``[seed, layer]``; of a network of one's own over
        the last that received a gradient. It is -inf where none arrives, and nan where it is not known."""
        delta = self.layers["delta_norm"]
        last = delta[:, -1]
        if "layer" in self.layers:
            last = np.array([next((d for d in reversed(each) if d > 0), math.nan) for each in delta])
        return np.where(self.none_arrives(), -math.inf, logarithms(delta) - logarithms(last)[:, None])

    def by_seed(self, name: str) -> np.ndarray:
        """The mean over layers ``[seed]``; nan where no layer has a value."""
        return np.array([mean(each) for each in self.layers[name]])

    def vanished(self) -> np.ndarray:
        """``[seed]``, whether the gradient is exactly zero at every layer that reads the input, but not at all
        layers."""
        delta = self.layers["delta_norm"]
        first = delta[:, self.reads_input]
        received = ~np.isnan(first)
        with np.errstate(invalid="ignore"):
            return received.any(axis=1) & ((first == 0) | ~received).all(axis=1) & self.received

    def infinite(self) -> np.ndarray:
        """``[seed]``, whether the loss or a δ is infinite or not a number. In a network of one's own a layer that
        received no gradient has no δ: there nan beside a finite loss is none."""
        delta = self.layers["delta_norm"]
        out_of_range = np.isinf(delta) if "layer" in self.layers else ~np.isfinite(delta)
        return ~np.isfinite(np.asarray(self.network["loss"], float)) | out_of_range.any(axis=1)

    def none_arrives(self) -> np.ndarray:
        """``[seed, layer]``, whether the layer was part of the pass and received no gradient, or zeros alone."""
        delta = self.layers["delta_norm"]
        if "layer" not in self.layers:
            return delta == 0
        return np.isfinite(self.layers["layer"]) & ~(delta > 0) & ~self.infinite()[:, None]

    def left_out(self) -> list[str]:
        """Why some seeds have no rate, and how many: ``zero in 1 of 3 seeds``, ``infinite or not a number in 2 of 3
        seeds``. In a network of one's own the rate leaves out layers that receive none, and not seeds."""
        seeds = counted(len(self.network), "seed")
        lost = {} if "layer" in self.layers else {"zero": self.none_arrives().any(axis=1)}
        lost[INFINITE] = self.infinite()
        return [f"{what} in {which.sum()} of {seeds}" for what, which in lost.items() if which.any()]

    def without_gradient(self) -> list[str]:
        """The layers at which none arrives in some seed."""
        return [self.names[i] for i in np.flatnonzero(self.none_arrives().any(axis=0))]

    def log_terms(self) -> dict[str, float]:
        """The log rate as a sum over weights, activation, normalisation and skip, mean over seeds."""
        # The rate weights each layer's ratio by the sum of the least-squares weights up to it; so do the factors.
        entering = np.cumsum(slope_weights(self.depth))[:-1]
        return {
            term: float(np.mean(logarithms(self.layers[factor][:, :-1]) @ entering))
            for term, factor in _FACTORS.items()
        }


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


def logarithms(values: np.ndarray) -> np.ndarray:
    """The logarithms of ``values``; nan where one is no number, zero or infinite."""
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
    behind = hidden if own else rows
    received = np.isin(seeds, behind["seed"][behind["delta_norm"] > 0])
    return Measured(layers, rows.where(layer == 0), names, first, received)


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
