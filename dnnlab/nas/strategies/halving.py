"""Successive halving (Jamieson & Talwalkar 2016) and Hyperband (Li 2018): many networks are trained for a few epochs,
few for many."""

from dnnlab.nas.problem import Problem, Search, Train

KEEP = 3
"""One network in so many goes on to the next fidelity."""


def search(problem: Problem) -> Search:
    """Run brackets that all start at the fewest epochs."""
    while True:
        yield from bracket(problem, problem.fidelities)


def hyperband(problem: Problem) -> Search:
    """Run brackets that start at the fewest epochs, then at more, and last at full trainings, which is random
    search."""
    while True:
        for start in range(len(problem.fidelities)):
            yield from bracket(problem, problem.fidelities[start:])


def bracket(problem: Problem, fidelities: tuple[float, ...]) -> Search:
    """Train so many networks at the first fidelity that ``KEEP`` reach the last; each training starts from scratch."""
    codes = [problem.draw() for _ in range(KEEP ** len(fidelities))]
    for epochs in fidelities:
        outcomes = yield [Train(code, epochs) for code in codes]
        ordered = sorted(outcomes, key=lambda outcome: -outcome.value)
        codes = list(dict.fromkeys(outcome.code for outcome in ordered))[: max(1, len(codes) // KEEP)]
