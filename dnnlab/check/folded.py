"""Networks that are written down, not trained, and counted: the sawtooth (Telgarsky 2016), parity by the same network,
and the patterns that features combine to. All numbers in them are whole, so that they are exact. Importing this module
does not import torch."""

from functools import cache

import numpy as np

from dnnlab.errors import UsageError

_MOST_PIECES, _MOST_BITS, _MOST_UNITS = 2**16, 16, 2**10
"""What is counted in a second or two."""


def folds(layers: int, units: int) -> list[np.ndarray]:
    """The places of the kinks of each hidden layer of a network of so many ``layers`` of so many ReLU ``units``, which
    folds the numbers from 0 to ``units^layers`` into a sawtooth between 0 and 1, one piece for each whole number.

    `folded` is what a layer does: what comes from 0 to M it lays onto 0 to M / units, up and down in turn. With two
    units that is the tent map, on another scale.
    """
    return [np.arange(units, dtype=float) * units ** (layers - layer) for layer in range(1, layers + 1)]


def folded(y: np.ndarray, kinks: np.ndarray) -> np.ndarray:
    """The one number ``[point]`` that the next layer reads of a layer's units: relu(y) - 2 relu(y - kinks[1]) +
    2 relu(y - kinks[2]) - …"""
    weights = np.where(np.arange(len(kinks)) % 2, -2.0, 2.0)
    weights[0] = 1.0
    return np.maximum(y[:, None] - kinks, 0.0) @ weights


@cache
def sawtooth_pieces(layers: int, units: int) -> int:
    """The number of linear pieces of the output of `folds` over the numbers from 0 to ``units^layers``, counted where
    its slope changes.

    Raises:
        UsageError: it would take too long.
    """
    _require_whole("sawtooth_pieces", layers, units)
    if layers > _MOST_UNITS or units**layers > _MOST_PIECES:
        raise UsageError(f"sawtooth_pieces counts up to {_MOST_PIECES:,} pieces, so UNITS^LAYERS may be no more.")
    # Between neighbouring points x, all that the layers so far make of it, y, is linear.
    x = y = np.array([0.0, float(units**layers)])
    for kinks in folds(layers, units):
        crossings = [_crossings(x, y, kink) for kink in kinks]
        cut = np.unique(np.concatenate([x, *crossings]))
        x, y = cut, folded(np.interp(cut, x, y), kinks)
    slopes = np.diff(y) / np.diff(x)
    return 1 + int((slopes[1:] != slopes[:-1]).sum())


def _crossings(x: np.ndarray, y: np.ndarray, kink: float) -> np.ndarray:
    """Where between the points y crosses ``kink``."""
    before, after = y[:-1] - kink, y[1:] - kink
    crosses = before * after < 0
    before, after = before[crosses], after[crosses]
    return x[:-1][crosses] + before * np.diff(x)[crosses] / (before - after)


@cache
def parity_errors(bits: int, layers: int, units: int) -> int:
    """How many of all ``2^bits`` patterns the network of `folds` gives the wrong parity. Its first layer reads the
    number of ones: each unit has the weight 1 for every bit.

    Raises:
        UsageError: it would take too long.
    """
    _require_whole("parity_errors", bits, layers, units)
    if bits > _MOST_BITS or layers > _MOST_UNITS or units**layers > _MOST_PIECES:
        raise UsageError(
            f"parity_errors tries up to {_MOST_BITS} bits, and networks whose UNITS^LAYERS is at most {_MOST_PIECES:,}."
        )
    patterns = np.arange(2**bits)[:, None] >> np.arange(bits) & 1
    y = patterns @ np.ones(bits)
    for kinks in folds(layers, units):
        y = folded(y, kinks)
    return int((y != np.bitwise_xor.reduce(patterns, axis=1)).sum())


@cache
def patterns(features: int, places: int) -> int:
    """How many different patterns "this feature and that one" there are of so many binary ``features``, counted by
    their truth tables. With two ``places`` this one is looked for at the first place and that one at the second, such
    as an eye on the left and a nose on the right; with one, both at the same.

    Raises:
        UsageError: there are other places, or it would take too long.
    """
    _require_whole("patterns", features, places)
    if places > 2 or features * places > _MOST_BITS:
        raise UsageError(f"patterns takes 1 or 2 places, and up to {_MOST_BITS} features at all places together.")
    inputs = features * places
    tables = [_truth_table(i, inputs) for i in range(inputs)]
    return len({one & other for one in tables[:features] for other in tables[-features:]})


def _truth_table(variable: int, variables: int) -> int:
    """The values of one of several binary ``variables`` on all their ``2^variables`` values, a bit each: runs of zeros
    and ones in turn."""
    run = 2**variable
    return sum(((1 << run) - 1) << start for start in range(run, 2**variables, 2 * run))


def _require_whole(function: str, *numbers: float) -> None:
    for number in numbers:
        if not isinstance(number, int) or number < 1:
            raise UsageError(f"{function} takes whole numbers from 1 on, not {number!r}.")
