"""What real runs say, beside what their measurements hold."""

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.usefixtures("blank_figures")


@pytest.fixture
def ran(dnnlab, tmp_path):
    """``ran(NETWORK)``: what is said of a network on one line, its δ at hidden layers as ``[seed, layer]``, its loss
    ``[seed]``, and its row of the summary."""

    def run(network):
        done = dnnlab("gradient-flow", *network.split())
        assert done.code == 0
        (folder,) = (tmp_path / "results" / "gradient-flow").iterdir()
        cells = pd.read_csv(folder / "cells.csv")
        cells = cells[cells["remedy"].isna()]
        delta = cells[cells["kind"] == "hidden"].pivot_table("delta_norm", "seed", "layer", dropna=False).to_numpy()
        loss = cells.loc[cells["layer"] == 0, "loss"].to_numpy()
        (_, row), *_ = pd.read_csv(folder / "summary.csv").iterrows()
        return " ".join(done.out.split()), delta, loss, row

    return run


def test_a_network_that_explodes_is_not_said_to_receive_no_gradient(ran):
    said, delta, loss, row = ran("--act linear --depth 60 --width 16 --init normal:3 --seeds 3")
    assert np.isnan(loss).all()
    assert not (delta == 0).any()
    assert row["verdict"] == "exploding"
    assert "infinite or not a number in 3 of 3 seeds." in said
    assert not any(words in said for words in ("no gradient", "zero", "leaves"))


@pytest.mark.parametrize("init", ["normal:2", "normal:4"])
def test_zeros_at_layer_1_are_said_as_the_verdict_counts_them(ran, init):
    said, delta, _, row = ran(f"--act Hardtanh --depth 10 --width 4 --init {init} --seeds 10")
    assert (delta[:, 0] == 0).sum() > 5
    assert ((delta == 0).all(axis=1).any(), row["verdict"], row["first_last_ratio"]) == (True, "vanishing", 0)
    assert "n most seeds the gradient is exactly zero at every layer that reads the input: they learn nothing." in said
    lacking = (delta == 0).any(axis=1).sum()
    left_out = "; the rate leaves these seeds out." if lacking < 10 else "."
    assert f"at some hidden layer the gradient is zero in {lacking} of 10 seeds{left_out}" in said


def test_the_first_layer_over_the_last_is_said_to_be_of_the_seeds_it_is_of(ran):
    """More than the one seed of the rate, as a skip leads past the layers that receive nothing."""
    said, delta, _, row = ran("--act Hardtanh --depth 5 --width 2 --init normal:4 --skip dense --seeds 10")
    first, last = delta[:, 0], delta[:, -1]
    both = (first > 0) & (last > 0)
    assert both.sum() > (delta > 0).all(axis=1).sum() == 1
    assert row["first_last_ratio"] == pytest.approx(np.exp(np.log(first[both] / last[both]).mean()))
    assert "what the last does, in the seeds in which both receive a finite gradient: " in said


def test_a_sweep_over_rates_of_training_says_each_thing_once(ran):
    said, delta, _, _ = ran("--act Hardtanh --depth 10 --width 4 --init normal:2 --seeds 10 --lr 0.1,0.2,0.3")
    assert (delta == 0).any(axis=1).sum() < 10
    assert said.count("the rate leaves these seeds out") == 1
