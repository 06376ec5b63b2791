"""Rows to verdicts, on rows that are made up."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dnnlab.nas.codes import read_code
from dnnlab.nas.proxies import columns as p
from dnnlab.nas.proxies import words as proxy_words
from dnnlab.nas.proxies.figures import draw as draw_proxies
from dnnlab.nas.proxies.summary import summarise as summarise_proxies
from dnnlab.nas.search import columns as c
from dnnlab.nas.search.figures import draw
from dnnlab.nas.search.importance import architectures, effects, mixed
from dnnlab.nas.search.summary import per_cell, summarise
from dnnlab.nas.search.words import advice, conclusions, headline
from dnnlab.nas.spec import Spec
from dnnlab.networks import spaces
from dnnlab.report.columns import Column
from dnnlab.report.table import fit
from dnnlab.runner.options import build
from dnnlab.statistics.answers import packed


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
    assert "5 of 5 supernets of darts collapsed (ended in more than half skips)." in sentences
    assert "darts has the highest test accuracy, 95.0 % [95.0, 95.0], but most" not in sentences  # without a spread
    assert "darts has the highest test accuracy, 95 %, but most of its supernets collapsed." in sentences


def test_one_supernet_that_collapsed_is_told_and_is_not_most_of_them():
    rows = [r for seed, test in enumerate(RANDOM) for r in search("random", seed, test)]
    rows += [r for seed, test in enumerate(RANDOM) for r in search("darts", seed, test, 1.0 if seed == 2 else 0.5)]
    found = summarise(cells(*rows), spec()).set_index("strategy")
    assert found.loc["darts", ["supernets", "collapsed"]].tolist() == [5, 1]
    assert found.loc["darts", "skips"] == pytest.approx(0.6)
    assert found.loc["darts", "verdict"] != c.COLLAPSED
    sound = " ".join(conclusions(table([0.95] * 5, skips=0.2).reset_index(), spec()))
    assert "None of 5 supernets of darts collapsed (ended in more than half skips)." in sound
    assert "On average 20 % of the operations are skips." in sound


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
    assert [effect.shown for effect in found] == [True] + [False] * 5
    assert found[0].p == pytest.approx(6 * stats.kruskal(*groups).pvalue)
    assert effects([space.choices(code) for code in codes[:5]], accuracy[:5], asked) == []


def test_a_network_that_several_seeds_drew_has_one_mean_accuracy():
    """Three seeds draw the same network, one of them twice and under another code; a fourth draws another one."""
    same, again, other = "0-0-0-3-0-0", "0-0-3-3-0-0", "1-1-1-1-1-1"  # what comes from a node without input is zero
    space = spaces.find("cell")
    assert space.identity(read_code(same)) == space.identity(read_code(again))
    drawn = [(0, same, 0.5), (1, again, 0.7), (1, same, 0.7), (2, same, 0.9), (3, other, 0.2)]
    rows = [row("random", seed, "search", i, code, validation=v) for i, (seed, code, v) in enumerate(drawn)]
    choices, accuracy = architectures(cells(*rows), spec(), "digits")
    assert choices == [space.choices(read_code(same)), space.choices(read_code(other))]
    assert accuracy.tolist() == pytest.approx([0.7, 0.2])
    often = [
        row("random", seed, "search", i, f"3-3-3-3-{i % 5}-{i // 5}", validation=0.5 + 0.02 * i + 0.001 * seed)
        for seed in range(5)
        for i in range(15)
    ]
    assert effects(*architectures(cells(*often), spec(), "digits"), spec()) == []  # 75 trainings, 15 networks


def test_what_matters_is_named_and_the_rest_is_counted():
    """Each of the six edges adds the number of its choice to the accuracy, so that all six explain some of it."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(2000):
        code = [int(choice) for choice in rng.integers(5, size=6)]
        rows.append(row("random", 0, "search", i, "-".join(map(str, code)), validation=0.1 + 0.01 * sum(code)))
    (found,) = summarise(cells(*rows, *search("random", 1, 0.9)), spec()).to_dict("records")
    assert found["importance"].count("%") == 3
    assert found["importance"].endswith("(avg_pool_3x3) and 3 more")


