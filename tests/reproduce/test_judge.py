"""Verdicts on made-up runs whose answers are known."""

import json
import math
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dnnlab.errors import DnnlabError, UsageError
from dnnlab.report.columns import Column, Schema, estimate
from dnnlab.reproduce import conditions as conditions_of
from dnnlab.reproduce.judge import COMPUTED, HOLDS, HOLDS_IF, MEASURED, NOT_DECIDED, REFUTED, REPORTED, check, judge
from dnnlab.reproduce.reasons import Reason, together
from dnnlab.runner.recipe import Claim, Condition
from dnnlab.statistics.answers import packed
from dnnlab.statistics.quantity import ACCURACY, Quantity

COLUMNS = (
    Column("act", str, ""),
    Column("seeds", int, ""),
    *estimate("rate", "", ""),
    *estimate("accuracy", "", ""),
    Column("params", int, "", counted=True),
    Column("size", float, ""),
    Column("verdict", str, ""),
)
SCHEMA = Schema((), COLUMNS, {}, ("act",), (Quantity("accuracy"),))


def run(seeds=5, **accuracies):
    """A run with a row an activation: its rate is [0.9, 1.0, 1.1], its accuracies are given by seed."""
    same = {"seeds": seeds, "rate": 1.0, "rate_lo": 0.9, "rate_hi": 1.1, "verdict": "healthy"}
    rows = [
        same
        | {
            "act": act,
            "params": 10 * n,
            "size": 10.0 * n,
            "accuracy": np.mean(a),
            "accuracy_lo": min(a),
            "accuracy_hi": max(a),
        }
        for n, (act, a) in enumerate(accuracies.items(), 1)
    ]
    cells = pd.DataFrame([{"act": k, "seed": i, "accuracy": a} for k, v in accuracies.items() for i, a in enumerate(v)])
    return SimpleNamespace(schema=SCHEMA, summary=pd.DataFrame(rows), seeds=cells)


def test_a_schema_names_columns_that_are_there():
    with pytest.raises(ValueError, match="the summary lacks n, which its schema names"):
        Schema((), COLUMNS, {}, ("act",), (), count="n")


def test_what_is_counted_is_what_the_schema_says():
    columns = [Column("n", int, "") if column.name == "seeds" else column for column in COLUMNS]
    counted = run(relu=[0.80, 0.84])
    counted.schema = Schema((), columns, {}, ("act",), (), count="n")
    counted.summary = counted.summary.rename(columns={"seeds": "n"}).assign(n=2)
    found = judge(counted, Claim("t", "s", (Condition("rate", "below", 2.0),)))
    assert (found.verdict, found.circumstances) == (
        NOT_DECIDED,
        "2 measurements, and a verdict takes at least 3",
    )


RUN = run(relu=[0.80, 0.84, 0.88, 0.92], tanh=[0.70, 0.75, 0.77, 0.83])


def verdict(*conditions, of=RUN):
    return judge(of, Claim("", "", tuple(conditions)))


@pytest.mark.parametrize(
    ("relation", "level", "expected"),
    [("below", 1.2, HOLDS), ("below", 1.05, NOT_DECIDED), ("below", 0.8, REFUTED),
     ("above", 0.8, HOLDS), ("above", 0.95, NOT_DECIDED), ("above", 1.2, REFUTED),
     ("within", [0.8, 1.2], HOLDS), ("within", [0.95, 1.2], NOT_DECIDED), ("within", [1.15, 1.2], REFUTED)],
)  # fmt: skip
def test_the_whole_interval_decides(relation, level, expected):
    assert verdict(Condition("rate", relation, level)).verdict == expected


def test_under_three_seeds_nothing_measured_is_decided_and_counts_are():
    few = run(seeds=2, relu=[0.8, 0.9])
    assert verdict(Condition("rate", "below", 1.2), of=few).verdict == NOT_DECIDED
    assert verdict(Condition("params", "below", 11), of=few).verdict == HOLDS


