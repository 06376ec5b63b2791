"""How many verdicts of a ledger would be wrong by chance, on p-values that are given."""

import math

import pytest

from dnnlab.reproduce import ledger
from dnnlab.reproduce.judge import COMPUTED, HOLDS, MEASURED, NOT_DECIDED, NOT_RUN, REFUTED


def row(verdict, p=math.nan, source=MEASURED):
    return {"verdict": verdict, "p": p, "source": source, "n": 5}


def test_the_share_of_false_verdicts_is_that_of_all_claims_that_were_measured():
    """Of four that were measured three are decided: the second smallest p-value of .02 counts 4/2 times."""
    rows = [
        *(row(HOLDS, 0.001), row(REFUTED, 0.02), row(HOLDS, 0.04), row(NOT_DECIDED, 0.3)),
        *(row(HOLDS, source=COMPUTED), row(NOT_DECIDED, source=COMPUTED), row(NOT_RUN, source="")),
    ]
    table = ledger.table(rows)
    assert table["false_discovery"].tolist()[:3] == pytest.approx([0.004, 0.04, 0.04 * 4 / 3])
    assert table["false_discovery"][3:].isna().all()
    expected = 3 * 0.04 * 4 / 3
    assert ledger.by_chance(table) == (
        f"Of the 3 claims decided by p-values at most about {expected:g} would be wrong by chance at this level."
    )


def test_where_hardly_any_would_be_wrong_no_digits_are_told():
    assert ledger.by_chance(ledger.table([row(HOLDS, 1e-9)])) == (
        "The one claim decided by a p-value would be wrong by chance with a probability of less than 0.01."
    )


def test_where_nothing_was_measured_nothing_is_told():
    assert ledger.by_chance(ledger.table([row(HOLDS, source=COMPUTED), row(NOT_RUN, source="")])) == ""
