"""A small version of ``make check-statistics``: intervals hold the truth and verdicts err as often as they say."""

import pytest

from benchmarks.check_statistics import COVERED, FALSE, coverage, differences, error, means, nulls, powers, verdicts

SLOW = ("10,000", "10 n networks")
"""Situations with so many numbers that only the whole check draws them."""


def quick(situations):
    return [pytest.param(name, how, id=name) for name, how in situations if not any(word in name for word in SLOW)]


@pytest.mark.parametrize(("name", "draw"), quick([*means(), *differences()]))
@pytest.mark.parametrize("seeds", [3, 10])
def test_intervals_hold_the_truth(name, draw, seeds):
    held, given, _ = coverage(name, draw, seeds, draws=150)
    assert given > 0
    assert held >= COVERED - error(COVERED, 150)


@pytest.mark.parametrize(("name", "decided"), quick(nulls()))
def test_where_there_is_no_difference_none_is_found(name, decided):
    assert verdicts(name, decided, 5, draws=60) <= FALSE + error(FALSE, 60)


@pytest.mark.parametrize(("name", "decided"), quick(powers()))
def test_a_difference_that_is_there_is_found(name, decided):
    """With twenty seeds, more often than not."""
    assert verdicts(name, decided, 20, draws=40) > 0.5
