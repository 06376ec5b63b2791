"""Answers as text: what is packed is read again, and what is no answer is refused."""

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlab.statistics.answers import joined, packed, table, unpacked


@given(st.lists(st.booleans(), max_size=40))
def test_what_is_packed_is_read_again(right):
    assert unpacked(packed(np.array(right, dtype=bool))).tolist() == right


def test_the_first_example_is_the_highest_bit():
    assert packed(np.array([True] + [False] * 7 + [True])) == f"9:{base64.b64encode(bytes([128, 128])).decode()}"


def test_answers_of_several_networks_are_averaged():
    one, other = (packed(np.array(right)) for right in ([True, True, False], [True, False, False]))
    assert unpacked(joined([one, other])).tolist() == [1.0, 0.5, 0.0]
    assert joined([one]) == one
    assert joined([one, ""]) == ""


def test_a_table_has_a_row_a_seed_or_is_none():
    rows = [np.array([True, False]), np.array([True, True])]
    assert table([packed(each) for each in rows]).tolist() == [[True, False], [True, True]]
    assert table([]) is None
    assert table([packed(rows[0]), ""]) is None
    assert table([packed(rows[0]), float("nan")]) is None
    assert table([packed(rows[0]), packed(np.array([True]))]) is None


@pytest.mark.parametrize("text", ["", "3", "x:gA==", "9:gA==", "3:g", "-1:"])
def test_what_is_no_answer_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds
        unpacked(text)
