"""Two runs side by side, on tables whose differences are known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dnnlab.errors import DnnlabError, UsageError
from dnnlab.report.columns import Column, Schema
from dnnlab.runner.diff import COLUMNS, MOVED, NOT_SHOWN, SAME, UNDECIDED, compare, show_diff
from dnnlab.statistics.answers import packed
from dnnlab.statistics.quantity import ACCURACY, Quantity

NOISE = np.random.default_rng(0).normal(0, 0.1, 8)


def schema(configuration, compared):
    names = {"seeds": int, "verdict": str, **dict.fromkeys(configuration, str)}
    return Schema((), [Column(name, dtype, "") for name, dtype in names.items()], {}, configuration, compared)


SCHEMA = schema(("model", "act"), (Quantity("rate"), Quantity("accuracy")))


class FakeRun:
    """A run whose cells are already one row each."""

    def __init__(self, cells, seed=0, schema=SCHEMA):
        self.seeds, self.path = cells, type("P", (), {"name": "fake"})
        self.spec = type("S", (), {"seed": seed})
        self.schema = schema


def cells(**rates):
    return pd.concat(
        [
            pd.DataFrame({"model": "", "act": act, "seed": range(len(r)), "rate": r, "accuracy": np.nan})
            for act, r in rates.items()
        ]
    )


def test_what_moved_is_told_from_what_did_not():
    before = FakeRun(cells(relu=1 + NOISE, tanh=2 + NOISE))
    after = FakeRun(cells(relu=1.5 + NOISE[::-1], tanh=2 + NOISE))
    table = compare(before, after).set_index("row")
    assert list(table.columns) == [c.name for c in COLUMNS if c.name != "row"]
    assert table["verdict"].to_dict() == {"relu": MOVED, "tanh": SAME}
    assert table["change"].to_dict() == pytest.approx({"relu": 0.5, "tanh": 0})
    assert (table["quantity"] == "rate").all()  # nobody measured accuracy
    expected = stats.ttest_rel(1.5 + NOISE[::-1], 1 + NOISE)
    assert table.loc["relu", "p"] == pytest.approx(2 * expected.pvalue)  # Holm, of two
    assert (table["n"] == 8).all()


def test_only_seeds_that_both_have_are_paired():
    table = compare(FakeRun(cells(relu=1 + NOISE)), FakeRun(cells(relu=1 + NOISE[:5])))
    assert table["n"].tolist() == [5]
    assert table["change"].tolist() == [0]


def test_under_another_base_seeds_are_not_pairs():
    b = 1.1 + NOISE[::-1]
    table = compare(FakeRun(cells(relu=1 + NOISE)), FakeRun(cells(relu=b), seed=7))
    assert table["p"].tolist() == pytest.approx([stats.ttest_ind(b, 1 + NOISE, equal_var=False).pvalue])


def test_a_seed_measured_several_times_is_one_number():
    def sizes(count, shift):
        return pd.concat([cells(relu=(10.0 * size + shift + NOISE)[:count]) for size in range(7)], ignore_index=True)

    (row,) = compare(FakeRun(sizes(5, 0.0)), FakeRun(sizes(3, 1.0))).to_dict("records")
    assert row["n"] == 3
    assert row["change"] == pytest.approx(1)
    (row,) = compare(FakeRun(sizes(5, 0.0)), FakeRun(sizes(3, 1.0), seed=7)).to_dict("records")
    assert row["n"] <= 5


@pytest.mark.parametrize(
    "other",
    [
        schema(("comparison", "block"), (Quantity("rate"), Quantity("accuracy"))),
        schema(("model", "act"), (Quantity("time"),)),
    ],
)
def test_runs_of_different_questions_are_refused(other):
    with pytest.raises(UsageError, match="answer different questions"):
        compare(FakeRun(cells(relu=NOISE)), FakeRun(cells(relu=NOISE), schema=other))


def test_one_seed_is_undecided():
    table = compare(FakeRun(cells(relu=[1.0])), FakeRun(cells(relu=[2.0])))
    assert table["verdict"].tolist() == [UNDECIDED]


def test_two_seeds_are_under_three_and_undecided():
    table = compare(FakeRun(cells(relu=[1.0, 1.0])), FakeRun(cells(relu=[2.0, 2.0])))
    assert table["verdict"].tolist() == [UNDECIDED]


def test_what_multiplies_is_compared_as_a_factor():
    rates = schema(("model", "act"), (Quantity("rate", log=True),))
    before = FakeRun(cells(relu=np.exp(NOISE)), schema=rates)
    after = FakeRun(cells(relu=3 * np.exp(NOISE[::-1])), schema=rates)
    (row,) = compare(before, after).to_dict("records")
    assert (row["quantity"], row["change"]) == ("rate, as a factor", pytest.approx(3))
    assert row["before"] == pytest.approx(np.exp(NOISE.mean()))
    low, high = stats.ttest_rel(np.log(3) + NOISE[::-1], NOISE).confidence_interval(0.95)
    assert (row["lo"], row["hi"]) == pytest.approx((np.exp(low), np.exp(high)))


def test_only_common_configurations_are_compared():
    before, after = FakeRun(cells(relu=1 + NOISE, tanh=NOISE)), FakeRun(cells(relu=1 + NOISE, elu=NOISE))
    assert compare(before, after)["row"].tolist() == ["relu"]
    with pytest.raises(DnnlabError, match="share no configuration"):
        compare(FakeRun(cells(relu=NOISE)), FakeRun(cells(elu=NOISE)))


def test_it_is_shown_as_table_and_as_json(capsys):
    table = compare(FakeRun(cells(relu=1 + NOISE)), FakeRun(cells(relu=2 + NOISE[::-1])))
    show_diff(table, as_json=False)
    assert MOVED in capsys.readouterr().out
    show_diff(table, as_json=True)
    assert '"verdict": "moved"' in capsys.readouterr().out


def test_no_change_that_is_shown_is_not_the_same():
    """Three seeds a side with a spread of a tenth could hide a change of a third; only equal numbers are the same."""
    (row,) = compare(FakeRun(cells(relu=[0.80, 0.85, 0.90])), FakeRun(cells(relu=[0.99, 0.80, 0.95]))).to_dict(
        "records"
    )
    assert row["verdict"] == NOT_SHOWN
    gaps = np.array([0.19, -0.05, 0.05])
    power = stats.nct.sf(stats.t.ppf(0.975, 2), 2, row["visible"] / stats.sem(gaps))
    assert power == pytest.approx(0.8, abs=0.001)
    assert row["learned"] == ""


def test_seeds_that_stop_learning_are_told():
    """The mean is that of the seeds that learned, so how many those are stands beside it."""
    right = np.random.default_rng(0).random((6, 400))

    def accuracies(shares):
        got = [example < share for example, share in zip(right, shares, strict=True)]
        numbers = {"accuracy": [each.mean() for each in got], "right": [packed(each) for each in got], "guessing": 0.1}
        return pd.DataFrame({"act": "relu", "seed": range(6), **numbers})

    judged = schema(("act",), (ACCURACY,))
    before, after = (
        FakeRun(accuracies([0.97] * 3 + [0.1] * 3), schema=judged),
        FakeRun(accuracies([0.97] * 6), schema=judged),
    )
    (row,) = compare(before, after).to_dict("records")
    assert row["learned"] == "3 of 6 → 6 of 6"
    assert row["verdict"] == NOT_SHOWN  # three more of six: p = .25 by McNemar's test, and twice that of two tests
    assert row["p"] == pytest.approx(0.5)


def test_too_few_seeds_to_compare_are_undecided_and_many_rows_overflow_nothing():
    """Two seeds and fifty rows: what would have been seen is no number that a computer has."""
    rates = schema(("model", "act"), (Quantity("rate", log=True),))
    names = {f"act{i}": np.exp(np.random.default_rng(i).normal(0, 30, 2)) for i in range(50)}
    table = compare(FakeRun(cells(**names), schema=rates), FakeRun(cells(**names), seed=7, schema=rates))
    assert table["visible"].isna().all()
    assert set(table["verdict"]) <= {UNDECIDED, SAME}
    three = {name: np.exp(np.random.default_rng(i).normal(0, 100, 3)) for i, name in enumerate(names)}
    other = {name: values[::-1] for name, values in three.items()}
    table = compare(FakeRun(cells(**three), schema=rates), FakeRun(cells(**other), schema=rates))
    assert not np.isinf(table["visible"]).any()


def test_one_number_in_all_seeds_of_both_is_the_same_whatever_the_seeds():
    (row,) = compare(FakeRun(cells(relu=[266610.0] * 5)), FakeRun(cells(relu=[266610.0] * 5), seed=7)).to_dict(
        "records"
    )
    assert row["verdict"] == SAME


@pytest.mark.parametrize("seed", [0, 7])
def test_zero_in_all_seeds_of_both_is_a_number_and_the_same(seed):
    """A network that passes no gradient on still does so: its rate is zero, which has no logarithm but is known."""
    rates = schema(("model", "act"), (Quantity("rate", log=True),))
    before = FakeRun(cells(relu=[0.0] * 5, tanh=[1.0, 2.0, 3.0, 4.0, 5.0]), schema=rates)
    after = FakeRun(cells(relu=[0.0] * 5, tanh=[1.0, 2.0, 3.0, 4.0, 5.0]), seed=seed, schema=rates)
    table = compare(before, after).set_index("row")
    assert table.loc["relu", ["before", "after", "learned", "verdict"]].tolist() == [0, 0, "0 of 5 → 0 of 5", SAME]
    assert table["p"].isna().tolist() == [True, False]
    assert table.loc["tanh", "p"] == 1
