"""REINFORCE (NAS, Zoph & Le 2017): a controller learns which choices pay, dimension by dimension."""

import math

from dnnlab.nas.problem import Problem, Search

RATE = 0.05
"""The learning rate of Adam."""
DECAY = 0.9
"""The decay of the moving average of rewards, which is the baseline."""


def search(problem: Problem) -> Search:
    """Draw from one softmax per dimension, which Adam moves along ∇ log p · (reward - baseline).

    A controller that is factorised over the dimensions, rather than a recurrent one: it learns as fast, and anybody can
    follow it (Ying 2019). What failed has the reward 0.
    """
    logits = [[0.0] * size for size in problem.space.sizes]
    state = [[(0.0, 0.0)] * size for size in problem.space.sizes]
    baseline, step = math.nan, 0
    while True:
        policy = [_softmax(row) for row in logits]
        codes = [tuple(problem.rng.choices(range(len(row)), row)[0] for row in policy) for _ in range(problem.batch)]
        outcomes = yield problem.train(codes)
        for outcome in outcomes:
            reward = max(outcome.value, 0.0)
            baseline = reward if math.isnan(baseline) else DECAY * baseline + (1 - DECAY) * reward
            step += 1
            _ascend(logits, state, policy, outcome.code, reward - baseline, step)


def _ascend(
    logits: list[list[float]],
    state: list[list[tuple[float, float]]],
    policy: list[list[float]],
    code: tuple[int, ...],
    advantage: float,
    step: int,
) -> None:
    """Take one step of Adam (Kingma & Ba 2015) on every logit."""
    for row, slots, shares, chosen in zip(logits, state, policy, code, strict=True):
        for i, share in enumerate(shares):
            gradient = advantage * ((i == chosen) - share)
            mean = 0.9 * slots[i][0] + 0.1 * gradient
            square = 0.999 * slots[i][1] + 0.001 * gradient**2
            slots[i] = mean, square
            root = math.sqrt(square / (1 - 0.999**step)) + 1e-8
            row[i] += RATE * mean / (1 - 0.9**step) / root


def _softmax(row: list[float]) -> list[float]:
    top = max(row)
    weights = [math.exp(x - top) for x in row]
    total = sum(weights)
    return [weight / total for weight in weights]
