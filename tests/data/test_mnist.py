import gzip
import hashlib

import numpy as np
import pytest
import torch

from dnnlab.data import load
from dnnlab.errors import DnnlabError


def test_images_labels_and_splits(root, put, mnist_files):
    put(root / "MNIST/raw", mnist_files)
    data = load("mnist")
    raw = gzip.decompress(mnist_files["train-images-idx3-ubyte.gz"])[16:]
    raw += gzip.decompress(mnist_files["t10k-images-idx3-ubyte.gz"])[16:]
    labels = gzip.decompress(mnist_files["train-labels-idx1-ubyte.gz"])[8:]
    labels += gzip.decompress(mnist_files["t10k-labels-idx1-ubyte.gz"])[8:]
    assert data.x.shape == (5120, 1, 4, 3)
    assert data.x.dtype == torch.uint8
    assert data.x.numpy().tobytes() == raw
    assert data.y.tolist() == list(labels)
    assert data.y.dtype == torch.int64
    assert data.classes == tuple("0123456789")
    assert len(data.validation) == 5000
    assert sorted([*data.train.tolist(), *data.validation.tolist()]) == list(range(5100))
    assert data.test.tolist() == list(range(5100, 5120))


def test_an_unpacked_file_serves_where_the_packed_one_is_not(root, put, mnist_files):
    unpacked = {name.removesuffix(".gz"): gzip.decompress(content) for name, content in mnist_files.items()}
    put(root / "FashionMNIST/raw", unpacked)
    assert load("fashion-mnist").classes[9] == "Ankle boot"
    # The packed one goes first, because that is the one a download mends.
    put(root / "FashionMNIST/raw", {"train-labels-idx1-ubyte.gz": b"broken"})
    with pytest.raises(DnnlabError, match=r"does not unpack .*`dnnlab data get fashion-mnist`"):
        load("fashion-mnist")


def labels(idx_bytes, *values):
    return gzip.compress(idx_bytes(np.array(values, np.uint8)))


def test_files_that_do_not_belong_together(root, put, mnist_files, idx_bytes):
    folder = root / "MNIST/raw"
    put(folder, mnist_files)
    put(folder, {"t10k-labels-idx1-ubyte.gz": labels(idx_bytes, *[1] * 19)})
    with pytest.raises(DnnlabError, match=r"t10k-labels.* has 19 labels for 20 images; `dnnlab data get mnist`"):
        load("mnist")
    put(folder, {"t10k-labels-idx1-ubyte.gz": labels(idx_bytes, *[1] * 19, 10)})
    with pytest.raises(DnnlabError, match="has a label 10 where 9 is the largest"):
        load("mnist")
    put(folder, mnist_files)
    put(folder, {"t10k-images-idx3-ubyte.gz": gzip.compress(idx_bytes(np.zeros((20, 3, 4), np.uint8)))})
    with pytest.raises(DnnlabError, match="has images of"):
        load("mnist")
    put(folder, {name.replace("train", "t10k"): mnist_files[name] for name in mnist_files if "train" in name})
    put(folder, {name.replace("t10k", "train"): mnist_files[name] for name in mnist_files if "t10k" in name})
    with pytest.raises(DnnlabError, match="has 20 images, too few"):
        load("mnist")


def test_missing_files_name_both_ways_to_have_them(monkeypatch, tmp_path):
    monkeypatch.delenv("DNNLAB_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DnnlabError, match="or set DNNLAB_DATA to the folder that has MNIST/raw"):
        load("mnist")


def test_the_published_facts(real):
    data = real("mnist")
    assert (len(data.train), len(data.validation), len(data.test)) == (55_000, 5_000, 10_000)
    assert data.shape == (1, 28, 28)
    published = data.y[:60_000]
    assert published[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    histogram = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert torch.bincount(published).tolist() == histogram
    assert torch.bincount(data.y[60_000:]).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    pixels = data.x[:60_000].double() / 255
    assert float(pixels.mean()) == pytest.approx(0.1307, abs=5e-5)
    assert float(pixels.std()) == pytest.approx(0.3081, abs=5e-5)
    # These indices are part of every published result: they must never change.
    assert hashlib.sha256(data.validation.numpy().astype("<i8").tobytes()).hexdigest() == VALIDATION


VALIDATION = "c921bab4ee40aca085a98594b1a4d5025465ebd769c4e2ec4e7d3cd2b0e4fa94"