def test_noise_makes_nothing_matter():
    """Of twenty architectures whose accuracies are noise, and of which one failed, some dimension explains a tenth of
    the variance and more, as a rule."""
    space, shares, shown = spaces.find("mlp"), [], 0
    for draw_of in range(60):
        rng = np.random.default_rng(draw_of)
        codes = [tuple(int(rng.integers(size)) for size in space.sizes) for _ in range(20)]
        accuracy = rng.normal(0.95, 0.01, 20)
        accuracy[0] = 0.1
        found = effects([space.choices(code) for code in codes], accuracy, spec(space="mlp"))
        shares.append(found[0].share)
        shown += any(effect.shown for effect in found)
    assert np.median(shares) > 0.1
    assert shown <= 7  # of sixty at a level of .05 more than seven come in one of a hundred tries


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


def scored(n, truth, seeds=1, data=("digits",), **scores):
    """The cells of ``n`` architectures, each score and the truth a function of data set and number."""
    rows = [
        {"space": "mlp", "data": on, "seed": seed, "architecture": str(i), "id": str(i), "score": name,
         "value": float(of(on, i)), "validation": float(truth(on, i)), "seconds": 0.1, "error": ""}
        for on in data for seed in range(seeds) for i in range(n) for name, of in scores.items()
    ]  # fmt: skip
    return fit(pd.DataFrame(rows), p.CELLS)


def proxies(*arguments, **options):
    asked = build(Spec, {"proxies": True, "seeds": 1})
    found = summarise_proxies(scored(*arguments, **options), asked)
    return found.set_index(["data", "score"]), proxy_words.headline(found, asked), proxy_words.conclusions(found, asked)


Z, E, Q = np.random.default_rng(3).normal(size=(3, 300))


def of(values):
    return lambda data, i: values[i]


SIZES = {"parameters": of(Q), "macs": of(Q)}


def test_what_a_score_is_worth():
    found, headline, (sentence,) = proxies(
        60, of(Z), naswot=of(Z + 0.2 * E), snip=of(-Z), fisher=of(Z + 8 * E), **SIZES
    )
    words = found.loc["digits", "verdict"].to_dict()
    assert words == {"naswot": p.PREDICTS, "snip": p.USELESS, "fisher": p.UNDECIDED, "parameters": p.SIZE,
                     "macs": p.SIZE}  # fmt: skip
    assert 0 < found.loc[("digits", "fisher"), "tau"] < 0.3 < found.loc[("digits", "fisher"), "tau_hi"]
    assert headline == "naswot ranks networks better than their size does"
    assert sentence.startswith("On digits, naswot (τ 0.8")
    assert ") ranks 60 architectures of mlp better than size does: parameters (τ -0.00904), macs (τ" in sentence


def test_what_is_not_shown_is_not_told_as_not_so():
    size = {name: of(Z + 1.5 * Q) for name in ("parameters", "macs")}
    found, _, (sentence,) = proxies(24, of(Z), naswot=of(Z + 0.9 * E), **size)
    assert found.loc[("digits", "naswot"), "verdict"] == p.AS_SIZE
    assert found.loc[("digits", "naswot"), "tau"] > found.loc[("digits", "macs"), "tau"] + 0.2
    assert sentence.startswith(
        "On digits, no cheap score is shown to rank 24 architectures of mlp better than size does: "
    )


@pytest.mark.parametrize(
    ("n", "truth", "size", "said"),
    [
        (100, np.zeros(300), Q, "it is not decided whether a cheap score ranks 100 architectures of mlp better"),
        (100, Z, np.zeros(300), "it is not decided whether a cheap score ranks 100 architectures of mlp better"),
        (19, Z, Q, "19 architectures of mlp are too few to say which score ranks them."),
    ],
)
def test_where_nothing_can_be_ranked_it_is_said(n, truth, size, said):
    found, headline, (sentence,) = proxies(n, of(truth), naswot=of(Z), parameters=of(size), macs=of(size))
    assert set(found["verdict"]) == {p.UNDECIDED}
    assert headline == "No cheap score is shown to rank networks better than their size does"
    assert sentence.startswith(f"On digits, {said}")