def test_rows_are_compared_seed_by_seed():
    """The intervals of the two overlap; seed by seed every difference is near 0.09."""
    condition = Condition("accuracy", "above", {"act": "tanh"}, {"act": "relu"})
    judgement = verdict(condition)
    assert judgement.verdict == HOLDS
    differences = np.array([0.10, 0.09, 0.11, 0.09])
    half = stats.sem(differences) * stats.t.ppf(0.975, 3)
    assert judgement.telling.reading.interval.low == pytest.approx(differences.mean() - half)
    assert judgement.telling.reading.interval.n == 4
    assert verdict(Condition("accuracy", "below", {"act": "tanh"}, {"act": "relu"})).verdict == REFUTED
    assert verdict(Condition("accuracy", "above", {"act": "tanh"}, {"act": "relu"}, times=1.12)).verdict == NOT_DECIDED
    scaled = verdict(Condition("accuracy", "above", {"act": "tanh"}, {"act": "relu"}, times=0.9))
    assert scaled.telling.reading.measured.startswith("accuracy (relu) minus 0.9 × that of tanh: 0.")


def test_what_has_no_seeds_is_compared_by_its_interval():
    assert verdict(Condition("params", "below", {"act": "tanh"}, {"act": "relu"})).verdict == HOLDS
    assert verdict(Condition("rate", "below", {"act": "tanh"}, {"act": "relu"})).verdict == NOT_DECIDED


def test_a_word_is_met_or_not():
    assert verdict(Condition("verdict", "is", "healthy")).verdict == HOLDS
    assert verdict(Condition("verdict", "is", "vanishing")).verdict == REFUTED


def test_conditions_that_differ_make_it_hold_if():
    met = Condition("params", "below", 15, {"act": "relu"}, when="for relu")
    not_met = Condition("params", "below", 15, {"act": "tanh"}, when="for tanh")
    judgement = verdict(met, not_met)
    assert (judgement.verdict, judgement.circumstances) == (HOLDS_IF, "holds for relu; not for tanh")
    assert verdict(Condition("params", "below", 15)).verdict == REFUTED  # one condition, false in one of its rows
    open_ = Condition("rate", "below", 1.0, when="for the rate")
    judgement = verdict(met, open_)
    assert (judgement.verdict, judgement.circumstances) == (HOLDS_IF, "holds for relu; open for the rate")
    judgement = verdict(not_met, open_)
    assert judgement.verdict == NOT_DECIDED  # it may hold for the rate
    assert judgement.circumstances.startswith("not for tanh; open for the rate; the interval of rate (relu) holds 1, ")
    assert verdict(not_met, not_met).verdict == REFUTED


def test_conditions_that_say_the_same_when_are_one():
    met, not_met = Condition("params", "below", 15, {"act": "relu"}), Condition("params", "below", 15, {"act": "tanh"})
    small, rate = (lambda each: replace(each, when="for size")), Condition("rate", "below", 1.2, when="for rate")
    judgement = verdict(small(met), small(not_met), rate)
    assert (judgement.verdict, judgement.circumstances) == (HOLDS_IF, "not for size; holds for rate")
    assert verdict(small(met), small(met), rate).verdict == HOLDS
    assert verdict(small(met), small(not_met)).verdict == REFUTED


def test_all_circumstances_must_be_against_a_claim_that_is_refuted_in_each():
    """Its p-value is that of the circumstance in which least speaks against it."""
    far, near = (
        Condition("accuracy", "above", level, {"act": "relu"}, when=f"above {level}") for level in (0.99, 0.95)
    )
    ps = [verdict(each).p for each in (far, near)]
    both = verdict(far, near)
    assert both.verdict == REFUTED
    assert ps[0] < ps[1]
    assert both.p == pytest.approx(max(2 * ps[0], ps[1]))  # Holm
    assert verdict(replace(far, when=""), near).p == pytest.approx(2 * ps[0])


def test_conditions_that_do_not_say_when_must_all_be_met():
    met, not_met = Condition("params", "below", 15, {"act": "relu"}), Condition("params", "below", 15, {"act": "tanh"})
    open_ = Condition("rate", "below", 1.0)
    assert verdict(met, not_met).verdict == REFUTED
    assert verdict(met, open_).verdict == NOT_DECIDED
    assert verdict(open_, not_met).verdict == REFUTED


def with_control(control, *conditions):
    return judge(RUN, Claim("", "", conditions, (control,)))


def test_without_its_control_a_claim_is_not_decided():
    met, not_met = Condition("rate", "below", 1.2), Condition("rate", "below", 0.8)
    shown = Condition("accuracy", "above", {"act": "tanh"}, {"act": "relu"})
    opposite = Condition("accuracy", "below", {"act": "tanh"}, {"act": "relu"})
    assert with_control(shown, met).verdict == HOLDS
    assert with_control(shown, not_met).verdict == REFUTED
    for condition in (met, not_met):
        judgement = with_control(opposite, condition)
        assert judgement.verdict == NOT_DECIDED
        said = "accuracy (relu) minus that of tanh"
        assert judgement.circumstances.startswith(f"the control does not show what it must: {said}")
        assert f"; control: {said}" in judgement.measured
    open_ = with_control(Condition("rate", "below", 1.05), met)
    assert open_.verdict == NOT_DECIDED
    assert open_.circumstances.endswith(
        "the interval of rate (tanh) holds 1.05, so it may lie on either side; a difference of 0.135 from the limit "
        "would most likely have been shown"
    )


