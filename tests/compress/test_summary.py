"""Intervals and verdicts on files whose answers are known."""

import math
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dnnlab.compress import columns as c
from dnnlab.compress import records
from dnnlab.compress.spec import Spec
from dnnlab.compress.summary import summarise
from dnnlab.compress.words import conclusions, headline
from dnnlab.statistics.answers import packed

RECIPES = Path(__file__).parents[2] / "experiments" / "4-compression"


def rows(drops, role="chain", method="prune:0.9", ratio=10.0, diverged=0.0, base=100, n=1000):
    """Cells of one chain: a drop in points a seed."""
    shared = {"arch": "lenet300", "data": "mnist", "recipe": "prune:0.9", "role": role, "stage": 1.0, "method": method}
    out = []
    for seed, drop in enumerate(drops):
        errors = base + drop * n / 100
        row = {column.name: "" if column.dtype is str else math.nan for column in c.CELLS}
        out.append(
            row
            | shared
            | {"seed": seed, "chain": "prune:0.9", "form": "sparse", "accuracy": 1 - errors / n, "errors": errors}
            | {"base_errors": float(base), "tested": float(n), "lost": max(errors - base, 0.0) + 5}
            | {"gained": max(base - errors, 0.0) + 5, "bytes": 1000.0, "ratio": ratio, "ratio_onnx": ratio}
            | {"diverged": diverged, "speedup": 1.0, "speedup32": 1.0, "int8_share": 0.0}
        )
    return pd.DataFrame(out)


@pytest.mark.parametrize(
    ("cells", "verdict"),
    [
        (rows([0.1, 0.2, 0.1]), c.HOLDS),
        (rows([2.0, 2.1, 2.2]), c.LOSES),
        (rows([0.1, 3.0, -1.0]), c.UNDECIDED),
        (rows([0.1, 0.1]), c.UNDECIDED),
        (rows([0.1, 0.2, 0.1], ratio=0.98), c.NO_SMALLER),
        (rows([50.0, 51.0, 50.0], diverged=1.0), c.DIVERGED),
        (rows([0.0, 0.0, 0.0], role="baseline", method="baseline"), c.BASELINE),
    ],
)
def test_verdicts(cells, verdict):
    (row,) = summarise(cells, Spec()).to_dict("records")
    assert row["verdict"] == verdict
    assert row["seeds"] == len(cells)
    if len(cells) == 3:
        assert row["drop_lo"] <= row["accuracy_drop"] <= row["drop_hi"]


def test_failed_cells_are_counted_and_shown():
    good = rows([0.1, 0.2])
    bad = rows([0.0]).assign(seed=2, error="RuntimeError: x", accuracy=math.nan, role="", method="")
    (row,) = summarise(pd.concat([good, bad], ignore_index=True), Spec()).to_dict("records")
    assert (row["seeds"], row["failed"]) == (2, 1)
    (alone,) = summarise(bad, Spec()).to_dict("records")
    assert (alone["seeds"], alone["failed"]) == (0, 1)


def test_words_give_the_claim_its_verdict():
    said = " ".join(conclusions(summarise(rows([0.1, 0.2, 0.1]), Spec()), Spec()))
    assert "5–10×" in said
    assert "holds" in said
    said = " ".join(conclusions(summarise(rows([2.0, 2.1, 2.2]), Spec()), Spec()))
    assert "does not hold" in said


def test_a_slow_int8_file_is_a_warning():
    cells = rows([0.1, 0.2, 0.1], method="int8").assign(
        form="int8", chain="int8", ratio_onnx=3.9, speedup=[0.5, 0.51, 0.52]
    )
    said = " ".join(conclusions(summarise(cells, Spec()), Spec()))
    assert "INT8 at about 4× holds in size for lenet300, int8: 3.9× smaller" in said
    assert "Warning: lenet300, int8 is slower in INT8 than in FP32 on this machine, at one input." in said
    assert "0.510× [0.486, 0.535] as fast at one input and 1× at 32" in said
    doubtful = cells.assign(speedup=[0.5, 0.9, 1.4])
    assert "slower" not in " ".join(conclusions(summarise(doubtful, Spec()), Spec()))


def test_records_are_of_mnist_alone():
    assert {record.name for record in records.of("lenet300", "mnist")} >= {"Han 2016", "Oktay 2020"}
    assert records.of("lenet300", "digits") == []


