"""Random search behind a zero-cost proxy (Abdelfattah 2021), which is trusted only after it was measured here.

The first architectures are trained whatever their scores. If those rank them as training does, beyond chance, only the
best of many by the proxy are trained from then on; else it goes on as random search.
"""

from collections.abc import Sequence

from scipy import stats

from dnnlab.nas.problem import Outcome, Problem, Score, Search

MEASURED = 16
"""The number of architectures on which the proxy is measured; at most half of the budget."""
DRAWN = 10
"""The number of architectures that are scored for each one that is trained."""
TRUSTED = 0.05
"""The one-sided p-value of Kendall's τ below which the proxy is used."""


def search(problem: Problem, proxy: str) -> Search:
    """Measure the proxy, then use it or go on without it."""
    codes = [problem.draw() for _ in range(max(4, int(min(MEASURED, problem.left() / 2))))]
    scores = yield [Score(code, proxy) for code in codes]
    trained = yield problem.train(codes)
    trusted = _agree(scores, trained)
    while True:
        codes = [problem.draw() for _ in range(problem.batch * (DRAWN if trusted else 1))]
        if trusted:
            ranked = yield [Score(code, proxy) for code in codes]
            best = sorted(ranked, key=lambda outcome: -outcome.value)
            codes = list(dict.fromkeys(outcome.code for outcome in best))[: problem.batch]
        yield problem.train(codes)


def _agree(scores: Sequence[Outcome], trained: Sequence[Outcome]) -> bool:
    """Whether higher scores go with higher accuracies, beyond chance; failures count as the worst accuracy."""
    result = stats.kendalltau([s.value for s in scores], [t.value for t in trained], alternative="greater")
    return bool(result.pvalue < TRUSTED)
