"""Verdicts on tables whose answer is known."""

import math
import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dnnlab.dead_relu.born import columns as b
from dnnlab.dead_relu.born import words as born_words
from dnnlab.dead_relu.census import columns as c
from dnnlab.dead_relu.census.summary import per_cell
from dnnlab.dead_relu.census.words import conclusions, headline
from dnnlab.dead_relu.remedies import columns as r
from dnnlab.dead_relu.remedies import words as remedy_words
from dnnlab.dead_relu.remedies.summary import remedy_verdict
from dnnlab.dead_relu.spec import Spec
from dnnlab.report.table import fit
from dnnlab.statistics.comparisons import Comparison
from dnnlab.statistics.intervals import around

RNG = np.random.default_rng(0)


def summarise(cells, **options):
    spec = Spec(steps=10, **options)
    return spec.question.summary.summarise(cells, spec)


def cells(
    dead, *, born=0.0, expected=math.nan, remedy="none", accuracy=0.9, loss=1.0, layers=2, steps=10, units=(50, 150)
):
    """Rows of one configuration: ``dead [seed][layer]`` at the end, ``born`` at the start."""
    rows = []
    for seed, shares in enumerate(dead):
        for step in (0, steps):
            own = accuracy[seed] if isinstance(accuracy, list) else accuracy
            whole = {"layer": 0, "accuracy": own, "loss": loss[seed] if isinstance(loss, list) else loss}
            rows.append({"seed": seed, "step": step, **whole})
            for layer in range(layers):
                now = shares[layer] if step else born
                rows.append({"seed": seed, "step": step, "layer": layer + 1, "dead": now, "units": units[layer],
                             "born_dead": min(born, now), "died": max(0, now - born),
                             "expected_dead": expected})  # fmt: skip
    table = pd.DataFrame(rows)
    fixed = {"remedy": remedy, "act": "relu", "init": "he", "norm": "none", "skip": "none", "depth": 2, "width": 64}
    fixed |= {"data": "digits", "batch_size": 8, "optimizer": "sgd", "lr": 0.1, "weight_decay": 0.0, "clip": 0.0}
    return fit(table.assign(**fixed), c.CELLS)


def verdict(table, **options):
    return summarise(table, **options).iloc[0]["verdict"]


def test_shares_are_of_units_not_of_layers():
    table = cells([[0.4, 0.0]] * 3)
    assert per_cell(table, Spec(steps=10))["dead"].tolist() == pytest.approx([0.1] * 3)  # 20 of 200
    assert summarise(table).iloc[0]["dead"] == pytest.approx(0.1)


def test_a_layer_whose_units_are_not_known_is_left_out_and_named():
    """It blanks nothing: layer 1 alone says that 40 % of its units are dead."""
    table = cells([[0.4, 0.7]] * 3)
    table = table.assign(model="nets:net", name=table["layer"].map({0: "network", 1: "a", 2: "b"}))
    lost = table["layer"] == 2
    table.loc[lost, ["units", "dead", "born_dead", "died"]] = math.nan
    row = summarise(table, model="nets:net").iloc[0]
    assert row["dead"] == pytest.approx(0.4)
    assert (row["not_known"], row["verdict"]) == ("b", c.DYING)
    table.loc[table["layer"] > 0, ["units", "dead", "born_dead", "died"]] = math.nan
    summary = summarise(table, model="nets:net")
    assert math.isnan(summary["dead"].iloc[0])
    (said,) = conclusions(summary, Spec(steps=10, model="nets:net"))
    assert "a and b" in said
    assert "range of numbers" not in said


def test_units_that_came_back_are_counted_among_those_once_dead_layer_by_layer():
    """Of 50 units in layer 1, and 150 in each of two others."""
    table = cells([[0.2, 0.1, 0.3], [0.2, 0.0, 0.0], [0.0, 0.1, 0.3]], layers=3, units=(50, 150, 150))
    end = table["step"] == 10
    revived = {1: 0.0, 2: 0.1, 3: 0.0}
    table = table.assign(revived=table["layer"].map(revived).where(end & (table["layer"] > 0)))
    seeds = per_cell(table, Spec(steps=10))
    assert seeds["back_first"].tolist()[:2] == [0, 0]
    assert math.isnan(seeds["back_first"][2])  # none was ever dead
    assert seeds["back_deeper"].tolist() == pytest.approx([15 / 75, 15 / 15, 15 / 75])
    row = summarise(table).iloc[0]
    # That all seeds say 0 of 10 units does not make it certain: half of a unit is the least spread.
    assert row["back_first"] == 0
    assert row["back_first_hi"] > 0
    assert row["back_deeper"] == pytest.approx((0.2 + 1 + 0.2) / 3)


