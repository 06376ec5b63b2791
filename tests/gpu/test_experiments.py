"""Every experiment, from the command to its tables."""

import json

import numpy as np
import pytest
import torch

from dnnlab.compare_arch.blocks import measure, plan
from dnnlab.data import load

SHORT = ("--seeds", 2, "--steps", 4, "--every", 2)
STACK = ("--depth", 3, "--width", 8, *SHORT)
ARCHS = "resnet20:width=0.25,mlp1,vit_b_16:stem=small,width=0.1,mobilenet_v2:width=0.25"
FEW = ("--seeds", 1, "--train-size", 256, "--batch-size", 32)
SEARCH = ("nas", "--epochs", 1, "--finalists", 1, "--retrain", 1, "--seeds", 1, "--train-size", 128)
COMMANDS = {
    "gradient-flow, stacks": (
        ("gradient-flow", "--act", "relu,tanh", "--norm", "none,batch", "--dropout", 0.2, "--clip", 0.5, "--optimizer",
         "adam", "--jacobian", *STACK),
        ("rate", "rate_end", "loss", "accuracy", "clipped_share", "jacobian_rms"),
    ),
    "gradient-flow, skips": (
        ("gradient-flow", "--act", "prelu", "--norm", "layer", "--skip", "residual,highway,dense", *STACK),
        ("rate", "loss", "skip_term"),
    ),
    "gradient-flow, one's own": (
        ("gradient-flow", "--model", "CNN", "--optimizer", "adamw", "--clip", 0.5, *SHORT),
        ("loss", "accuracy", "clipped_share"),
    ),
    "dead-relu": (
        ("dead-relu", "--lr", 1, "--norm", "none,batch", *STACK),
        ("dead", "expected_dead", "certified_dead", "accuracy"),
    ),
    "dead-relu, remedies": (("dead-relu", "--lr", 1, "--remedies", *STACK), ("dead", "accuracy")),
    "dead-relu, born": (("dead-relu", "--born", "--width", "2,3", "--nets", 200), ("probability",)),
    "dead-relu, one's own": (("dead-relu", "--model", "CNN", *SHORT), ("dead", "certified_dead", "accuracy")),
    "compare-arch": (
        ("compare-arch", "--arch", ARCHS, "--budget", "steps=2", "--augment", "crop", "--ema", 0.9, *FEW),
        ("accuracy", "loss", "latency_ms", "throughput", "measured_peak_bytes"),
    ),
    "compare-arch, seconds": (("compare-arch", "--arch", "mlp1", "--budget", "seconds=0.2", *FEW), ("accuracy",)),
    "compare-arch, shallow-deep": (
        ("compare-arch", "--preset", "shallow-deep", "--budget", "steps=1", "--seeds", 1),
        ("censored",),
    ),
    "compare-arch, separability": (
        ("compare-arch", "--preset", "separability", "--arch", "CNN", "--budget", "steps=2", "--test-size", 64, *FEW),
        ("untrained", "trained"),
    ),
    "compare-arch, transfer": (
        ("compare-arch", "--preset", "transfer", "--arch", "resnet20:width=0.25", "--budget", "steps=2", "--seeds", 1),
        ("source_accuracy", "accuracy"),
    ),
    "compress, structure": (
        ("compress", "--arch", "nin:width=0.1", "--chain", "structured:1.5x:taylor@1 > lowrank:1.5x@1 > int8",
         "--epochs", 1, *FEW),
        ("accuracy", "ratio", "latency_ms", "speedup", "memory_bytes"),
    ),
    "compress, values": (
        ("compress", "--arch", "lenet300:width=0.1", "--chain", "prune:0.8@1 > share:3bit@1 > code", "--epochs", 1,
         "--controls", *FEW),
        ("accuracy", "ratio", "latency_ms", "speedup", "memory_bytes"),
    ),
    "compress, teachers": (
        ("compress", "--arch", "lenet300:width=0.1", "--method", "distill:hints@1,int8:qat@1", "--epochs", 1, *FEW),
        ("accuracy", "ratio", "latency_ms"),
    ),
    "nas, mlp": (
        (*SEARCH, "--strategy", "random,evolution,oneshot", "--space", "mlp", "--budget", 24,
         "--train-size", 512),
        ("test",),
    ),
    "nas, conv": (
        (*SEARCH, "--strategy", "evolution", "--space", "conv", "--budget", 4, "--objectives", "accuracy,latency"),
        ("test",),
    ),
    "nas, darts": (
        (*SEARCH, "--strategy", "darts:1", "--space", "mlp", "--budget", 4),
        ("test",),
    ),
    "nas, darts of cells": (
        (*SEARCH, "--strategy", "darts:1", "--space", "cell", "--budget", 4),
        ("test",),
    ),
    "nas, proxies": (
        ("nas", "--proxies", "--space", "conv", "--epochs", 1, "--budget", 3, "--seeds", 1, "--train-size", 256),
        ("n",),
    ),
}  # fmt: skip
"""Each with the columns whose numbers must be there."""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_gives_numbers_and_says_where_from(name, run, cnn, device, request):
    if name != "nas, mlp":  # once is enough, and takes longer than the searches
        request.getfixturevalue("without_onnx_of_searches")
    arguments, columns = COMMANDS[name]
    measured = run(*(cnn if argument == "CNN" else argument for argument in arguments))
    numbers = measured.summary[list(columns)].astype(float)
    assert np.isfinite(numbers).all(axis=None), numbers
    assert is_of(measured.machine, device)


def is_of(machine, device):
    named = machine["device"] == torch.cuda.get_device_name() if device == "cuda" else machine["device"][:4] == "cpu,"
    return named and machine["tf32"] is False


def test_all_blocks_are_timed(run, device, monkeypatch):
    if device == "cpu":  # which takes long for all of them
        few = dict(list(plan.COMPARISONS.items())[1:2])
        monkeypatch.setattr(plan, "COMPARISONS", few)
        monkeypatch.setattr(measure, "IMAGES", 1)
    measured = run("compare-arch", "--block")
    assert (measured.summary[["forward_ms", "training_ms"]] > 0).all(axis=None)
    assert is_of(measured.machine, device)


def test_an_artefacts_accuracy_is_what_onnx_runtime_alone_gives(run):
    measured = run(
        *("compress", "--arch", "lenet300:width=0.1", "--chain", "prune:0.5@1 > int8", "--epochs", 2, "--seeds", 1)
    )
    import onnxruntime

    data = load("digits")
    x, y = data.inputs(data.test).numpy(), data.y[data.test].numpy()
    rows = measured.cells.dropna(subset="file")
    files = [(row, measured.folder / row["file"]) for _, row in rows.iterrows() if row["file"].endswith(".onnx")]
    assert [row["method"] for row, _ in files] == ["baseline", "int8"]
    for row, file in files:
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        (logits,) = session.run(None, {"x": x})
        assert row["errors"] == (logits.argmax(1) != y).sum()
        assert row["accuracy"] == pytest.approx((logits.argmax(1) == y).mean())
        assert json.loads(file.with_name(f"{file.name}.json").read_text())["measured"]["errors"] == row["errors"]
        assert (row[["latency_ms", "base_latency_ms", "latency32_ms", "speedup"]] > 0).all()
