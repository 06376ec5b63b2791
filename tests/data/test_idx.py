import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnnlab.data.files import DataFile
from dnnlab.data.idx import read_idx
from dnnlab.errors import DnnlabError


@pytest.fixture
def read(tmp_path):
    def write_and_read(content, dimensions=3, name="images"):
        (tmp_path / name).write_bytes(content)
        return read_idx(DataFile(tmp_path / name, "mend it"), dimensions)

    return write_and_read


def test_reads_what_the_format_says(read):
    # The example of the format's page: 0x00000803, three sizes, then the bytes, last index fastest.
    content = b"\0\0\x08\x03" + b"\0\0\0\x02" + b"\0\0\0\x01" + b"\0\0\0\x03" + bytes([1, 2, 3, 4, 5, 255])
    expected = np.array([[[1, 2, 3]], [[4, 5, 255]]])
    assert np.array_equal(read(content), expected)
    assert np.array_equal(read(gzip.compress(content), name="images.gz"), expected)
    assert read(b"\0\0\x08\x01\0\0\0\x02\x07\x09", 1).tolist() == [7, 9]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "cut short within its header"),
        (b"\0\0\x08\x03\0\0", "cut short within its header"),
        (b"\0\0\x08\x01" + bytes(12), "no IDX file of bytes in 3 dimensions .*0x00000801"),
        (b"\0\0\x0d\x03" + bytes(12), "no IDX file"),
        (struct.pack(">4I", 0x803, 0, 28, 28), "promises no data"),
        (struct.pack(">4I", 0x803, 2, 2, 2) + bytes(7), "too short"),
        (struct.pack(">4I", 0x803, 2, 2, 2) + bytes(9), "longer than the 24 bytes"),
        (struct.pack(">4I", 0x803, 10**9, 1000, 1000), "too short"),
    ],
)
def test_each_fault_is_one_sentence(read, content, problem):
    with pytest.raises(DnnlabError, match=problem):
        read(content)


def test_a_packed_header_is_not_believed_either(read):
    bomb = gzip.compress(struct.pack(">4I", 0x803, 9, 10, 10) + bytes(100 << 20), 1)
    tracemalloc.start()
    with pytest.raises(DnnlabError, match="too short"):  # no gzip file of this size unpacks to that
        read(gzip.compress(struct.pack(">4I", 0x803, 10**9, 1000, 1000)), name="a.gz")
    with pytest.raises(DnnlabError, match="shorter than"):
        read(gzip.compress(struct.pack(">4I", 0x803, 9, 10, 10) + bytes(800)), name="a.gz")
    with pytest.raises(DnnlabError, match="longer than"):  # a bomb behind an honest-looking header
        read(bomb, name="a.gz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20


@settings(max_examples=150, deadline=None)
@given(
    content=st.binary(max_size=60)
    | st.builds(
        lambda shape, body: struct.pack(">4I", 0x803, *shape) + body,
        st.tuples(*[st.integers(0, 4) | st.integers(0, 2**32 - 1)] * 3),
        st.binary(max_size=70),
    ),
    packed=st.booleans(),
    cut=st.integers(0, 100),
)
def test_any_bytes_give_an_array_or_a_sentence(tmp_path_factory, content, packed, cut):
    path = tmp_path_factory.getbasetemp() / ("fuzz.gz" if packed else "fuzz")
    path.write_bytes(gzip.compress(content)[: 100 - cut] if packed else content)
    for dimensions in (1, 3):
        try:
            array = read_idx(DataFile(path, "mend it"), dimensions)
        except DnnlabError:
            continue
        assert array.ndim == dimensions
        assert array.tobytes() == content[4 + 4 * dimensions :]
