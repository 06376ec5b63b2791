"""One-shot search with shared weights (Guo 2020): a supernet is trained one random path at a time, and ranks many
architectures by its own weights; the best are trained by themselves.

Some that nobody selected are trained too, before the best: whether the ranking holds is measured on these (Yu 2020).
"""

from dnnlab.nas.problem import Inherit, Problem, Search, Supernet

EPOCHS = 50
"""The most epochs of a supernet, which takes half of the budget at most."""
RANKED, UNSELECTED = 100, 10
"""The most architectures that the shared weights rank, and how many of them are trained whatever their rank."""


def search(problem: Problem) -> Search:
    """Train a supernet, rank architectures by its weights, then train until the budget is spent."""
    number = 0
    while True:
        supernet = Supernet("oneshot", max(1.0, min(EPOCHS, problem.left() * problem.epochs / 2)), number)
        yield [supernet]
        count = int(min(RANKED, max(2.0, 4 * problem.left())))
        ranked = yield [Inherit(problem.draw(), supernet) for _ in range(count)]
        unselected = [outcome.code for outcome in ranked[: int(min(UNSELECTED, max(1.0, problem.left() / 4)))]]
        best = [outcome.code for outcome in sorted(ranked, key=lambda outcome: -outcome.value)]
        codes = [*unselected, *best]
        for start in range(0, len(codes), problem.batch):
            yield problem.train(codes[start : start + problem.batch])
        number += 1
