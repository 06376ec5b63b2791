"""No run is shown as the answer to what it did not measure."""

import json

import pytest

from dnnlab.dead_relu.spec import Spec
from dnnlab.runner import journal, provenance
from dnnlab.runner import run as running

DEAD = ("dead-relu", "--width", 4, "--seeds", 3, "--quiet")


def runs(tmp_path, name="dead-relu"):
    return sorted((tmp_path / "results" / name).iterdir())


@pytest.fixture
def fewer_steps(monkeypatch):
    """Another version of dnnlab, whose training is shorter where --steps is not given."""

    def change():
        monkeypatch.setattr(Spec, "training_steps", property(lambda spec: 40 if spec.steps is None else spec.steps))

    return change


@pytest.fixture
def deeper(monkeypatch):
    """Another version, whose networks are deeper where --depth is not given."""

    def change():
        monkeypatch.setattr(Spec, "depths", property(lambda spec: spec.depth or (7,)))

    return change


def test_the_same_command_with_another_default_measures_anew(dnnlab, fewer_steps, tmp_path):
    before = dnnlab(*DEAD)
    fewer_steps()
    after = dnnlab(*DEAD)
    assert (before.code, after.code, len(runs(tmp_path))) == (0, 0, 2)
    assert "finished on" not in after.err
    assert before.out != after.out


@pytest.mark.parametrize("damage", [None, "summary.csv", "report.html"])
def test_a_run_keeps_its_meaning_when_a_default_changes(damage, dnnlab, fewer_steps, deeper, tmp_path):
    assert dnnlab(*DEAD, "--steps", 20).code == 0
    (folder,) = runs(tmp_path)
    files = {name: (folder / name).read_bytes() for name in ("cells.csv", "summary.csv", "report.html", "spec.toml")}
    shown = dnnlab("show", folder.name).out
    fewer_steps()
    deeper()
    if damage:
        (folder / damage).write_text("x")
    again = dnnlab("show", folder.name)
    assert (again.code, again.out) == (0, shown)
    assert {name: (folder / name).read_bytes() for name in files} == files


def test_a_run_whose_options_mean_nothing_any_more_is_not_shown_as_another(dnnlab, monkeypatch, tmp_path):
    assert dnnlab(*DEAD, "--steps", 0).code == 0
    (folder,) = runs(tmp_path)
    whole = (folder / "summary.csv").read_bytes()
    plan = Spec.plan
    monkeypatch.setattr(Spec, "plan", lambda spec: [*plan(spec)][::-1])
    done = dnnlab("show", folder.name)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert "when its options meant something else than in this version of dnnlab" in done.err
    assert (folder / "summary.csv").read_bytes() == whole


def test_a_resume_under_other_threads_and_versions_is_said_and_both_are_kept(dnnlab, monkeypatch, tmp_path):
    command = ("gradient-flow", "--act", "tanh,relu", "--width", 8, "--depth", 5, "--seeds", 3)
    append, calls = journal.Writer.append, []

    def stopped(writer, entry):
        calls.append(entry)
        if len(calls) == 2:
            raise KeyboardInterrupt
        append(writer, entry)

    monkeypatch.setattr(journal.Writer, "append", stopped)
    assert dnnlab(*command).code == 130
    machine = provenance.machine
    monkeypatch.setattr(provenance, "machine", lambda *asked: machine(*asked) | {"threads": 64})
    done = dnnlab(*command)
    assert done.code == 0
    sentence = f"it went on under threads 64 instead of {machine('cpu')['threads']}"
    assert f"warning: {sentence}" in done.err
    (folder,) = runs(tmp_path, "gradient-flow")
    assert sentence in (folder / "report.html").read_text()
    record = json.loads((folder / "provenance.json").read_text())
    assert record["machine"] == machine("cpu")
    assert [session["machine"]["threads"] for session in record["sessions"]] == [machine("cpu")["threads"], 64]
    assert all(session["versions"]["torch"] for session in record["sessions"])
    assert "went on" not in dnnlab(*command, "--fresh").err


NETWORK = """
def net():
    from late import act
    from torch import nn
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), act(), nn.Linear(16, 10))
"""


