"""What is recommended was measured, and heals; what does not heal is said."""

import math
import shlex
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from benchmarks import remedies as benchmark
from dnnlab.gradient_flow import columns as c
from dnnlab.gradient_flow.measure import measure
from dnnlab.gradient_flow.remedy import change, command, remedies_for
from dnnlab.gradient_flow.spec import Spec
from dnnlab.gradient_flow.summary import TOO_FEW, summarise
from dnnlab.report.table import fit
from dnnlab.runner.options import build

SMALL = Spec(depth=(12,), width=(16,), seeds=3, batch_size=(32,))


def options(**more):
    return {"act": "relu", "init": "torch", "norm": "none", "skip": "none", "depth": 17} | more


def test_a_plain_network_has_four_remedies():
    assert list(remedies_for(options())) == ["init critical", "norm layer", "norm batch", "skip residual:0.25"]


@pytest.mark.parametrize(
    ("more", "missing"),
    [
        ({"init": "critical"}, "init critical"),
        ({"norm": "batch"}, "norm batch"),
        ({"norm": "batch"}, "init critical"),
        ({"skip": "highway"}, "init critical"),
        ({"skip": "residual:0.25"}, "skip residual:0.25"),
        ({"act": "Softplus"}, "init critical"),  # it has no critical point
    ],
)
def test_no_remedy_is_what_the_network_has_or_cannot_have(more, missing):
    assert missing not in list(remedies_for(options(**more)))


def test_a_command_has_every_option_of_the_users_and_reads_back():
    spec = build(
        Spec,
        {
            "act": "relu,relu*10+tanh*10", "init": "he,normal:0.05", "data": "csv:/my data/it's.csv:kind,digits",
            "lr": "0.1", "steps": 7, "seeds": 4, "jacobian": True, "dropout": "0.1,0.25", "optimizer": "adam",
        },
    )  # fmt: skip
    for cell in spec.plan():
        configuration = {name: getattr(cell, name) for name in c.CONFIGURATION}
        line = command(spec, configuration, "skip residual:0.23")
        treated = configuration | {"skip": "residual:0.23"}
        expected = replace(spec, **{name: (value,) for name, value in treated.items() if name != "model"})
        assert benchmark.parsed(line) == expected
    assert "--steps 7" in line
    assert "--jacobian" in line


def measured(spec):
    cells = spec.plan()
    rows = pd.DataFrame(measure(cells, spec, "cpu", lambda share: None))
    fields = pd.DataFrame([asdict(cell) for cell in cells]).take(rows["cell"]).reset_index(drop=True)
    return fit(fields.join(rows.drop(columns="cell")).assign(error=""), c.CELLS)


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_a_remedy_is_measured_as_its_own_command_measures_it(dropout):
    table = measured(replace(SMALL, dropout=(dropout,)))
    tried = [name for name in table["remedy"].unique() if name]
    assert len(tried) == 4
    for name in tried:
        ((option, value),) = change(name).items()
        alone = measured(replace(SMALL, dropout=(dropout,), **{option: (value,)}))
        alone, own = alone[alone["remedy"] == ""], table[table["remedy"] == name]
        assert own["step"].eq(0).all()
        for column in ("seed", "layer", "name", "place", "delta_norm", "dead_fraction", "loss"):
            np.testing.assert_array_equal(own[column].to_numpy(), alone[column].to_numpy(), err_msg=column)


def test_remedies_are_measured_only_where_they_seem_to_be_needed_and_only_before_training():
    both = measured(replace(SMALL, init=("he", "torch"), steps=2, every=1))
    assert set(both[both["init"] == "he"]["remedy"]) == {""}
    ill = both[both["init"] == "torch"]
    assert set(ill[ill["step"] == 0]["remedy"]) == {"", *remedies_for(options(depth=12))}
    assert set(ill[ill["step"] > 0]["remedy"]) == {""}


