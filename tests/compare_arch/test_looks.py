"""What a training is looked at on along its way."""

import pandas as pd
import pytest

from dnnlab.compare_arch.equal_budget import measure
from dnnlab.compare_arch.spec import Spec
from dnnlab.data import load


def rows(budget, **options):
    spec = Spec(arch=("lenet300:width=0.1",), budget=(budget,), batch_size=(32,), seeds=1, **options)
    cells = [cell for cell in spec.plan() if cell.part == "training"]
    return pd.DataFrame(measure.measure(cells, spec, "cpu", lambda share: None))


WHOLE = 269
"""The validation examples of digits: 15 % of each class."""


@pytest.mark.parametrize(
    ("budget", "fewest", "seen"),
    [
        # 30 steps of 32 examples cost 2,880 forward passes, of which a tenth is 288.
        ("steps=30", 10, [14] * 10),  # a twentieth, shared by ten looks; all of the split would be too much at the end
        ("steps=30", 30, [30] * 9),
        ("steps=30", 140, [140] * 2),
        ("steps=30", 150, [WHOLE]),
        ("steps=30", 10**6, [WHOLE]),
        ("steps=1", 20, [20]),
        ("steps=300", 10, [144] * 9 + [WHOLE]),  # a tenth is 2,880 there
        ("steps=300", 200, [200] * 9 + [WHOLE]),
    ],
)
def test_looks_take_less_than_a_tenth_and_there_is_one_at_the_end(budget, fewest, seen, monkeypatch):
    assert len(load("digits").validation) == WHOLE
    monkeypatch.setattr(measure, "FEWEST", fewest)
    table = rows(budget)
    looks = table[table["validation_examples"].notna()]
    assert looks["validation_examples"].tolist() == seen
    assert looks["step"].iloc[-1] == int(budget.removeprefix("steps="))
    assert table["loss"].notna().all()
    shares = looks["validation_accuracy"] * looks["validation_examples"]
    assert shares.tolist() == pytest.approx(shares.round().tolist())
    assert table["looking_seconds"].is_monotonic_increasing


@pytest.mark.parametrize("share", [0, 1e6])
def test_where_the_clock_decides_looks_are_left_out_when_they_have_taken_their_share(share, monkeypatch):
    monkeypatch.setattr(measure, "FEWEST", 20)
    monkeypatch.setattr(measure, "LOOKING", share)
    monkeypatch.setattr(measure, "MOST", 1e6)
    table = rows("seconds=0.3")
    between = table["validation_examples"].iloc[:-1].tolist()
    assert between == [20] * len(between) if share else between[:1] == [20] and pd.isna(between[1:]).all()
    assert table["validation_examples"].iloc[-1] == WHOLE


def test_steps_of_a_frozen_body_cost_a_forward_pass_alone(monkeypatch):
    monkeypatch.setattr(measure, "FEWEST", 140)
    table = rows("steps=30", freeze=("body",))
    assert table["validation_examples"].dropna().tolist() == [140]


def test_they_change_nothing_of_what_is_trained(monkeypatch):
    few = rows("steps=100")
    monkeypatch.setattr(measure, "FEWEST", 3)
    fewer = rows("steps=100")
    same = ["step", "loss", "macs_spent", "accuracy"]
    pd.testing.assert_frame_equal(few[same], fewer[same])
    assert few["validation_accuracy"].iloc[-1] == fewer["validation_accuracy"].iloc[-1]