def test_a_control_is_not_corrected_and_its_p_value_bounds_that_of_the_verdict():
    """A control can hold a verdict back and never makes one: it takes no part in the correction."""
    condition = Condition("accuracy", "above", 0.5, {"act": "tanh"})
    alone = judge(RUN, Claim("", "", (condition,)))
    control = Condition("accuracy", "above", {"act": "tanh"}, {"act": "relu"})
    judgement = with_control(control, condition)
    assert judgement.findings[0].p == alone.findings[0].p
    assert judgement.controls[0].p == judge(RUN, Claim("", "", (control,))).p
    assert judgement.p == max(judgement.findings[0].p, judgement.controls[0].p)


def with_lost(failed, diverged, seeds=5, **accuracies):
    made = run(seeds, **accuracies)
    made.summary["failed"], made.summary["diverged"] = failed, diverged
    return made


EITHER = "so it may lie on either side"
# Of two rows, so at a level of .025: 4.58 standard errors, by the noncentral t of four degrees of freedom.
LEAST = "; a difference of 0.165 from the limit would most likely have been shown"
OPEN = [
    (Condition("rate", "below", 1.05), RUN,
     "; ".join(f"the interval of rate ({act}) holds 1.05, {EITHER}{LEAST}" for act in ("relu", "tanh"))),
    (Condition("rate", "within", [0.95, 1.2]), RUN,
     "; ".join(f"the interval of rate ({a}) lies only partly between 0.95 and 1.2{LEAST}" for a in ("relu", "tanh"))),
    (Condition("accuracy", "above", {"act": "tanh"}, {"act": "relu"}, times=1.12), RUN,
     f"the interval of accuracy (relu) minus 1.12 × that of tanh holds 0, {EITHER}; about 40 seeds would decide it, if "
     "it is as measured"),
    (Condition("rate", "below", 2.0), run(seeds=1, relu=[0.8]), "1 seed, and a verdict takes at least 3"),
    (Condition("rate", "below", 2.0), run(seeds=2, relu=[0.8, 0.9]), "2 seeds, and a verdict takes at least 3"),
    (Condition("accuracy", "above", {"act": "tanh"}, {"act": "relu"}),
     with_lost(0, 2, relu=[0.8, float("nan"), float("nan")], tanh=[0.7, 0.7, 0.7]),
     "1 of 3 seeds can be compared (2 of 5 diverged), and a verdict takes at least 3"),
    (Condition("rate", "below", 2.0), with_lost(3, 0, seeds=2, relu=[0.8]),
     "2 seeds (3 of 5 failed), and a verdict takes at least 3"),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "of", "why"), OPEN)
def test_what_is_not_decided_says_why(condition, of, why):
    judgement = verdict(condition, of=of)
    assert (judgement.verdict, judgement.circumstances) == (NOT_DECIDED, why)


def test_an_undecided_word_says_why():
    few = run(seeds=2, relu=[0.8, 0.9])
    few.summary["verdict"] = "undecided"
    assert verdict(Condition("verdict", "is", "healthy"), of=few).circumstances.startswith("2 seeds, and a verdict")
    enough = run(relu=[0.8, 0.9, 0.9])
    enough.summary["verdict"] = "undecided"
    assert verdict(Condition("verdict", "is", "healthy"), of=enough).circumstances == (
        "verdict is undecided, which decides nothing"
    )


@pytest.mark.parametrize(
    ("condition", "message"),
    [(Condition("rate", "below", 1, {"act": "gelu"}), "no row with act = gelu"),
     (Condition("accuracy", "above", {"seeds": 5}, {}), "several rows fit")],
)  # fmt: skip
def test_what_the_run_does_not_have_is_said(condition, message):
    with pytest.raises(DnnlabError, match=message):
        verdict(condition)


