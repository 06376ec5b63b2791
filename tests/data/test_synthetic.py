import math

import numpy as np
import pytest
import torch

from dnnlab.data import load
from dnnlab.data.synthetic import tree


def test_gaussian_inputs_are_exactly_the_drawn_normals():
    data = load("gaussian:50")
    assert data.x.shape == (8192, 50)
    assert torch.equal(data.inputs(data.train), data.x[data.train])
    n = data.x.numel()
    assert float(data.x.mean()) == pytest.approx(0, abs=4 / math.sqrt(n))
    assert float(data.x.square().mean()) == pytest.approx(1, abs=4 * math.sqrt(2 / n))
    assert float((data.x**4).mean()) == pytest.approx(3, abs=4 * math.sqrt(96 / n))
    assert torch.bincount(data.y).tolist() == pytest.approx([819.2] * 10, abs=4 * math.sqrt(737))


@pytest.mark.parametrize(("bits", "examples"), [(2, 4), (5, 32), (13, 8192), (14, 8192), (20, 8192)])
def test_parity_is_the_product_of_signs_over_distinct_patterns(bits, examples):
    data = load(f"parity:{bits}")
    assert data.x.shape == (examples, bits)
    assert set(data.x.unique().tolist()) == {-1.0, 1.0}
    assert len(data.x.unique(dim=0)) == examples
    # An odd number of +1 turns the sign of (-1)^bits.
    assert torch.equal(data.x.prod(1) * (-1) ** bits, (1 - 2 * data.y).float())
    assert torch.equal(data.inputs(data.test), data.x[data.test])
    if bits > 2:
        assert float(data.y.float().mean()) == pytest.approx(0.5, abs=0.03)


def test_the_tree_by_hand():
    def h(a, b):
        return (((a + b) / math.sqrt(2)) ** 2 - 1) / math.sqrt(2)

    a, b, c, d = 0.3, -1.2, 2.0, 0.7
    assert tree(np.array([[a, b, c, d]])) == pytest.approx([h(h(a, b), h(c, d))])
    # The normalised second Hermite polynomial of a standard normal has mean 0 and variance 1.
    node = tree(np.random.default_rng(0).standard_normal((400_000, 2)))
    assert node.mean() == pytest.approx(0, abs=0.01)
    assert node.var() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("inputs", [2, 8, 64])
def test_compositional_labels_are_above_the_training_median(inputs):
    data = load(f"compositional:{inputs}")
    assert data.x.shape == (8192, inputs)
    value = tree(data.x.double().numpy())
    assert np.isfinite(value).all()
    assert np.array_equal(data.y.numpy(), value > np.median(value[data.train.numpy()]))
    assert float(data.y[data.train].float().mean()) == 0.5
    assert torch.equal(data.inputs(data.test), data.x[data.test])


def test_the_bits_never_change():
    parity = load("parity:20")
    assert "".join("-+"[int(x > 0)] for x in parity.x[0]) == "-+--++--+----+---+++"
    assert parity.test[:6].tolist() == [20, 59, 60, 98, 115, 123]
    gaussian = load("gaussian")
    assert gaussian.x[0, :3].tolist() == pytest.approx([-1.2606729, -0.6451338, 0.5164335], abs=1e-6)
    assert gaussian.y[:10].tolist() == [2, 1, 5, 6, 5, 1, 0, 1, 8, 2]
    tree_data = load("compositional:8")
    assert tree_data.x[0, :3].tolist() == pytest.approx([-0.5397383, -0.1498144, -1.0593717], abs=1e-6)
    assert tree_data.y[:10].tolist() == [1, 1, 1, 0, 0, 1, 1, 0, 0, 1]
