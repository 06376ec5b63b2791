import numpy as np
import pytest
import torch

from dnnlab.data import load
from dnnlab.data.dataset import Content, assemble
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


def test_tables_are_standardised_by_feature():
    x = np.random.default_rng(0).normal(5, 3, size=(50, 4)).astype(np.float32)
    x[:, 3] = 0.1  # its float64 mean is not exactly it
    x[0, 2] = 1e38
    data = assemble("name", "digest", content(x))
    assert data.mean[:2] == pytest.approx(x[:-4, :2].mean(0).tolist(), rel=1e-5)
    assert data.std[:2] == pytest.approx(x[:-4, :2].std(0).tolist(), rel=1e-5)
    assert data.std[3] == 1
    assert data.inputs(data.train).isfinite().all()


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
