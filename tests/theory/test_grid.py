"""Theory against gradient-flow itself, on a small draw of the grid of ``benchmarks/theory_grid.py``."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import theory_grid

BASE = 500
COUNT = 24


@pytest.fixture(scope="module")
def table():
    small = [each for each in theory_grid.draw(BASE, 200) if each["width"] <= 64 and each["depth"] <= 24][:COUNT]
    return theory_grid.against_theory(small, BASE, seeds=5)


def test_measured_rates_lie_in_the_band(table):
    """Of 24, a share of 95 % leaves more than three outside in 3 % of all cases."""
    told = table[(table["no_theory"] == "") & table["rate"].notna()]
    assert len(told) >= COUNT - 2
    assert (told["z"].abs() > 1.96).sum() <= 3


def test_the_band_is_not_wider_than_it_must_be(table):
    assert table["z"].abs().median() > 0.3  # of a normal 0.67


def test_one_base_draws_the_same_configurations():
    assert theory_grid.draw(3, 20) == theory_grid.draw(3, 20)
    assert theory_grid.draw(3, 20) != theory_grid.draw(4, 20)


def test_what_is_drawn_is_of_the_whole_grid():
    drawn = pd.DataFrame(theory_grid.draw(BASE, 1000))
    assert set(drawn["act"]) == set(theory_grid.ACTS)
    assert set(drawn["init"].str.partition(":")[0]) == set(theory_grid.INITS)
    assert set(drawn["norm"]) == set(theory_grid.NORMS)
    assert set(drawn["skip"]) == set(theory_grid.SKIPS)
    assert drawn["depth"].min() == 5
    assert drawn["depth"].max() == 50


def test_the_report_counts_what_is_inside_outside_and_silent():
    names = ("act", "init", "norm", "skip", "depth", "width", "data", "batch_size", "dropout", "rate_theory")
    rows = [{**dict.fromkeys((*names, "theory_lo", "theory_hi"), 0), "rate": 1.0} for _ in range(4)]
    table = pd.DataFrame(rows).assign(z=[0.1, 1.0, 3.0, np.nan], no_theory=["", "", "", "too narrow"])
    lines = "\n".join(theory_grid.report(table))
    assert "inside the band: 66.7% of 3" in lines
    assert "|z| < 0.5: 33.3%" in lines
    assert "silent: 25.0%" in lines
    assert "1: too narrow" in lines
    assert "outside: 1" in lines