def test_a_score_that_ranks_on_one_data_set_is_told_with_it():
    signs = {"digits": 1, "mnist": -1}
    arguments = {"naswot": lambda data, i: signs[data] * Z[i] + 0.2 * E[i], **SIZES}
    _, headline, _ = proxies(60, of(Z), data=tuple(signs), **arguments)
    assert headline == "naswot (digits) ranks networks better than their size does"


def test_an_architecture_that_several_seeds_drew_is_one():
    found, _, _ = proxies(20, of(Z), seeds=5, naswot=of(Z + E), **SIZES)
    once, _, _ = proxies(20, of(Z), naswot=of(Z + E), **SIZES)
    assert set(found["n"]) == {20}
    assert found["tau_lo"].to_numpy() == pytest.approx(once["tau_lo"].to_numpy())


def test_scores_are_corrected_for_their_number():
    """Of six scores that are noise, the interval of some τ is above zero in a seventh of all tables: 1 - .975⁶."""
    alone = corrected = 0
    for table in range(60):
        values = np.random.default_rng(table).normal(size=(8, 40))
        names = ("naswot", "jacob_cov", "synflow", "snip", "grad_norm", "fisher", "parameters")
        scores = {name: of(each) for name, each in zip(names, values[:7], strict=True)}
        found, _, _ = proxies(40, of(values[7]), macs=scores["parameters"], **scores)
        judged = found[found["verdict"] != p.SIZE]
        alone += bool((judged["tau_lo"] > 0).any())
        corrected += bool(judged["verdict"].isin((p.PREDICTS, p.AS_SIZE)).any())
    assert alone >= 6
    assert corrected <= 3  # .05 of sixty


def test_the_figure_of_scores_says_no_more_than_their_verdicts():
    cells_of = scored(60, of(Z), naswot=of(Z), **SIZES)
    asked = build(Spec, {"proxies": True, "seeds": 1})
    (picture,) = draw_proxies(cells_of, summarise_proxies(cells_of, asked), asked)
    assert "its verdict says it" in picture.see
    assert "says no more than that size does" not in picture.see


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        (
            [0.95, 0.94, 0.96, 0.97, 0.99],
            "On digits, with a budget of trainings=64, darts has the highest test accuracy, 96.2 % [93.8, 98.6], "
            "better than random search.",
        ),
        ([0.93, 0.92, 0.92, 0.92, 0.93], ", but it is not shown to be better than random search."),
        (
            [t - 0.02 for t in RANDOM],
            "random has the highest test accuracy, 92.0 % [90.0, 94.0]: no other strategy is shown to be better.",
        ),
        ([0.99, 0.99], "under too few seeds for a verdict."),
    ],
)
def test_the_first_sentence_says_no_more_than_the_verdict(tests, said):
    assert conclusions(table(tests).reset_index(), spec())[0].endswith(said)


def test_where_nothing_was_compared_with_random_search_nothing_is_said_of_it():
    alone = summarise(cells(*[r for seed, test in enumerate(RANDOM) for r in search("random", seed, test)]), spec())
    assert conclusions(alone, spec())[0].endswith("random has the highest test accuracy, 92.0 % [90.0, 94.0].")


def counted_on_a_hundred(tests):
    """Searches of which each seed's test accuracy is counted on examples, a tenth of which are right by guessing."""
    rows = []
    for strategy, accuracies in tests.items():
        for seed, accuracy in enumerate(accuracies):
            right = np.arange(100) < round(100 * accuracy)
            answers = packed(np.random.default_rng(seed).permutation(right))
            for each in search(strategy, seed, accuracy):
                final = {"right": answers, "guessing": 0.1} if each["phase"] == c.FINAL else {}
                rows.append(each | final)
    return cells(*rows)


def test_seeds_that_did_not_learn_are_told_and_no_advice_is_given(tmp_path):
    asked = spec(strategy=("random", "rl"))
    measured = counted_on_a_hundred({"average": [0.85] * 5, "random": [0.95] * 5, "rl": [0.98, 0.98, 0.1, 0.1, 0.98]})
    found = summarise(measured, asked)
    (tmp_path / "artifacts").mkdir()
    for strategy in ("random", "rl"):
        for seed in range(5):
            (tmp_path / "artifacts" / f"{strategy}-seed{seed}.toml").touch()
    first, *others = conclusions(found, asked)
    assert "rl has the highest test accuracy, 98.0 % [" in first
    assert first.endswith("] (3 of 5 seeds learned), but it is not shown to be better than random search.")
    assert any(sentence.startswith("rl on digits: 2 of 5 seeds did not learn") for sentence in others)
    assert advice(lambda: measured, found, asked, tmp_path) is None
    measured = counted_on_a_hundred({"average": [0.85] * 5, "random": [0.95] * 5, "rl": [0.98, 0.98, 0.97, 0.97, 0.98]})
    told = advice(lambda: measured, summarise(measured, asked), asked, tmp_path)
    assert told.what.startswith("Take ")


