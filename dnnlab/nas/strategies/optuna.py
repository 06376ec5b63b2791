"""Optuna's samplers (Akiba 2019): the tree-structured Parzen estimator, and NSGA-II."""

import warnings
from typing import Any

from dnnlab.nas.problem import Problem, Search

POPULATION = 30
"""The population of NSGA-II; a fifth of the budget at most, as in `evolution`."""


def tpe(problem: Problem) -> Search:
    """TPE (Bergstra 2011; Ozaki 2020 for several objectives). Requests without an outcome count as bad, so that a batch
    spreads out."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=_seed(problem), constant_liar=problem.batch > 1)
    return _search(problem, sampler)


def nsga2(problem: Problem) -> Search:
    """NSGA-II (Deb 2002), for one or several objectives."""
    import optuna

    population = int(max(2, min(POPULATION, problem.left() / 5)))
    return _search(problem, optuna.samplers.NSGAIISampler(population_size=population, seed=_seed(problem)))


def _seed(problem: Problem) -> int:
    return problem.rng.randrange(2**32)


def _search(problem: Problem, sampler: Any) -> Search:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(directions=["maximize"] * problem.objectives, sampler=sampler)
    names = list(problem.space.dimensions)
    choices: dict[str, Any] = {
        name: optuna.distributions.CategoricalDistribution(range(size))
        for name, size in zip(names, problem.space.sizes, strict=True)
    }
    while True:
        trials = [study.ask(choices) for _ in range(problem.batch)]
        outcomes = yield problem.train([tuple(trial.params[name] for name in names) for trial in trials])
        for trial, outcome in zip(trials, outcomes, strict=True):
            if outcome.value > float("-inf"):
                study.tell(trial, outcome.values)
            else:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
