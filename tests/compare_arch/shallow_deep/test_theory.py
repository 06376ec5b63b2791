"""Units that are known to suffice, against the network that is built and tried."""

import tomllib
from pathlib import Path

import pytest

from dnnlab.check.folded import parity_errors
from dnnlab.compare_arch.shallow_deep.theory import RATE, SLACK, sufficient

RECIPES = Path(__file__).parents[3] / "experiments" / "1-deep-networks"


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("bits", [2, 3, 8, 9, 12])
def test_units_that_are_said_to_suffice_get_every_pattern_right(bits, depth):
    units = sufficient("parity", bits, depth)
    assert parity_errors(bits, depth, units // depth) == 0
    assert units == {1: bits, 3: 6 if bits <= 8 else 9}[depth]


@pytest.mark.parametrize("name", ["30-training-shallow-networks", "44-shallow-and-composed"])
def test_a_verdict_allows_what_the_recipes_do(name):
    (condition,) = tomllib.loads((RECIPES / f"{name}.toml").read_text())["claim"]["holds"]
    assert condition["above"] == pytest.approx(RATE * (1 - SLACK))


def test_of_other_tasks_nothing_is_known():
    assert sufficient("compositional", 4, 1) is None