@pytest.mark.parametrize(
    ("strategy", "data", "file"),
    [
        ("rl", ("digits",), "rl-seed4.toml"),
        ("darts:50", ("digits",), "darts-50-seed4.toml"),
        ("proxy:snip", ("digits", "mnist"), "digits-proxy-snip-seed4.toml"),
    ],
)
def test_the_network_that_is_advised_is_in_the_file_of_its_search(strategy, data, file, tmp_path):
    tests = {"average": [0.85] * 5, "random": [0.9] * 5, strategy: [0.97, 0.96, 0.97, 0.96, 0.98]}
    asked = spec(strategy=("random", strategy), data=data)
    measured = counted_on_a_hundred(tests)
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / file).touch()
    told = advice(lambda: measured, summarise(measured, asked), asked, tmp_path)
    assert told.command == f"dnnlab compare-arch --arch {tmp_path}/artifacts/{file} --data digits"


def test_a_gain_over_the_average_is_told_where_it_is_shown():
    asked = spec(strategy=("random", "rl"))
    found = summarise(counted_on_a_hundred({"average": [0.9] * 5, "random": [0.9] * 5, "rl": [0.99] * 5}), asked)
    (average,) = [sentence for sentence in conclusions(found, asked) if sentence.startswith("The average")]
    assert average.startswith(
        "The average architecture of the space has 90 %: over it random search is not shown to gain "
    )
    assert " and rl gains (+9.00 points [" in average
    few = summarise(counted_on_a_hundred({"average": [0.1, 0.1, 0.1, 0.1, 0.9], "random": [0.9] * 5}), asked)
    told = conclusions(few, asked)
    assert any("The average architecture of the space has 90 % (1 of 5 seeds learned)" in each for each in told)
    assert any(each.startswith("average on digits: 4 of 5 seeds did not learn") for each in told)
    lost = found[found["strategy"] != "random"]  # every seed of it failed
    first = conclusions(lost, asked)[0]
    assert first.endswith("; random search has no result to compare it with.")
    assert not any("random search gains" in sentence for sentence in conclusions(lost, asked))


def test_two_searches_with_one_accuracy_are_both_the_best():
    found = summarise(counted_on_a_hundred({"random": [0.9] * 5, "rl": [0.9] * 5}), spec(strategy=("random", "rl")))
    assert "random and rl have the same highest test accuracy, 90 %." in conclusions(found, spec())[0]


def test_what_is_better_on_one_data_set_is_told_with_it():
    table = pd.DataFrame(
        {"strategy": ["rl", "tpe", "rl", "tpe"], "data": ["digits", "digits", "mnist", "mnist"],
         "verdict": [c.BETTER, c.BETTER, c.WORSE, c.BETTER]}
    )  # fmt: skip
    assert headline(table, spec()) == "rl (digits) and tpe find better networks than random search"


def test_activations_that_are_not_shown_to_differ_are_told_so():
    found = table([0.95, 0.94, 0.96, 0.97, 0.99]).reset_index()
    wide = found.assign(mixed_gain=0.026, mixed_gain_lo=-0.706, mixed_gain_hi=0.757)
    assert (
        "Networks of several activations are not shown to be more or less accurate than those of one that are as deep: "
        "+2.6 points [-70.6, +75.7]."
    ) in conclusions(wide, spec())


def test_the_figure_of_tests_says_what_its_bars_are():
    measured = counted_on_a_hundred({"random": [0.9] * 5, "rl": [0.95] * 5})
    pictures = {picture.name: picture for picture in draw(measured, summarise(measured, spec()), spec())}
    assert "Bars are 95 % intervals over seeds and examples." in pictures["test"].see
    assert "Right of the dotted line" not in pictures["test"].see