@pytest.mark.parametrize(
    ("controls", "how"), [(False, "--controls measures"), (True, "the rows called more epochs show")]
)
def test_a_network_that_is_less_accurate_than_its_files_is_said(controls, how):
    spec = Spec(controls=controls)
    said = conclusions(summarise(rows([-5.0, -5.1, -5.2]), spec), spec)
    (warning,) = [each for each in said if "itself is less accurate" in each]
    assert warning.startswith("lenet300 itself is less accurate on mnist than after prune:0.9, by more than a point.")
    assert warning.endswith(f"by longer training alone, which {how}.")
    assert "--epochs" not in warning  # with --weights it would train nothing
    assert "less accurate" not in " ".join(conclusions(summarise(rows([-0.1, 0.2, 0.1]), spec), spec))


def test_in_fewer_than_three_seeds_a_network_that_is_less_accurate_is_said_with_their_number():
    def warning(drops):
        said = conclusions(summarise(rows(drops), Spec()), Spec())
        return [each for each in said if "itself is less accurate" in each]

    (of_two,) = warning([-5.0, -5.1])
    assert of_two.startswith(
        "In 2 seeds, which may be chance, lenet300 itself is less accurate on mnist than after prune:0.9"
    )
    assert warning([-5.0])[0].startswith("In 1 seed, which may be chance, ")
    assert warning([-0.5, -0.2]) == []  # within the point that the claims allow


def answered(lost, gained=0, seeds=5, n=1000, right=900, **more):
    """The network itself, which gets the first examples right, and a file that loses and gains so many of them."""
    base, ours = np.arange(n) < right, np.arange(n) < right
    ours[:lost], ours[right : right + gained] = False, True
    both = rows([0.0] * seeds, role="baseline", method="baseline", n=n).assign(recipe="", right=packed(base))
    file = rows([(lost - gained) / n * 100] * seeds, n=n).assign(right=packed(ours), accuracy=ours.mean(), **more)
    return pd.concat([both.assign(accuracy=base.mean()), file], ignore_index=True).assign(guessing=0.1)


