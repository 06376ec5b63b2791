import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlab.data.splits import fixed_stream, held_out, require_enough, stratified
from dnnlab.errors import UsageError


def test_streams_belong_to_their_names():
    assert fixed_stream("a").randint(10**9) == fixed_stream("a").randint(10**9)
    assert len({fixed_stream(name).randint(10**9) for name in ("a", "b", "ab", "ba", "")}) == 5
    # Part of every published result: must never change, whatever numpy does.
    assert fixed_stream("mnist").randint(0, 1000, 5).tolist() == [183, 235, 602, 357, 48]


def test_held_out_parts_have_their_sizes():
    rest, few, one = held_out(20, [3, 1], fixed_stream("x"))
    assert (len(rest), len(few), len(one)) == (16, 3, 1)
    assert sorted([*rest, *few, *one]) == list(range(20))


@given(st.lists(st.integers(3, 40), min_size=1, max_size=6), st.integers(0, 5))
def test_every_class_is_in_every_part_in_proportion(counts, seed):
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    parts = stratified(y, [0.1, 0.2], [str(i) for i in range(len(counts))], fixed_stream("x"))
    assert sorted(np.concatenate(parts)) == list(range(len(y)))
    for label, count in enumerate(counts):
        rest, tenth, fifth = (int((y[part] == label).sum()) for part in parts)
        assert rest >= 1
        assert tenth == max(1, round(0.1 * count))
        assert fifth == max(1, round(0.2 * count))


def test_too_few_are_refused():
    with pytest.raises(UsageError, match="class 'b' has 2 examples; it takes at least 3"):
        stratified(np.array([0, 0, 0, 1, 1]), [0.1, 0.1], ["a", "b"], fixed_stream("x"))
    with pytest.raises(UsageError, match="class 'a' has 1 example; it takes at least 2"):
        stratified(np.array([0]), [0.1], ["a"], fixed_stream("x"))
    with pytest.raises(UsageError, match="one class, 'a'"):
        require_enough("photos", ["a"], np.arange(20))
    with pytest.raises(UsageError, match="leaves 9 examples for training"):
        require_enough("photos", ["a", "b"], np.arange(9))
    require_enough("photos", ["a", "b"], np.arange(10))
