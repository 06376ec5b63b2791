"""What units needed grow by: exact laws, what no width solved, and what half of the steps would have given."""

import math

import pandas as pd
import pytest

from dnnlab.compare_arch.shallow_deep import columns as c
from dnnlab.compare_arch.shallow_deep.summary import _verdict as growth
from dnnlab.compare_arch.shallow_deep.summary import per_cell, summarise
from dnnlab.compare_arch.shallow_deep.theory import fits_better
from dnnlab.compare_arch.shallow_deep.words import conclusions
from dnnlab.statistics.intervals import Interval

WIDTHS = [2**i for i in range(13)]


def tried(inputs, seed, needed, kind="shallow", depth=1, steps=100.0, widest=4096, ended=1.0):
    """The rows of a search that found that ``needed`` units a layer are enough, after so many of a thousand steps."""
    rows = []
    for width in WIDTHS:
        if width > widest:
            break
        solved = width >= needed
        rows.append(
            {"task": "parity", "kind": kind, "inputs": inputs, "seed": seed, "depth": depth, "width": width,
             "most_steps": 1000, "steps": steps if solved else math.nan, "accuracy": 1.0 if solved else 0.6,
             "solved": float(solved), "ended": ended if not solved else 1.0, "error": ""}
        )  # fmt: skip
        if solved:
            break
    return rows


def table(law, sizes=(2, 4, 6, 8, 10), seeds=4, **more):
    """What seeds need that lie a little around a law."""
    return pd.DataFrame(
        [
            row
            for n in sizes
            for seed in range(seeds)
            for row in tried(n, seed, law(n) * 2 ** (0.2 * seed - 0.3), **more)
        ]
    )


@pytest.mark.parametrize(
    ("law", "column", "value", "verdict"),
    [
        (lambda n: 2**n, "factor", 2.0, c.AS_CLAIMED),
        (lambda n: 1.5**n, "factor", 1.5, c.SLOWER),
        (lambda n: n**2, "exponent", 2.0, c.SLOWER),
    ],
)
def test_growth_is_recovered(law, column, value, verdict):
    (row,) = summarise(table(law, seeds=5), None).to_dict("records")
    assert row[f"{column}_lo"] < value < row[f"{column}_hi"]
    assert row[column] == pytest.approx(value, rel=0.15)
    assert row["verdict"] == verdict
    better = {"factor": "exponential", "exponent": "power"}
    other = {"factor": "power", "exponent": "exponential"}
    assert row[f"{better[column]}_likelihood"] > row[f"{other[column]}_likelihood"]
    assert (row["training"], row["late"], row["unended"], row["censored"]) == (c.ENDED, 0, 0, 0)


def test_what_no_width_solved_is_more_than_the_widest_and_no_number():
    cells = table(lambda n: 2**n, widest=64)
    (row,) = summarise(cells, None).to_dict("records")
    # Of four seeds two need less than 2ⁿ and two more; the third one's is told. At n = 6 these two would take 128.
    assert row["needed"] == "2: 8, 4: 32, 6: > 64, 8: > 64, 10: > 64"
    assert row["censored"] == 2 + 4 + 4
    assert row["factor_lo"] < 2 < row["factor_hi"]
    units = per_cell(cells, None).set_index(["inputs", "seed"])
    assert math.isnan(units.loc[(10, 0), "log2_units"])
    assert math.isinf(units.loc[(10, 0), "units"])
    assert units.loc[(10, 0), "low"] == 6
    assert (units.loc[(4, 3), "low"], units.loc[(4, 3), "high"]) == (4, 5)  # 16 · 2^0.3 lies between 16 and 32
    said = "parity, shallow: no width solved it within the steps at 10 pairs of seed and size; "
    assert any(sentence.startswith(said) for sentence in conclusions(summarise(cells, None), None))


def test_nothing_is_said_where_nothing_was_solved():
    (row,) = summarise(table(lambda n: math.inf), None).to_dict("records")
    assert (row["seeds"], row["censored"], row["verdict"], row["training"]) == (4, 20, c.UNDECIDED, c.UNDECIDED)
    assert math.isnan(row["factor"])
    assert math.isnan(row["factor_lo"])
    sentences = conclusions(summarise(table(lambda n: math.inf), None), None)
    assert sentences[0].endswith("those that solved it do not tell how the units needed grow.")
    (row,) = summarise(table(lambda n: 0.5), None).to_dict("records")  # all seeds solve it with one unit
    assert (row["censored"], row["verdict"]) == (0, c.UNDECIDED)


