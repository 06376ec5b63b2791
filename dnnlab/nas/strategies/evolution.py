"""Regularised evolution (AmoebaNet, Real 2019): tournaments choose the parent, and the oldest dies.

With several objectives a tournament is won by Pareto rank, and by crowding within a rank (Deb 2002).
"""

from collections import deque

from dnnlab.nas.pareto import crowding, ranks
from dnnlab.nas.problem import Outcome, Problem, Search

POPULATION, SAMPLE = 30, 10
"""The number of networks that are alive, and how many of them meet in a tournament: as measured in `docs/nas.md`."""


def search(problem: Problem) -> Search:
    """Start from a random population, of a fifth of the budget at most; then mutate one parent at a time."""
    size = int(max(2, min(POPULATION, problem.left() / 5)))
    sample = max(2, size * SAMPLE // POPULATION)
    first = yield problem.train([problem.draw() for _ in range(size)])
    alive = deque(first, maxlen=size)
    while True:
        parents = [_winner(problem, problem.rng.sample(list(alive), sample)) for _ in range(problem.batch)]
        alive.extend((yield problem.train([problem.mutate(parent.code) for parent in parents])))


def _winner(problem: Problem, rivals: list[Outcome]) -> Outcome:
    if problem.objectives == 1:
        return max(rivals, key=lambda rival: rival.value)
    points = [rival.values for rival in rivals]
    order = zip(ranks(points), [-c for c in crowding(points)], rivals, strict=True)
    return min(order, key=lambda item: item[:2])[2]