@pytest.mark.parametrize(
    ("condition", "message"),
    [(Condition("rates", "below", 1), "'rates': did you mean rate"),
     (Condition("rate", "below", 1, {"akt": "relu"}), "'akt': did you mean act"),
     (Condition("rate", "below", {"activation": "tanh"}), "unknown column .* 'activation'")],
)  # fmt: skip
def test_columns_that_are_not_there_are_said_beforehand(condition, message):
    with pytest.raises(UsageError, match=message):
        check(Claim("", "", (condition,)), COLUMNS)
    with pytest.raises(UsageError, match=message):
        check(Claim("", "", (Condition("rate", "below", 1),), (condition,)), COLUMNS)
    check(Claim("", "", (Condition("rate", "below", {"act": "tanh"}, {"act": "relu"}),)), COLUMNS)


def measured(seeds=10, **rows):
    """A run with a row an activation, whose accuracies are given by seed: all get the easiest of 500 examples right."""
    difficulty, cells = np.random.default_rng(0).permutation(500), []
    for act, shares in rows.items():
        for seed, share in enumerate(shares):
            right = difficulty < round(share * 500)
            cells.append({"act": act, "seed": seed, "accuracy": right.mean(), "right": packed(right), "guessing": 0.1})
    made = run(seeds, **rows)
    made.seeds = pd.DataFrame(cells)
    made.schema = Schema((), COLUMNS, {}, ("act",), (ACCURACY,))
    return made


def test_the_interval_of_an_accuracy_is_over_seeds_and_examples():
    """Ten seeds agree to a tenth of a point, but 500 examples do not tell .80 from .82."""
    close = measured(relu=[0.80, 0.802] * 5)
    found = verdict(Condition("accuracy", "below", 0.82, {"act": "relu"}), of=close)
    assert found.verdict == NOT_DECIDED
    assert found.circumstances.startswith("the interval of accuracy holds 0.82, so it may lie on either side")
    assert found.circumstances.endswith("no number of seeds on these 500 examples would decide it, more may")
    assert verdict(Condition("accuracy", "below", 0.86, {"act": "relu"}), of=close).verdict == HOLDS


def test_seeds_of_two_kinds_need_most_to_learn():
    """Of ten, one may fail, as at least .555 learn then; two may not."""
    condition = Condition("accuracy", "above", 0.6, {"act": "relu"})
    assert verdict(condition, of=measured(relu=[0.8] * 9 + [0.1])).verdict == HOLDS
    found = verdict(condition, of=measured(relu=[0.8] * 8 + [0.1] * 2))
    low, high = stats.binomtest(2, 10).proportion_ci(0.95, method="exact")
    assert found.circumstances == (
        "2 of 10 seeds did not learn or fell far behind the others, a share between "
        f"{100 * low:.3g} % and {100 * high:.3g} %"
    )


def test_what_is_better_but_learns_less_often_is_not_decided():
    of = measured(relu=[0.9] * 9 + [0.1], tanh=[0.7] * 10)
    found = verdict(Condition("accuracy", "above", {"act": "tanh"}, {"act": "relu"}), of=of)
    assert (found.verdict, found.circumstances) == (
        NOT_DECIDED,
        "accuracy (relu) minus that of tanh and the number of seeds that learned do not agree which of the two is "
        "larger",
    )


def test_several_conditions_are_corrected_for_their_number():
    """A mean of five with t = 3 against the limit has p = .04: alone it decides, as one of two it does not."""
    of = run(relu=[0.8], tanh=[0.8])
    of.summary["rate_lo"], of.summary["rate_hi"] = 1 - 0.1, 1 + 0.1
    error = 0.1 / stats.t.ppf(0.975, 4)
    one, two = (Condition("rate", "below", 1 + 3 * error, {"act": act}, when=act) for act in ("relu", "tanh"))
    alone = verdict(one, of=of)
    assert alone.verdict == HOLDS
    assert alone.p == pytest.approx(2 * stats.t.sf(3, 4))
    both = verdict(one, two, of=of)
    assert both.verdict == NOT_DECIDED
    assert both.p == pytest.approx(4 * stats.t.sf(3, 4))
    assert both.circumstances.startswith("p = 0.0799 of rate (relu), corrected for the number of tests, is too large")


def test_what_is_measured_without_an_interval_decides_nothing():
    many = run(relu=[0.8, 0.9, 0.7, 0.8])
    assert verdict(Condition("size", "below", 11.0), of=many).circumstances == "the interval of size is not known"
    many.summary[["rate_lo", "rate_hi"]] = 1.0
    assert verdict(Condition("rate", "below", 2.0), of=many).verdict == NOT_DECIDED


