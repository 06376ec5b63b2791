"""``--cost-only``: at which input networks are counted."""

import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dnnlab import create_model
from dnnlab.networks.members import MEMBERS

COST = ("compare-arch", "--cost-only", "--batch-size", 2, "--json")
TOKENS = """
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.hidden, self.head = nn.Embedding(50, 16), nn.Linear(16, 24), nn.Linear(24, 10)
    def forward(self, x): return self.head(self.hidden(self.embed(x)).relu().mean(1))
class Cube(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernel, self.head = nn.Conv3d(3, 4, 3, padding=1), nn.Linear(4, 10)
    def forward(self, x): return self.head(self.kernel(x).relu().mean((2, 3, 4)))
"""
# Parameters and billions of multiply-accumulates of one image of 224 px (299 of inception_v3) in the documentation of
# torchvision's weights; of 32 px and 10 classes in He 2016, table 6.
PUBLISHED = {"vgg11": (132_863_336, 7.609), "resnet50": (25_557_032, 4.089), "mobilenet_v2": (3_504_872, 0.301)}
SMALL = {"resnet20": (269_722, 0.041)}


@pytest.fixture
def own(dnnlab, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "nets_for_costs.py").write_text(TOKENS)


def summary(done):
    assert done.code == 0, done.err
    return json.loads(done.out)["summary"]


def test_without_data_networks_are_counted_at_their_published_inputs(dnnlab, blank_figures):
    rows = summary(dnnlab(*COST, "--arch", ",".join(PUBLISHED | SMALL)))
    found = {row["arch"]: (row["params"], round(row["macs"] / 1e9, 3)) for row in rows}
    assert found == PUBLISHED | SMALL
    assert [row["input"] for row in rows] == ["3x224x224"] * 3 + ["3x32x32"]
    assert {row["data"] for row in rows} == {""}


def test_the_whole_catalogue_costs_what_its_list_says(dnnlab, blank_figures):
    listed = {row["name"]: row for row in summary(dnnlab("compare-arch", "--list", "--json"))}
    rows = summary(dnnlab(*COST, "--arch", ",".join(MEMBERS)))
    assert [row["arch"] for row in rows] == list(listed)
    for row in rows:
        there = listed[row["arch"]]
        assert row["input"] == "x".join(map(str, MEMBERS[row["arch"]].shape))
        assert there["input"] == MEMBERS[row["arch"]].input_size
        counts = [
            there[name] for name in ("parameters", "auxiliary", "buffers", "macs", "training_macs", "activations")
        ]
        names = ("params", "auxiliary_params", "buffers", "macs", "training_macs", "activations")
        assert [row[name] for name in names] == counts, row["arch"]


def test_an_input_of_ones_own_is_counted_as_pytorch_counts_it(dnnlab, own, blank_figures):
    rows = summary(dnnlab(*COST, "--arch", "resnet18,resnet20", "--input", "3x48x48"))
    for row in rows:
        assert row["input"] == "3x48x48"
        net = create_model(row["arch"], input_size=48).eval()
        with FlopCounterMode(display=False) as counter:
            net(torch.zeros(1, 3, 48, 48))
        assert row["macs"] == counter.get_total_flops() / 2
    (cube,) = summary(dnnlab(*COST, "--arch", "nets_for_costs:Cube", "--input", "3x4x5x6"))
    assert (cube["input"], cube["macs"]) == ("3x4x5x6", 4 * 3 * 27 * 4 * 5 * 6 + 4 * 10)


def test_with_data_they_are_counted_at_its_input(dnnlab, own, blank_figures):
    (row,) = summary(dnnlab(*COST, "--arch", "resnet20", "--data", "digits"))
    assert (row["input"], row["data"]) == ("1x8x8", "digits")
    (row,) = summary(dnnlab(*COST, "--arch", "nets_for_costs:Net", "--data", "tokens:50x12"))
    assert (row["input"], row["macs"], row["params"]) == (
        "12", 12 * 16 * 24 + 24 * 10, 50 * 16 + 16 * 24 + 24 + 24 * 10 + 10,
    )  # fmt: skip


def test_what_is_only_counted_needs_no_memory(dnnlab, blank_figures, monkeypatch):
    monkeypatch.setattr("dnnlab.memory.available", lambda: 2**30)
    (row,) = summary(dnnlab(*COST, "--arch", "gpt2_xl"))
    assert row["params"] == 1_557_611_200
    done = dnnlab(*COST, "--arch", "gpt2_xl", "--measure-costs")
    assert (done.code, "training gpt2_xl takes 18.7 GB of memory" in done.err) == (2, True)


def test_measured_costs_need_no_data(dnnlab, blank_figures):
    (row,) = summary(dnnlab(*COST, "--arch", "lenet5:width=0.2", "--measure-costs"))
    assert row["latency_ms"] > 0
    assert row["measured_peak_bytes"] > 4 * row["params"]


def test_the_same_command_and_a_dry_run(dnnlab, blank_figures):
    command = ("compare-arch", "--cost-only", "--arch", "resnet20,lenet5")
    done = dnnlab(*command, "--dry-run")
    assert (done.code, "2 cells in 1 stack" in done.out) == (0, True)
    assert "each at its own input" in dnnlab(*command).out
    assert "finished on" in dnnlab(*command).err


@pytest.mark.parametrize("arguments", [
    ("--arch", "nets_for_costs:Net", "--data", "tokens:50x12"),
    ("--arch", "nets_for_costs:Cube", "--data", "gaussian:3x4x4x4"),
])  # fmt: skip
def test_other_inputs_than_images_are_trained_on(dnnlab, own, blank_figures, arguments):
    done = dnnlab("compare-arch", *arguments, "--budget", "steps=2", "--seeds", 1, "--batch-size", 8)
    assert done.code == 0, done.err
    assert f"The labels of {arguments[-1]} are random: accuracies there are those of guessing" in done.out


def test_published_accuracies_name_their_data(dnnlab, blank_figures):
    rows = summary(dnnlab(*COST, "--arch", "lenet5,nin,resnet50"))
    assert [row["published_on"] for row in rows] == ["MNIST", "CIFAR-10", "ImageNet"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--arch", "vgg11", "--input", "3x224x224"), "with --cost-only"),
        (("--arch", "vgg11", "--input", "3x", "--cost-only"), "such as 3x224x224"),
        (("--arch", "vgg11", "--input", "3x32x32", "--data", "digits", "--cost-only"), "give one of them"),
        (("--arch", "nets_for_costs:Net", "--cost-only"), "such as --input 3x224x224"),
        (("--arch", "vgg11", "--input", "3x8x8", "--cost-only"), "--data gaussian:3x224x224"),
        (("--arch", "vgg11"), "--data gaussian:3x224x224"),
        (("--arch", "fc_densenet56", "--data", "gaussian:3x32x32:examples=200"), "classes every pixel"),
        (("--arch", "vgg11", "--data", "tokens:50x12", "--cost-only"), "begins with an embedding"),
        (("--block", "--input", "3x8x8"), "--input does not go with --block"),
    ],
)
def test_wrong_inputs_are_refused_with_what_would_be_right(dnnlab, own, tmp_path, arguments, says):
    done = dnnlab("compare-arch", *arguments)
    assert done.code == 2
    assert says in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "results").exists()
