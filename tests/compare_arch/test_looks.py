"""What a training is looked at on along its way."""

import pandas as pd
import pytest

from dnnlab.compare_arch.equal_budget import measure
from dnnlab.compare_arch.spec import Spec
from dnnlab.data import load


def rows(budget):
    spec = Spec(arch=("lenet300:width=0.1",), budget=(budget,), batch_size=(32,), seeds=1)
    cells = [cell for cell in spec.plan() if cell.part == "training"]
    return pd.DataFrame(measure.measure(cells, spec, "cpu", lambda share: None))


@pytest.mark.parametrize(
    ("budget", "fewest", "examples"),
    [
        ("steps=30", 10, 14),  # a twentieth of 30 steps of 32 examples and three passes, shared by ten looks
        ("steps=30", 200, 200),
        ("steps=30", 10**6, None),
        ("seconds=0.3", 20, 20),  # nobody knows how many steps these are
    ],
)
def test_looks_before_the_last_are_on_few_examples_and_the_last_on_all(budget, fewest, examples, monkeypatch):
    monkeypatch.setattr(measure, "FEWEST", fewest)
    whole = len(load("digits").validation)
    table = rows(budget)
    assert table["validation_examples"].tolist() == [examples or whole] * (len(table) - 1) + [whole]
    shares = table["validation_accuracy"] * table["validation_examples"]
    assert shares.tolist() == pytest.approx(shares.round().tolist())
    assert table["looking_seconds"].is_monotonic_increasing


def test_they_change_nothing_of_what_is_trained(monkeypatch):
    few = rows("steps=20")
    monkeypatch.setattr(measure, "FEWEST", 3)
    fewer = rows("steps=20")
    same = ["step", "loss", "macs_spent", "accuracy"]
    pd.testing.assert_frame_equal(few[same], fewer[same])
    assert few["validation_accuracy"].iloc[-1] == fewer["validation_accuracy"].iloc[-1]