def test_two_rows_of_which_intervals_are_known_are_compared_by_welch():
    """Their intervals overlap; the difference is shown."""
    of = run(relu=[0.8], tanh=[0.8])
    of.summary["rate"], of.summary["rate_lo"], of.summary["rate_hi"] = [1.0, 1.18], [0.9, 1.08], [1.1, 1.28]
    error = 0.1 / stats.t.ppf(0.975, 4)
    found = verdict(Condition("rate", "below", {"act": "tanh"}, {"act": "relu"}), of=of)
    assert found.verdict == HOLDS
    assert found.p == pytest.approx(2 * stats.t.sf(0.18 / (error * 2**0.5), 8))
    assert found.sources == MEASURED


def test_a_geometric_mean_is_compared_on_its_own_scale():
    """The interval [0.5, 8] of 2 is symmetric in logarithms, as factor 4."""
    columns = [replace(column, log=column.name == "rate") for column in COLUMNS]
    of = run(seeds=5, relu=[0.8], tanh=[0.8])
    of.schema = replace(SCHEMA, summary=columns)
    of.summary["rate"], of.summary["rate_lo"], of.summary["rate_hi"] = [2.0, 30.0], [0.5, 10.0], [8.0, 90.0]
    error, other = np.log(4) / stats.t.ppf(0.975, 4), np.log(3) / stats.t.ppf(0.975, 4)
    found = verdict(Condition("rate", "below", 20.0, {"act": "relu"}), of=of)
    assert found.p == pytest.approx(2 * stats.t.sf(np.log(10) / error, 4))
    assert verdict(Condition("rate", "above", -1.0), of=of).verdict == HOLDS
    against = verdict(Condition("rate", "below", {"act": "tanh"}, {"act": "relu"}), of=of)
    gap, both = np.log(15), np.hypot(error, other)
    freedom = both**4 / ((error**4 + other**4) / 4)
    assert against.p == pytest.approx(2 * stats.t.sf(gap / both, freedom))
    assert "rate (relu) over that of tanh: 0.0667" in against.measured


def reported(*sources, verdicts=("holds", "holds")):
    columns = (*COLUMNS, Column("source", str, ""))
    made = run(relu=[0.8], tanh=[0.8])
    made.schema = Schema((), columns, {}, ("act",), (), source="source")
    made.summary = made.summary.assign(source=sources, verdict=verdicts)
    return made


def test_what_others_reported_decides_nothing_by_itself():
    holds = Condition("verdict", "is", "holds")
    found = verdict(holds, of=reported("reported", "computed"))
    assert (found.verdict, found.sources) == (REPORTED, "reported by others and computed")
    assert verdict(holds, of=reported("computed", "computed")).sources == COMPUTED
    assert verdict(holds, of=reported("reported", "computed", verdicts=("holds", "refuted"))).verdict == REFUTED
    against = verdict(holds, of=reported("reported", "computed", verdicts=("refuted", "holds")))
    assert against.verdict == NOT_DECIDED
    assert against.circumstances == "what others reported is against it, and decides nothing by itself"


def test_of_an_interval_that_only_the_table_has_no_number_of_seeds_is_told():
    """Nobody knows how much of it is chance of the examples; but what it could have shown. The column `visible` is that
    of another number."""
    of = run(relu=[0.8])
    of.summary["visible"] = 0.125
    found = verdict(Condition("rate", "below", 1.05), of=of)
    said = "the interval of rate holds 1.05, so it may lie on either side; a difference of 0.135 from"
    assert found.circumstances == f"{said} the limit would most likely have been shown"
    error, critical = 0.1 / stats.t.ppf(0.975, 4), stats.t.ppf(0.975, 4)
    assert stats.nct.sf(critical, 4, 0.135 / error) == pytest.approx(0.8, abs=0.01)


def test_the_seeds_that_would_decide_are_counted_for_all_tests_of_the_claim():
    """Five conditions with the same distance: alone ten seeds decide each, corrected they do not. By simulation: so
    many seeds as are told, of the spread that was measured, decide one in four of five draws at the corrected level."""
    rng = np.random.default_rng(0)
    values = rng.normal(0.9, 0.02, 10)
    distance = 2.9 * values.std(ddof=1) / np.sqrt(10)
    acts = ("relu", "tanh", "elu", "gelu", "silu")
    of = run(10, **dict.fromkeys(acts, values.tolist()))
    limit = values.mean() - distance
    conditions = [Condition("accuracy", "above", limit, {"act": act}, when=act) for act in acts]
    assert verdict(conditions[0], of=of).verdict == HOLDS
    said = verdict(*conditions, of=of).circumstances
    seeds = int(re.search(r"about (\d+) seeds would decide them", said).group(1))
    draws = rng.normal(values.mean(), values.std(ddof=1), (2000, seeds))
    shown = stats.ttest_1samp(draws, limit, axis=1).pvalue < 0.05 / 5
    assert shown.mean() == pytest.approx(0.8, abs=0.05)


