"""The recursion of q, with skips, from the moments of the activation."""

import math

import numpy as np
import pytest

from dnnlab.networks.meanfield import moments
from dnnlab.networks.shape import MLPShape, parse_skip
from dnnlab.theory.alike import Alike, form
from dnnlab.theory.setting import InputStatistics, Setting

Q = 1.7


def alike(skip="none", norm="none", init="torch", dropout=0.0, depth=3):
    shape = MLPShape(20, 10, depth, 50, ("tanh",) * depth, norm, parse_skip(skip))
    return Alike([Setting(shape, init, InputStatistics(1.0, 1.0), 32, dropout)])


def following(network, layer=2, reads=1):
    """q of ``layer`` where that before is Q."""
    activated = [np.log([moments("tanh", Q).square])] * reads
    return math.exp(network.connect(layer, np.log([Q]), network.branch(layer, activated))[0])


BRANCH = moments("tanh", Q).square / 3 + 1 / 150
"""PyTorch's own initialiser: σw² = 1/3, σb² = 1/(3·50)."""


def test_a_plain_layer_forgets_the_one_before():
    assert following(alike()) == pytest.approx(BRANCH)


def test_a_residual_layer_adds_to_it():
    assert following(alike("residual:0.5")) == pytest.approx(Q + BRANCH / 4)


def test_a_dense_layer_reads_all_before():
    """Two blocks of 50 units, of which each has σw² = 1/6."""
    expected = 2 * moments("tanh", Q).square / 6 + 1 / 300
    assert following(alike("dense"), layer=3, reads=2) == pytest.approx(expected)


def test_a_gate_mixes_both():
    z, weights = np.polynomial.hermite_e.hermegauss(60)
    t = 1 / (1 + np.exp(2 - math.sqrt(Q / 3) * z))
    opened, closed = (weights @ each**2 / weights.sum() for each in (t, 1 - t))
    assert following(alike("highway")) == pytest.approx(opened * BRANCH + closed * Q, rel=1e-5)


def test_layer_normalisation_reads_a_variance_of_one():
    assert np.exp(alike(norm="layer").read(np.log([Q])))[0] == pytest.approx(1, abs=1e-5)
    assert np.exp(alike().read(np.log([Q])))[0] == pytest.approx(Q)


def test_orthogonal_blocks_of_a_dense_layer_are_not_orthogonal():
    assert alike(init="orthogonal").orthogonal[0] == 1
    assert alike("dense", init="orthogonal").orthogonal[0] == 0


def test_what_differs_in_numbers_alone_is_of_one_form():
    same = [alike(init=init, dropout=dropout).settings[0] for init, dropout in (("he", 0.0), ("torch", 0.3))]
    assert form(same[0]) == form(same[1])
    assert form(same[0]) != form(alike("highway").settings[0])
