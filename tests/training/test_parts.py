"""A part of the examples: each seed trains on its own, and all are judged by the same."""

import pytest

from dnnlab.data import load
from dnnlab.training.parts import part_of


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def test_each_seed_has_its_own_training_examples_and_the_same_test_examples(digits):
    parts = [part_of(digits, 100, 50, base=7, seed=seed) for seed in (0, 1)]
    assert [len(part.train) for part in parts] == [100, 100]
    assert len({*parts[0].train.tolist()} & {*parts[1].train.tolist()}) < 30  # by chance 100 · 100 / 1,258, about 8
    assert parts[0].test.tolist() == parts[1].test.tolist()
    assert {*parts[0].train.tolist()} <= {*digits.train.tolist()}
    assert {*parts[0].test.tolist()} <= {*digits.test.tolist()}
    assert part_of(digits, 100, 50, base=7, seed=1).train.tolist() == parts[1].train.tolist()
    assert part_of(digits, 100, 50, base=8).test.tolist() != parts[0].test.tolist()


@pytest.mark.parametrize("size", [0, 10**6])
def test_all_examples_are_as_they_are(digits, size):
    part = part_of(digits, size, size, base=7, seed=3)
    assert part.train.tolist() == digits.train.tolist()
    assert part.test.tolist() == digits.test.tolist()
