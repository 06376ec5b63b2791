"""Networks that are written down: their pieces, patterns and errors against closed forms and plain arithmetic."""

import itertools

import numpy as np
import pytest

from dnnlab.check.folded import folded, folds, parity_errors, patterns, sawtooth_pieces
from dnnlab.errors import UsageError


@pytest.mark.parametrize(("layers", "units"), [(1, 1), (1, 7), (2, 2), (3, 5), (5, 2), (10, 2)])
def test_the_sawtooth_is_the_tent_map_composed(layers, units):
    """With two units t(x) = 1 - |1 - 2x|; with w units the triangle wave of w pieces: the distance to the nearest even
    number."""
    x = np.linspace(0, 1, 4097)
    expected = x
    for _ in range(layers):
        expected = np.abs((units * expected + 1) % 2 - 1)
    y = x * units**layers
    for kinks in folds(layers, units):
        y = folded(y, kinks)
    assert y == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("layers", "units"), [(1, 1), (1, 24), (4, 2), (16, 2), (3, 5), (8, 3), (7, 1)])
def test_each_layer_multiplies_the_pieces(layers, units):
    assert sawtooth_pieces(layers, units) == units**layers


@pytest.mark.parametrize(
    ("bits", "layers", "units", "wrong"),
    [
        (12, 1, 12, 0), (16, 1, 16, 0), (8, 3, 2, 0), (16, 4, 2, 0), (9, 2, 3, 0), (1, 1, 1, 0),
        (12, 1, 11, 1),  # right up to eleven ones; of the only pattern with twelve it gives 2
        (5, 2, 2, 1),
    ],
)  # fmt: skip
def test_parity_is_a_sawtooth_of_the_number_of_ones(bits, layers, units, wrong):
    assert parity_errors(bits, layers, units) == wrong


@pytest.mark.parametrize("k", [1, 2, 5, 8])
def test_pairs_of_features_are_as_many_as_pairs_of_things(k):
    inputs = list(itertools.product([0, 1], repeat=2 * k))
    at_two = {tuple(x[i] & x[k + j] for x in inputs) for i in range(k) for j in range(k)} if k < 6 else None
    assert patterns(k, 2) == k**2
    assert at_two is None or len(at_two) == k**2
    assert patterns(k, 1) == k * (k + 1) // 2


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (sawtooth_pieces, (17, 2), "counts up to 65,536 pieces"),
        (sawtooth_pieces, (10**9, 1), "counts up to"),
        (sawtooth_pieces, (2.5, 2), "whole numbers from 1"),
        (sawtooth_pieces, (0, 2), "whole numbers from 1"),
        (parity_errors, (17, 1, 17), "tries up to 16 bits"),
        (parity_errors, (4, 1, "x"), "whole numbers from 1"),
        (patterns, (8, 3), "1 or 2 places"),
        (patterns, (17, 1), "up to 16 features"),
    ],
)
def test_what_would_take_too_long_is_refused_in_a_sentence(function, arguments, message):
    with pytest.raises(UsageError, match=message):
        function(*arguments)
