"""``dnnlab compress`` and ``dnnlab decompress`` as a user meets them."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

import dnnlab as package
from dnnlab import installation
from dnnlab.compress import columns as c
from dnnlab.compress import measure
from dnnlab.compress.figures import draw
from dnnlab.compress.spec import Spec
from dnnlab.data import load
from dnnlab.instruments.cost import count
from dnnlab.networks.catalogue import create_model
from dnnlab.networks.user_network import load_weights
from dnnlab.report.figures import faults
from dnnlab.runner.options import build
from dnnlab.runner.place import Place

CHAIN = "prune:0.8@2 > share:3bit@1 > code"
SMALL = ("compress", "--arch", "lenet300:width=0.1", "--epochs", 4, "--recover", 1, "--seeds", 1)
TIMES = ("latency", "speedup", "seconds", "noisy", "memory")
PROMISED = ["method", "chain", "params", "nonzeros", "macs", "bytes", "ratio", "ratio_onnx", "latency_ms", "speedup"]
PROMISED += ["accuracy", "accuracy_drop", "drop_lo", "drop_hi", "errors", "int8_share", "file"]
MODELS = (Path(__file__).parents[1] / "fixtures" / "mixed.py").read_text()


def table(run, name):
    return pd.read_csv(Path(run) / name)


def test_a_chain_ends_in_files_that_give_what_the_table_says(dnnlab, tmp_path):
    done = dnnlab(*SMALL, "--chain", CHAIN, "--controls", "--json")
    assert done.code == 0, done.err
    content = json.loads(done.out)
    run = Path(content["run"])
    for name, columns in (("cells.csv", c.CELLS), ("summary.csv", c.SUMMARY)):
        assert list(table(run, name).columns) == [column.name for column in columns]
    cells = table(run, "cells.csv")
    assert [*cells["method"]] == ["baseline", "zstd-19", "prune:0.8@2", "share:3bit@1", "code", "random pruning",
                                  "small dense", "more epochs"]  # fmt: skip
    for row in cells[cells["file"].notna()].to_dict("records"):
        assert (run / row["file"]).stat().st_size == row["bytes"]
        card = json.loads((run / f"{row['file']}.json").read_text())
        assert card["measured"]["errors"] == row["errors"]
    sizes = cells.set_index("method")["bytes"]
    assert sizes["prune:0.8@2"] > sizes["share:3bit@1"] > sizes["code"]
    assert sizes["random pruning"] == pytest.approx(sizes["code"], rel=0.1)
    assert sizes["small dense"] <= sizes["code"] * 1.1
    # The file alone, by a way of its own: decompressed, loaded into the architecture, and counted.
    row = cells[cells["method"] == "code"].iloc[0]
    file = run / row["file"]
    out = dnnlab("decompress", file, "--to", tmp_path / "net.safetensors")
    assert out.code == 0, out.err
    assert "bits each" in out.out
    net = create_model("lenet300:width=0.1", in_chans=1, input_size=8, num_classes=10).eval()
    net.load_state_dict(load_file(tmp_path / "net.safetensors"))
    data = load("digits")
    with torch.no_grad():
        right = net(data.inputs(data.test)).argmax(1) == data.y[data.test]
    assert int((~right).sum()) == row["errors"]
    assert sum(int(torch.count_nonzero(p)) for p in net.parameters()) == row["nonzeros"]
    again = dnnlab(*SMALL, "--chain", CHAIN, "--controls", "--json")
    assert again.out == done.out
    options = {"arch": "lenet300:width=0.1", "epochs": 4, "recover": 1, "seeds": 1}
    known = package.compress(**options, chain=[CHAIN], controls=True, quiet=True)
    assert known.path.name == run.name
    for picture in draw(known.cells, known.summary, known.spec):
        assert faults(picture.figure) == []


def test_promised_columns():
    assert set(PROMISED) <= {column.name for column in c.SUMMARY}


def same(a, b):
    def kept(rows):
        return {name: values for name, values in rows.items() if not any(time in name for time in TIMES)}

    assert json.dumps([kept(rows) for rows in a]) == json.dumps([kept(rows) for rows in b])


@pytest.mark.parametrize("options", [{"controls": True}, {"max_drop": 5.0, "trials": 3}])
def test_a_chain_that_goes_on_gives_the_rows_of_an_unbroken_one(options, tmp_path):
    asked = {"arch": "lenet300:width=0.05", "chain": [CHAIN], "seeds": 1, "epochs": 1, "train_size": 300} | options
    spec = build(Spec, asked)
    cell = spec.plan()[1]
    whole = list(measure.steps([cell], spec, "cpu", Place(tmp_path / "a" / "compress" / "x"), []))
    for number in (1, len(whole) - 1):
        # Without checkpoints, so that nothing but the rows themselves is carried over.
        place = Place(tmp_path / f"b{number}" / "compress" / "x")
        rest = list(measure.steps([cell], spec, "cpu", place, whole[:number]))
        same(whole[number:], rest)


def test_a_search_stops_at_the_drop_that_is_allowed(dnnlab, blank_figures):
    arguments = (*SMALL, "--chain", "prune:0.5@2 > share:4bit@1 > code", "--max-drop", 8, "--trials", 4, "--json")
    done = dnnlab(*arguments)
    assert done.code == 0, done.err
    cells = table(json.loads(done.out)["run"], "cells.csv")
    trials = cells[cells["role"] == "trial"]
    assert len(trials) == 4
    assert trials["accuracy"].isna().all()  # nothing of them is measured on test
    allowed = trials[trials["validation_drop"] * 100 < 8]
    final = cells[cells["role"] == "chain"].iloc[-1]
    assert final["bytes"] == allowed["bytes"].min()


def test_a_search_for_a_ratio_reaches_it(dnnlab, blank_figures):
    done = dnnlab(*SMALL, "--chain", "prune:0.5@1 > share:4bit@1 > code", "--target", "30x", "--trials", 4, "--json")
    cells = table(json.loads(done.out)["run"], "cells.csv")
    final = cells[cells["role"] == "chain"].iloc[-1]
    assert 30 <= final["ratio"] < 60
    assert cells["missed"].isna().all()


def test_seeds_that_find_different_amounts_are_one_row(dnnlab, blank_figures):
    done = dnnlab(*SMALL[:-1], 3, "--method", "prune", "--max-drop", 1, "--trials", 5, "--json")
    answer = json.loads(done.out)
    chains = table(answer["run"], "cells.csv").query("role == 'chain'")["chain"]
    summary = table(answer["run"], "summary.csv").query("role == 'chain'")
    assert chains.nunique() > 1
    assert summary["seeds"].tolist() == [3]


def test_a_trial_that_takes_out_too_much_is_one_that_is_too_strong(dnnlab, blank_figures):
    """No layer loses more than nine tenths of its channels, so that 20 times fewer MACs cannot be had."""
    done = dnnlab(*SMALL, "--chain", "structured:2x@1", "--target", "1000x", "--trials", 3, "--json")
    assert done.code == 0, done.err
    run = json.loads(done.out)["run"]
    assert len(table(run, "cells.csv").query("role == 'trial'")) == 3
    (missed,) = table(run, "summary.csv")["missed"].dropna()
    assert missed.startswith("--target asked for 1000x, and the strongest chain tried has a ratio of ")


def test_a_changed_file_of_a_network_is_another_network(dnnlab, blank_figures, tmp_path):
    """Not the run, nor a checkpoint, of what the file said before."""
    parameters = []
    for width in (16, 64):
        file = tmp_path / "net.toml"
        file.write_text(f'space = "mlp"\n[choices]\ndepth = 1\n"width.1" = {width}\n"act.1" = "relu"\n')
        arguments = ("--arch", file, "--method", "prune:0.5", "--epochs", 1, "--recover", 1, "--seeds", 1)
        done = dnnlab("compress", *arguments, "--out", tmp_path / "out", "--json")
        assert done.code == 0, done.err
        parameters.append(table(json.loads(done.out)["run"], "summary.csv")["params"].iloc[0])
    assert parameters[1] > 3 * parameters[0]


def test_networks_that_have_no_widths_have_no_small_twin(dnnlab, blank_figures, tmp_path):
    file = tmp_path / "net.toml"
    file.write_text('space = "mlp"\n[choices]\ndepth = 1\n"width.1" = 16\n"act.1" = "relu"\n')
    arguments = ("compress", "--arch", file, "--epochs", 1, "--recover", 1, "--seeds", 1)
    done = dnnlab(*arguments, "--method", "prune:0.5", "--controls", "--json")
    assert done.code == 0, done.err
    assert "small dense" not in set(table(json.loads(done.out)["run"], "cells.csv")["method"])
    assert done.err.count(f"--controls has no small dense network beside {file}, ") == 1
    done = dnnlab(*arguments, "--method", "prune:0.5", "--controls")
    assert f"Beside it stands no small dense network: {file} is not in the catalogue." in " ".join(done.out.split())
    done = dnnlab(*arguments, "--method", "distill")
    assert done.code == 2
    assert "give --student" in done.err


RUNTIME_ONLY = """
import sys, json, numpy as np, onnxruntime
x, y = (np.load(name) for name in sys.argv[1:3])
shape = [1, -1, *[1] * (x.ndim - 2)]
for file in sys.argv[3:]:
    card = json.load(open(file + ".json"))
    mean, std = (np.array(card["input"][k], np.float32).reshape(shape) for k in ("mean", "std"))
    session = onnxruntime.InferenceSession(file)
    guess = session.run(["logits"], {"x": ((x.astype(np.float32) - mean) / std).astype(np.float32)})[0].argmax(1)
    print(int((guess != y).sum()))