def test_an_edit_of_what_ones_own_network_imports_late_is_measured(forked, tmp_path):
    (tmp_path / "mine.py").write_text(NETWORK)
    said = []
    for act in ("Sigmoid", "Sigmoid", "ReLU"):
        (tmp_path / "late.py").write_text(f"from torch import nn\nact = nn.{act}\n")
        process = forked("gradient-flow", "--model", "mine:net", "--seeds", 3, "--batch-size", 16)
        assert process.wait() == 0, process.err
        said.append("finished on" in process.err)
    assert said == [False, True, False]
    assert len(runs(tmp_path, "gradient-flow")) == 2


def test_data_that_change_while_a_run_goes_on_stop_it_and_are_measured_anew(dnnlab, monkeypatch, tmp_path):
    table = tmp_path / "d.csv"
    rows = [f"{i},{i % 3},{i % 2}\n" for i in range(60)]
    table.write_text("a,b,y\n" + "".join(rows))
    append = journal.Writer.append

    def replace(writer, entry):
        append(writer, entry)
        table.write_text("a,b,y\n" + "".join(reversed(rows[:-1])) + "59,1,0\n")

    command = ("gradient-flow", "--data", "csv:d.csv:y", "--depth", "3,4", "--width", 4, "--seeds", 1, "--steps", 2)
    with monkeypatch.context() as patch:
        patch.setattr(journal.Writer, "append", replace)
        done = dnnlab(*command, "--batch-size", 16)
    assert done.code == 1
    assert "the data changed while they were measured" in done.err.splitlines()[-1]
    (first,) = runs(tmp_path, "gradient-flow")
    assert (first / "journal.jsonl").read_bytes().count(b"\n") == 1
    assert dnnlab(*command, "--batch-size", 16).code == 0
    assert len(runs(tmp_path, "gradient-flow")) == 2


CONFIGURED = """
import json, pathlib, torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = getattr(torch, json.loads(pathlib.Path("config.json").read_text())["act"])
        self.a, self.b = nn.Linear(64, 32), nn.Linear(32, 10)
    def forward(self, x):
        return self.b(self.act(self.a(x.flatten(1))))
"""


def test_a_setting_that_ones_own_network_reads_from_a_file_is_in_the_key(forked, tmp_path):
    (tmp_path / "mine.py").write_text(CONFIGURED)
    said = []
    for act in ("tanh", "tanh", "relu"):
        (tmp_path / "config.json").write_text(json.dumps({"act": act}))
        process = forked("gradient-flow", "--model", "mine:Net", "--seeds", 1, "--batch-size", 16)
        assert process.wait() == 0, process.err
        said.append("finished on" in process.err)
    assert said == [False, True, False]


COUNTING = """
from torch import nn
made, seen = 0, []
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        global made
        made += 1
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    def forward(self, x):
        seen.append(1)
        return self.body(x)
"""


@pytest.mark.parametrize(
    "command",
    [("gradient-flow", "--model", "mine:Net", "--batch-size", "16,32"),
     ("dead-relu", "--model", "mine:Net", "--batch-size", "16,32", "--steps", 2),
     ("compress", "--model", "mine:Net", "--method", "prune:0.5@1,prune:0.6@1", "--epochs", 1, "--train-size", 300)],
    ids=lambda command: command[0],
)  # fmt: skip
def test_ones_own_network_may_count_its_calls(command, forked, tmp_path):
    (tmp_path / "mine.py").write_text(COUNTING)
    said = []
    for _ in range(2):
        process = forked(*command, "--seeds", 2)
        assert process.wait() == 0, process.err
        said.append("finished on" in process.err)
    assert said == [False, True]


def test_a_session_that_measures_nothing_is_no_other_machine(dnnlab, monkeypatch, tmp_path):
    command = ("gradient-flow", "--width", 4, "--depth", 3, "--seeds", 3)
    with monkeypatch.context() as patch:
        patch.setattr(running, "write_tables", stopped)
        assert dnnlab(*command).code == 130
    machine = provenance.machine
    monkeypatch.setattr(provenance, "machine", lambda *asked: machine(*asked) | {"threads": 64})
    done = dnnlab(*command)
    assert done.code == 0
    (folder,) = runs(tmp_path, "gradient-flow")
    assert "went on" not in done.err + (folder / "report.html").read_text()


def stopped(*arguments):
    raise KeyboardInterrupt
