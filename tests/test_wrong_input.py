"""Whatever a user gets wrong: exit code 1 or 2, one sentence, no traceback."""

import gzip
import shutil
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dnnlab as package
from dnnlab.registry import EXPERIMENTS
from dnnlab.runner.options import fields
from dnnlab.runner.run_options import RunOptions, ShowOptions

WRONG = {
    "--act": ["sigmod", "relu*0", "relu*3+", "+", "", "relu*2+gelu*2", "Softmax", "RReLU", "MultiheadAttention", "ä"],
    "--depth": ["0", "-3", "x", "5,,6", "1e3", "2.5", "99999", "", "٣x"],
    "--width": ["0", "-1", "wide", "1e9", "nan"],
    "--init": ["hee", "normal", "normal:", "normal:-1", "normal:x", "normal:inf", "orthogonall"],
    "--norm": ["batchh", "group", "None"],
    "--skip": ["resid", "residual:", "residual:0", "residual:x", "residual:-1", "residual:SCALE"],
    "--batch-size": ["1", "0", "70000", "x", "5000"],
    "--data": ["mnits", "folder:", "folder:/no/such/place", "csv:x", "csv:missing.csv:y", "parity:1", "parity:x",
               "compositional:3", "gaussian:0", "digits:3", "mnist", "cifar10", "folder:empty", "csv:bad.csv:y",
               "gaussian:3x", "gaussian:0x3", "gaussian:3x1000000x1000000", "gaussian:3x3:classes=1", "tokens:10"],
    "--input": ["3x", "0x3", "x", "3×3", "3x1000000x1000000"],
    "--seeds": ["0", "-1", "many", "1.5"],
    "--seed": ["-1", "x", "99999999999999"],
    "--steps": ["-1", "x", "nan"],
    "--every": ["5", "-1", "x"],
    "--optimizer": ["adamm", "lion"],
    "--lr": ["-1", "nan", "inf", "fast", "1e99"],
    "--weight-decay": ["-1", "nan", "inf", "x", "1001"],
    "--dropout": ["1", "-0.1", "x"],
    "--clip": ["-1", "nan", "x"],
    "--device": ["gpu", "cuda", "mps", ""],
    "--expect": ["helthy", ""],
    "--name": ["../x", "a b", "/", ".x", "n" * 300],
    "--out": ["a_file", "a_file/below"],
    "--weights": ["w.safetensors"],
    "--arch": ["resnet21", "", "resnet20:", "resnet20:act", "resnet20:act=", "resnet20:act=gelu,act=relu",
               "resnet20:depth=3", "resnet20:width=0", "resnet20:width=nan", "resnet20:width=1e9", "resnet20:width",
               "resnet20:dropout=1", "mlp1:norm=group",
               "no_such_module_here:f", "wrong_models:missing", "wrong_models:wrong_shape"],
    "--budget": ["", "epochs", "epochs=0", "epochs=-1", "hours=3", "macs=1", "epochs=1e400", "steps=0.5",
                 "steps=1.5"],
    "--preset": ["depht", "x"],
    "--train-size": ["-1", "x", "3"],
    "--test-size": ["-1", "x", "2.5", ""],
    "--freeze": ["bodyy", "", "head"],
    "--schedule": ["cosin", ""],
    "--augment": ["flop", "crop+"],
    "--ema": ["1", "-1", "x"],
    "--label-smoothing": ["1", "-0.1"],
    "--tune": ["lrr", "", "lr"],
    "--strategy": ["evolutoin", "", "proxy:", "proxy:snap"],
    "--space": ["mpl", "", "mlp:", ":x", "no_such_module_here:f", "wrong_models:number", "wrong_models:missing",
                "raises_on_import:f", "not_python:f"],
    "--table": ["missing.csv.gz", "a_file", "bad.csv", "empty"],
    "--objectives": ["accuracy,size", "parameters", "", "accuracy,accuracyy"],
    "--finalists": ["0", "x", "5"],
    "--retrain": ["0", "x", "5"],
    "--epochs": ["-1", "x", "nan"],
    "--fidelity": ["0", "x", "99"],
    "--inputs": ["-1", "x"],
    "--chain": ["prun:0.9", "prune >", "code", "prune:1.5", "prune:0.9:slowly", "prune:0.9@x", "share:17bit",
                "prune:0.0", "lowrank > int8:static:now", "share > prune", "structured:1x"],
    "--method": ["prun", "", "share:x"],
    "--student": ["mlp1", "resnet21", "nocolon"],
    "--max-drop": ["-1", "101", "x", "nan"],
    "--target": ["ten", "10", "-3x"],
    "--trials": ["1", "x"],
    "--inference-batch": ["0", "x"],
    "--recover": ["-1", "x"],
    "--recover-lr": ["-1", "x"],
    "--recover-augment": ["flop", "crop+", "None"],
    "--temperature": ["0", "-1", "x"],
    "--teaching": ["-0.1", "1.1", "x"],
    "--nets": ["99", "x"],
    "--prune-dead": ["out.safetensors", "out.pt"],
    "--statement": ["", "2", "2 >", "1 = 1 = 1", "1 ? 2", "no_such_function(3) = 1", "params(resnet21) > 1",
                    "params() = 1", "(1 = 1"],
    "--engine": ["inlin", "", "processes:0", "processes:x", "processes:-1"],
    "--model": ["nocolon", ":x", "x:", "no_such_module_here:f", "wrong_models:missing", "wrong_models:raises",
                "wrong_models:number", "wrong_models:quits", "wrong_models:no_module",
                "wrong_models:wrong_shape", "wrong_models:bare",
                "raises_on_import:f", "not_python:f", "torchvision:resnet18x", "timm:nothing"],
}  # fmt: skip
TAKES_ANYTHING: dict[str, str] = {}
"""Options of text that is never wrong, with the reason why."""
MODELS = """
from torch import nn
import torch
number = 3
def quits(): raise SystemExit(0)
def raises(): raise KeyError("inside")
def no_module(): return 5
def wrong_shape(): return nn.Linear(3, 3)
class bare(nn.Module):
    def forward(self, x): return torch.zeros(len(x), 10)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with all that is wrong in it."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "a_file").write_text("")
    (folder / "empty").mkdir()
    (folder / "bad.csv").write_bytes(b"x,y\n1,\xff\n,,,\n")
    (folder / "wrong_models.py").write_text(MODELS)
    (folder / "raises_on_import.py").write_text("1 / 0")
    (folder / "not_python.py").write_text("def (:")
    raw = folder / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(struct.pack(">IIII", 2051, 10**9, 28, 28)))
    return folder


@pytest.fixture(autouse=True)
def there(place, monkeypatch):
    monkeypatch.setenv("DNNLAB_DATA", str(place / "data"))
    monkeypatch.setattr(sys, "path", [*sys.path])


def refused(done):
    assert done.code in (1, 2), (done.code, done.out[-300:], done.err)
    sentences = [line for line in done.err.splitlines() if line.startswith("dnnlab:")]
    assert len(sentences) == 1, done.err
    assert len(sentences[0]) > 20
    assert "Traceback" not in done.err


def attempt(dnnlab, monkeypatch, place, arguments):
    def here(*given):
        monkeypatch.chdir(place)
        return dnnlab(*given)

    before = set(place.glob("results/*/*"))
    done = here(*arguments)
    refused(done)
    assert done.code == 1 or set(place.glob("results/*/*")) == before, "a command that is refused leaves no run"


SMALL = ["--depth", "3", "--width", "4", "--seeds", "1", "--steps", "2"]
BASE = ["gradient-flow", *SMALL]
BASES = {
    "gradient-flow": SMALL,
    "dead-relu": SMALL,
    "compare-arch": ["--arch", "mlp1", "--budget", "steps=2", "--seeds", "1"],
    "nas": ["--budget", "4", "--finalists", "1", "--retrain", "1", "--epochs", "1", "--seeds", "1"],
    "check": ["--statement", "2 > 1"],
    "compress": ["--epochs", "0", "--recover", "0", "--seeds", "1"],
}


def with_values(experiment):
    """The options of an experiment that are given with a value, which flags are not."""
    classes = (experiment.spec.Spec, RunOptions, ShowOptions)
    return {field.option for cls in classes for field in fields(cls) if field.kind is not bool}


def wrong_values():
    """Every wrong value of every option an experiment has."""
    assert set(BASES) == set(EXPERIMENTS), "BASES of tests/test_wrong_input.py lacks an experiment"
    for experiment in EXPERIMENTS.values():
        for option in sorted(with_values(experiment) & set(WRONG)):
            for value in WRONG[option]:
                yield [experiment.name, *BASES[experiment.name], f"{option}={value}"]


def invocations():
    wrong_value = st.sampled_from(list(wrong_values()))
    letters = st.text("abcdefgxyz-", min_size=3, max_size=9)
    unknown_option = letters.map(lambda text: [*BASE, f"--zz{text}", "1"])
    unknown_command = letters.map(lambda text: [f"zz{text}"])
    unknown_run = st.tuples(st.sampled_from(["show", "diff"]), letters).map(
        lambda pair: [pair[0], f"zz{pair[1]}", *(["x"] if pair[0] == "diff" else [])]
    )
    text_for_number = st.tuples(
        st.sampled_from(["--depth", "--lr", "--steps"]), st.text("abc!?€", min_size=1, max_size=5)
    )
    wrong_text = text_for_number.map(lambda pair: [*BASE, f"{pair[0]}={pair[1]}"])
    return st.one_of(wrong_value, wrong_value, wrong_value, unknown_option, unknown_command, unknown_run, wrong_text)


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=list(EXPERIMENTS))
def test_each_option_has_wrong_values(experiment):
    untried = with_values(experiment) - set(WRONG) - set(TAKES_ANYTHING)
    assert not untried, (
        f"WRONG of tests/test_wrong_input.py has no wrong value of these options of {experiment.name}; "
        "TAKES_ANYTHING is for those that have none"
    )
    assert all(WRONG.values())


def test_every_wrong_value_is_refused(dnnlab, monkeypatch, place):
    for arguments in wrong_values():
        attempt(dnnlab, monkeypatch, place, arguments)


@pytest.mark.parametrize(
    "arguments",
    ["--born --act tanh", "--born --seeds 3", "--born --model wrong_models:bare", "--remedies --act tanh",
     "--remedies --model wrong_models:bare", "--prune-dead o.safetensors --model wrong_models:bare",
     "--model wrong_models:bare --weights w.safetensors --prune-dead w.safetensors"],
)  # fmt: skip
def test_options_of_dead_relu_that_do_not_fit(arguments, dnnlab, monkeypatch, place):
    attempt(dnnlab, monkeypatch, place, ["dead-relu", *arguments.split()])


def test_gradients_do_not_flow_through_one_layer(dnnlab, monkeypatch, place):
    attempt(dnnlab, monkeypatch, place, ["gradient-flow", "--depth=1"])


@pytest.mark.slow
def test_three_hundred_wrong_invocations(dnnlab, monkeypatch, place):
    @settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(invocations())
    def wrong(arguments):
        attempt(dnnlab, monkeypatch, place, arguments)

    wrong()


@pytest.mark.parametrize(
    "recipe",
    ["", "x = 1", 'experiment = "gradient-flo"', 'experiment = "gradient-flow"\n[options]\ndepht = 3', "= broken",
     'experiment = 3', 'experiment = "gradient-flow"\n[options]\ndepth = "x"',
     'experiment = "gradient-flow"\n[options]\ndepth = [[3]]', 'experiment = "gradient-flow"\n[options]\njacobian = 1',
     'experiment = "gradient-flow"\n[options]\ndepth = []', 'experiment = "gradient-flow"\noptions = 3'],
)  # fmt: skip
def test_broken_recipes(recipe, dnnlab, tmp_path):
    file = tmp_path / "broken.toml"
    file.write_text(recipe)
    refused(dnnlab("run", file))
    refused(dnnlab("run", tmp_path / "missing.toml"))


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    """The folder of a finished run."""
    out = tmp_path_factory.mktemp("whole")
    options = {"depth": 3, "width": 4, "seeds": 1, "steps": 2, "act": ["relu", "tanh"], "norm": ["none", "batch"]}
    return package.gradient_flow(**options, out=out, quiet=True).path


CLAIM = (
    'experiment = "check"\n[options]\nstatement = ["1=1"]\n[claim]\ntext = "t"\nslide = "s"\n'
    '[[claim.holds]]\nmetric = "left"\n'
)
HUGE = {
    "arrays in arrays": "x = " + "[" * 3000 + "]" * 3000,
    "tables in tables": "x = " + "{a = " * 3000 + "1" + "}" * 3000,
    "a long dotted key": "a" + ".a" * 3000 + " = 1",
    "a long number": f"{CLAIM}above = {'9' * 5000}",
    "times too large": f"{CLAIM}above = 1\ntimes = 0x{'f' * 400}",
    "times infinite": f"{CLAIM}above = 1\ntimes = inf",
    "a level too large": f"{CLAIM}above = 0x{'f' * 400}",
    "a level that is no number": f"{CLAIM}below = nan",
    "an end too large": f"{CLAIM}within = [0, 0x{'f' * 5000}]",
    "an option too large": f'experiment = "gradient-flow"\n[options]\ndepth = 0x{"f" * 5000}',
    "a rate too large": f'experiment = "gradient-flow"\n[options]\nlr = 0x{"f" * 400}',
    "an option of arrays": f'experiment = "gradient-flow"\n[options]\ndepth = {"[" * 200}3{"]" * 200}',
    "a long text": f'experiment = "gradient-flow"\n[options]\nact = "{"x" * 900_000}"',
}


@pytest.mark.parametrize("recipe", HUGE)
def test_recipes_of_any_nesting_and_size_are_one_sentence(recipe, dnnlab, tmp_path):
    (tmp_path / "huge.toml").write_text(HUGE[recipe])
    for before, after in (
        (["run"], []),
        (["run"], ["--dry-run"]),
        (["reproduce"], []),
        (["compare-arch", "--arch"], []),
    ):
        done = dnnlab(*before, "huge.toml", *after)
        refused(done)
        assert len(done.err) < 2000


def test_a_recipe_may_begin_with_a_byte_order_mark(dnnlab, tmp_path):
    (tmp_path / "marked.toml").write_text(f"\ufeff{CLAIM}above = 0.5\n", encoding="utf-8")
    assert dnnlab("run", "marked.toml").code == 0
    assert dnnlab("reproduce", "marked.toml").code == 0


STATEMENTS = (
    *("-" * 400 + "1 = 1", "1 = " + "-" * 400 + "1", "9" * 480 + " > 1", "1 < " + "9" * 480, "9" * 480 + "*2.5 > 1"),
    *("0x" + "f" * 400 + " > 1", "1e999 > 1", "2^9999 > 1", "9^9^9 > 1", "1e-999/1e-999 = 1", "0.1^-9999 > 1"),
    *("(-8)^0.5 > 1", "2^4000*2^4000 > 1", "1 = 1e" + "9" * 100, "params(" + "(" * 90 + "1" + ")" * 90 + ") > 1"),
    *("largest_slope('" + "a" * 300 + "') = 1", f"memory(lenet5,{'9' * 400}) > 1", "exp(1000) > 1", "1/0 = 1"),
)


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda text: f"{text[:12]} {len(text)}")
def test_statements_of_any_nesting_and_size_are_one_sentence(statement, dnnlab):
    for more in ((), ("--dry-run",)):
        done = dnnlab("check", f"--statement={statement}", *more)
        refused(done)
        assert done.code == 2
        assert len(done.err) < 1500


@pytest.mark.filterwarnings("default:.*cut short")
@pytest.mark.parametrize("name", ["journal.jsonl", "provenance.json", "spec.toml"])
@pytest.mark.parametrize("damage", ["cut", "noise", "empty"])
def test_damaged_runs(name, damage, whole_run, dnnlab, blank_figures, tmp_path):
    folder = shutil.copytree(whole_run, tmp_path / "kept" / "gradient-flow" / whole_run.name)
    file = folder / name
    whole = file.read_bytes()
    file.write_bytes({"cut": whole[: len(whole) // 3], "noise": b"\x00{" + whole[::-1], "empty": b""}[damage])
    (folder / "cells.csv").unlink()
    done = dnnlab("show", folder)
    if name == "journal.jsonl":  # from which cells.csv would be made again
        refused(done)
    else:
        assert done.code == 0, done.err
        assert "Traceback" not in done.err


def test_broken_weights(dnnlab, monkeypatch, place):
    import torch
    from safetensors.torch import save_file

    (Path(place) / "cut.safetensors").write_bytes(b"\xff" * 30)
    save_file({"other": torch.zeros(2)}, place / "other.safetensors")
    (Path(place) / "pickle.pt").write_bytes(b"x")
    (Path(place) / "folder.safetensors").mkdir()
    for weights in (
        "/dev/zero",
        "folder.safetensors",
        "cut.safetensors",
        "other.safetensors",
        "pickle.pt",
        "missing.safetensors",
    ):
        attempt(dnnlab, monkeypatch, place, [*BASE[:1], "--model=wrong_models:wrong_shape", f"--weights={weights}"])