def rows(rates, remedy="", seeds=range(3)):
    """Three hidden layers under which δ changes by a rate of each seed."""
    found = []
    for seed, rate in zip(seeds, rates, strict=True):
        for layer in range(5):
            place = ["", c.FIRST, c.HIDDEN, c.HIDDEN, c.OUTPUT][layer]
            row = {"seed": seed, "step": 0, "layer": layer, "name": f"layer {layer}", "place": place, "remedy": remedy}
            row |= {"delta_norm": rate ** (3 - layer), "dead_fraction": 0.0} if layer else {"loss": 2.3}
            found.append(row)
    fixed = options(depth=3) | {"width": 8, "data": "digits", "batch_size": 32, "optimizer": "sgd", "lr": 0.01}
    network = {"input_mean_square": 1.0, "input_variance": 1.0, "input_features": 64.0, "classes": 10.0}
    table = pd.DataFrame(found).assign(**fixed, **network, weight_decay=0.0, dropout=0.0, clip=0.0, error="")
    return fit(table, c.CELLS)


def told(*tables):
    row = summarise(pd.concat(tables, ignore_index=True), Spec(depth=(3,), seeds=3)).iloc[0]
    return row["remedy"], row["remedy_command"]


ILL = rows([0.05, 0.05, 0.05])


def test_what_heals_is_recommended_with_its_rate_and_what_does_not_is_said():
    remedy, line = told(
        ILL,
        rows([30.0, 31.0, 29.0], "init critical"),
        rows([1.0, 1.1, 0.9], "norm layer"),
        rows([0.01, 1.0, 50], "norm batch"),
    )
    assert remedy.startswith("norm layer: rate 0.997 [0.7")
    assert remedy.endswith("]; init critical: exploding; norm batch: undecided")
    assert shlex.split(line)[:2] == ["dnnlab", "gradient-flow"]
    assert benchmark.parsed(line) == Spec(
        depth=(3,), width=(8,), seeds=3, batch_size=(32,), norm=("layer",), act=("relu",), init=("torch",)
    )


def test_what_was_not_measured_in_all_seeds_is_not_recommended():
    remedy, line = told(ILL, rows([1.0, 1.0], "norm layer", seeds=[0, 2]))
    assert (remedy, line) == ("norm layer: not measured in all seeds", "")


def test_under_three_seeds_nothing_is_recommended():
    few = [rows([0.05, 0.05], seeds=range(2)), rows([1.0, 1.0], "norm layer", seeds=range(2))]
    assert told(*few) == (TOO_FEW, "")


def test_a_healthy_network_needs_none():
    assert told(rows([1.0, 1.0, 1.0])) == ("", "")
    assert told(rows([1.0, 1.01, 1.02]), rows([1.0], "norm layer", seeds=[1])) == ("", "")


def test_rows_of_remedies_change_nothing_else():
    with_them = pd.concat([ILL, rows([1.0, 1.1, 0.9], "norm layer")], ignore_index=True)
    alone, beside = (summarise(table, Spec(depth=(3,), seeds=3)) for table in (ILL, with_them))
    told_of = ["remedy", "remedy_command"]
    pd.testing.assert_frame_equal(alone.drop(columns=told_of), beside.drop(columns=told_of))


@pytest.mark.parametrize("act", ["sigmoid", "relu"])
def test_recommended_commands_heal_on_other_seeds(act):
    spec = replace(SMALL, act=(act,), depth=(20,), width=(32,), seeds=5)
    row = benchmark.measured(spec)
    lines = row["remedy_command"].split("; ")
    assert row["verdict"] == c.VANISHING
    assert len(lines) >= 3
    for line in lines:
        assert benchmark.measured(replace(benchmark.parsed(line), seed=1))["verdict"] == c.HEALTHY


def test_the_chance_of_another_verdict_grows_towards_the_limit():
    rng = np.random.default_rng(0)

    def chance(change, half=0.5):
        ends = {"rate": change, "rate_lo": change - half, "rate_hi": change + half}
        row = pd.Series({name: math.exp(value / 19) for name, value in ends.items()} | {"seeds": 5, "depth": 20})
        return benchmark.chance_of_another_verdict(row, rng)

    assert chance(0.0) < 0.01
    assert chance(0.0) <= chance(3.0) < chance(4.0) < chance(4.6)
    assert chance(4.6) > 0.9