def test_the_dying_are_compared_with_the_living_of_their_own_layer():
    """Ten units of 50 die in layer 1, thirty of 150 in layer 2."""
    table = cells([[0.2, 0.2]] * 3)
    at_end = (table["step"] == 10) & (table["layer"] > 0)
    known = {
        "newly_dead": {1: 0.2, 2: 0.2},
        "pushed_down": {1: 1.0, 2: 0.8},
        "survivors_down": {1: 0.2, 2: 0.6},
    }
    table = table.assign(**{name: table["layer"].map(values).where(at_end) for name, values in known.items()})
    table.loc[(table["step"] == 0) & (table["layer"] > 0), "newly_dead"] = 0.0
    seed = per_cell(table, Spec(steps=10)).iloc[0]
    assert seed["pushed_down"] == pytest.approx((10 * 1.0 + 30 * 0.8) / 40)
    assert seed["pushed_more"] == pytest.approx((10 * 0.8 + 30 * 0.2) / 40)


@pytest.mark.parametrize(
    ("dead", "born", "expected"),
    [
        ([[0.0, 0.0]] * 4, 0.0, c.HEALTHY),
        ([[0.1, 0.1]] * 4, 0.1, c.EXPECTED),
        ([[0.3, 0.3]] * 4, 0.1, c.DYING),
        ([[1.0, 0.5]] * 3 + [[0.2, 0.2]], 0.1, c.COLLAPSED),
        ([[0.3, 0.3]] * 2, 0.0, c.UNDECIDED),
        ([[0.0, 0.0], [0.3, 0.3], [0.02, 0.0]], 0.0, c.UNDECIDED),
    ],
)
def test_the_measure_is_what_was_dead_at_birth(dead, born, expected):
    assert verdict(cells(dead, born=born)) == expected


def test_of_an_open_verdict_the_limit_is_said():
    spec, shares = Spec(steps=10), [[0.0, 0.1], [0.4, 0.2], [0.1, 0.3]]
    table = summarise(cells(shares, born=0.05, expected=0.03))
    assert table["verdict"].iloc[0] == c.UNDECIDED
    (told,) = [line for line in conclusions(table, spec) if "is not decided" in line]
    assert "the limit is 6.00 %, one percentage point above what is usual, and 19.2 % [" in told
    own = table.assign(model="mine:net", act="", expected_dead=math.nan)
    assert any("may decide" in line for line in conclusions(own, spec))
    # As it is made, it has nothing but itself to be compared with.
    assert not any("may decide" in line for line in conclusions(own, Spec(steps=0, model="mine:net")))
    few = conclusions(summarise(cells(shares[:2], born=0.05)), spec)
    assert not any("may decide" in line for line in few)  # that the seeds are too few is said once, for all rows


@pytest.mark.parametrize(
    ("dead", "expected", "word"), [(0.2, 0.2, c.EXPECTED), (0.205, 0.2, c.EXPECTED), (0.22, 0.2, c.DYING)]
)
def test_one_percent_more_than_chance_leaves_is_no_trouble(dead, expected, word):
    row = summarise(cells([[dead, dead]] * 4, born=0.1, expected=expected)).iloc[0]
    assert row["expected_dead"] == pytest.approx(expected)
    assert row["verdict"] == word


def test_where_the_expectation_is_not_known_it_is_said():
    """As in runs of earlier versions, which measured none."""
    spec = Spec(steps=10)
    table = summarise(cells([[0.1, 0.1]] * 4, born=0.1))
    assert math.isnan(table.iloc[0]["expected_dead"])
    assert table.iloc[0]["verdict"] == c.EXPECTED
    assert any("is not known for relu" in line for line in conclusions(table, spec))
    assert not any("not known" in line for line in conclusions(summarise(cells([[0.1, 0.1]] * 4, expected=0.1)), spec))


def test_a_diverged_network_is_said_to_be_one():
    table = cells([[math.nan] * 2] * 2 + [[0.1, 0.1]], loss=[math.nan, math.inf, 1.0])
    row = summarise(table).iloc[0]
    assert (row["verdict"], row["diverged"]) == (c.DIVERGED, 2)


