import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from dnnlab.data import load
from dnnlab.data.dataset import Content, assemble, standardise
from dnnlab.data.splits import Split


def content(x, **options):
    n = len(x)
    indices = np.arange(n)
    split = Split(indices[: n - 4], indices[n - 4 : n - 2], indices[n - 2 :])
    return Content(x, np.arange(n) % 2, split, ("a", "b"), **options)


def test_images_are_standardised_by_channel_from_the_training_split():
    x = np.random.default_rng(0).integers(256, size=(5000, 3, 4, 5), dtype=np.uint8)
    x[:, 2] = 7  # nothing varies
    x[-4:] = 255  # validation and test must not matter
    data = assemble("name", "digest", content(x))
    train = torch.from_numpy(x[:-4]).double()
    assert data.mean == pytest.approx(train.mean((0, 2, 3)).tolist(), rel=1e-6)
    assert data.std[:2] == pytest.approx(train.std((0, 2, 3), correction=0)[:2].tolist(), rel=1e-6)
    assert data.std[2] == 1
    assert data.mean.dtype == data.std.dtype == torch.float32
    assert (data.shape, data.features) == ((3, 4, 5), 60)
    inputs = data.inputs(data.train)
    assert inputs.dtype == torch.float32
    assert float(inputs[:, :2].mean()) == pytest.approx(0, abs=1e-5)
    assert float(inputs[:, :2].square().mean()) == pytest.approx(1, abs=1e-5)
    assert not inputs[:, 2].any()


SEVENS = np.arange(60) % 7
FEATURES = {
    "ordinary": np.random.default_rng(0).normal(5, 3, 60),
    "beyond 24 bits": 16_777_216 + 2 * (np.arange(60) % 2),
    "halves at 8 million": 8_388_608 + np.arange(60) % 2,
    "sixteenths at a million": 1_000_000 + 0.0625 * (np.arange(60) % 2),
    "counting from 10 million": 10**7 + np.arange(60),
    "latitudes": 52.52 + 1e-6 * SEVENS,
    "below float32": SEVENS * 1e-40,
    "whose squares are below float64": SEVENS * 1e-300,
    "close to the largest": SEVENS * 1e37,
    "beyond 53 bits": 2**53 + np.arange(60) % 2,
    "databases": 2**62 + np.arange(60),
    "unsigned": np.uint64(2**63 + 5) + np.arange(60, dtype=np.uint64) % 3,
    "of both signs": np.where(np.arange(60) % 2, -(2**63), 2**63 - 1),
    "booleans": np.arange(60) % 3 == 0,
}


@pytest.mark.parametrize("feature", FEATURES)
def test_features_are_standardised_before_they_are_rounded(feature):
    values, train = FEATURES[feature], np.arange(3, 57)
    # The oracle: fractions, which are exact.
    exact = [Fraction(value) for value in values.tolist()]
    mean = sum(exact[3:57]) / 54
    steps = [value - mean for value in exact]
    unit = max(map(abs, steps))
    scaled = np.array([float(step / unit) for step in steps])
    expected = scaled / math.sqrt(sum(float((step / unit) ** 2) for step in steps[3:57]) / 54)
    x, center, spread = standardise(values, train)
    assert x.dtype == np.float32
    assert np.abs(x - expected).max() < 3e-7 * np.abs(expected).max()
    assert center == pytest.approx(float(mean), abs=1e-15 * max(map(abs, values.tolist())))
    assert spread == pytest.approx(float(unit) * float(scaled[0] / expected[0]), rel=1e-12)


@pytest.mark.parametrize("constant", [0, 0.1, 1e30, 16_777_217, 2**60 + 1])
def test_what_does_not_vary_is_0(constant):
    x, mean, std = standardise(np.array([constant] * 997), np.arange(900))
    assert not x.any()
    assert (mean, std) == (constant, 1)


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint64, np.int64])
def test_whole_numbers_of_any_width_are_standardised(kind):
    values = np.array([np.iinfo(kind).max, 0, 3, np.iinfo(kind).max // 2], kind)
    x, _, _ = standardise(values, np.arange(4))
    exact = [Fraction(int(value)) for value in values]
    centred = np.array([float(value - sum(exact) / 4) for value in exact])
    assert x == pytest.approx(centred / np.sqrt((centred**2).mean()), rel=1e-6)


def test_a_table_is_taken_as_it_was_standardised():
    x = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    moments = np.array([1e7, 0.1]), np.array([1e-3, 1e-40])
    data = assemble("name", "digest", content(x, moments=moments))
    assert torch.equal(data.inputs(data.train), torch.from_numpy(x[:-4]))
    assert (data.mean.tolist(), data.std.tolist()) == ([1e7, 0.1], [1e-3, 1e-40])
    low, high = data.box()
    assert torch.equal(low, torch.from_numpy(x[:-4]).amin(0))
    assert torch.equal(high, torch.from_numpy(x[:-4]).amax(0))
    moved = data.to("meta")
    assert moved.x.device.type == "meta"
    assert torch.equal(moved.mean, data.mean)  # float64 is not everywhere


def test_inputs_keep_the_shape_of_the_index():
    data = load("digits")
    index = data.train[:12].view(3, 4)
    assert data.inputs(index).shape == (3, 4, 1, 8, 8)
    assert torch.equal(data.inputs(index)[1, 2], data.inputs(index[1, 2]))
    table = load("parity:4")
    assert table.inputs(table.train[:6].view(2, 3)).shape == (2, 3, 4)
    assert data.inputs(data.train[:0]).shape == (0, 1, 8, 8)


def test_moving_takes_every_tensor_and_nothing_else():
    data = load("digits")
    moved = data.to("meta")
    tensors = ("x", "y", "train", "validation", "test", "mean", "std")
    assert {getattr(moved, name).device.type for name in tensors} == {"meta"}
    assert (moved.name, moved.digest, moved.classes, moved.shape) == (
        data.name,
        data.digest,
        data.classes,
        data.shape,
    )
    assert data.x.device.type == "cpu"


@pytest.mark.parametrize("name", ["digits", "gaussian:3", "parity:2", "parity:9", "compositional:4"])
def test_splits_are_disjoint_whole_and_ascending(name):
    data = load(name)
    parts = [data.train, data.validation, data.test]
    assert torch.equal(torch.cat(parts).sort().values, torch.arange(len(data.x)))
    assert all(len(part) and torch.equal(part, part.sort().values) for part in parts)
    assert 0 <= int(data.y.min()) <= int(data.y.max()) < len(data.classes)
