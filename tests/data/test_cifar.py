import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dnnlab.data import load
from dnnlab.data.cifar import read_batch
from dnnlab.data.files import DataFile
from dnnlab.errors import DnnlabError


def test_records_become_planes(root, put, cifar_files):
    put(root / "cifar-10-batches-bin", cifar_files)
    data = load("cifar10")
    assert data.x.shape == (5080, 3, 32, 32)
    assert data.x.dtype == torch.uint8
    record = cifar_files["data_batch_2.bin"][7 * 3073 : 8 * 3073]  # the eighth of the second file
    example = 1010 + 7
    assert data.y[example] == record[0]
    assert data.x[example, 0, 0, 1] == record[1 + 1]  # red, first row, second column
    assert data.x[example, 1, 2, 3] == record[1 + 1024 + 2 * 32 + 3]
    assert data.x[example, 2, 31, 31] == record[3072]
    assert data.test.tolist() == list(range(5050, 5080))
    assert len(data.validation) == 5000
    assert sorted([*data.train.tolist(), *data.validation.tolist()]) == list(range(5050))
    assert data.classes[3] == "cat"


def test_each_fault_is_one_sentence(root, put, cifar_files):
    folder = put(root / "cifar-10-batches-bin", cifar_files)
    whole = cifar_files["data_batch_3.bin"]
    for broken, problem in [
        (whole[:-1], "no multiple of 3,073"),
        (b"", "0 bytes"),
        (b"\x0a" + whole[1:], "has a label 10 where 9 is the largest"),
        (whole[:3073], "4,041 images, too few"),
    ]:
        put(folder, {"data_batch_3.bin": broken})
        with pytest.raises(DnnlabError, match=rf"{problem}.*`dnnlab data get cifar10`"):
            load("cifar10")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=20), st.sampled_from([0, 1, 3053, 3073, 6126]))
def test_any_bytes_give_records_or_a_sentence(tmp_path_factory, start, filler):
    path = tmp_path_factory.getbasetemp() / "batch.bin"
    path.write_bytes(start + bytes(filler))
    try:
        records = read_batch(DataFile(path, "mend it"))
    except DnnlabError:
        return
    assert records.tobytes() == start + bytes(filler)
    assert records[:, 0].max() < 10


def test_the_published_facts(real):
    data = real("cifar10")
    assert (len(data.train), len(data.validation), len(data.test)) == (45_000, 5_000, 10_000)
    assert torch.bincount(data.y[:50_000]).tolist() == [5000] * 10
    assert torch.bincount(data.y[data.test]).tolist() == [1000] * 10
    # Copies that went through JPEG are in circulation; they differ in the fourth digit.
    for channel, mean, std in zip(range(3), (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616), strict=True):
        pixels = data.x[:50_000:5, channel].numpy() / np.float32(255)
        assert pixels.mean(dtype=np.float64) == pytest.approx(mean, abs=4e-3)
        assert pixels.std(dtype=np.float64) == pytest.approx(std, abs=2e-3)