def test_a_law_fits_better_where_its_likelihood_is_twenty_times_as_large():
    assert fits_better(math.log(20.1), 0.0) == "an exponential"
    assert fits_better(0.0, math.log(20.1)) == "a power law"
    assert fits_better(math.log(19.9), 0.0) is None
    two = conclusions(summarise(table(lambda n: 2**n, sizes=(4, 8)), None), None)  # any law goes through two sizes
    assert two[0].endswith("; neither law is shown to fit better.")


def test_what_grows_otherwise_is_not_as_claimed():
    """2ⁿ lies in the interval of the exponential, which fits worse than a power law: 4, 31, 103, 243 and so on."""
    cells = table(lambda n: n**2.97 / 2, sizes=(2, 4, 6, 8))
    (row,) = summarise(cells, None).to_dict("records")
    assert row["factor_lo"] < 2 < row["factor_hi"]
    assert row["power_likelihood"] - row["exponential_likelihood"] > math.log(20)
    assert row["verdict"] == c.UNDECIDED


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.91, 2.09, c.AS_CLAIMED),
        (1.92, 1.98, c.AS_CLAIMED),
        (1.04, 3.7, c.UNDECIDED),  # it holds 2, and much else
        (1.89, 2.05, c.UNDECIDED),
        (1.95, 2.11, c.UNDECIDED),
        (1.5, 1.89, c.SLOWER),
        (2.11, 2.5, c.FASTER),
        (math.nan, math.nan, c.UNDECIDED),
    ],
)
def test_as_claimed_is_what_lies_within_a_twentieth_of_two(low, high, verdict):
    other = Interval(5.0, 4.0, 6.0, 5)
    in_log2 = Interval((math.log2(low) + math.log2(high)) / 2, math.log2(low), math.log2(high), 5)
    assert growth("shallow", in_log2, other, None) == verdict
    assert growth("deep", other, Interval((low + high) / 2, low, high, 5), None) == verdict


def test_an_answer_that_half_of_the_steps_would_change_is_not_decided():
    """The largest size is solved late by the narrowest that solve it, and early by layers eight times as wide."""
    rows = [row for n in (2, 4, 6, 8) for seed in range(4) for row in tried(n, seed, n + 0.2 * seed)]
    for seed in range(4):
        rows += tried(12, seed, 12 + 0.2 * seed, steps=900.0)
        wide = tried(12, seed, 12)[-1]
        rows.append(wide | {"width": 512})
    cells = pd.DataFrame(rows)
    assert list(per_cell(cells, None).query("inputs == 12")["half_high"].unique()) == [9]
    (row,) = summarise(cells, None).to_dict("records")
    assert (row["late"], row["training"], row["verdict"]) == (4, c.NOT_ENDED, c.UNDECIDED)
    assert row["half_factor"] > row["factor_hi"]
    assert any("training had not ended" in sentence for sentence in conclusions(summarise(cells, None), None))


def test_a_network_that_was_still_learning_below_the_answer_is_counted():
    (row,) = summarise(table(lambda n: 2**n, ended=0.0), None).to_dict("records")
    assert row["unended"] == 20
    assert summarise(table(lambda n: 1), None)["unended"].tolist() == [0]


def failing(kind, errors):
    """Searches of each size and seed, of which some have an error and nothing else."""
    rows = [row for seed in range(len(errors)) for n in (2, 4, 8) for row in tried(n, seed, 4, kind)[-1:]]
    return [row | {"error": errors[row["seed"]]} for row in rows]


def test_a_seed_that_failed_at_every_size_counts_once():
    found = summarise(pd.DataFrame(failing("shallow", ["", "", "", "killed", None])), None)
    assert found[["seeds", "failed"]].iloc[0].tolist() == [4, 1]


def test_a_network_of_which_every_seed_failed_has_a_row_too():
    rows = failing("shallow", ["", "", ""]) + failing("deep", ["killed"] * 3)
    found = summarise(pd.DataFrame(rows), None).set_index("kind")
    assert found.loc["deep", ["seeds", "failed", "verdict"]].tolist() == [0, 3, "undecided"]
    alone = summarise(pd.DataFrame(failing("deep", ["killed"] * 3)), None)
    assert alone[["seeds", "failed", "verdict"]].iloc[0].tolist() == [0, 3, "undecided"]
    assert conclusions(alone, None) == []
