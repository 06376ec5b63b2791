"""Wherever an accuracy was counted, the answers that it was counted from are kept, also those of one's own network:
without them its interval would be for these examples alone."""

import json

import numpy as np
import pandas as pd
import pytest

from dnnlab.statistics.answers import unpacked
from dnnlab.statistics.crossed import crossed_interval

MODEL = """
from torch import nn

def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
"""


@pytest.mark.parametrize(
    "command",
    [
        ("gradient-flow", "--model", "nets:net", "--steps", 40, "--lr", 0.5),
        ("dead-relu", "--model", "nets:net", "--steps", 40, "--lr", 0.5),
        ("compare-arch", "--arch", "nets:net", "--budget", "steps=40", "--lr", 0.5),
    ],
    ids=lambda command: command[0],
)
def test_the_answers_of_ones_own_network_are_kept(dnnlab, tmp_path, monkeypatch, blank_figures, command):
    (tmp_path / "nets.py").write_text(MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    done = dnnlab(*command, "--seeds", 3, "--json")
    assert done.code == 0, done.err
    content = json.loads(done.out)
    cells = pd.read_csv(f"{content['run']}/cells.csv")
    counted = cells[cells["accuracy"].notna()]
    assert len(counted) >= 3
    assert [unpacked(text).mean() for text in counted["right"]] == pytest.approx(counted["accuracy"].tolist())
    # So the interval of the summary is that of seeds and examples.
    last = counted.groupby("seed").tail(1)
    interval = crossed_interval(np.stack([unpacked(text) for text in last["right"]]))
    (row,) = content["summary"]
    assert (row["accuracy_lo"], row["accuracy_hi"]) == pytest.approx((interval.low, interval.high), abs=1e-6)