def test_a_number_of_seeds_that_is_large_is_not_called_none():
    """1,100 seeds would decide; the examples are not what is missing."""
    values = 0.9 + np.where(np.arange(10) % 2, 0.1, -0.1)
    of = run(10, relu=values.tolist())
    of.schema = Schema((), COLUMNS, {}, ("act",), (Quantity("accuracy"),))
    found = verdict(Condition("accuracy", "above", 0.892, {"act": "relu"}), of=of)
    assert found.circumstances.endswith("so it may lie on either side; it would take more than 1,000 seeds")


def test_what_is_decided_by_how_many_seeds_learned_says_so():
    """Its interval says nothing of that, so that the ledger draws none."""
    of = measured(12, relu=[0.9] * 3 + [0.1] * 9, tanh=[0.9] * 12)
    found = verdict(Condition("accuracy", "above", {"act": "relu"}, {"act": "tanh"}), of=of)
    assert found.verdict == HOLDS
    assert found.measured.endswith(", where 12 of 12 seeds learned against 3 of 12")
    (kept,) = json.loads(conditions_of.written(found))
    assert (kept["met"], kept["value"]) == (True, None)


def test_equal_differences_are_decided_by_the_sign_test():
    of = run(10, relu=[0.8] * 10, tanh=[0.9] * 10)
    found = verdict(Condition("accuracy", "above", {"act": "relu"}, {"act": "tanh"}), of=of)
    assert (found.verdict, found.p) == (HOLDS, pytest.approx(2 * 0.5**10))
    assert found.measured == "accuracy (tanh) minus that of relu: 0.100, in each of 10 seeds"
    few = run(3, relu=[0.8] * 3, tanh=[0.9] * 3)
    open_ = verdict(Condition("accuracy", "above", {"act": "relu"}, {"act": "tanh"}), of=few)
    assert open_.circumstances == (
        "accuracy (tanh) minus that of relu is the same in all seeds, and of so few p = 0.25 is too large"
    )


@pytest.mark.parametrize("zeros", [2, 6, 10])
def test_what_is_exactly_zero_in_some_seeds_is_judged_by_the_sign_test(zeros):
    """A first layer that receives nothing is in favour of a claim that it receives next to nothing."""
    values = [0.0] * zeros + [0.001] * (10 - zeros)
    of = run(10, relu=values)
    of.schema = Schema((), COLUMNS, {}, ("act",), (Quantity("accuracy", log=True),))
    found = verdict(Condition("accuracy", "below", 0.01, {"act": "relu"}), of=of)
    assert (found.verdict, found.p) == (HOLDS, pytest.approx(stats.binomtest(10, 10).pvalue))
    assert found.measured.endswith(f", and exactly 0 in {zeros} of 10 seeds")
    assert verdict(Condition("accuracy", "above", 0.01, {"act": "relu"}), of=of).verdict == REFUTED
    (kept,) = json.loads(conditions_of.written(found))
    assert kept["value"] is None
    open_ = verdict(Condition("accuracy", "below", 0.0005, {"act": "relu"}), of=of)
    assert (open_.verdict == NOT_DECIDED) == (zeros < 10)
    if zeros < 10:
        assert (
            open_.circumstances == f"p = {open_.p:.3g} of the sign test, with {zeros} seeds of exactly 0, is too large"
        )


def test_what_would_decide_a_number_between_two_limits_is_that_of_the_nearer_one():
    """Of a factor the nearer limit is that on the logarithmic scale: 30 is a factor of 3.3 from 100 and 30 from 1."""
    rates = np.array([8.0, 20, 40, 60, 140])
    of = run(5, relu=rates.tolist())
    of.schema = Schema((), COLUMNS, {}, ("act",), (Quantity("accuracy", log=True),))
    said = verdict(Condition("accuracy", "within", [1, 100], {"act": "relu"}), of=of).circumstances
    assert said.startswith("the interval of accuracy lies only partly between 1 and 100; about ")
    seeds = int(re.search(r"about (\d+) seeds", said).group(1))
    spread, distance = np.log(rates).std(ddof=1), math.log(100) - np.log(rates).mean()
    power = [
        stats.nct.sf(stats.t.ppf(0.975, n - 1), n - 1, distance / (spread / math.sqrt(n))) for n in (seeds - 1, seeds)
    ]
    assert power[0] < 0.8 <= power[1]


