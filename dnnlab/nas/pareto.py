"""Points with several values, each to be maximised: which dominate others, and how much of the space a front covers."""

import math
from collections.abc import Sequence

Point = Sequence[float]


def dominates(a: Point, b: Point) -> bool:
    """Whether ``a`` is nowhere worse than ``b``, and somewhere better. What failed (nan) dominates nothing."""
    if any(map(math.isnan, b)):
        return not any(map(math.isnan, a))
    return all(x >= y for x, y in zip(a, b, strict=True)) and any(x > y for x, y in zip(a, b, strict=True))


def front(points: Sequence[Point]) -> list[int]:
    """The positions of the points that no other dominates; of equal points the first."""
    kept: list[int] = []
    for i, point in enumerate(points):
        if any(map(math.isnan, point)):
            continue
        equal = any(tuple(points[j]) == tuple(point) for j in kept)
        if not equal and not any(dominates(other, point) for other in points):
            kept.append(i)
    return kept


def ranks(points: Sequence[Point]) -> list[int]:
    """The number of each point's front: 0 for points that no other dominates, 1 for those that only these dominate, …
    (Deb 2002)."""
    rank, left = [0] * len(points), set(range(len(points)))
    number = 0
    while left:
        best = {i for i in left if not any(dominates(points[j], points[i]) for j in left)}
        for i in best:
            rank[i] = number
        left -= best
        number += 1
    return rank


def crowding(points: Sequence[Point]) -> list[float]:
    """The distance between each point's neighbours, summed over the values; infinite at the ends (Deb 2002)."""
    distance = [0.0] * len(points)
    for value in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: points[i][value])
        span = points[order[-1]][value] - points[order[0]][value]
        distance[order[0]] = distance[order[-1]] = math.inf
        if not span > 0 or math.isinf(span):
            continue
        for before, i, after in zip(order, order[1:], order[2:], strict=False):
            distance[i] += (points[after][value] - points[before][value]) / span
    return distance


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """The volume between ``reference`` and the points that are better than it in every value (Zitzler 1999).

    Sliced along the first value; the number of points is small, and so is that of values.
    """
    inside = [tuple(p) for p in points if all(x > r for x, r in zip(p, reference, strict=True))]
    if not inside:
        return 0.0
    if len(reference) == 1:
        return max(p[0] for p in inside) - reference[0]
    volume = 0.0
    levels = sorted({p[0] for p in inside}, reverse=True)
    for level, below in zip(levels, [*levels[1:], reference[0]], strict=True):
        rest = [p[1:] for p in inside if p[0] >= level]
        volume += (level - below) * hypervolume(rest, reference[1:])
    return volume
