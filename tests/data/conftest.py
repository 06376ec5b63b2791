"""Files in the published formats, written here byte by byte, and the real data where it is."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest

REAL = os.environ.get("DNNLAB_DATA")


def idx(array):
    """The IDX file of an array of bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture(scope="session")
def idx_bytes():
    return idx


@pytest.fixture(scope="session")
def mnist_files():
    """A small MNIST, 5,100 to train on and 20 to test on, as the four published files."""
    draw = np.random.default_rng(0)
    files = {}
    for half, count in (("train", 5100), ("t10k", 20)):
        images = draw.integers(256, size=(count, 4, 3), dtype=np.uint8)
        labels = draw.integers(10, size=count, dtype=np.uint8)
        files[f"{half}-images-idx3-ubyte.gz"] = gzip.compress(idx(images), 1)
        files[f"{half}-labels-idx1-ubyte.gz"] = gzip.compress(idx(labels), 1)
    return files


@pytest.fixture(scope="session")
def cifar_files():
    """A small CIFAR-10, 5 × 1,010 to train on and 30 to test on, as the six published files."""
    draw = np.random.default_rng(1)
    files = {}
    for name in (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"):
        count = 30 if name == "test_batch.bin" else 1010
        labels = draw.integers(10, size=(count, 1), dtype=np.uint8)
        planes = draw.integers(256, size=(count, 3072), dtype=np.uint8)
        files[name] = np.hstack([labels, planes]).tobytes()
    return files


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty place for data, which DNNLAB_DATA names."""
    folder = tmp_path / "data root"
    monkeypatch.setenv("DNNLAB_DATA", str(folder))
    return folder


@pytest.fixture
def put():
    """Writes files into a folder, which is made."""

    def write(folder, files):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return folder

    return write


@pytest.fixture
def real(monkeypatch):
    """A function that gives a real data set, or skips the test where its files are not."""

    def load(name):
        from dnnlab.data import source

        if REAL is None:
            pytest.skip("DNNLAB_DATA names no folder with real data")
        monkeypatch.setenv("DNNLAB_DATA", REAL)
        if not source(name).available():
            pytest.skip(f"{Path(REAL)} has no {name}")
        return source(name).load()

    return load