def test_of_what_is_timed_in_processes_no_number_of_seeds_is_told():
    of = run(5, relu=[1.1, 1.4, 0.9, 1.3, 1.2])
    columns = [Column("processes", int, "") if column.name == "seeds" else column for column in COLUMNS]
    of.schema = Schema((), columns, {}, ("act",), (Quantity("accuracy", log=True),), count="processes")
    of.summary = of.summary.rename(columns={"seeds": "processes"})
    said = verdict(Condition("accuracy", "above", 1.0, {"act": "relu"}), of=of).circumstances
    assert "seeds" not in said
    assert said.endswith("from the limit would most likely have been shown")


def test_one_seed_that_can_be_compared_is_not_all_seeds():
    """Eight seeds learn, of the other network one: what decides, or would, is how many."""
    of = measured(8, relu=[0.9] * 8, tanh=[0.9] + [0.1] * 7)
    more = Condition("accuracy", "above", {"act": "tanh"}, {"act": "relu"})
    alone = verdict(more, of=of)
    assert alone.verdict == HOLDS
    assert "in each of" not in alone.measured
    both = verdict(more, replace(more, relation="below", when="else"), of=of)
    assert "of how many seeds learned and corrected for the number of tests" in both.circumstances


def test_a_word_that_nothing_was_shown_contradicts_nothing():
    of = run(3, rl=[0.90, 0.95, 0.93])
    of.schema = Schema((), COLUMNS, {}, ("act",), (), references=("baseline",), not_shown=("no better",))
    for word in ("no better", "baseline"):
        of.summary["verdict"] = word
        for asked in ("better", word):
            found = verdict(Condition("verdict", "is", asked), of=of)
            assert (found.verdict, found.circumstances) == (NOT_DECIDED, f"verdict is {word}, which decides nothing")
    of.summary["verdict"] = "worse"
    assert verdict(Condition("verdict", "is", "better"), of=of).verdict == REFUTED
    of.summary["seeds"] = 2
    assert verdict(Condition("verdict", "is", "better"), of=of).circumstances.startswith("2 seeds, and a verdict")


def kept(judgement):
    """The numbers that the ledger keeps of each condition, and from where to where the claim wants them."""
    return [
        (each["value"], each["low"], each["high"], each["above"], each["below"], each["met"])
        for each in json.loads(conditions_of.written(judgement))
    ]


@pytest.mark.parametrize(
    ("relation", "level", "above", "below", "met"),
    [("below", 1.2, None, 1.2, True), ("above", 1.2, 1.2, None, False), ("within", [0.95, 1.2], 0.95, 1.2, None)],
)  # fmt: skip
def test_the_ledger_keeps_an_interval_with_its_limits(relation, level, above, below, met):
    one = run(relu=[0.80, 0.84, 0.88, 0.92])
    judgement = verdict(Condition("rate", relation, level), of=one)
    assert kept(judgement) == [(1.0, 0.9, 1.1, above, below, met)]
    assert conditions_of.read(conditions_of.written(judgement))[0].said == "rate 1.00 [0.90, 1.10]"


def test_the_ledger_keeps_a_difference_with_none_as_its_limit():
    for relation, limits in (("above", (0.0, None)), ("below", (None, 0.0))):
        judgement = verdict(Condition("accuracy", relation, {"act": "tanh"}, {"act": "relu"}))
        interval = judgement.telling.reading.interval
        assert kept(judgement) == [(interval.mean, interval.low, interval.high, *limits, relation == "above")]
        assert interval.mean == pytest.approx(np.mean([0.10, 0.09, 0.11, 0.09]))


def test_the_ledger_keeps_a_factor_with_one_as_its_limit():
    columns = [replace(each, log=True) if each.name == "rate" else each for each in COLUMNS]
    factors = run(relu=[0.80, 0.84, 0.88, 0.92], tanh=[0.70, 0.75, 0.77, 0.83])
    factors.schema = Schema((), columns, {}, ("act",), (Quantity("accuracy"),))
    condition = Condition("rate", "above", {"act": "tanh"}, {"act": "relu"})
    (entry,) = json.loads(conditions_of.written(verdict(condition, of=factors)))
    assert (entry["value"], entry["above"], entry["below"], entry["log"]) == (1.0, 1, None, True)


