"""What the captions of figures say of the seeds that are drawn."""

import math

import numpy as np
import pandas as pd
import pytest

from dnnlab.gradient_flow.figures import draw
from dnnlab.gradient_flow.spec import Spec
from dnnlab.gradient_flow.summary import summarise
from tests.gradient_flow.test_summary import INPUTS, OWN, SPREADS, rows, trained


def pictures(cells, spec):
    return {each.name: each for each in draw(cells, summarise(cells, spec), spec)}


def test_seeds_in_which_no_gradient_arrives_are_counted():
    """In one seed of three layer 1 receives nothing, and in two of three: there the line ends."""
    cells = rows([0.5, 0.5, 0.5]).assign(**OWN | INPUTS | SPREADS)
    whole = pictures(cells, Spec(seeds=3))
    assert "no gradient arrives" not in whole["gradient-by-layer"].see
    assert whole["gradient-map"].alt.endswith("At layer 1: tanh 4× smaller.")
    first = cells["layer"] == 1
    one = cells.assign(delta_norm=cells["delta_norm"].where(~(first & (cells["seed"] == 0)), 0.0))
    seen = pictures(one, Spec(seeds=3))
    caption = seen["gradient-by-layer"].see
    assert "A seed has no part in a line where its gradient is zero or not finite: zero in 1 of 3 seeds of" in caption
    assert seen["gradient-map"].alt.endswith("At layer 1: tanh 4× smaller.")
    most = cells.assign(delta_norm=cells["delta_norm"].where(~(first & (cells["seed"] < 2)), 0.0))
    seen = pictures(most, Spec(seeds=3))
    assert seen["gradient-map"].alt.endswith("At layer 1: tanh no gradient.")
    assert "A line ends where no gradient arrives in most seeds." in seen["gradient-by-layer"].see


def test_a_gradient_that_left_the_range_of_numbers_is_not_said_to_be_none():
    cells = rows([0.5, 0.5, 0.5]).assign(**OWN | INPUTS | SPREADS)
    seen = pictures(cells.assign(delta_norm=math.nan), Spec(seeds=3))
    assert seen["gradient-map"].alt.endswith("At layer 1: tanh not a number.")
    assert "no gradient arrives" not in seen["gradient-by-layer"].see
    assert "infinite or not a number in 3 of 3 seeds of tanh" in seen["gradient-by-layer"].see
    part = cells.assign(delta_norm=cells["delta_norm"].mask(cells["layer"] == 1, math.inf))
    seen = pictures(part, Spec(seeds=3))
    assert seen["gradient-map"].alt.endswith("At layer 1: tanh not a number.")
    assert "no gradient arrives" not in seen["gradient-by-layer"].see


def test_a_line_ends_where_most_seeds_receive_nothing_at_all_layers():
    cells = rows([0.5, 0.5, 0.5]).assign(**OWN | INPUTS | SPREADS)
    hidden = cells["layer"].isin([1, 2, 3]) & (cells["seed"] < 2)
    seen = pictures(cells.assign(delta_norm=cells["delta_norm"].mask(hidden, 0.0)), Spec(seeds=3))
    assert seen["gradient-map"].alt.endswith("At layer 1: tanh no gradient.")


def test_a_loss_that_left_the_range_of_numbers_is_said_to_be_left_out():
    cells = trained([1.0] * 3, [0.1, 0.2, 0.3], loss=[2.0, math.inf, math.nan])
    seen = pictures(cells, Spec(steps=10, seeds=3, every=10))["loss"]
    assert "Losses that are infinite or not a number are left out, at the end those of 2 of 3 seeds of " in seen.see
    cells = trained([1.0] * 3, [0.1, 0.2, 0.3])
    assert "left out" not in pictures(cells, Spec(steps=10, seeds=3, every=10))["loss"].see


@pytest.mark.parametrize(("networks", "drawn"), [(2, 2), (31, 30)])
def test_a_map_of_some_networks_is_not_said_to_show_all(networks, drawn):
    cells = pd.concat([rows([0.5, 0.5, 0.5]).assign(lr=float(lr)) for lr in range(1, networks + 1)], ignore_index=True)
    seen = pictures(cells, Spec(seeds=3))["gradient-map"]
    assert seen.title == "The networks at a glance"
    assert (f"Of {networks} configurations {drawn} are drawn" in seen.see) == (drawn < networks)
    assert len(np.unique(cells["lr"])) == networks
