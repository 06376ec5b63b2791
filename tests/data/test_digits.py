import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from dnnlab.data import load
from dnnlab.data.digits import read
from dnnlab.data.files import DataFile
from dnnlab.errors import DnnlabError


def test_they_are_scikit_learns():
    data, oracle = load("digits"), load_digits()
    assert np.array_equal(data.x.numpy()[:, 0], oracle.images)
    assert np.array_equal(data.y.numpy(), oracle.target)
    assert data.shape == (1, 8, 8)
    assert data.features == 64
    assert data.x.dtype == torch.uint8


def test_the_split_is_stratified_and_fixed():
    data = load("digits")
    parts = [part.tolist() for part in (data.train, data.validation, data.test)]
    assert sorted(parts[0] + parts[1] + parts[2]) == list(range(1797))
    for part, share in zip((data.train, data.validation, data.test), (0.7, 0.15, 0.15), strict=True):
        assert torch.bincount(data.y[part]) / torch.bincount(data.y) == pytest.approx(share, abs=0.006)
    # Part of every published result: must never change.
    assert data.test[:8].tolist() == [2, 6, 9, 12, 23, 32, 33, 34]


def test_a_broken_installation_is_one_sentence(tmp_path):
    for content in ("no numbers", "1,2,3\n", ",".join(["99"] * 65) + "\n"):
        (tmp_path / "digits.csv").write_text(content)
        with pytest.raises(DnnlabError, match="; mend it"):
            read({"digits.csv": DataFile(tmp_path / "digits.csv", "mend it")})