def test_the_ledger_keeps_no_interval_of_what_is_counted_of_words_and_of_what_has_none():
    none = (None,) * 5
    assert kept(verdict(Condition("params", "below", 15, {"act": "relu"}))) == [(*none, True)]
    assert kept(verdict(Condition("params", "below", {"act": "tanh"}, {"act": "relu"}))) == [(*none, True)]
    assert kept(verdict(Condition("verdict", "is", "vanishing"))) == [(*none, False)] * 2  # of two rows
    assert kept(verdict(Condition("size", "below", 15.0, {"act": "relu"}))) == [(*none, None)]


def test_the_ledger_keeps_circumstances_and_controls_and_nothing_twice():
    same = Condition("rate", "below", 1.2, {"act": "relu"}, when="for relu")
    other = Condition("rate", "below", 0.8, {"act": "relu"}, when="else")
    claim = Claim("", "", (same, same, other), (Condition("params", "above", 1, {"act": "relu"}),))
    told = conditions_of.read(conditions_of.written(judge(RUN, claim)))
    assert [(each.when, each.control, each.met, each.wanted) for each in told] == [
        ("for relu", False, True, "below 1.2"),
        ("else", False, False, "below 0.8"),
        ("", True, True, ""),
    ]
    assert conditions_of.read("") == ()


def test_each_number_says_of_which_row_it_is():
    """By what differs among the rows that the claim looks at or compares with, and no other."""
    of = run(relu=[0.80, 0.84, 0.88, 0.92])
    rows = [("relu", "none", 0.1), ("relu", "batch", 0.1), ("relu", "none", 0.5), ("elu", "none", 0.1)]
    of.summary = pd.concat([of.summary.assign(act=act, norm=norm, lr=lr) for act, norm, lr in rows], ignore_index=True)
    columns = (*COLUMNS, Column("norm", str, ""), Column("lr", float, ""))
    of.schema = Schema((), columns, {}, ("act", "norm", "lr"), ())

    def said(*conditions, control=()):
        return judge(of, Claim("", "", conditions, control)).measured.split("; ")

    batch, plain, fast = ({"act": "relu", "norm": norm, "lr": lr} for _, norm, lr in (rows[1], rows[0], rows[2]))
    assert said(Condition("params", "below", 15, batch)) == ["params 10"]
    assert said(Condition("params", "below", 15, batch), Condition("params", "below", 15, plain)) == [
        "params (batch) 10",
        "params (no norm) 10",
    ]
    compared = Condition("params", "below", {"norm": "none"}, {"act": "relu", "norm": "batch"})
    with pytest.raises(DnnlabError, match="several rows fit"):
        said(replace(compared, where={"act": "relu"}))
    one = replace(compared, where=batch, level={"norm": "none", "lr": 0.1})
    assert said(one) == ["params (batch) 10 against 10"]
    slower = Condition("rate", "below", {"lr": 0.5}, plain)
    assert said(slower)[0].startswith("rate (lr 0.1) minus that of lr 0.5: ")
    assert said(Condition("verdict", "is", "healthy", plain), control=(Condition("rate", "below", 2.0, fast),)) == [
        "verdict (lr 0.1) healthy",
        "control: rate (lr 0.5) 1.00 [0.90, 1.10]",
    ]


def test_of_many_conditions_is_told_how_many_so_many_seeds_would_decide():
    def open_(*seeds):
        would = {math.inf: "no number of seeds on these 100 examples would decide it, more may"}
        return [Reason(f"it is {i} that is open", would.get(n, f"about {n} seeds"), n) for i, n in enumerate(seeds)]

    assert together(open_(9, 12)) == ["it is 0 that is open; about 9 seeds", "it is 1 that is open; about 12 seeds"]
    assert together(open_(9, 200, 12, 40)) == [
        "4 conditions are open",
        "about 9 to 200 seeds would decide them, if they are as measured",
    ]
    assert together([*open_(9, 9, math.inf, math.inf), Reason("1 seed")]) == [
        "5 conditions are open",
        "about 9 seeds would decide 2 of them, if they are as measured",
        "for 2 of them no number of seeds on these 100 examples would decide it, more may",
        "1 seed",
    ]
    assert together(open_(*[math.inf] * 4))[1] == (
        "for each no number of seeds on these 100 examples would decide it, more may"
    )
    same = Reason("one network in two rows", "about 9 seeds", 9)
    assert together([same] * 4) == [str(same)]
