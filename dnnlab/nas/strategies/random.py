"""Random search: the baseline that every other strategy must beat (Li & Talwalkar 2019)."""

from dnnlab.nas.problem import Problem, Search


def search(problem: Problem) -> Search:
    """Train architectures that are drawn uniformly."""
    while True:
        yield problem.train([problem.draw() for _ in range(problem.batch)])
