"""Fronts, ranks and volumes, against brute force."""

import itertools
import math
import random

import pytest

from dnnlab.nas.pareto import crowding, dominates, front, hypervolume, ranks


def points(count, values, seed=0):
    rng = random.Random(seed)
    return [tuple(rng.randrange(6) / 5 for _ in range(values)) for _ in range(count)]


@pytest.mark.parametrize("values", [1, 2, 3])
def test_hypervolume_is_the_volume_of_the_union_of_boxes(values):
    """By inclusion and exclusion, which no slicing is in."""
    for seed in range(20):
        some = points(6, values, seed)
        total = 0.0
        for size in range(1, len(some) + 1):
            for chosen in itertools.combinations(some, size):
                corner = [min(p[i] for p in chosen) for i in range(values)]
                total += (-1) ** (size + 1) * math.prod(corner)
        assert hypervolume(some, [0.0] * values) == pytest.approx(total)


def test_what_is_not_better_than_the_reference_has_no_volume():
    assert hypervolume([(0.5, 0.0), (-1, 3)], [0.0, 0.0]) == 0
    assert hypervolume([], [0.0, 0.0]) == 0


def test_front_and_ranks_by_peeling():
    for seed in range(20):
        some = points(15, 2, seed)
        kept = front(some)
        assert all(not dominates(p, some[i]) for i in kept for p in some)
        assert len({some[i] for i in kept}) == len(kept)
        rank = ranks(some)
        for i, p in enumerate(some):
            above = [rank[j] for j, q in enumerate(some) if dominates(q, p)]
            assert rank[i] == max(above, default=-1) + 1


def test_what_failed_is_on_no_front_and_loses_to_everybody():
    some = [(math.nan, 1.0), (0.1, 0.1)]
    assert front(some) == [1]
    assert dominates(some[1], some[0])
    assert not dominates(some[0], some[1])
    assert not dominates(some[0], some[0])


def test_crowding_of_three_on_a_line():
    """Deb 2002: the ends are infinitely far, the middle one has the sides of the box of its neighbours."""
    assert crowding([(0, 4), (1, 2), (4, 0)]) == [math.inf, 2.0, math.inf]
    assert crowding([]) == []
