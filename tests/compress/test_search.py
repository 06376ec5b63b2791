"""Which chain a search takes of those that it tried, by hand."""

import math

import pytest

from dnnlab.compress import chain, search
from dnnlab.compress.spec import Spec


def tried(strength, ratio, drop):
    return {"role": "trial", "strength": strength, "ratio": ratio, "validation_drop": drop}


ROWS = [tried(0.5, 20.0, 0.05), tried(0.25, 8.0, 0.004), tried(0.375, 12.0, 0.009)]


@pytest.mark.parametrize(
    ("options", "strength"),
    [
        ({"max_drop": 1.0}, 0.375),  # the strongest that loses under a point
        ({"max_drop": 0.1}, 0.25),  # all lose more: the gentlest
        ({"target": "10x"}, 0.375),  # the gentlest that is so small
        ({"target": "50x"}, 0.5),  # none is so small: the strongest
    ],
)
def test_the_chain_that_is_chosen(options, strength):
    stages = chain.parse("prune:0.9 > code")
    assert search.best_chain(Spec(**options), stages, ROWS) == chain.at_strength(stages, strength)


@pytest.mark.parametrize(
    ("options", "row", "said"),
    [
        ({"target": "10x"}, {"ratio": 10.0, "validation_drop": 0.5}, ""),
        (
            {"target": "50x"},
            {"ratio": 24.8, "validation_drop": 0.5},
            "--target asked for 50x, and the strongest chain tried has a ratio of 24.8x",
        ),
        ({"max_drop": 1.0}, {"ratio": 2.0, "validation_drop": 0.009}, ""),
        ({"max_drop": 1.0}, {"ratio": 2.0, "validation_drop": -0.02}, ""),
        (
            {"max_drop": 1.0},
            {"ratio": 2.0, "validation_drop": 0.012},
            "--max-drop asked for a drop under 1 on validation data, and that of the gentlest chain tried is 1.2, in "
            "percentage points",
        ),
        (
            {"target": "10x"},
            {"ratio": 9.996, "validation_drop": 0.5},
            "--target asked for 10x, and the strongest chain tried has a ratio of 9.996x",
        ),
        (
            {"max_drop": 1.0},
            {"ratio": 2.0, "validation_drop": float("nan")},
            "--max-drop asked for a drop under 1 on validation data, and that of the gentlest chain tried is not known",
        ),
        ({}, {"ratio": 1.0, "validation_drop": 0.5}, ""),
    ],
)
def test_what_a_search_did_not_reach_is_said(options, row, said):
    assert Spec(**options).missed(row) == said


def test_a_chain_that_leaves_no_network_has_reached_no_ratio():
    stages = chain.parse("structured:2x")
    rows = [tried(0.5, math.inf, math.inf), tried(0.25, 3.0, 0.0)]
    assert search.best_chain(Spec(target="4x"), stages, rows) == chain.at_strength(stages, 0.25)
