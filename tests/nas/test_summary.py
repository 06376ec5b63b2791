"""Rows to verdicts, on rows that are made up."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dnnlab.nas.codes import read_code
from dnnlab.nas.proxies import columns as p
from dnnlab.nas.proxies.summary import verdict as proxy_verdict
from dnnlab.nas.search import columns as c
from dnnlab.nas.search.importance import effects, mixed
from dnnlab.nas.search.summary import per_cell, summarise
from dnnlab.nas.search.words import conclusions
from dnnlab.nas.spec import Spec
from dnnlab.networks import spaces
from dnnlab.report.columns import Column
from dnnlab.report.table import fit
from dnnlab.runner.options import build
from dnnlab.statistics.intervals import Interval


def spec(**options):
    return build(Spec, {"space": "cell", "epochs": 10, "seeds": 5} | options)


def row(strategy, seed, phase, evaluation, code="0-0-0-0-0-0", **measured):
    space = spaces.find("cell")
    numbers = read_code(code)
    own = {"strategy": strategy, "space": "cell", "data": "digits", "budget": "trainings=64", "seed": seed}
    own |= {"evaluation": evaluation, "phase": phase, "code": code, "error": ""}
    own |= {"architecture": space.line(numbers), "id": space.identity(numbers)}
    return own | {name: empty for name, empty in c.MEASURED.items() if name != "code"} | measured


def search(strategy, seed, test, skips=math.nan):
    yield row(strategy, seed, "search", 1, validation=test - 0.1, epochs=10.0, macs=7.0, seconds=1.0)
    yield row(strategy, seed, "search", 2, "1-1-1-1-1-1", validation=test, epochs=10.0, problem="diverged")
    if not math.isnan(skips):
        yield row(strategy, seed, "supernet", 3, "1-1-1-1-1-1", skips=skips, epochs=25.0)
    yield row(strategy, seed, c.RETRAIN, 4, "1-1-1-1-1-1", validation=test, epochs=10.0)
    yield row(strategy, seed, c.FINAL, 5, "1-1-1-1-1-1", validation=test, test=test, parameters=99.0)


def cells(*rows):
    return fit(pd.DataFrame(rows), [column for column in c.CELLS if isinstance(column, Column)])


RANDOM = [0.90, 0.91, 0.92, 0.93, 0.94]


def table(tests, skips=math.nan, strategy="darts"):
    rows = [r for seed, test in enumerate(RANDOM) for r in search("random", seed, test)]
    rows += [r for seed, test in enumerate(tests) for r in search(strategy, seed, test, skips)]
    return summarise(cells(*rows), spec()).set_index("strategy")


def test_a_gain_is_paired_by_seed():
    tests = [0.95, 0.94, 0.96, 0.97, 0.99]
    found = table(tests).loc["darts"]
    expected = stats.ttest_rel(tests, RANDOM)
    low, high = expected.confidence_interval()
    assert found["p"] == pytest.approx(expected.pvalue)
    assert (found["gain_lo"], found["gain_hi"]) == pytest.approx((low, high))
    assert found["verdict"] == c.BETTER
    assert found["failures"] == 5
    assert found["epochs"] == 30  # the search and the retraining; the test costs nothing
    assert found["evaluations"] == 2


@pytest.mark.parametrize(
    ("tests", "word"),
    [([t - 0.02 for t in RANDOM[:4]] + [0.93], c.WORSE), (RANDOM[::-1], c.NO_BETTER), ([0.99, 0.99], c.UNDECIDED)],
)
def test_verdicts(tests, word):
    found = table(tests)
    assert found.loc["darts", "verdict"] == word
    assert found.loc["random", "verdict"] == c.BASELINE


def test_the_guard_fires_when_skips_exceed_half():
    assert table([0.95] * 5, skips=0.5).loc["darts", "verdict"] != c.COLLAPSED
    collapsed = table([0.95] * 5, skips=4 / 6)
    assert collapsed.loc["darts", "verdict"] == c.COLLAPSED
    assert collapsed.loc["darts", "skips"] == pytest.approx(4 / 6)
    sentences = " ".join(conclusions(collapsed.reset_index(), spec()))
    assert collapsed.loc["darts", ["supernets", "collapsed"]].tolist() == [5, 5]
    assert "Of 5 supernets of darts 5 collapsed" in sentences


def test_one_supernet_that_collapsed_is_told_and_is_not_most_of_them():
    rows = [r for seed, test in enumerate(RANDOM) for r in search("random", seed, test)]
    rows += [r for seed, test in enumerate(RANDOM) for r in search("darts", seed, test, 1.0 if seed == 2 else 0.5)]
    found = summarise(cells(*rows), spec()).set_index("strategy")
    assert found.loc["darts", ["supernets", "collapsed"]].tolist() == [5, 1]
    assert found.loc["darts", "skips"] == pytest.approx(0.6)
    assert found.loc["darts", "verdict"] != c.COLLAPSED


def test_the_agreement_of_short_and_full_trainings_is_kendalls():
    rng = np.random.default_rng(0)
    short, full = rng.random(8), rng.random(8)
    codes = [f"3-3-3-{i % 5}-{i // 5 * 2}-3" for i in range(8)]
    rows = []
    for i, code in enumerate(codes):
        rows.append(row("halving", 0, "search", 2 * i, code, validation=short[i], epochs=1.0))
        rows.append(row("halving", 0, "search", 2 * i + 1, code, validation=full[i], epochs=10.0))
    found = per_cell(cells(*rows), spec()).iloc[0]
    assert found["tau_n"] == 8
    assert found["tau"] == pytest.approx(stats.kendalltau(short, full).statistic)


@pytest.mark.parametrize(("strategy", "phase", "first"), [("oneshot", "inherit", 10), ("proxy:snip", "score", 16)])
def test_the_agreement_of_a_score_is_that_before_it_chose(strategy, phase, first):
    rng = np.random.default_rng(0)
    scores, full = rng.random(40), rng.random(40)
    codes = [f"3-3-3-3-{i % 5}-{i // 5 % 5}" if i < 25 else f"3-3-3-2-{i % 5}-{i // 5 % 5}" for i in range(40)]
    best = [i for i in np.argsort(-scores) if i >= first]
    rows = [row(strategy, 0, phase, i, code, score=scores[i]) for i, code in enumerate(codes)]
    rows += [
        row(strategy, 0, "search", 40 + at, codes[i], validation=full[i], epochs=10.0)
        for at, i in enumerate([*range(first), *best[:12]])
    ]
    found = per_cell(cells(*rows), spec()).iloc[0]
    assert found["tau_n"] == first
    assert found["tau"] == pytest.approx(stats.kendalltau(scores[:first], full[:first]).statistic)


def test_importance_is_the_variance_between_choices():
    """ω² of a one-way analysis of variance, from scipy's F: (F - 1) (k - 1) / ((F - 1) (k - 1) + n)."""
    space, rng = spaces.find("cell"), np.random.default_rng(1)
    codes = [tuple(int(i) for i in rng.integers(0, 5, 6)) for _ in range(300)]
    accuracy = np.array([0.1 * code[2] for code in codes]) + rng.normal(0, 0.05, 300)
    asked = spec()
    found = effects([space.choices(code) for code in codes], accuracy, asked)
    assert found[0].dimension == "1-2"
    assert found[0].best == "avg_pool_3x3"
    groups = [accuracy[[code[2] == choice for code in codes]] for choice in range(5)]
    f = stats.f_oneway(*groups).statistic
    assert found[0].share == pytest.approx((f - 1) * 4 / ((f - 1) * 4 + 300))
    assert max(effect.share for effect in found[1:]) < 0.05
    assert effects([space.choices(code) for code in codes[:5]], accuracy[:5], asked) == []