@pytest.mark.parametrize("which", [0, 2, 4])
def test_the_interval_is_that_of_the_seeds_that_did_not_diverge_whichever_did(which):
    """Of a network that diverged no unit is known, so that its share has no smallest step either."""
    shares = [0.10, 0.14, 0.12, 0.16, 0.11]
    lost = np.arange(5) == which
    table = cells(
        [[math.nan] * 2 if gone else [share] * 2 for share, gone in zip(shares, lost, strict=True)],
        loss=[math.nan if gone else 1.0 for gone in lost],
    )
    table["units"] = table["units"].mask(np.isin(table["seed"], np.flatnonzero(lost)))
    row = summarise(table).iloc[0]
    low, high = stats.ttest_1samp(np.array(shares)[~lost], 0).confidence_interval(0.95)
    assert row[["dead_lo", "dead_hi"]].tolist() == pytest.approx([low, high])


def test_failed_cells_are_rows_that_say_so():
    table = cells([[0.1, 0.1]] * 3)
    table["error"] = "OutOfMemoryError: no"
    row = summarise(table).iloc[0]
    assert (row["failed"], row["seeds"], row["verdict"]) == (3, 0, c.UNDECIDED)


def remedies(**treated):
    """Verdict of each remedy against an untreated network that is half dead and 60 % accurate."""
    noise = RNG.normal(0, 0.01, 8)
    tables = [cells([[0.5 + e, 0.5 + e] for e in noise], accuracy=list(0.6 + RNG.normal(0, 0.01, 8)))]
    for name, (dead, accuracy) in treated.items():
        shares = [[max(0.0, dead + e)] * 2 for e in RNG.normal(0, 0.005, 8)]
        right = list(accuracy + RNG.normal(0, 0.01, 8))
        tables.append(cells(shares, remedy=name.replace("_", " "), accuracy=right))
    table = summarise(pd.concat(tables, ignore_index=True), remedies=True)
    return table.set_index("remedy")


def test_remedies_are_judged_by_the_dead_and_by_accuracy():
    table = remedies(
        batch_norm=(0.0, 0.9), lower_lr=(0.2, 0.8), clipping=(0.5, 0.6), elu=(0.0, 0.6), gelu=(0.0, 0.3),
        he_init=(0.9, 0.6), residual=(0.5, 0.2),
    )  # fmt: skip
    expected = {
        "none": r.UNTREATED, "batch norm": r.CURES, "lower lr": r.HELPS, "elu": r.FEWER, "gelu": r.COSTS,
        "clipping": r.NO_EFFECT, "he init": r.HARMS, "residual": r.HARMS,
    }  # fmt: skip
    assert table["verdict"].to_dict() == expected
    assert table.index[:3].tolist() == ["none", "batch norm", "lower lr"]  # the best first
    assert table.loc["batch norm", "dead_change"] == pytest.approx(-0.5, abs=0.02)
    assert table.loc["batch norm", "accuracy_change_lo"] > 0.2
    assert math.isnan(table.loc["none", "dead_change"])


def test_a_remedy_by_chance_is_no_effect():
    """Under ten remedies that do nothing, Holm lets almost none through."""
    names = ("leaky_relu", "prelu", "elu", "gelu", "clipping")
    verdicts = remedies(**dict.fromkeys(names, (0.5, 0.6)))["verdict"]
    assert (verdicts.drop("none") == r.NO_EFFECT).all()


def test_remedies_of_which_every_cell_failed_are_undecided():
    table = cells([[0.1, 0.1]] * 3, remedy="none").assign(error="killed")
    other = cells([[0.1, 0.1]] * 3, remedy="clipping").assign(error="killed")
    rows = summarise(pd.concat([table, other], ignore_index=True), remedies=True)
    assert rows["failed"].tolist() == [3, 3]
    assert rows["seeds"].tolist() == [0, 0]
    assert set(rows["verdict"]) == {r.UNTREATED, r.UNDECIDED}


def judged(n, dead, better, spread=0.1):
    """The verdict on a remedy whose effects were compared in ``n`` seeds, have these signs and this standard error."""
    row = {"remedy": "batch norm", "diverged": 0, "seeds": 8, "dead_hi": 0.0, "expected_dead": 0.0, "born_dead": 0.0}
    told = [
        Comparison(around(0.1, spread, n - 1, n), math.nan if sign is None else 0.5, 0.5, sign, 8)
        for sign in (dead, better)
    ]
    return remedy_verdict(row, *told)


def test_no_effect_takes_seeds_in_which_one_could_have_been_seen():
    assert judged(8, 0, 0) == r.NO_EFFECT
    assert judged(2, 0, 0) == r.UNDECIDED
    assert judged(2, None, 0) == r.UNDECIDED
    assert judged(8, 0, 0, spread=math.nan) == r.UNDECIDED


