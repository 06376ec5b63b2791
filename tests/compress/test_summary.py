"""Intervals and verdicts on files whose answers are known."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dnnlab.compress import columns as c
from dnnlab.compress import records
from dnnlab.compress.spec import Spec
from dnnlab.compress.summary import summarise
from dnnlab.compress.words import conclusions
from dnnlab.statistics.answers import packed


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
    assert "INT8 at about 4× holds" in said
    assert "Warning: int8 is slower" in said
    assert "0.510× [0.486, 0.535] as fast at one input and 1× at 32" in said
    doubtful = cells.assign(speedup=[0.5, 0.9, 1.4])
    assert "slower" not in " ".join(conclusions(summarise(doubtful, Spec()), Spec()))


def test_records_are_of_mnist_alone():
    assert {record.name for record in records.of("lenet300", "mnist")} >= {"Han 2016", "Oktay 2020"}
    assert records.of("lenet300", "digits") == []


def test_a_network_that_was_trained_too_little_is_said():
    said = " ".join(conclusions(summarise(rows([-50.0, -51.0, -52.0]), Spec()), Spec()))
    assert "trained too little" in said
    assert "trained too little" not in " ".join(conclusions(summarise(rows([-0.1, 0.2, 0.1]), Spec()), Spec()))


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
    assert "On 200 test examples a change under" in said
    assert "a loss of less than a point cannot be shown: take data with more test examples" in said


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