assert "torch" not in sys.modules
"""


def test_every_method_on_a_users_residual_and_depthwise_network(dnnlab, blank_figures, tmp_path, monkeypatch):
    """From a state dict to files that load with onnxruntime and numpy alone, or into the factory."""
    (tmp_path / "nets_for_compress.py").write_text(MODELS)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    from nets_for_compress import Mixed

    torch.manual_seed(0)
    save_file(Mixed().state_dict(), tmp_path / "net.safetensors")
    methods = "prune:0.5,structured:1.5x,lowrank:1.3x,share:4bit,distill,int8,int8:weights,int8:qat@1"
    done = dnnlab("compress", "--model", "nets_for_compress:Mixed", "--weights", "net.safetensors", "--method", methods,
                  "--student", "mlp1:width=0.125", "--seeds", 1, "--recover", 1, "--json")  # fmt: skip
    assert done.code == 0, done.err
    run = Path(json.loads(done.out)["run"])
    cells = table(run, "cells.csv")
    data = load("digits")
    np.save(tmp_path / "x.npy", data.x[data.test].numpy())
    np.save(tmp_path / "y.npy", data.y[data.test].numpy())
    kept = cells[cells["file"].notna()]
    is_onnx = kept["file"].str.endswith(".onnx")
    for file in kept.loc[~is_onnx, "file"]:
        assert dnnlab("decompress", run / file).code == 0
    files = kept.loc[is_onnx, "file"]
    command = [sys.executable, "-c", RUNTIME_ONLY, "x.npy", "y.npy", *(str(run / file) for file in files)]
    out = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert [int(line) for line in out.stdout.split()] == kept.loc[is_onnx, "errors"].tolist()
    assert len(files) >= 7
    by_method = cells.set_index("method")
    assert by_method.loc["int8", "int8_share"] > 0.5
    assert by_method.loc["int8:qat@1", "int8_share"] == by_method.loc["int8", "int8_share"]  # it still fuses
    assert by_method.loc["int8:weights", "int8_share"] == 0
    assert by_method.loc["structured:1.5x", "macs"] < by_method.loc["baseline", "macs"] / 1.5
    assert {"distill", "student alone"} <= set(by_method.index)
    # The narrower network goes wherever --weights go.
    narrow = next(run.glob("artifacts/structured*/seed0/1-*.safetensors"))
    net = Mixed()
    load_weights(net, str(narrow))
    assert count(net, data.shape).macs == by_method.loc["structured:1.5x", "macs"]


@pytest.mark.parametrize("damage", ["cut", "flip", "foreign", "missing", "folder"])
def test_a_damaged_container_is_one_sentence(damage, dnnlab, tmp_path):
    from dnnlab.compress.container import SHARED, encode

    data = bytearray(encode({"w": np.eye(8, dtype=np.float32)}, {"w": SHARED}, coded=True))
    file = tmp_path / "net.dnnz"
    if damage == "cut":
        file.write_bytes(data[:-3])
    elif damage == "flip":
        data[20] ^= 4
        file.write_bytes(data)
    elif damage == "foreign":
        file.write_bytes(b"PK\x03\x04 a zip")
    elif damage == "folder":
        file.mkdir()
    done = dnnlab("decompress", file)
    assert done.code == (2 if damage in ("missing", "folder") else 1)
    assert done.err.startswith("dnnlab: ")
    assert done.err.count("\n") == 1
    assert not file.with_suffix(".safetensors").exists()


@pytest.mark.parametrize(
    ("package", "sentence"),
    [
        ("onnxruntime", f"compress needs onnxruntime; {installation.command_for('compress')}."),
        ("tensorly", f"lowrank:cp needs tensorly; {installation.command('tensorly')}, or take tucker."),
    ],
)
def test_what_is_missing_is_one_sentence(package, sentence, dnnlab, monkeypatch):
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == package else found(name, *a))
    done = dnnlab("compress", "--chain", "lowrank:2x:cp")
    assert done.code == 2
    assert done.err == f"dnnlab: {sentence}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        "--weights w.safetensors",
        "--model x:y --arch lenet5",
        "--max-drop 1 --target 3x",
        "--chain share:5bit --max-drop 1",
        "--student mlp1",
        "--target ten",
        "--batch-size 60000",
        "--arch lenet5:depth=3",
    ],
)
def test_options_that_do_not_fit(arguments, dnnlab):
    done = dnnlab("compress", *arguments.split())
    assert done.code == 2
    assert len([line for line in done.err.splitlines() if line.startswith("dnnlab:")]) == 1


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_in_the_same_files(tmp_path):
    """kill -9 five times; times aside, the tables are those of an unbroken run."""
    command = [sys.executable, "-m", "dnnlab", *map(str, SMALL[:-1]), "3", "--chain", CHAIN, "--quiet"]

    def lines(out):
        return sum(file.read_bytes().count(b"\n") for file in out.glob("*/*/journal.jsonl"))

    def tables(out):
        (folder,) = (out / "compress").iterdir()
        for name in ("cells.csv", "summary.csv"):
            frame = pd.read_csv(folder / name)
            yield frame[[column for column in frame if not any(time in column for time in TIMES)]]

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run([*command, "--out", whole], check=True, capture_output=True)
    rng = random.Random(3)
    for _ in range(5):
        held = lines(broken)
        process = subprocess.Popen([*command, "--out", broken], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while lines(broken) < held + 1 and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.random() * 2)
        process.kill()
        process.wait()
        assert lines(broken) >= held  # nothing finished is lost
    subprocess.run([*command, "--out", broken], check=True, capture_output=True)
    for expected, found in zip(tables(whole), tables(broken), strict=True):
        pd.testing.assert_frame_equal(expected, found, check_exact=True)


def test_divergence_is_a_result_and_a_stage_that_fails_a_row(dnnlab):
    arguments = ("--optimizer", "sgd", "--recover-lr", 1e6, "--method", "prune:0.5,structured:100x", "--json")
    done = dnnlab(*SMALL, *arguments)
    assert done.code == 1
    cells = table(json.loads(done.out)["run"], "cells.csv")
    assert cells.set_index("method").loc["prune:0.5", "diverged"] == 1
    (failed,) = cells[cells["error"].notna()].to_dict("records")
    assert "ask for less" in failed["error"]