def test_several_activations_against_one():
    space = spaces.find("mlp")
    base = {"depth": 2, "width.1": 8, "width.2": 8}
    uniform = [space.choices(space.code(base | {"act.1": a, "act.2": a})) for a in ("relu", "tanh", "gelu")]
    several = [space.choices(space.code(base | {"act.1": "relu", "act.2": a})) for a in ("tanh", "gelu", "swish")]
    alone = [space.choices(space.code({"depth": 1}))]
    accuracy = np.array([0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.9])
    found = mixed([*uniform, *several, *alone], accuracy, spec(space="mlp"))
    expected = stats.ttest_ind([0.5, 0.6, 0.7], [0.1, 0.2, 0.3], equal_var=False)
    assert found.mean == pytest.approx(0.4)
    assert found.p() == pytest.approx(expected.pvalue)
    assert math.isnan(mixed(alone, accuracy[-1:], spec(space="mlp")).mean)


def test_several_activations_are_compared_with_one_at_the_same_depth():
    """Only depth matters here, and most mixtures are deep: over all depths together they would seem better."""
    space, rng = spaces.find("mlp"), np.random.default_rng(3)
    choices = [space.choices(tuple(int(rng.integers(size)) for size in space.sizes)) for _ in range(2000)]
    choices += [each | {f"act.{i}": "relu" for i in range(1, 5)} for each in choices[:200]]
    depth = np.array([each["depth"] for each in choices])
    accuracy = 0.1 * depth + rng.normal(0, 0.05, len(choices))
    several = np.array([len({each[f"act.{i}"] for i in range(1, each["depth"] + 1)}) > 1 for each in choices])
    assert accuracy[several].mean() - accuracy[~several & (depth > 1)].mean() > 0.02
    found = mixed(choices, accuracy, spec(space="mlp"))
    assert found.low < 0 < found.high
    assert found.high - found.low < 0.03


def test_what_a_score_is_worth():
    above, over, below = Interval(0.5, 0.3, 0.7, 50), Interval(0.2, 0.1, 0.3, 50), Interval(0.1, -0.1, 0.3, 50)
    assert proxy_verdict("naswot", above, over) == p.PREDICTS
    assert proxy_verdict("naswot", above, below) == p.AS_SIZE
    assert proxy_verdict("naswot", below, over) == p.USELESS
    assert proxy_verdict("macs", above, over) == p.SIZE
    assert proxy_verdict("naswot", Interval(0.5, 0.3, 0.7, 19), over) == c.UNDECIDED


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        ([0.95, 0.94, 0.96, 0.97, 0.99], "is that of darts, 96.2 % [93.8, 98.6], better than random search."),
        ([0.93, 0.92, 0.92, 0.92, 0.93], ", but it is not shown to be better than random search."),
        (
            [t - 0.02 for t in RANDOM],
            "is that of random, 92.0 % [90.0, 94.0]: no other strategy is shown to be better.",
        ),
        ([0.99, 0.99], "under too few seeds for a verdict."),
    ],
)
def test_the_first_sentence_says_no_more_than_the_verdict(tests, said):
    assert conclusions(table(tests).reset_index(), spec())[0].endswith(said)


def test_where_nothing_was_compared_with_random_search_nothing_is_said_of_it():
    alone = summarise(cells(*[r for seed, test in enumerate(RANDOM) for r in search("random", seed, test)]), spec())
    assert conclusions(alone, spec())[0].endswith("is that of random, 92.0 % [90.0, 94.0].")
