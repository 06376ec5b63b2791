"""``dnnlab dead-relu`` as a user meets it."""

import json
import subprocess
import sys

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from dnnlab.dead_relu.census.columns import DYING
from dnnlab.dead_relu.questions import QUESTIONS

SMALL = ("dead-relu", "--width", 8, "--depth", 3, "--seeds", 3, "--steps", 6)
PROMISED = ["act", "init", "lr", "depth", "width", "data", "seeds", "born_dead", "expected_dead", "dead", "dead_lo"]
PROMISED += ["dead_hi", "revived", "certified_dead", "zero_fraction", "accuracy", "verdict"]
MODELS = """
import torch
from torch import nn
def mlp():
    hidden = [nn.Linear(64, 12), nn.ReLU(inplace=True), nn.Linear(12, 9), nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(9, 10))
def gelu():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.GELU(), nn.Linear(12, 10))
class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(64, 12), nn.Linear(12, 10)
    def forward(self, x):
        h = torch.relu(self.a(x.flatten(1)))
        return self.b(h) if h.sum() > 0 else self.b(h) * 2
"""


@pytest.fixture
def models(tmp_path, monkeypatch):
    (tmp_path / "nets_for_dead_relu.py").write_text(MODELS)
    monkeypatch.setattr(sys, "path", [*sys.path])
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 12), nn.ReLU(inplace=True), nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 10)
    )
    with torch.no_grad():
        net[1].bias[:5] -= 1000
        net[3].bias[2] -= 1000
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    return "nets_for_dead_relu"


@pytest.mark.parametrize("mode", [(), ("--remedies",), ("--born", "--nets", 200)])
def test_files_follow_the_schema_of_the_question(dnnlab, mode):
    base = ("dead-relu",) if "--born" in mode else SMALL
    done = dnnlab(*base, *mode, "--json")
    assert done.code == 0, done.err
    content = json.loads(done.out)
    schema = next(each for each in QUESTIONS if each.asked_by == (mode[0] if mode else "")).schema
    for name, columns in (("cells.csv", schema.cells), ("summary.csv", schema.summary)):
        assert list(pd.read_csv(f"{content['run']}/{name}").columns) == [column.name for column in columns]
    assert {row["verdict"] for row in content["summary"]} <= set(schema.tones)
    again = dnnlab(*base, *mode, "--json")
    assert again.out == done.out


def test_promised_columns_and_born_columns():
    names = {each.asked_by: [column.name for column in each.schema.summary] for each in QUESTIONS}
    assert set(PROMISED) <= set(names[""])
    born = ["width", "depth", "init", "n", "probability", "probability_lo", "probability_hi", "lower_bound"]
    assert names["--born"][:9] == [*born, "upper_bound"]


def test_remedies_are_a_table_whose_rows_have_n_interval_and_verdict(dnnlab, blank_figures):
    rows = json.loads(dnnlab(*SMALL, "--lr", 1, "--remedies", "--json").out)["summary"]
    assert len(rows) == 10
    assert rows[0]["remedy"] == "none"
    for row in rows:
        assert row["seeds"] == 3
        assert row["verdict"]


def test_recipe_command_and_python_are_one_run(dnnlab, blank_figures, tmp_path):
    import dnnlab as package

    by_command = json.loads(dnnlab(*SMALL, "--json").out)["run"]
    run = package.dead_relu(width=8, depth=3, seeds=3, steps=6, quiet=True)
    assert run.path.name == by_command.split("/")[-1]
    assert len(run.summary) == 1
    repeated = dnnlab("run", run.path / "spec.toml", "--json")
    assert json.loads(repeated.out)["run"] == by_command


def test_two_runs_of_born_nets_can_be_compared(dnnlab, blank_figures):
    first = json.loads(dnnlab("dead-relu", "--born", "--width", "3,4", "--nets", 400, "--json").out)["run"]
    second = json.loads(dnnlab("dead-relu", "--born", "--width", "3,4", "--nets", 400, "--seed", 1, "--json").out)[
        "run"
    ]
    done = dnnlab("diff", first, second, "--json")
    assert {row["verdict"] for row in json.loads(done.out)} == {"no change shown"}


