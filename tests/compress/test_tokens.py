"""Networks that begin with an embedding are compressed like others."""

import json

import pytest
import torch
from torch import nn

from dnnlab.compress.reach import on_paths

NET = """
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.hidden, self.head = nn.Embedding(50, 16), nn.Linear(16, 24), nn.Linear(24, 10)
    def forward(self, x): return self.head(self.hidden(self.embed(x)).relu().mean(1))
"""


def test_every_technique_takes_tokens(dnnlab, tmp_path, monkeypatch, blank_figures):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "nets_of_tokens.py").write_text(NET)
    methods = ["prune", "prune:gradual", "share", "lowrank", "structured", "int8"]
    done = dnnlab(
        *("compress", "--model", "nets_of_tokens:Net", "--data", "tokens:50x12:examples=200", "--seeds", 1),
        *("--epochs", 1, "--recover", 1, "--method", ",".join(methods), "--json"),
    )
    assert done.code == 0, done.err
    content = json.loads(done.out)
    assert {row["method"].partition(":")[0] for row in content["summary"]} >= {*methods} - {"prune:gradual"}
    assert all(row["failed"] == 0 for row in content["summary"])


TIED = """
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.hidden, self.head = nn.Embedding(50, 16), nn.Linear(16, 16), nn.Linear(16, 50, bias=False)
        self.head.weight = self.embed.weight
    def forward(self, x): return self.head(self.hidden(self.embed(x)).mean(1))[:, :10]
"""
BAG = """
from torch import nn
def Net(): return nn.Sequential(nn.EmbeddingBag(50, 24, mode="mean"), nn.Linear(24, 10))
"""


@pytest.mark.parametrize(("name", "source"), [("tied_nets", TIED), ("bag_nets", BAG)])
def test_eight_bits_take_tied_embeddings_and_bags(name, source, dnnlab, tmp_path, monkeypatch, blank_figures):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / f"{name}.py").write_text(source)
    done = dnnlab(
        *("compress", "--model", f"{name}:Net", "--data", "tokens:50x12:examples=200", "--seeds", 1),
        *("--epochs", 1, "--recover", 1, "--method", "int8,int8:qat,int8:dynamic,int8:weights", "--json"),
    )
    assert done.code == 0, done.err
    assert [row["failed"] for row in json.loads(done.out)["summary"]] == [0] * 6


def test_paths_from_tokens_lead_through_the_embedding():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Embedding(2, 4), nn.Flatten(), nn.Linear(12, 3), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        net[4].weight[:, 1] = 0  # nothing reads the second hidden unit
        net[0].weight[:, 2] = 0  # the third feature of a token is always zero
    there = on_paths(net, (3,), torch.int64)
    assert there["2.weight"].any(1).tolist() == [True, False, True]
    assert there["2.weight"][0].view(3, 4).all(0).tolist() == [True, True, False, True]


def test_student_and_spaces_that_compute_with_numbers_are_refused(dnnlab):
    done = dnnlab("nas", "--data", "tokens:50x12")
    assert (done.code, "--space mlp takes numbers" in done.err) == (2, True)
    done = dnnlab("compress", "--arch", "lenet300", "--data", "tokens:50x12")
    assert done.code == 2