@pytest.mark.parametrize(
    ("lost", "n", "verdict"),
    [(0, 200, c.UNDECIDED), (0, 1000, c.HOLDS), (30, 1000, c.LOSES), (8, 1000, c.UNDECIDED)],
)
def test_a_loss_is_for_new_examples_too(lost, n, verdict):
    """Five equal seeds are as good as one: what counts is how many examples there were."""
    table = summarise(answered(lost, n=n, right=n * 9 // 10), Spec())
    assert table["verdict"].tolist() == [c.BASELINE, verdict]
    row = table.iloc[1]
    assert row["drop_lo"] < row["accuracy_drop"] < row["drop_hi"]
    assert row["accuracy_drop"] == pytest.approx(lost / n)
    if not lost:
        assert row["drop_hi"] == pytest.approx(stats.t.ppf(0.975, n + 1) * math.sqrt(2 / (n + 1) / (n + 2)))


def test_what_cannot_be_shown_on_so_few_examples_is_said():
    said = " ".join(conclusions(summarise(answered(0, n=200, right=180), Spec()), Spec()))
    assert "On the 200 test examples of mnist a change of" in said
    assert "would have been shown with probability .8" in said


def test_a_file_that_learns_nothing_in_some_seeds_does_not_hold():
    cells = answered(0)
    broken = (cells["role"] == "chain") & (cells["seed"] == 0)
    cells.loc[broken, "right"] = packed(np.arange(1000) < 100)
    cells.loc[broken, "accuracy"] = 0.1
    row = summarise(cells, Spec()).iloc[1]
    assert (row["verdict"], row["learned"], row["seeds"]) == (c.UNDECIDED, 4, 5)
    assert any("1 of 5 seeds did not learn" in each for each in conclusions(summarise(cells, Spec()), Spec()))


def test_the_speed_has_an_interval_over_seeds():
    cells = answered(0).assign(speedup=[1.0] * 5 + [2.0, 2.2, 1.8, 2.1, 1.9])
    row, logs = summarise(cells, Spec()).iloc[1], np.log([2.0, 2.2, 1.8, 2.1, 1.9])
    half = stats.t.ppf(0.975, 4) * logs.std(ddof=1) / math.sqrt(5)
    assert (row["speedup"], row["speedup_lo"]) == pytest.approx((math.exp(logs.mean()), math.exp(logs.mean() - half)))


def several(files, seeds=5, n=10_000, own=9000):
    """The network itself and files of chains: the recipe, the stage, how many times smaller it is, and how many
    examples it loses and gains in all seeds."""
    base = np.arange(n) < own
    tables = [rows([0.0] * seeds, role="baseline", method="baseline", n=n).assign(recipe="", right=packed(base))]
    tables[0]["accuracy"] = base.mean()
    for recipe, stage, ratio, lost, gained in files:
        ours = base.copy()
        ours[:lost], ours[own : own + gained] = False, True
        table = rows([0.0] * seeds, n=n, ratio=ratio).assign(
            recipe=recipe, chain=f"{recipe} to {stage}", stage=float(stage), method=f"stage {stage}"
        )
        tables.append(table.assign(right=packed(ours), accuracy=ours.mean(), errors=float(n - ours.sum())))
    return pd.concat(tables, ignore_index=True).assign(guessing=0.1)


def test_verdicts_are_corrected_for_the_rows_that_are_judged():
    """Holm 1979 by hand: two files that lose .72 points of 10,000 examples, alone and beside each other."""
    lost = 72
    mean, n = lost / 10_002, 10_002  # two examples are added, one on either side
    seen = math.sqrt(((lost + 2) / n - mean**2) / (n - 1))
    error = math.sqrt(0.01 * 0.99 / 10_000)  # of a file that does lose a point
    assert seen < error
    p = 2 * stats.t.sf((0.01 - mean) / error, n - 1)
    assert p < 0.05 < 20 * p
    one = ("a", 1, 10.0, lost, 0)
    assert summarise(several([one]), Spec())["verdict"].tolist() == [c.BASELINE, c.HOLDS]
    # As many files that lose a point to the example say nothing, and take from what the first one can show.
    others = [(f"b{i}", 1, 10.0, 100, 0) for i in range(19)]
    table = summarise(several([one, *others]), Spec())
    assert set(table["verdict"][1:]) == {c.UNDECIDED}
    assert table["drop_hi"].iloc[1] < 0.01
    said = " ".join(conclusions(table, Spec()))
    assert "1 row is undecided, though the interval lies on one side of a point: the p-value counts all rows" in said
    # Files that are not smaller are not judged by what they lose.
    assert (
        summarise(several([one, *[(*each[:2], 1.0, *each[3:]) for each in others]]), Spec())["verdict"].iloc[1]
        == c.HOLDS
    )


def test_tables_in_which_every_file_loses_exactly_a_point_have_hardly_a_verdict():
    """Ten chains that lose one point in truth: at most one table in twenty has any verdict."""
    rng, n, tables = np.random.default_rng(4), 2000, 40
    false = 0
    for _ in range(tables):
        own = rng.random(n) < 0.95
        parts = [rows([0.0] * 4, role="baseline", method="baseline", n=n).assign(recipe="", right=packed(own))]
        for chain in range(10):
            ours = own & ~(rng.random(n) < 0.01 / 0.95)
            part = rows([0.0] * 4, n=n).assign(recipe=f"c{chain}", right=packed(ours), accuracy=ours.mean())
            parts.append(part)
        table = summarise(pd.concat(parts, ignore_index=True).assign(guessing=0.1), Spec())
        false += bool({c.HOLDS, c.LOSES} & set(table["verdict"]))
    assert false <= 0.05 * tables


def test_of_a_network_that_only_guesses_nothing_is_said_to_hold():
    table = summarise(several([("a", 1, 8.0, 1, 0)], own=1000), Spec())
    assert table["learned"].tolist() == [0, 0]
    assert table["verdict"].tolist() == [c.BASELINE, c.UNDECIDED]
    said = " ".join(conclusions(table, Spec()))
    assert "No seed of lenet300 itself is shown to have learned mnist" in said
    assert "5–10×" not in said
    assert "test examples" not in said  # more of them would not help


def lecture(*files):
    said = [each for each in conclusions(summarise(several(list(files)), Spec()), Spec()) if "5–10×" in each]
    return said[0] if said else ""


def test_the_claim_of_the_lecture_is_about_all_files_of_that_size():
    good, bad, open_ = (8.0, 20, 0), (9.0, 400, 0), (7.0, 100, 0)
    assert lecture(("a", 1, *good), ("a", 2, *bad)).startswith(
        "The lecture's 5–10× at under a point lost holds for lenet300, a to 1: 8× at a drop of 0.20 points [0.11, "
    )
    assert lecture(("a", 1, *bad), ("b", 1, *open_)).endswith(
        "is not shown here: 1 of 2 files of 5× or more is shown to lose more, 1 undecided."
    )
    assert lecture(("a", 1, *bad), ("b", 1, *bad)).endswith(
        "does not hold here: all 2 files of 5× or more are shown to lose more."
    )
    assert lecture(("a", 1, *bad)).endswith("does not hold here: the one file of 5× or more is shown to lose more.")
    assert not lecture(("a", 1, *open_))
    assert not lecture(("a", 1, 4.0, 20, 0))


def test_what_some_seeds_missed_is_told_of_these():
    cells = rows([0.1, 0.2, 0.1]).assign(missed=["", "asked for 2x", "asked for 2x"])
    assert summarise(cells, Spec())["missed"].tolist() == ["asked for 2x (seeds 1 and 2)"]
    assert summarise(cells.assign(missed=["a", "", "b"]), Spec())["missed"].tolist() == [
        "a (seed 0; seed 2: see cells.csv)"
    ]
    assert summarise(cells.assign(missed="a"), Spec())["missed"].tolist() == ["a"]
    assert summarise(cells.assign(missed=""), Spec())["missed"].tolist() == [""]


def test_a_network_that_only_guesses_has_nothing_to_lose_also_where_its_own_row_failed():
    """Of 1,000 examples in ten classes .133 is not better than guessing, with probability .999; .2 is."""
    guessing = rows([5, 5.3, 4.8], base=870).assign(guessing=0.1)
    assert verdicts_of(guessing) == ["undecided"]
    learned = rows([5, 5.3, 4.8], base=800).assign(guessing=0.1)
    assert verdicts_of(learned) == ["loses"]


def verdicts_of(cells):
    return summarise(cells, Spec())["verdict"].tolist()


def said_of(cells, spec=None):
    table = summarise(cells, spec or Spec())
    return headline(table, Spec()), " ".join(conclusions(table, spec or Spec()))


def test_sizes_are_told_as_they_are():
    head, said = said_of(rows([0.1, 0.2, 0.1]).assign(ratio=0.8, ratio_onnx=1.3))
    assert head.startswith("lenet300 is 1.25× larger with ")
    assert head.endswith(": holds (ratio_onnx 1.3×)")
    assert "1.25× more than 4 bytes a parameter" in said
    head, _ = said_of(rows([0.1, 0.2, 0.1]).assign(ratio=1.4, ratio_onnx=1.02))
    assert head.endswith(": no smaller (ratio_onnx 1.02×)")
    unknown = summarise(rows([0.1, 0.2, 0.1], diverged=1.0), Spec()).assign(accuracy_drop=math.nan)
    assert headline(unknown, Spec()) == "lenet300 is 10× smaller with an unknown change of error: diverged"


@pytest.mark.parametrize(
    ("ratio", "says"), [(3.4, "does not hold"), (3.6, "holds"), (4.4, "holds"), (4.6, "is exceeded")]
)
def test_int8_is_a_quarter_of_the_size_where_the_recipe_says_so(ratio, says):
    cells = rows([0.1, 0.2, 0.1], method="int8").assign(form="int8", chain="int8", ratio_onnx=ratio)
    assert f"INT8 at about 4× {says} in size for lenet300, int8: {ratio}× smaller" in said_of(cells)[1]
    assert "INT8 at about 4×" not in said_of(cells.assign(diverged=1.0))[1]
    recipe = tomllib.loads((RECIPES / "06-int8-four-times-smaller.toml").read_text(encoding="utf-8"))
    low, high = recipe["claim"]["holds"][0]["within"]
    assert (low <= ratio <= high) == (says == "holds")


def test_errors_are_those_of_the_seeds_that_the_drop_is_of():
    cells = answered(0, gained=20)
    failed = cells["seed"] == 0
    cells.loc[failed, ["right", "accuracy", "errors"]] = [packed(np.arange(1000) < 100), 0.1, 900.0]
    _, said = said_of(cells)
    assert "80 errors of 1000 (8.00 %) (2 points less error)" in said


def test_more_examples_are_asked_for_where_these_are_too_few():
    """Not where seeds are missing, and not for a data set on which everything is decided."""
    few = answered(0, n=200, right=180)
    _, said = said_of(pd.concat([few, answered(0, n=10_000, right=9000).assign(data="digits")], ignore_index=True))
    assert "On the 200 test examples of mnist a change" in said
    assert "of digits a change" not in said
    _, said = said_of(few[(few["role"] == "baseline") | (few["seed"] < 2)])
    assert "test examples of" not in said


def test_a_control_that_failed_is_not_said_to_be_impossible():
    cells = rows([0.1, 0.2, 0.1])
    assert "Beside it stands no small dense network: lenet300 has none" in said_of(cells, Spec(controls=True))[1]
    lost = rows([0.0]).assign(error="RuntimeError: x", accuracy=math.nan, role="", method="")
    assert "small dense" not in said_of(pd.concat([cells, lost], ignore_index=True), Spec(controls=True))[1]