def test_a_network_of_ones_own_is_counted_and_pruned(dnnlab, models, tmp_path):
    arguments = ("dead-relu", "--model", f"{models}:mlp", "--weights", "net.safetensors", "--seeds", 3)
    done = dnnlab(*arguments, "--prune-dead", "small.safetensors", "--json")
    assert done.code == 0, done.err
    row = json.loads(done.out)["summary"][0]
    assert row["dead"] == pytest.approx(6 / 21, abs=0.15)
    assert row["certified_dead"] >= 6 / 21
    assert row["expected_dead"] < 0.2  # the same network, freshly drawn
    assert row["verdict"] == DYING
    # All seeds look at the same weights on the same inputs, so that what is counted has no spread.
    assert row["dead_lo"] == row["dead"] == row["dead_hi"]
    assert (row["collapsed_lo"], row["collapsed_hi"]) == (0, 0)
    assert row["accuracy_lo"] < row["accuracy"] < row["accuracy_hi"]  # other examples would give another
    assert "certified dead units removed" in done.err
    small = load_file(tmp_path / "small.safetensors")
    assert small["1.weight"].shape[0] <= 7
    # The same command again finds the run finished, and writes the network again if it is gone.
    (tmp_path / "small.safetensors").unlink()
    dnnlab(*arguments, "--prune-dead", "small.safetensors")
    assert (tmp_path / "small.safetensors").exists()
    # And the small network goes wherever weights go.
    code = (
        "import torch, sys; sys.path.insert(0, '.')\n"
        "from dnnlab.networks.user_network import factory, load_weights\n"
        f"big, small = (factory('{models}:mlp', 10)().eval() for _ in range(2))\n"
        "load_weights(big, 'net.safetensors'); load_weights(small, 'small.safetensors')\n"
        "x = torch.rand(100, 64) * 2 - 1\n"
        "print(float((big(x) - small(x)).abs().max()), sum(p.numel() for p in small.parameters()))"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    change, size = out.stdout.split()
    assert float(change) < 1e-6
    assert int(size) < 64 * 12 + 12 + 12 * 9 + 9 + 90 + 10


def test_a_network_of_ones_own_along_training(dnnlab, models):
    done = dnnlab("dead-relu", "--model", f"{models}:mlp", "--seeds", 3, "--steps", 12, "--every", 4, "--json")
    assert done.code == 0, done.err
    content = json.loads(done.out)
    cells = pd.read_csv(f"{content['run']}/cells.csv")
    assert cells.query("seed == 0 and step == 12 and layer > 0")["name"].tolist() == ["1", "3"]
    assert sorted(cells["step"].unique()) == [0, 4, 8, 12]
    whole = cells.query("layer == 0")
    assert whole.groupby("step")["loss"].mean().diff().dropna().lt(0).all()


def refused(done, *words):
    assert done.code == 2, (done.code, done.err)
    (sentence,) = [line for line in done.err.splitlines() if line.startswith("dnnlab:")]
    assert "Traceback" not in done.err
    for word in words:
        assert word in sentence


def test_a_model_without_any_relu_is_one_sentence(dnnlab, models):
    refused(dnnlab("dead-relu", "--model", f"{models}:gelu"), "no activation", "zero on an interval", "ReLU")


def test_remedies_take_every_activation_whose_units_can_die(dnnlab):
    options = ("--depth", 2, "--width", 8, "--steps", 2, "--seeds", 1)
    done = dnnlab("dead-relu", "--act", "Softshrink", "--remedies", *options, "--json")
    assert done.code == 0, done.err
    assert "leaky_relu" in {row["remedy"] for row in json.loads(done.out)["summary"]}
    refused(dnnlab("dead-relu", "--act", "tanh", "--remedies", *options), "--remedies", "can die")


def test_a_model_that_is_no_graph_is_counted_but_not_pruned(dnnlab, models, tmp_path):
    done = dnnlab("dead-relu", "--model", f"{models}:Branching", "--seeds", 3, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["summary"][0]["certified_dead"] is None
    torch.manual_seed(0)
    state = {"a.weight": torch.randn(12, 64), "a.bias": torch.zeros(12), "b.weight": torch.randn(10, 12),
             "b.bias": torch.zeros(10)}  # fmt: skip
    save_file(state, tmp_path / "b.safetensors")
    wanted = ("--weights", "b.safetensors", "--prune-dead", "out.safetensors")
    refused(dnnlab("dead-relu", "--model", f"{models}:Branching", *wanted), "cannot be traced")
    assert not (tmp_path / "out.safetensors").exists()


TRAINED = ("--model", "a:b", "--weights", "w.safetensors")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--act", "relo"), ["relu"]),
        (("--remedies", "--act", "tanh"), ["--act relu"]),
        (("--remedies", "--model", "a:b"), ["--remedies"]),
        (("--born", "--lr", "0.1"), ["--lr"]),
        (("--born", "--act", "tanh"), ["--act"]),
        (("--born", "--model", "a:b"), ["--model"]),
        (("--born", "--nets", "5"), ["100"]),
        (("--prune-dead", "x.safetensors"), ["--weights"]),
        ((*TRAINED, "--prune-dead", "x.pt"), [".safetensors"]),
        ((*TRAINED, "--prune-dead", "w.safetensors"), ["another"]),
        ((*TRAINED, "--steps", "3", "--prune-dead", "x.safetensors"), ["--steps"]),
        (("--inputs", "-1"), ["at least 0"]),
        (("--steps", "-1"), ["at least 0"]),
        (("--depth", ""), ["--depth"]),
        (("--every", "501"), ["500"]),
        (("--depth", "3", "--act", "relu*2"), ["2 layers"]),
        (("--batch-size", "5000"), ["1259"]),
    ],
)  # fmt: skip
def test_wrong_questions_are_refused(dnnlab, arguments, words):
    refused(dnnlab("dead-relu", *arguments), *words)
