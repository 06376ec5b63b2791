"""The container: what goes in comes out, bit for bit; what is damaged is one sentence."""

import contextlib
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("constriction", reason="needs the extra: pip install 'dnnlab-experiments[compress]'")

from dnnlab.compress.container import RAW, SHARED, SPARSE, decode, encode
from dnnlab.compress.container.planes import entropy
from dnnlab.errors import DnnlabError

DAMAGED = r"container|damaged"
SHAPES = st.one_of(
    st.just(()),
    st.tuples(st.integers(0, 9)),
    st.tuples(st.integers(1, 6), st.integers(1, 9)),
    st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
)
ODD = [0.0, -0.0, 1.0, -1.0, 0.1, 65504.0, 1e-40, 3e38, float("inf"), float("-inf"), float("nan")]


@st.composite
def states(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    state, kinds = {}, {}
    for number in range(draw(st.integers(0, 4))):
        shape = draw(SHAPES)
        dtype = draw(st.sampled_from(["<f4", "<f2", "<f8", "<i8", "|u1", "|b1"]))
        few = draw(st.sampled_from([ODD, [0.0, 0.0, 0.0, 0.5, -0.25, 2.0]]))
        with np.errstate(all="ignore"):
            values = rng.choice(np.array(few), shape).astype(dtype)
        name = f"{draw(st.text(max_size=4))}{number}"
        state[name] = np.asarray(values)
        kinds[name] = draw(st.sampled_from([RAW, SPARSE, SHARED] if dtype == "<f4" else [RAW, SPARSE]))
    return state, kinds


def same(a, b):
    return a.keys() == b.keys() and all(
        a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and a[k].tobytes() == b[k].tobytes() for k in a
    )


def round_trips(examples):
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(states(), st.booleans())
    def exact(given_state, coded):
        state, kinds = given_state
        assert same(decode(encode(state, kinds, coded=coded)).state, state)

    exact()


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_round_trips_are_exact():
    round_trips(300)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_ten_thousand_round_trips_are_exact():
    round_trips(10_000)


def sparse_layer(rng, rows=60, columns=100, density=0.1, levels=(-0.5, -0.25, 0.25, 0.5)):
    there = rng.random((rows, columns)) < density
    return np.where(there, rng.choice(levels, (rows, columns)), 0).astype(np.float32)


@pytest.mark.parametrize("coded", [False, True])
def test_every_damage_is_one_sentence(coded):
    rng = np.random.default_rng(0)
    state = {"weight": sparse_layer(rng, 8, 20), "bias": rng.normal(size=3).astype(np.float32)}
    data = encode(state, {"weight": SHARED}, coded=coded)
    for cut in range(len(data)):
        with pytest.raises(DnnlabError, match=DAMAGED):
            decode(data[:cut])
    for bit in range(8 * len(data)):
        broken = bytearray(data)
        broken[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DnnlabError, match=DAMAGED):
            decode(bytes(broken))
    for foreign in (b"", b"PK\x03\x04", b"DNNZ", data + b"\0", b"\x80\x04\x95" + data):
        with pytest.raises(DnnlabError, match=DAMAGED):
            decode(foreign)


def test_wrong_content_under_a_right_checksum_is_one_sentence():
    rng = np.random.default_rng(1)
    state = {"weight": sparse_layer(rng, 6, 9), "bias": rng.normal(size=3).astype(np.float32)}
    for coded in (False, True):
        data = encode(state, {"weight": SHARED, "bias": SPARSE}, coded=coded)
        for _ in range(600):
            inside = bytearray(data[9:])
            for _ in range(rng.integers(1, 4)):
                inside[rng.integers(len(inside))] = rng.integers(256)
            body = data[4:5] + bytes(inside)
            with contextlib.suppress(DnnlabError):  # anything else is a failure of this test
                decode(data[:5] + struct.pack("<I", zlib.crc32(body)) + bytes(inside))


def test_a_later_version_says_so():
    data = encode({}, {}, coded=False)
    later = bytes([2]) + data[9:]
    with pytest.raises(DnnlabError, match="version 2"):
        decode(data[:4] + later[:1] + struct.pack("<I", zlib.crc32(later)) + later[1:])


def test_an_entropy_coded_layer_comes_near_its_entropy():
    """Independent entries have no contexts to gain from: the bound is Shannon's, computed here from probabilities."""
    rng = np.random.default_rng(2)
    layer = sparse_layer(rng, 300, 300, 0.05)
    data = encode({"weight": layer}, {"weight": SHARED}, coded=True)
    p = np.array([0.95, *[0.05 / 4] * 4])
    bound = layer.size * float(-(p * np.log2(p)).sum()) / 8
    assert bound * 0.97 < len(data) < bound * 1.06


def test_structure_is_found():
    """Units that are empty and neighbours that agree cost less than independent entries."""
    rng = np.random.default_rng(3)
    columns = np.repeat(rng.random(28) < 0.3, 28)
    rows = rng.random(100) < 0.5
    layer = (np.outer(rows, columns) * (rng.random((100, 784)) < 0.3) * 0.5).astype(np.float32)
    data = encode({"weight": layer}, {"weight": SHARED}, coded=True)
    (entry,) = decode(data).layers
    assert len(data) < 0.8 * entropy((layer != 0).astype(np.int64)) / 8
    assert entry.bits_per_weight < 0.8 * entry.bound_per_weight
    assert entry.nonzeros == np.count_nonzero(layer)
    assert abs(entry.bits / 8 - len(data)) < 60  # the rest is header


def test_the_packed_form_counts_its_bits():
    layer = np.zeros((10, 100), np.float32)
    layer[:, ::10] = 0.5
    (entry,) = decode(encode({"weight": layer}, {"weight": SHARED}, coded=False)).layers
    assert entry.bits == 100 * 4  # 100 gaps of nine, four bits each, and one level needs none
