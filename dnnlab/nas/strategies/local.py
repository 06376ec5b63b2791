"""Local search with restarts (White 2021): always to the best neighbour, and anew when there is no better one."""

from dnnlab.nas.problem import Outcome, Problem, Search


def search(problem: Problem) -> Search:
    """The neighbours, in random order, are evaluated until one is better; that is the next place to stand on.

    So a step costs less than all neighbours, and a place is left only for a better one.
    """
    while True:
        (here,) = yield problem.train([problem.draw()])
        better: Outcome | None = here
        while better is not None:
            here = better
            around = problem.neighbours(here.code)
            problem.rng.shuffle(around)
            better = None
            for start in range(0, len(around), problem.batch):
                outcomes = yield problem.train(around[start : start + problem.batch])
                best = max(outcomes, key=lambda outcome: outcome.value)
                if best.value > here.value:
                    better = best
                    break
