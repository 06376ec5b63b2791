"""``--arch``: dead units of networks of the catalogue."""

import json

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dnnlab import create_model
from dnnlab.data import load
from dnnlab.statistics.streams import torch_seed


def dead_by_hand(net, x):
    """The share of dead units of each ReLU, in the order of their calls: units are channels or features."""
    shares = []

    def count(module, inputs, out):
        alive = (out > 0).transpose(0, 1).flatten(1).any(1)
        shares.append(float((~alive).double().mean()))

    for module in net.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(count)
    with torch.no_grad():
        net.eval()(x)
    return shares


@pytest.mark.parametrize(
    ("arch", "name"), [("lenet300:width=0.2", "digits"), ("plain20:width=0.25,norm=none", "gaussian:1x8x8:examples=40")]
)
def test_dead_units_are_those_that_a_loop_counts(dnnlab, blank_figures, arch, name):
    command = ("dead-relu", "--arch", arch, "--data", name, "--inputs", 0, "--seeds", 2, "--json")
    done = dnnlab(*command)
    assert done.code == 0, done.err
    content = json.loads(done.out)
    assert [(row["model"], row["steps"]) for row in content["summary"]] == [(arch, 0)]
    cells = pd.read_csv(f"{content['run']}/cells.csv", keep_default_na=False, na_values=[""])
    data = load(name)
    for seed in (0, 1):
        torch.manual_seed(torch_seed(0, seed, "weights"))
        net = create_model(arch, num_classes=10, in_chans=1, input_size=8)
        found = cells[(cells["seed"] == seed) & (cells["layer"] > 0)]["dead"]
        assert found.tolist() == pytest.approx(dead_by_hand(net, data.inputs(data.train)))


def test_weights_go_with_one_network_of_the_catalogue(dnnlab, tmp_path, blank_figures):
    net = create_model("lenet300:width=0.2", num_classes=10, in_chans=1, input_size=8)
    first = next(module for module in net.modules() if isinstance(module, nn.Linear))
    with torch.no_grad():
        first.bias[:6] = -1e3
    save_file(net.state_dict(), tmp_path / "dying.safetensors")
    command = ("dead-relu", "--arch", "lenet300:width=0.2", "--weights", "dying.safetensors", "--seeds", 1)
    done = dnnlab(*command, "--prune-dead", "smaller.safetensors", "--json")
    assert done.code == 0, done.err
    assert "6 certified dead units removed" in done.err
    (row,) = json.loads(done.out)["summary"]
    assert row["dead"] >= 6 / 80


def test_a_network_whose_units_cannot_die_is_refused_before_the_others_are_measured(dnnlab, tmp_path):
    done = dnnlab("dead-relu", "--arch", "lenet300,efficientnet_b0", "--seeds", 1)
    assert (done.code, "efficientnet_b0: no activation of the model is zero on an interval" in done.err) == (2, True)
    assert not (tmp_path / "results").exists()


def test_remedies_treat_fully_connected_networks(dnnlab):
    done = dnnlab("dead-relu", "--arch", "lenet300", "--remedies")
    assert (done.code, "--arch does not go with --remedies" in done.err) == (2, True)


def test_tokens_have_no_range_to_prove_units_dead_on(dnnlab, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "reads_tokens.py").write_text(
        "from torch import nn\n"
        "def net(): return nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), "
        "nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 10))\n"
    )
    net = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 10))
    with torch.no_grad():
        net[2].weight.zero_()
        net[2].bias[:] = torch.tensor([1.0] * 5 + [-1.0] * 3)
    save_file(net.state_dict(), tmp_path / "w.safetensors")
    command = ("dead-relu", "--model", "reads_tokens:net", "--data", "tokens:9x3", "--weights", "w.safetensors")
    done = dnnlab(*command, "--seeds", 1, "--json")
    assert done.code == 0, done.err
    (row,) = json.loads(done.out)["summary"]
    assert row["dead"] == pytest.approx(3 / 8)
    done = dnnlab(*command, "--prune-dead", "smaller.safetensors")
    assert (done.code, "which tokens have not" in done.err) == (2, True)
