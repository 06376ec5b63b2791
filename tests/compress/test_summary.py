"""Intervals, tests and verdicts, against closed forms."""

import math

import pandas as pd
import pytest

from dnnlab.compress import columns as c
from dnnlab.compress import records
from dnnlab.compress.spec import Spec
from dnnlab.compress.summary import bootstrap, mcnemar, summarise
from dnnlab.compress.words import conclusions


def test_the_bootstrap_is_near_the_normal_interval_of_paired_counts():
    lost, gained, n = 120, 80, 10_000
    mean = (lost - gained) / n
    half = 1.96 * math.sqrt(((lost + gained) / n - mean**2) / n)
    low, high = bootstrap(lost, gained, n)
    assert low == pytest.approx(mean - half, abs=0.05 * half + 1 / n)
    assert high == pytest.approx(mean + half, abs=0.05 * half + 1 / n)
    assert bootstrap(0, 0, 100) == (0, 0)


def test_mcnemar_is_a_fair_coin():
    assert mcnemar(0, 0) == 1
    assert mcnemar(5, 0) == pytest.approx(2 * 0.5**5)
    assert mcnemar(3, 1) == pytest.approx(2 * (1 + 4) / 16)


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
        (rows([50.0, 50.0, 50.0], diverged=1.0), c.DIVERGED),
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
    cells = rows([0.1, 0.2, 0.1], method="int8").assign(form="int8", chain="int8", ratio_onnx=3.9, speedup=0.5)
    said = " ".join(conclusions(summarise(cells, Spec()), Spec()))
    assert "INT8 at about 4× holds" in said
    assert "Warning: int8 is slower" in said


def test_records_are_of_mnist_alone():
    assert {record.name for record in records.of("lenet300", "mnist")} >= {"Han 2016", "Oktay 2020"}
    assert records.of("lenet300", "digits") == []


def test_a_network_that_was_trained_too_little_is_said():
    said = " ".join(conclusions(summarise(rows([-50.0, -51.0, -52.0]), Spec()), Spec()))
    assert "trained too little" in said
    assert "trained too little" not in " ".join(conclusions(summarise(rows([-0.1, 0.2, 0.1]), Spec()), Spec()))
