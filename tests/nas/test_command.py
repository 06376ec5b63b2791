"""``dnnlab nas`` as a user meets it."""

import json
import re
import sys
from pathlib import Path

import pandas as pd
import pytest

from dnnlab import installation
from dnnlab.nas.questions import QUESTIONS as NAS
from dnnlab.nas.search import columns as c
from dnnlab.report.figures import faults

SMALL = ("nas", "--epochs", 1, "--budget", 8, "--finalists", 1, "--retrain", 1, "--seeds", 1)
PROMISED = ["strategy", "space", "data", "seeds", "budget", "best_validation", "test", "test_lo", "test_hi",
            "gain_over_random", "gain_lo", "gain_hi", "p", "seconds"]  # fmt: skip


@pytest.fixture(autouse=True)
def without_onnx(monkeypatch):
    monkeypatch.setattr("dnnlab.nas.export._write_onnx", lambda *args: None)


def frames(run):
    return {name: pd.read_csv(f"{run}/{name}.csv", keep_default_na=False) for name in ("cells", "summary")}


QUESTIONS = {
    "": ("--strategy", "evolution"),
    "--objectives": ("--strategy", "evolution", "--objectives", "accuracy,parameters"),
    "--proxies": ("--proxies",),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_files_follow_the_schema_of_the_question(question, dnnlab):
    small = SMALL if question != "--proxies" else ("nas", "--epochs", 1, "--budget", 6, "--seeds", 1)
    done = dnnlab(*small, *QUESTIONS[question], "--json")
    assert done.code == 0, done.err
    content = json.loads(done.out)
    schema = next(each for each in NAS if each.asked_by == question).schema
    for name, table in frames(content["run"]).items():
        assert list(table.columns) == [column.name for column in getattr(schema, name)]
    assert {row["verdict"] for row in content["summary"]} <= set(schema.tones)
    assert dnnlab(*small, *QUESTIONS[question], "--json").out == done.out
    figures = sorted(path.stem for path in Path(content["run"], "figures").glob("*.svg"))
    assert figures == {"": ["anytime", "found", "test"], "--objectives": ["anytime", "found", "fronts", "test"],
                       "--proxies": ["proxies"]}[question]  # fmt: skip


def test_promised_columns():
    assert set(PROMISED) <= {column.name for column in c.SUMMARY}


def test_the_figures_can_be_read(dnnlab, monkeypatch):
    from dnnlab.nas.search import figures

    drawn = []
    real = figures.draw
    monkeypatch.setattr(figures, "draw", lambda *args: drawn.extend(real(*args)) or drawn)
    assert dnnlab(*SMALL, "--strategy", "rl", "--budget", 24).code == 0
    assert {picture.name for picture in drawn} == {"anytime", "found", "test", "importance"}
    for picture in drawn:
        assert faults(picture.figure) == []


def test_drawings_of_every_space_can_be_read():
    from dnnlab.nas.search.drawing import _boxes, _cell
    from dnnlab.networks.spaces import SPACES

    conv = SPACES["conv"]
    largest = conv.line(tuple(size - 1 for size in conv.sizes))
    separable = conv.line((2, *(1,) * (len(conv.sizes) - 1)))
    lines = (largest, separable, "8 relu", "16 tanh; norm batch", "|a~0" * 20)
    pictures = [_boxes(line, "found", "Found") for line in lines]
    pictures += [_cell(SPACES["cell"].choices(code), "found", "Found") for code in ((3,) * 6, (0, 1, 2, 3, 4, 1))]
    for picture in pictures:
        assert faults(picture.figure) == []


def test_this_process_and_two_others_find_the_same(dnnlab, blank_figures):
    found = []
    for engine in ("inline", "processes:2"):
        options = ("--engine", engine, "--out", engine.partition(":")[0])
        done = dnnlab(*SMALL, "--strategy", "evolution", "--seeds", 2, *options, "--json")
        assert done.code == 0, done.err
        tables = frames(json.loads(done.out)["run"])
        found.append([table.drop(columns="seconds") for table in tables.values()])
    for one, two in zip(*found, strict=True):
        pd.testing.assert_frame_equal(one, two)


def test_the_documents_space_in_under_twenty_lines(dnnlab, blank_figures, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    root = Path(__file__).parents[2]
    for document in ("docs/using.md", "docs/nas.md"):
        (code,) = re.findall(r"```python\n(# myspace\.py.*?)```", (root / document).read_text(), re.DOTALL)
        assert len(code.splitlines()) < 20
        (tmp_path / "myspace.py").write_text(code)
        sys.modules.pop("myspace", None)
        done = dnnlab(*SMALL, "--space", "myspace:space", "--strategy", "local", "--json")
        assert done.code == 0, done.err
        assert json.loads(done.out)["summary"][-1]["test"] > 0


def test_what_is_found_goes_into_compare_arch_and_python(dnnlab, blank_figures, tmp_path):
    import dnnlab as package

    run = package.nas(epochs=1, budget="8", finalists=1, retrain=1, seeds=1, strategy="random", quiet=True)
    file = run.path / "artifacts" / "random-seed0.toml"
    compared = dnnlab("compare-arch", "--arch", f"{file},mlp1", "--budget", "steps=3", "--seeds", 1, "--json")
    assert compared.code == 0, compared.err
    first = json.loads(compared.out)["summary"][0]
    found = run.summary.set_index("strategy").loc["random", "found_parameters"]
    assert first["params"] == found
    net = package.create_model(str(file), num_classes=10, in_chans=1, input_size=8)
    assert sum(p.numel() for p in net.parameters()) == found


@pytest.mark.parametrize(
    "wrong",
    ["--strategy evolutoin", "--strategy proxy:nothing", "--strategy darts:0", "--strategy darts:long",
     "--space mpl", "--space no_such_module:space", "--budget 1",
     "--budget 5 --finalists 3 --retrain 3", "--budget hours=3", "--objectives parameters",
     "--objectives accuracy,size",
     "--objectives accuracy,macs --strategy rl", "--strategy darts --space conv", "--table missing.csv.gz",
     "--space cell --table missing.csv.gz", "--fidelity 99", "--proxies --strategy rl", "--proxies --budget epochs=3",
     "--batch-size 5000", "--space conv --data gaussian", "--space cell --data gaussian", "--finalists 0"],
)  # fmt: skip
def test_what_does_not_fit_is_one_sentence(wrong, dnnlab, tmp_path):
    done = dnnlab("nas", *wrong.split())
    assert done.code == 2, (done.code, done.err)
    assert len([line for line in done.err.splitlines() if line.startswith("dnnlab:")]) == 1
    assert "Traceback" not in done.err
    assert not list(tmp_path.glob("results/nas/*"))


def test_optuna_is_optional(dnnlab, monkeypatch):
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "optuna" else real(name, *rest)
    )
    done = dnnlab(*SMALL, "--strategy", "tpe")
    assert done.code == 2
    assert f"needs optuna; {installation.command_for('nas')}." in done.err
