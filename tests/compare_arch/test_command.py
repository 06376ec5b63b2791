"""``dnnlab compare-arch`` as a user meets it."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dnnlab import create_model
from dnnlab.compare_arch.equal_budget import columns as c
from dnnlab.compare_arch.fitting import Input

SMALL = ("compare-arch", "--arch", "plain20,resnet20", "--budget", "steps=2", "--batch-size", 16, "--seeds", 3)
PROMISED = [
    "arch",
    "params",
    "buffers",
    "macs",
    "activations",
    "peak_memory_bytes",
    "latency_ms",
    "throughput",
    "seeds",
]
PROMISED += ["budget", "accuracy", "accuracy_lo", "accuracy_hi", "published_accuracy", "verdict"]
OWN = """
import torch
from torch import nn
def net(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
def diverging():
    layer = nn.Linear(64, 10)
    layer.weight.data.fill_(float("nan"))
    return nn.Sequential(nn.Flatten(), layer)
def wrong(): return nn.Linear(3, 3)
def table(): return nn.Linear(400, 10)
class Scales(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(10))
    def forward(self, x): return x.flatten(1)[:, 20:30] * self.scale
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "nets_for_compare.py").write_text(OWN)
    monkeypatch.setattr(sys, "path", [*sys.path])


def table(tmp_path, file="summary.csv"):
    (found,) = (tmp_path / "results" / "compare-arch").glob(f"*/{file}")
    return pd.read_csv(found)


def test_cost_and_accuracy_in_one_table_with_the_same_bits_each_time(dnnlab, tmp_path):
    done = dnnlab(*SMALL)
    assert done.code == 0, done.err
    summary = table(tmp_path)
    assert set(PROMISED) <= set(summary)
    plain, residual = summary.to_dict("records")
    assert plain["params"] == residual["params"] == 269_722 - 9 * 2 * 16  # one input channel in place of three
    assert plain["macs"] == residual["macs"]
    assert plain["verdict"] == c.REFERENCE
    assert residual["verdict"] in (c.BETTER, c.WORSE, c.SAME)
    assert residual["published_accuracy"] == 0.9125
    assert (summary["latency_ms"] > 0).all()
    again = dnnlab(*SMALL)
    assert "finished on" in again.err
    # Measured anew, every bit is the same.
    assert dnnlab(*SMALL, "--out", "anew").code == 0
    (anew,) = (tmp_path / "anew").glob("compare-arch/*/cells.csv")
    trained = [
        cells[cells["part"] == "training"][["arch", "seed", "step", "loss", "validation_accuracy", "accuracy"]]
        for cells in (table(tmp_path, "cells.csv"), pd.read_csv(anew))
    ]
    pd.testing.assert_frame_equal(*trained, check_exact=True)


def test_several_budgets_say_whether_the_order_changes(dnnlab, tmp_path):
    done = dnnlab("compare-arch", "--arch", "mlp1,mlp3", "--budget", "steps=3,macs=3e8", "--seeds", 3)
    assert done.code == 0, done.err
    assert "order" in done.out
    summary = table(tmp_path)
    assert list(summary["budget"]) == ["steps=3"] * 2 + ["macs=3e8"] * 2
    few = summary[summary["budget"] == "macs=3e8"]
    assert few["steps"].iloc[0] > few["steps"].iloc[1]  # the cheaper one takes more steps
    spent = few["steps"] * few["training_macs"] * 128
    assert (spent <= 3e8).all()
    assert (spent > 3e8 - few["training_macs"] * 128).all()


COST = (
    "compare-arch",
    "--arch",
    "resnet20,mobilenet_v2:width=0.25",
    "--cost-only",
    "--batch-size",
    8,
    "--data",
    "digits",
)


def test_cost_alone_trains_nothing(dnnlab, tmp_path):
    done = dnnlab(*COST, "--measure-costs")
    assert done.code == 0, done.err
    summary = table(tmp_path)
    assert set(summary["verdict"]) == {c.UNTRAINED}
    assert summary["peak_memory_bytes"].to_numpy() == pytest.approx(summary["measured_peak_bytes"], rel=0.15)
    assert (summary["latency_ms"] > 0).all()
    assert summary["noisy"].notna().all()


