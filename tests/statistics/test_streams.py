"""Random streams: one for each base, seed and purpose, and no two alike."""

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dnnlab.statistics.streams import stream

keys = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 10**4), st.sampled_from(["weights", "batches", "dropout"]))


def draws(key):
    return stream(*key).integers(2**63, size=4).tolist()


@given(keys, keys)
def test_streams_are_equal_when_their_keys_are(a, b):
    assert (draws(a) == draws(b)) == (a == b)


def test_neighbouring_bases_and_seeds_do_not_overlap_as_their_sums_do():
    seen = [number for base in range(20) for seed in range(20) for number in draws((base, seed, "weights"))]
    assert len(set(seen)) == len(seen)


def test_streams_of_neighbouring_seeds_are_uncorrelated():
    members = np.stack([stream(0, seed, "weights").standard_normal(10_000) for seed in range(8)])
    off_diagonal = np.corrcoef(members)[~np.eye(8, dtype=bool)]
    assert np.abs(off_diagonal).max() < 0.05  # five standard errors


def test_another_process_draws_the_same():
    code = "from dnnlab.statistics.streams import stream; print(stream(3, 4, 'weights').integers(2**63))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == stream(3, 4, "weights").integers(2**63)
