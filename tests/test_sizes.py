"""What is too large is refused with its size, before memory or disk is taken."""

import struct
import zlib

import pytest

from dnnlab import memory
from dnnlab.errors import UsageError

GIB = 2**30


@pytest.fixture
def little(monkeypatch):
    """A machine on which a gigabyte is left."""
    monkeypatch.setattr(memory, "available", lambda: 10**9)


def refused(done, *words):
    assert done.code == 2, done.err
    assert len(done.err.splitlines()) == 1, done.err
    for word in words:
        assert word in done.err


LISTS = ("--depth", ",".join(map(str, range(2, 102))), "--width", ",".join(map(str, range(2, 102))))


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_plan_of_a_billion_cells_needs_consent_and_memory(dnnlab, dry, tmp_path):
    billion = ("gradient-flow", *LISTS, "--seeds", 10_000, "--lr", "1,2,3,4,5,6,7,8,9,10", *dry)
    refused(dnnlab(*billion), "some 1,000,000,000 cells", "--large")
    refused(dnnlab(*billion, "--large"), "1.5 TB of memory")
    refused(dnnlab("compare-arch", "--arch", "mlp1", "--seeds", 10_000, "--lr", "1,2,3", "--batch-size",
                   ",".join(map(str, range(2, 102))), *dry), "some 3,000,000 cells")  # fmt: skip
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    "command",
    [("gradient-flow", "--depth", 2000, "--width", 16384), ("dead-relu", "--depth", 2000, "--width", 16384),
     ("dead-relu", "--born", "--nets", 10**7, "--width", 16384)],
)  # fmt: skip
def test_a_network_that_no_memory_holds_is_refused(dnnlab, command, dry, tmp_path):
    refused(dnnlab(*command, *dry), "TB of memory", "are left on this machine")
    assert not (tmp_path / "results").exists()


def test_a_network_of_the_catalogue_that_no_memory_holds_is_refused(dnnlab, little):
    refused(dnnlab("compare-arch", "--arch", "resnet20:width=30", "--budget", "steps=1"), "training resnet20:width=30")
    pytest.importorskip("constriction", reason="needs the extra compress")
    refused(dnnlab("compress", "--arch", "lenet300:width=100"), "training lenet300:width=100", "of memory")


def sparse(file, size, head=b""):
    with file.open("wb") as opened:
        opened.write(head)
        opened.truncate(size)


MODEL = "from torch import nn\ndef net(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"


@pytest.mark.parametrize("whole", [True, False])
def test_weights_larger_than_the_memory_are_refused_by_their_header(dnnlab, little, tmp_path, whole, monkeypatch):
    head = b'{"a":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]}}' % (GIB, 4 * GIB)
    sparse(tmp_path / "w.safetensors", 8 + len(head) + 4 * GIB + (not whole), struct.pack("<Q", len(head)) + head)
    (tmp_path / "large_model.py").write_text(MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    said = "takes 4.29 GB of memory" if whole else "bytes, and its header describes 4,294,967,376"
    refused(dnnlab("gradient-flow", "--model", "large_model:net", "--weights", "w.safetensors"), said)
    refused(dnnlab("compare-arch", "--arch", "mlp1", "--weights", "w.safetensors"), said)


ENDLESS = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,1e999]}}'


@pytest.mark.parametrize(
    "head",
    [
        b"",
        struct.pack("<Q", 2**60),
        struct.pack("<Q", 4) + b"{}}}",
        b"\0" * 200,
        struct.pack("<Q", len(ENDLESS)) + ENDLESS,
    ],
)
def test_a_header_that_cannot_be_one_is_refused(dnnlab, tmp_path, head):
    sparse(tmp_path / "w.safetensors", GIB, head)
    done = dnnlab("compare-arch", "--arch", "mlp1", "--weights", "w.safetensors")
    refused(done, "is no whole safetensors file: its header")


def container(head):
    """A container with the right checksum, whose header is ``head`` and whose body is empty."""
    from dnnlab.compress.container.tensors import MAGIC, VERSION

    rest = bytes([len(head), len(head)]) + head
    return MAGIC + bytes([VERSION]) + struct.pack("<I", zlib.crc32(bytes([VERSION]) + rest)) + rest


def test_a_container_of_28_bytes_that_says_it_holds_gigabytes_is_refused(dnnlab, tmp_path):
    from dnnlab.compress.container.tensors import CODED, SPARSE

    pytest.importorskip("constriction", reason="needs the extra compress")
    huge = b"\xff\xff\x03"  # 65,535 in the format's own writing
    head = bytes([CODED, 1, 0, 1]) + b"a" + bytes([2, 2]) + huge + huge + bytes([SPARSE, 0, 3, 0, 0])
    packed = container(head)
    assert len(packed) < 40
    (tmp_path / "bomb.dnnz").write_bytes(packed)
    refused(dnnlab("decompress", "bomb.dnnz"), "the tensor a takes 107 GB of memory")
    sparse(tmp_path / "sparse.dnnz", 100 * GIB)
    refused(dnnlab("decompress", "sparse.dnnz"), "takes 107 GB of memory")


def test_a_table_that_unpacks_to_more_than_the_memory_is_refused(dnnlab, monkeypatch, tmp_path):
    import gzip

    monkeypatch.setattr(memory, "available", lambda: 8_000_000)
    with gzip.open(tmp_path / "bomb.csv.gz", "wb") as file:
        file.write(b"a,b,c\n" + b"1,2,3\n" * 400_000)
    refused(dnnlab("gradient-flow", "--data", "csv:bomb.csv.gz:c"), "holds more than 1 MB", "memory that is left")
    sparse(tmp_path / "sparse.csv", 60 * GIB)
    refused(dnnlab("gradient-flow", "--data", "csv:sparse.csv:c"), "holds more than 1 MB")
    refused(dnnlab("nas", "--space", "cell", "--table", "sparse.csv"), "holds more than 268 MB")


def test_toml_files_of_any_size_are_refused(dnnlab, tmp_path):
    sparse(tmp_path / "large.toml", 60 * GIB)
    for command in (("run",), ("reproduce",), ("compare-arch", "--arch")):
        refused(dnnlab(*command, "large.toml"), "has more than 1,000,000 bytes")
    refused(dnnlab("run", "/dev/zero"), "is a device")


def test_a_journal_larger_than_the_memory_is_refused(dnnlab, tmp_path):
    assert dnnlab("check", "--statement", "1 = 1").code == 0
    (folder,) = (tmp_path / "results" / "check").iterdir()
    sparse(folder / "journal.jsonl", 4000 * GIB)
    (folder / "summary.csv").unlink()
    done = dnnlab("show", folder.name)
    assert done.code == 2
    assert "journal.jsonl takes 4.29 TB of memory" in done.err


def test_sizes_are_written_as_people_write_them():
    sizes = (0, 999, 1000, 1536, 123_456, 10**6, 64 * 10**9, 3 * 10**15)
    assert list(map(memory.size_text, sizes)) == [
        *("0 bytes", "999 bytes", "1 kB", "1.54 kB", "123 kB", "1 MB", "64 GB", "3000 TB")
    ]
    with pytest.raises(UsageError, match=r"^it takes .* TB of memory, and .* are left on this machine\.$"):
        memory.require(1e18, "it")
