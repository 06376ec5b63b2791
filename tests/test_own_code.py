"""A user's own network may print, quit, raise, wander off or give no numbers: the program stays what it promises."""

import json
import re
import sys

import pytest

MODELS = """
import os, sys
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
        self.calls = 0
    def forward(self, x):
        return self.body(x)

class quits(Net):
    def forward(self, x):
        sys.exit(3)

class quits_at_once(Net):
    def __init__(self):
        sys.exit("enough")

class quits_in_training(Net):
    def forward(self, x):
        if self.training:
            sys.exit(3)
        return super().forward(x)

class quits_after_a_while(Net):
    def forward(self, x):
        self.calls += self.training
        if self.calls > 4:
            sys.exit(3)
        return super().forward(x)

class talks(Net):
    def forward(self, x):
        print("talk")
        os.write(1, b"raw talk")
        return super().forward(x)

class raises(Net):
    def forward(self, x):
        if self.training:
            raise ArithmeticError("first line\\nsecond line")
        return super().forward(x)

class nothing_to_say(Net):
    def forward(self, x):
        if self.training:
            raise AssertionError
        return super().forward(x)

class wanders(Net):
    def forward(self, x):
        os.makedirs("elsewhere", exist_ok=True)
        os.chdir("elsewhere")
        return super().forward(x)

class no_number(Net):
    def forward(self, x):
        return super().forward(x) * float("nan")
"""


@pytest.fixture
def program(forked, tmp_path):
    """Runs ``dnnlab`` in a process of its own: what goes to its file descriptors counts."""
    (tmp_path / "mine.py").write_text(MODELS)

    def call(*arguments):
        process = forked(*arguments)
        process.wait()
        return process

    return call


@pytest.fixture
def inside(dnnlab, tmp_path, monkeypatch):
    """The same in this process."""
    (tmp_path / "mine.py").write_text(MODELS)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield dnnlab
    sys.modules.pop("mine", None)
    sys.modules.pop("one", None)


SMALL = ("--seeds", 1, "--batch-size", 16)


@pytest.mark.parametrize("model", ["quits", "quits_at_once"])
def test_quitting_is_refused_and_leaves_nothing(program, model, tmp_path):
    done = program("gradient-flow", "--model", f"mine:{model}", *SMALL)
    assert done.poll() == 2
    assert done.err.startswith("dnnlab: ")
    assert done.err.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_quitting_is_refused_in_a_dry_run_and_at_import_too(program, tmp_path):
    (tmp_path / "at_import.py").write_text("import sys\nsys.exit(4)\n")
    for arguments in (("--model", "mine:quits", "--dry-run"), ("--model", "at_import:net")):
        done = program("gradient-flow", *arguments, *SMALL)
        assert (done.poll(), done.out, done.err.count("\n")) == (2, "", 1)
        assert done.err.startswith("dnnlab: ")


@pytest.mark.parametrize("engine", ["inline", "processes:2"])
def test_quitting_in_training_fails_the_cell_and_the_rest_goes_on(program, engine):
    trained = ("--budget", "steps=9", "--lr", 0.01, "--seeds", 1, "--batch-size", 16, "--engine", engine)
    done = program("compare-arch", "--arch", "mine:quits_after_a_while,mine:Net", *trained)
    assert done.poll() == 1
    (sentence,) = (line for line in done.err.splitlines() if line.startswith("dnnlab:"))
    assert re.search(r" says which\): SystemExit: 3 \(mine.py, line \d+\)$", sentence)
    assert "mine:Net" in done.out


def test_talking_stays_off_stdout(program):
    done = program("gradient-flow", "--model", "mine:talks", *SMALL, "--json")
    assert done.poll() == 0, done.err
    assert json.loads(done.out)["summary"][0]["model"] == "mine:talks"
    assert "raw talk" in done.err


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("raises", "ArithmeticError: first line second line"),
        ("nothing_to_say", "AssertionError"),
        ("quits_in_training", "SystemExit: 3"),
    ],
)
def test_a_failure_is_one_line_with_its_reason(inside, model, reason):
    done = inside("dead-relu", "--model", f"mine:{model}", *SMALL, "--steps", 2, "--json")
    assert done.code == 1
    (sentence,) = (line for line in done.err.splitlines() if line.startswith("dnnlab:"))
    assert sentence.startswith("dnnlab: 1 cell failed (")
    assert re.search(rf" says which\): {reason} \(mine.py, line \d+\)$", sentence)
    shown = inside("dead-relu", "--model", f"mine:{model}", *SMALL, "--steps", 2)
    assert "Nothing was measured: every cell failed." in shown.out


def test_wandering_off_leaves_the_results_where_they_were_asked_for(inside, tmp_path):
    done = inside("gradient-flow", "--model", "mine:wanders", *SMALL, "--out", "here")
    assert done.code == 0, done.err
    (run,) = (tmp_path / "here" / "gradient-flow").iterdir()
    assert (run / "report.html").exists()


def test_divergence_has_no_place_and_is_no_reference(inside):
    networks = "mine:no_number,mine:Net,mlp1"
    done = inside("compare-arch", "--arch", networks, "--budget", "steps=20", "--lr", 0.01, "--seeds", 3, "--json")
    assert done.code == 0, done.err
    broken, first, _ = json.loads(done.out)["summary"]
    assert (broken["verdict"], broken["rank"], broken["difference"], broken["front"]) == ("diverged", None, None, "")
    assert first["verdict"] == "reference"
    shown = inside("compare-arch", "--arch", networks, "--budget", "steps=20", "--lr", 0.01, "--seeds", 3)
    assert "Against mine:Net: " in shown.out
    assert "1 diverged" in shown.out


def test_dead_units_of_a_network_without_numbers_are_said_to_say_little(inside):
    done = inside("dead-relu", "--model", "mine:no_number", "--seeds", 3)
    assert "In 3 of 3 seeds the loss of mine:no_number on digits is no number" in done.out
    assert "diverged" in done.out


def test_one_layer_has_no_rate_and_no_warning(inside, tmp_path):
    (tmp_path / "one.py").write_text(
        "from torch import nn\ndef net(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))"
    )
    done = inside("gradient-flow", "--model", "one:net", "--seeds", 3)
    assert done.code == 0
    assert "warning" not in done.err
    assert "gave no finite rate" in done.out
