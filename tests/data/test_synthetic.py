import math

import numpy as np
import pytest
import torch

from dnnlab import memory
from dnnlab.data import load, source
from dnnlab.data.splits import fixed_stream
from dnnlab.data.synthetic import tree
from dnnlab.errors import UsageError


def test_gaussian_inputs_are_exactly_the_drawn_normals():
    data = load("gaussian:50")
    assert data.x.shape == (8192, 50)
    assert torch.equal(data.inputs(data.train), data.x[data.train])
    n = data.x.numel()
    assert float(data.x.mean()) == pytest.approx(0, abs=4 / math.sqrt(n))
    assert float(data.x.square().mean()) == pytest.approx(1, abs=4 * math.sqrt(2 / n))
    assert float((data.x**4).mean()) == pytest.approx(3, abs=4 * math.sqrt(96 / n))
    assert torch.bincount(data.y).tolist() == pytest.approx([819.2] * 10, abs=4 * math.sqrt(737))


def test_gaussian_inputs_have_the_shape_that_the_name_says():
    data = load("gaussian:3x5x7:classes=4,examples=2000")
    assert (data.shape, data.features, data.dtype) == ((3, 5, 7), 105, torch.float32)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [1600, 200, 200]
    assert torch.cat([data.train, data.validation, data.test]).unique().tolist() == list(range(2000))
    assert torch.equal(data.inputs(data.test), data.x[data.test])  # nothing is standardised
    n = data.x.numel()
    assert float(data.x.mean()) == pytest.approx(0, abs=4 / math.sqrt(n))
    assert float(data.x.square().mean()) == pytest.approx(1, abs=4 * math.sqrt(2 / n))
    # Neighbours are independent along every dimension.
    for dim in (0, 1, 2, 3):
        products = data.x.narrow(dim, 1, data.x.shape[dim] - 1) * data.x.narrow(dim, 0, data.x.shape[dim] - 1)
        assert float(products.mean()) == pytest.approx(0, abs=4 / math.sqrt(products.numel()))
    assert torch.bincount(data.y).tolist() == pytest.approx([500] * 4, abs=4 * math.sqrt(375))


def test_numbers_are_drawn_in_parts_as_numpy_draws_them_at_once():
    data = load("gaussian:3x5:examples=200")
    whole = fixed_stream("gaussian:3x5:examples=200").standard_normal((200, 3, 5))
    assert np.array_equal(data.x.numpy(), whole.astype(np.float32))


def test_tokens_are_whole_numbers_of_a_vocabulary():
    data = load("tokens:50x12:classes=3")
    assert (data.shape, data.dtype, data.tokens) == ((12,), torch.int64, True)
    assert data.inputs(data.train[:2]).dtype == torch.int64
    assert torch.equal(data.inputs(data.test), data.x[data.test])
    counts = torch.bincount(data.x.flatten())
    expected = 8192 * 12 / 50
    assert counts.tolist() == pytest.approx([expected] * 50, abs=4.5 * math.sqrt(expected))
    assert data.classes == ("0", "1", "2")


@pytest.mark.parametrize(
    ("name", "examples"),
    [("gaussian:16384", 8192), ("gaussian:16385", 4096), ("gaussian:3x224x224", 512), ("gaussian:3x1024x1024", 256),
     ("tokens:30522x128", 8192), ("tokens:30522x8192", 8192), ("tokens:30522x8193", 4096)],
)  # fmt: skip
def test_so_many_examples_when_nobody_says_how_many(name, examples):
    # As many as fit in 512 MiB, by halves of 8,192, but not less than 256.
    (drawn,) = source(name).arguments
    assert drawn.examples == examples


def test_what_the_memory_does_not_hold_is_refused_before_it_is_drawn(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 10**6)
    with pytest.raises(
        UsageError, match=r"^gaussian:3x32x32:examples=5000 with 5,000 examples takes 61.4 MB of memory"
    ):
        load("gaussian:3x32x32:examples=5000")
    with pytest.raises(UsageError, match=r"^tokens:9x900 with 8,192 examples takes 59 MB of memory"):
        load("tokens:9x900")


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


@pytest.mark.parametrize(("inputs", "option", "examples"), [(2, "", 8192), (64, "", 8192), (8, ":examples=300", 300)])
def test_compositional_labels_are_above_the_training_median(inputs, option, examples):
    data = load(f"compositional:{inputs}{option}")
    assert data.x.shape == (examples, inputs)
    assert len(data.test) == examples // 10
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
    images = load("gaussian:3x4x4:classes=100,examples=50")
    assert images.x[0, 0, 0, :3].tolist() == pytest.approx([-1.5645108, 0.6159169, -0.6301166], abs=1e-6)
    tokens = load("tokens:1000x5")
    assert tokens.x[0].tolist() == [198, 165, 928, 231, 867]
    tree_data = load("compositional:8")
    assert tree_data.x[0, :3].tolist() == pytest.approx([-0.5397383, -0.1498144, -1.0593717], abs=1e-6)
    assert tree_data.y[:10].tolist() == [1, 1, 1, 0, 0, 1, 1, 0, 0, 1]