def test_nothing_is_run_or_measured_for_cost_alone_unless_it_is_asked_for(dnnlab, tmp_path, monkeypatch):
    from dnnlab.compare_arch.equal_budget import measure

    monkeypatch.setattr(measure.speed, "in_turns", lambda *arguments: pytest.fail("something was timed"))
    monkeypatch.setattr(measure, "measured_peak", lambda *arguments: pytest.fail("memory was measured"))
    done = dnnlab(*COST)
    assert done.code == 0, done.err
    assert "Of 2 networks mobilenet_v2:width=0.25 takes the fewest, " in done.out
    summary = table(tmp_path)
    assert summary[[column.name for column in c.SPEED]].isna().all(axis=None)
    assert summary[["measured_peak_bytes", "noisy", "time_over_macs"]].isna().all(axis=None)
    assert (summary["peak_memory_bytes"] > 0).all()
    cells = table(tmp_path, "cells.csv")
    assert cells[["measured_peak_bytes", "latency_ms", "throughput", "noisy"]].isna().all(axis=None)


def test_ones_own_network_and_one_that_diverges(dnnlab, own, tmp_path):
    arguments = ("--arch", "nets_for_compare:net,nets_for_compare:diverging", "--budget", "steps=5", "--seeds", 3)
    done = dnnlab("compare-arch", *arguments)
    assert done.code == 0, done.err
    fine, lost = table(tmp_path).to_dict("records")
    assert fine["params"] == 650
    assert lost["verdict"] == c.DIVERGED
    assert lost["diverged"] == 3


def test_ones_own_network_without_matrix_products(dnnlab, own, tmp_path):
    arguments = ("--arch", "nets_for_compare:Scales,nets_for_compare:net", "--budget", "steps=2", "--seeds", 1)
    done = dnnlab("compare-arch", *arguments)
    assert done.code == 0, done.err
    assert list(table(tmp_path)["macs"]) == [0, 640]


def test_failed_costs_are_counted_once_a_network(dnnlab, tmp_path, monkeypatch):
    from dnnlab.compare_arch.equal_budget import measure

    def fails(*arguments):
        raise RuntimeError("no clock")

    monkeypatch.setattr(measure.speed, "in_turns", fails)
    arguments = ("--arch", "mlp1,mlp3", "--budget", "steps=1,steps=2", "--seeds", 1, "--engine", "inline")
    done = dnnlab("compare-arch", *arguments)
    assert done.code == 1, done.err
    assert "2 cells failed" in done.err
    assert "no clock" in done.err
    assert list(table(tmp_path)["failed"]) == [1, 1, 0, 0]
    assert table(tmp_path)["accuracy"].notna().all()


