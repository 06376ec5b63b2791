"""Random search: what every other strategy must beat (Li & Talwalkar 2019)."""

from dnnlab.nas.problem import Problem, Search


def search(problem: Problem) -> Search:
    """Architectures drawn uniformly, one as good as another."""
    while True:
        yield problem.train([problem.draw() for _ in range(problem.batch)])