def test_where_no_unit_was_dead_to_begin_with_there_is_no_effect():
    """A share of 200 units moves in steps, so that a difference of a step or two would have been seen."""
    none = cells([[0.0, 0.0]] * 5, accuracy=[0.90, 0.91, 0.92, 0.91, 0.93])
    clipped = cells([[0.0, 0.0]] * 5, remedy="clipping", accuracy=[0.91, 0.90, 0.92, 0.93, 0.91])
    table = summarise(pd.concat([none, clipped], ignore_index=True), remedies=True).set_index("remedy")
    assert table.loc["clipping", ["dead", "dead_change"]].tolist() == [0.0, 0.0]
    assert table.loc["clipping", "verdict"] == r.NO_EFFECT


def test_shares_say_of_which_seeds_they_are():
    """Of seven seeds five collapse; of the two others 10 % and 20 % of the units are dead."""
    table = cells([[1.0, 0.5]] * 5 + [[0.1, 0.1], [0.2, 0.2]], born=0.05)
    summary = summarise(table)
    assert summary["dead"].iloc[0] == pytest.approx(0.15)
    spec = Spec(steps=10)
    where = "in the 2 of 7 seeds that did not collapse"
    assert headline(summary, spec).endswith(f" collapses: {where}, 15.0 % are dead")
    said = " ".join(conclusions(summary, spec))
    assert f"dead units {where}: " in said
    assert "In all seeds 5.00 % were dead before training. In all seeds zero outputs are" in said
    whole = summarise(cells([[0.3, 0.3]] * 4, born=0.1))
    assert "did not collapse" not in " ".join([headline(whole, spec), *conclusions(whole, spec)])


@pytest.mark.parametrize(("died", "of"), [(0.0, ""), (0.1, "in the 2 of 7 seeds that did not collapse, ")])
def test_deaths_are_told_of_the_seeds_in_which_units_died(died, of):
    """Of seven seeds five collapse, whose dying were pushed down in 80 % of the cases; in the two others ``died``."""
    table = cells([[1.0, 0.5]] * 5 + [[died, died]] * 2)
    at_end = (table["step"] == 10) & (table["layer"] > 0)
    dying = at_end & (table["dead"] > 0)
    table["newly_dead"] = table["dead"].where(table["layer"] > 0)
    table["pushed_down"] = np.where(table["seed"] < 5, 0.8, 0.6)
    table["pushed_down"], table["survivors_down"] = table["pushed_down"].where(dying), 0.2
    table["fatal_update"], table["survived_update"] = 0.5, 0.1
    said = " ".join(conclusions(summarise(table), Spec(steps=10)))
    share = "60 %" if died else "80 %"
    assert f"that of units that lived; {of}{share} of the dying had" in said


def test_a_network_whose_units_are_not_known_is_not_said_to_have_left_the_range_of_numbers():
    lost = cells([[math.nan] * 2] * 3, loss=[math.nan] * 3)
    unknown = cells([[math.nan] * 2] * 3).assign(model="nets:net", name="a")
    unknown.loc[unknown["layer"] > 0, "units"] = math.nan
    said = conclusions(summarise(pd.concat([lost, unknown], ignore_index=True)), Spec(steps=10))
    assert said[0].endswith("No other network stayed within the range of numbers.")
    assert "it is not known which dimension of a" in said[1]


def test_expected_is_not_said_to_be_the_units_of_birth():
    """20 % were born dead, 18 % came back, and 5 % are dead."""
    summary = summarise(cells([[0.05, 0.05]] * 4, born=0.2))
    assert summary["verdict"].iloc[0] == c.EXPECTED
    assert "has about as many dead units as chance leaves at birth, or fewer: " in headline(summary, Spec(steps=10))


def told_of_remedies(**verdicts):
    common = {
        "model": "", "act": "relu", "init": "xavier", "norm": "none", "skip": "none", "lr": 1.0, "depth": 5,
        "width": 64, "data": "digits", "seeds": 10, "dead": 0.5, "accuracy": 0.2, "collapsed": 0.6,
    }  # fmt: skip
    named = {"none": "untreated"} | {name.replace("_", " "): word for name, word in verdicts.items()}
    rows = fit(pd.DataFrame([common | {"remedy": n, "verdict": v} for n, v in named.items()]), r.SUMMARY)
    return " ".join(remedy_words.conclusions(rows, None))