def test_out_of_memory_is_a_row_with_the_batch_that_fits(dnnlab, tmp_path, monkeypatch):
    from dnnlab.compare_arch.equal_budget import measure

    arguments = ("--arch", "mlp3", "--budget", "steps=2", "--batch-size", 1000, "--seeds", 1)
    monkeypatch.setattr(measure, "free_memory", lambda device: 12_000_000)
    done = dnnlab("compare-arch", *arguments)
    assert done.code == 0, done.err
    (row,) = table(tmp_path).to_dict("records")
    assert row["verdict"] == c.OUT_OF_MEMORY
    fits = int(row["fitting_batch"])
    assert 2 <= fits < 1000
    peaks = [measure.predicted("mlp3", Input((1, 8, 8), 10), batch, "momentum").peak for batch in (fits, fits + 1)]
    assert peaks[0] <= 12_000_000 < peaks[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "nothing to compare"),
        (("--arch", "resnet21"), "resnet20"),
        (("--arch", "resnet20:stam=small"), "stem"),
        (("--arch", "resnet20", "--budget", "macs=5"), "does not pay for one step"),
        (("--arch", "resnet20", "--budget", "epoch=5"), "epochs"),
        (("--arch", "resnet20", "--batch-size", 5000), "training examples"),
        (("--arch", "resnet20", "--data", "gaussian"), "square images"),
        (("--arch", "fc_densenet56",), ""),
        (("--arch", "nets_for_compare:wrong",), ""),
        (("--arch", "nets_for_compare:table", "--data", "gaussian", "--augment", "none,flip"), "--augment flip"),
        (("--arch", "nets_for_compare:Scales", "--budget", "macs=1e9"), "no multiply–accumulates"),
        (("--preset", "depht"), "depth"),
        (("--block", "--seeds", 9), "--block"),
        (("--preset", "shallow-deep", "--budget", "epochs=1"), "steps"),
        (("--preset", "separability", "--cost-only"), "--cost-only"),
        (("--arch", "resnet20", "--measure-costs"), "measured anyway"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_a_sentence(arguments, says, dnnlab, own):
    done = (
        dnnlab("compare-arch", "--seeds", 1, *arguments)
        if "--seeds" not in arguments
        else dnnlab("compare-arch", *arguments)
    )
    assert done.code == 2, (done.out, done.err)
    (sentence,) = [line for line in done.err.splitlines() if line.startswith("dnnlab:")]
    assert says in sentence
    assert "Traceback" not in done.err


def test_the_catalogue_is_listed_and_as_json(dnnlab, tmp_path):
    lines = dnnlab("compare-arch", "--list").out.splitlines()
    assert len(lines) > 61
    assert any("resnet50" in line and "25,557,032" in line for line in lines)
    rows = json.loads(dnnlab("compare-arch", "--list", "--json").out)["summary"]
    assert {row["name"]: row["macs"] for row in rows}["resnet56"] == pytest.approx(125.5e6, abs=5e4)
    assert not (tmp_path / "results").exists()


def test_layers_are_probed_before_and_after(dnnlab, tmp_path):
    options = ("--arch", "mlp3:width=0.1", "--budget", "epochs=2", "--seeds", 3)
    done = dnnlab("compare-arch", "--preset", "separability", *options)
    assert done.code == 0, done.err
    summary = table(tmp_path)
    assert list(summary["layer"]) == [0, 1, 2, 3]
    assert summary["verdict"].iloc[0] == "inputs"
    assert summary["trained"].iloc[0] == summary["untrained"].iloc[0] > 0.9  # digits are nearly separable as they are


def test_transfer_trains_the_head_alone_where_it_is_frozen(dnnlab, tmp_path):
    options = ("--arch", "mlp1", "--budget", "epochs=2", "--seeds", 3, "--train-size", 64)
    done = dnnlab("compare-arch", "--preset", "transfer", *options)
    assert done.code == 0, done.err
    rows = table(tmp_path).set_index("treatment")
    assert rows.loc["frozen but for the head", "trained_parameters"] == 513 * 5
    assert rows.loc["from scratch", "trained_parameters"] == 513 * 5 + 65 * 512
    assert np.isfinite(rows["accuracy"]).all()


def test_weights_from_a_file_beside_fresh_ones_and_frozen(dnnlab, blank_figures, tmp_path):
    model = create_model("resnet20", num_classes=7, in_chans=1, input_size=8)
    save_file(model.state_dict(), tmp_path / "parent.safetensors")
    done = dnnlab(
        *("compare-arch", "--arch", "resnet20", "--budget", "steps=2", "--batch-size", 16, "--seeds", 1),
        *("--weights", "fresh,parent.safetensors", "--freeze", "none,body"),
    )
    assert done.code == 0, done.err
    rows = table(tmp_path)
    assert list(zip(rows["weights"], rows["freeze"], strict=True)) == [
        (w, f) for w in ("fresh", "parent.safetensors") for f in ("none", "body")
    ]
    spent = table(tmp_path, "cells.csv").groupby("freeze")["macs_spent"].max()
    forward, head = rows["macs"][0], 64 * 10
    assert spent["body"] == 2 * 16 * (forward + head)  # which needs no gradient of its input either
    assert spent["none"] > 2.9 * 2 * 16 * forward  # the inputs need no gradient
    assert rows["accuracy"].nunique() > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--weights", "missing.safetensors"), "cannot read --weights missing.safetensors"),
        (("--weights", "net.pt"), "only .safetensors files are read"),
        (("--freeze", "all"), "known are none and body"),
        (("--weights", "other.safetensors"), "do not fit the model"),
        (("--freeze", "body", "--cost-only"), "leave out --cost-only"),
        (("--freeze", "body", "--preset", "transfer"), "does not go with --preset transfer"),
    ],
)
def test_weights_that_cannot_be_are_refused_before_anything_is_measured(dnnlab, tmp_path, options, message):
    save_file({"x": torch.zeros(2)}, tmp_path / "other.safetensors")
    done = dnnlab("compare-arch", "--arch", "resnet20", "--budget", "steps=2", *options)
    assert done.code == 2
    assert message in done.err
    assert "measuring" not in done.err


def test_normalisation_stands_where_it_is_asked_for():
    for order, expected in (
        ("norm-act", [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]),
        ("act-norm", [nn.Conv2d, nn.ReLU, nn.BatchNorm2d]),
    ):
        vgg = create_model("vgg11_bn", order=order, width=0.1)
        assert [isinstance(vgg.features[i], kind) for i, kind in enumerate(expected)] == [True] * 3
        nin = create_model("nin", norm="batch", order=order, width=0.1)
        assert [isinstance(nin.features[0][i], kind) for i, kind in enumerate(expected)] == [True] * 3