def test_a_remedy_that_costs_accuracy_is_named():
    said = told_of_remedies(elu=r.COSTS, gelu=r.NO_EFFECT)
    assert "; elu leaves fewer units dead but costs accuracy; no other remedy is shown to keep units alive." in said
    assert "elu and gelu leave fewer units dead but cost accuracy" in told_of_remedies(elu=r.COSTS, gelu=r.COSTS)
    assert "; no remedy is shown to keep units alive." in told_of_remedies(gelu=r.NO_EFFECT)


def test_seeds_that_are_enough_are_not_said_to_be_too_few():
    """Four of ten do not collapse: a remedy may be undecided because its two measures disagree."""
    said = told_of_remedies(elu=r.UNDECIDED)
    assert "elu is not decided: 60 % of the seeds collapse without it." in said
    assert "too few" not in said


def test_the_lectures_remedies_are_not_told_where_none_was_tried():
    assert "lecture" not in told_of_remedies(gelu=r.HELPS)
    assert "Of the lecture's own: clipping: helps." in told_of_remedies(clipping=r.HELPS)


def test_a_share_changes_by_no_more_than_a_hundred_points():
    """Differences of -.99, -.99 and -.4 have an interval that reaches below -1."""
    base, other = cells([[0.995, 0.995]] * 2 + [[0.5, 0.5]]), cells([[0.005, 0.005]] * 2 + [[0.1, 0.1]], remedy="elu")
    row = summarise(pd.concat([base, other], ignore_index=True), remedies=True).set_index("remedy").loc["elu"]
    differences = np.array([-0.99, -0.99, -0.4])
    assert differences.mean() - 4.302653 * differences.std(ddof=1) / math.sqrt(3) < -1
    assert row["dead_change"] == pytest.approx(differences.mean())
    assert row["dead_change_lo"] == -1


def born(**columns):
    fixed = {"depth": 9, "n": 100, "failed": 0, "probability": 0.5, "probability_lo": 0.4, "probability_hi": 0.6}
    return born_words.conclusions(fit(pd.DataFrame([fixed | row for row in columns["rows"]]), b.SUMMARY), None)


def test_of_bounds_is_said_what_is_shown():
    within = {"width": 4, "init": "he", "verdict": b.WITHIN}
    rai = {"width": 4, "init": "rai", "verdict": b.NO_BOUND}
    said = born(rows=[within, within | {"width": 5}])
    assert said[1] == "Of 2 points, none is shown to be outside the proven bounds."
    assert said[2].startswith("With he, a width of 10 keeps it at 1 % at most for 9 hidden layers")
    assert 9 * 2**-10 < 0.01 < 9 * 2**-9
    assert born(rows=[within, rai])[1].startswith("Of 1 point with such bounds, none is ")
    assert born(rows=[within | {"verdict": b.OUTSIDE}, rai])[1].endswith("1 is shown to be outside the proven bounds.")
    assert born(rows=[rai])[1:] == ["No bound is proven for these networks."]


@pytest.mark.parametrize(
    ("seeds", "collapsed", "told"), [(5, 1.0, 9), (5, 0.8, 11), (10, 0.8, 11), (2, 1.0, 0), (5, 0.2, 0), (10, 1.0, 0)]
)
def test_how_many_seeds_would_decide_is_said_where_most_collapse(seeds, collapsed, told):
    """With 4 remedies an exact test of n pairs that all agree has p = 2 · 0.5ⁿ, times two tests, times four: n is 9,
    and more where not all seeds collapse without a remedy."""
    assert [2 * 2 * 4 * 0.5**n < 0.05 for n in (8, 9)] == [False, True]
    assert math.ceil(math.log2(320) / 0.8) == 11
    common = {
        "model": "", "act": "relu", "init": "xavier", "norm": "none", "skip": "none", "lr": 1.0, "depth": 5,
        "width": 64, "data": "digits", "seeds": seeds, "dead": 0.5, "accuracy": 0.2, "collapsed": collapsed,
    }  # fmt: skip
    names = {"none": "untreated", "elu": "undecided", "gelu": "undecided", "prelu": "diverged", "clipping": "undecided"}
    rows = fit(pd.DataFrame([common | {"remedy": n, "verdict": v} for n, v in names.items()]), r.SUMMARY)
    said = remedy_words.conclusions(rows, None)
    assert re.findall(r"--seeds (\d+)", " ".join(said)) == ([str(told)] if told else [])
    assert not any("nan" in sentence for sentence in said)
