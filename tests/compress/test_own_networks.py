"""Every method on networks as people write them: it works, or names what it leaves, before anything is trained."""

import copy
import dataclasses
import itertools
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, load_model, save_file
from torch import nn
from torch.nn import functional as F

from dnnlab.compress import chain, files, onnx_file
from dnnlab.compress.executed import executed
from dnnlab.compress.metrics import memory
from dnnlab.compress.recovery import Retraining
from dnnlab.compress.stages import TooMuch, channels
from dnnlab.compress.structure import rebuild, weights
from dnnlab.data import load
from dnnlab.errors import DnnlabError, UsageError
from dnnlab.instruments.cost import count
from dnnlab.networks import outputs
from dnnlab.networks.parametrised import make_plain
from dnnlab.networks.ties import once, ties
from dnnlab.networks.unread import set_aside
from dnnlab.networks.user_network import load_weights
from dnnlab.training.hyperparameters import Hyperparameters

FILE = Path(__file__).parents[1] / "fixtures" / "own_networks.py"
OWN = runpy.run_path(str(FILE))
EVERY = OWN["EVERY"]


def made(name):
    torch.manual_seed(0)
    model = OWN[name]()
    make_plain(model)
    return model.eval()


def empty(name):
    model = OWN[name]()
    make_plain(model)
    return model


@pytest.fixture
def retraining():
    """Recovery of a few steps: what a method does to the shape of a network does not depend on them."""
    torch.manual_seed(0)
    data = load("digits")
    data = dataclasses.replace(data, train=data.train[:256], validation=data.validation[:64], test=data.test[:64])
    return Retraining(data, 0, 0, 64, Hyperparameters("adam", 0.001), 0.5, None, 4.0, 0.9, lambda: None)


def logits(model, x):
    with torch.no_grad():
        return outputs.logits(model.eval()(x))


def through(name, text, retraining, folder):
    """The network and its file after the chain ``text``."""
    model = made(name)
    stages = chain.parse(text)
    for stage in stages:
        if stage.trains:
            model = stage.module.apply(model, stage, retraining)
    inputs = files.ExportInputs(retraining.data, lambda: empty(name), lambda model: None)
    return model, files.write(model, stages, inputs, folder / "file")


@pytest.mark.parametrize("name", EVERY)
def test_a_pruned_and_shared_network_is_read_back_from_its_container(name, retraining, tmp_path):
    model, file = through(name, "prune:0.5 > share:4bit > code", retraining, tmp_path)
    x = retraining.data.inputs(retraining.data.test)
    assert np.allclose(file.predict(x.numpy()), logits(model, x).numpy(), rtol=1e-3, atol=1e-4)
    every = weights(model).values()
    zeros = sum(int((weight == 0).sum()) for weight in every) / sum(weight.numel() for weight in every)
    assert zeros == pytest.approx(0.5, abs=0.02)
    assert file.size < 4 * sum(p.numel() for p in model.parameters())


QUANTISED = ["tied_layers", "weight_normed", "grouped", "transposed", "sequences", "volumes", "recurrent", "encoder",
             "vision_transformer", "functional_weights", "unet", "a_dictionary"]  # fmt: skip


@pytest.mark.parametrize("mode", ["static", "dynamic", "weights", "qat"])
@pytest.mark.parametrize("name", QUANTISED)
def test_a_quantised_network_answers_as_before(name, mode, retraining, tmp_path):
    """Eight bits move the logits by a part of their spread; those of another network would be 1.4 of it away."""
    model, file = through(name, f"int8:{mode}", retraining, tmp_path)
    x = retraining.data.inputs(retraining.data.test)
    given, wanted = file.predict(x.numpy()), logits(model, x).numpy()
    assert np.sqrt(((given - wanted) ** 2).mean()) < 0.5 * wanted.std()


WHAT_STAYS = {
    "tied_layers": {"1", "3", "5"},
    "tied_kernels_and_biases": {"0", "2", "5"},
    "tied_to_a_transpose": {"code"},
    "shuffled": {"0"},
    "encoder": {"embed", "encoder.layers.0.linear2"},
    "vision_transformer": {"patches", "block.qkv", "block.out", "block.thin"},
    "scaled_layers": {"first", "second"},
    "split_in_halves": {"second"},
    "concatenated": {"first", "second"},
}
"""By hand: layers that share a weight or feed those that do; whose channels are shuffled, split in halves, or joined to
the network's own input; along which attention or a normalisation with a shape of its own runs."""


@pytest.mark.parametrize("name", sorted({*EVERY} - {"lstm_of_both_directions"}))
def test_channels_are_taken_out_where_that_can_be_known(name, retraining):
    data = retraining.data
    failing, last = channels.fixed(made(name), data.inputs(data.train[:8]))
    assert {layer for group in failing for layer in group.layers} == WHAT_STAYS.get(name, set())
    assert len(last) == 1  # what makes the logits


UNTOUCHED = {"recurrent", "both_directions", "lstm_of_both_directions", "functional_weights"}
NARROWED = sorted({*EVERY} - {*WHAT_STAYS, *UNTOUCHED})
"""Those of which more than a layer can lose channels."""


@pytest.mark.parametrize("name", [*NARROWED, "encoder", "vision_transformer"])
def test_a_narrower_network_has_fewer_macs_and_its_state_alone_rebuilds_it(name, retraining):
    model, (stage,) = made(name), chain.parse("structured:1.2x")
    before = count(model, (1, 8, 8)).macs
    narrow = stage.module.apply(model, stage, retraining)
    assert before / count(narrow, (1, 8, 8)).macs >= 1.2
    again = rebuild(empty(name), narrow.state_dict())
    x = retraining.data.inputs(retraining.data.test)
    assert torch.allclose(logits(again, x), logits(narrow, x), rtol=1e-4, atol=1e-5)


UNSEEN = "torch-pruning does not see it"
NEEDED = "what reads it needs all its channels"


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("frozen_backbone", dict.fromkeys(["back.0", "back.2"], UNSEEN)),
        ("without_gradients", dict.fromkeys(["back.0", "back.2"], UNSEEN)),
        ("product_behind_channels", {"w": "a weight of Written", "first": NEEDED}),
        ("attended_states", {"rnn": "a weight of GRU", "score": NEEDED}),
        ("called_by_its_weight", {"hidden": UNSEEN, "first": NEEDED}),
        ("with_class_weights", {}),
    ],
)
def test_what_cannot_be_followed_is_left_and_named_and_other_layers_are_not(name, left, retraining):
    model, (stage,) = made(name), chain.parse("structured:1.02x")
    assert stage.module.left(model, stage, retraining.data) == left
    narrow = stage.module.apply(model, stage, retraining)
    assert count(model, (1, 8, 8)).macs / count(narrow, (1, 8, 8)).macs >= 1.02
    same = {key: tensor.shape for key, tensor in model.state_dict().items() if key.startswith(tuple(left))}
    assert {key: narrow.state_dict()[key].shape for key in same} == same


@pytest.mark.parametrize("text", ["structured:1.1x", "structured:1.1x:taylor"])
def test_no_channel_is_taken_out_of_a_head_that_no_logit_depends_on(text, retraining):
    model, (stage,) = made("head_in_a_dictionary"), chain.parse(text)
    set_aside(model, ["aux.weight", "aux.bias"])
    narrow = stage.module.apply(model, stage, retraining)
    width = len(narrow.a.weight)
    assert width < 40
    assert narrow.aux.weight.shape == (10, width)


def test_the_gradients_of_frozen_layers_rank_their_channels(retraining):
    """Frozen or not, the same channels go."""
    (stage,) = chain.parse("structured:1.3x:taylor")
    found = []
    for frozen in (False, True):
        model = made("group_normed")
        for parameter in list(model.parameters())[:4]:
            parameter.requires_grad_(not frozen)
        narrow = stage.module.apply(model, dataclasses.replace(stage, epochs=0.0), retraining)
        found.append({name: tensor.shape for name, tensor in narrow.state_dict().items()})
    assert found[0] == found[1]


def test_a_wrong_channel_is_seen():
    """Behind a shuffle torch-pruning takes out other channels than before it. The network runs, and is none of those
    that lack three of these twelve channels, all of which are tried here."""
    model, x = made("shuffled"), torch.randn(8, 1, 8, 8)
    bare = copy.deepcopy(model)
    channels.dependencies(bare, x, pruning_ratio=0.25, ignored_layers=[bare[3], bare[5]]).step()
    assert len(bare[0].weight) == 9
    lacking = []
    for gone in itertools.combinations(range(12), 3):
        without = copy.deepcopy(model)
        without[1].register_forward_hook(
            lambda module, inputs, out, gone=gone: out.index_fill(1, torch.tensor(gone), 0)
        )
        lacking.append(float((logits(without, x) - logits(bare, x)).abs().max()))
    assert min(lacking) > 1e-3
    assert [group.layers for group in channels.fixed(model, x)[0]] == [("0",)]


@pytest.mark.parametrize(
    ("name", "text", "multiple"),
    [
        ("depthwise", "structured:1.5x:round=8", 8),
        ("group_normed", "structured:1.3x:taylor:round=4", 4),
        ("grouped", "structured:1.3x:round=4", 4),
    ],
)
def test_channels_are_kept_in_multiples(name, text, multiple, retraining):
    model, (stage,) = made(name), chain.parse(text)
    assert str(stage) == text
    narrow = stage.module.apply(model, stage, retraining)
    assert count(model, (1, 8, 8)).macs / count(narrow, (1, 8, 8)).macs >= stage.factor
    before, found = (
        [layer.out_channels for layer in net.modules() if isinstance(layer, nn.Conv2d)] for net in (model, narrow)
    )
    assert found != before
    assert all(width % multiple == 0 for width in found)


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("tied_layers", {"3": "other layers share its weight", "5": "other layers share its weight"}),
        ("weight_normed", {}),
        ("depthwise", {"2": "no product of thinner ones is smaller"}),
        ("vision_transformer", {}),
    ],
)
def test_factorising_names_what_it_leaves(name, left, retraining):
    model, (stage,) = made(name), chain.parse("lowrank:0.3")
    assert stage.module.left(model, stage, retraining.data) == left
    changed = stage.module.apply(model, stage, retraining)
    again = rebuild(empty(name), changed.state_dict())
    x = retraining.data.inputs(retraining.data.test)
    assert torch.allclose(logits(again, x), logits(changed, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tied_to_a_transpose", "code (others read its weight, and not through a call of it)"),
        ("sequences", "net.0 (a weight of Conv1d); net.3 (a weight of ConvTranspose1d)"),
        ("recurrent", "lstm (a weight of LSTM)"),
        ("functional_weights", "w (a weight of Written)"),
    ],
)
def test_where_nothing_can_be_factorised_every_layer_is_named(name, said, retraining):
    (stage,) = chain.parse("lowrank:0.5")
    with pytest.raises(TooMuch) as caught:
        stage.module.left(made(name), stage, retraining.data)
    assert str(caught.value) == f"lowrank:0.5: no layer of this network gets smaller when it is factorised: {said}"


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("lowrank:2x", "recurrent", "save none of its MACs"),
        ("structured:2x", "recurrent", "save none of its MACs"),
        ("structured:2x", "lstm_of_both_directions", "cannot follow this network"),
        ("lowrank:0.999", "grouped", "no layer of this network gets smaller"),
    ],
)
def test_a_method_without_anything_to_do_says_so(text, name, said, retraining):
    (stage,) = chain.parse(text)
    with pytest.raises(TooMuch, match=said):
        stage.module.apply(made(name), stage, retraining)


# Tied weights


def test_a_shared_weight_is_stored_once(retraining, tmp_path):
    model, file = through("tied_layers", "prune:0.1 > share:8bit", retraining, tmp_path)
    assert [layer.name for layer in file.layers if layer.name in ("3.weight", "5.weight")] == ["3.weight"]
    inputs = files.ExportInputs(retraining.data, lambda: empty("tied_layers"), lambda model: None)
    files.write(model, (), inputs, tmp_path / "dense")
    with safe_open(tmp_path / "dense.safetensors", "pt") as opened:
        assert "5.weight" not in opened.keys()  # noqa: SIM118 - it is no dictionary
    again = empty("tied_layers")
    load_model(again, str(tmp_path / "dense.safetensors"))  # as anybody reads such files
    assert torch.equal(again[5].weight, model[3].weight)


def test_names_of_one_tensor():
    model = made("tied_kernels_and_biases")
    assert ties(model) == {"5.weight": "2.weight", "5.bias": "2.bias"}
    assert len(once(model)) == len(model.state_dict()) - 2
    assert ties(made("one_module_twice")) == {"5.weight": "3.weight", "5.bias": "3.bias"}
    assert ties(made("grouped")) == {}


def test_a_weight_that_is_also_read_transposed_is_once_in_the_file(retraining, tmp_path):
    """Read by onnx: 64 · 32 weights that two products share, and 64 · 10; and its outputs by ONNX Runtime."""
    import onnx

    for text, each in (("int8:weights", np.int8), ("", np.float32)):
        model, stages = made("tied_to_a_transpose"), chain.parse(text) if text else ()
        inputs = files.ExportInputs(retraining.data, lambda: empty("tied_to_a_transpose"), lambda model: None)
        file = files.write(model, stages, inputs, tmp_path / "file")
        held = [onnx.numpy_helper.to_array(tensor) for tensor in onnx.load_from_string(file.onnx).graph.initializer]
        assert sum(values.size for values in held if values.dtype == each and values.ndim == 2) == 64 * 32 + 64 * 10
        x = retraining.data.inputs(retraining.data.test)
        given, wanted = file.predict(x.numpy()), logits(model, x).numpy()
        assert np.abs(given - wanted).max() < (1e-5 if each is np.float32 else 0.1) * np.abs(wanted).max()


def test_a_constant_that_is_another_in_another_order():
    """Of any number of axes; what differs in one number stays."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    cube = rng.normal(size=(4, 5, 6)).astype(np.float32)
    nearly = cube.transpose(2, 0, 1).copy()
    nearly[0, 0, 0] += 1
    held = {"a": cube, "b": cube.transpose(2, 0, 1).copy(), "c": cube.copy(), "d": nearly}
    out = [helper.make_tensor_value_info(f"{n}2", TensorProto.FLOAT, v.shape) for n, v in held.items()]
    nodes = [helper.make_node("Identity", [name], [f"{name}2"]) for name in held]
    graph = helper.make_graph(nodes, "g", [], out, [numpy_helper.from_array(v, n) for n, v in held.items()])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    smaller = onnx_file.each_once(proto)
    assert [tensor.name for tensor in smaller.graph.initializer] == ["a", "d"]
    session = onnxruntime.InferenceSession(smaller.SerializeToString())
    given = session.run([f"{name}2" for name in held], {})
    assert all(np.array_equal(found, wanted) for found, wanted in zip(given, held.values(), strict=True))
    assert len(proto.graph.initializer) == 4


# Weights that are computed


@pytest.mark.parametrize(
    ("name", "computed"),
    [
        ("weight_normed", ["0.weight", "2.weight"]),
        ("spectral_normed", ["1.weight"]),
        ("orthogonal", ["3.weight"]),
        ("weight_normed_by_hooks", ["0.weight", "2.weight"]),
        ("masked_by_hooks", ["1.weight"]),
        ("grouped", []),
    ],
)
def test_a_computed_weight_becomes_a_parameter_of_its_value(name, computed):
    torch.manual_seed(0)
    model, x = OWN[name](), torch.randn(4, 1, 8, 8)
    before = logits(model, x)
    assert make_plain(model) == computed
    assert torch.equal(logits(model, x), before)
    assert all(isinstance(dict(model.named_parameters())[weight], nn.Parameter) for weight in computed)
    copy.deepcopy(model).load_state_dict(model.state_dict())


# What the runtime executes and holds


def exported(name):
    model = made(name)
    return onnx_file.export(model, torch.randn(2, 1, 8, 8))


@pytest.mark.parametrize(
    ("name", "macs"),
    [
        ("recurrent", 8 * 4 * 24 * (8 + 24) + 24 * 10),
        ("both_directions", 8 * 2 * 3 * 16 * ((8 + 16) + (32 + 16)) + 32 * 10),
        ("transposed", 16 * 12 * 9 + 16 * 12 * 10 * 16 + 10 * 10),
        ("sequences", 8 * 16 * 8 * 3 + 8 * 16 * 12 * 4 + 12 * 10),
        ("volumes", 64 * 12 * 27 + 12 * 10),
        ("functional_weights", 64 * 40 + 40 * 10),
        ("grouped", 64 * (12 * 9 + 24 * 4 * 9 + 16 * 6 * 9) + 16 * 10),
    ],
)
def test_multiply_accumulates_are_those_that_are_executed(name, macs):
    """Counted by hand. Where ONNX Runtime fills blocks of channels up, what it multiplies there is no part of it."""
    found = executed(exported(name).SerializeToString(), np.zeros((1, 1, 8, 8), np.float32))
    assert not found.int8
    assert sum(found.floats.values()) == macs
    assert found.share == 0


def test_a_layer_that_stays_in_floats_is_counted_as_it_is():
    """An LSTM takes 8 × 4 × 24 × 32 of all products, and static quantisation leaves it."""
    calibration = [np.random.default_rng(0).normal(size=(32, 1, 8, 8)).astype(np.float32)]
    x = calibration[0][:1]
    static = executed(onnx_file.static(exported("recurrent"), calibration, False).SerializeToString(), x)
    assert static.share == pytest.approx(240 / (24576 + 240))
    assert static.in_floats() == {"LSTM": pytest.approx(24576 / (24576 + 240))}
    assert executed(onnx_file.dynamic(exported("recurrent")).SerializeToString(), x).share == 1
    transposed = executed(onnx_file.static(exported("transposed"), calibration, False).SerializeToString(), x)
    rest = 16 * 12 * 9 + 10 * 10
    assert transposed.in_floats() == {"ConvTranspose": pytest.approx(16 * 12 * 10 * 16 / (16 * 12 * 10 * 16 + rest))}


def test_products_in_branches_are_counted_as_they_are():
    """The quantiser leaves branches in floats, of which one is executed."""
    calibration = [np.random.default_rng(0).normal(size=(32, 1, 8, 8)).astype(np.float32)]
    proto = exported("one_of_two_branches")
    assert executed(proto.SerializeToString(), calibration[0][:1]).floats == {"Gemm": 64 * 8 + 80}
    for quantised in (onnx_file.static(proto, calibration, False), onnx_file.dynamic(proto)):
        assert executed(quantised.SerializeToString(), calibration[0][:1]).share == pytest.approx(80 / (64 * 8 + 80))


def test_an_embedding_is_there_twice_only_where_a_product_reads_it():
    torch.manual_seed(0)
    x = torch.randint(16, (32, 6))
    sizes = {}
    for name in ("embedded_twice", "embedded_and_multiplied"):
        proto = onnx_file.export(OWN[name](), x)
        quantised = onnx_file.static(proto, [x.numpy()], False)
        assert np.isfinite(onnx_file.Session(quantised.SerializeToString())(x.numpy())).all()
        tables = [t for t in quantised.graph.initializer if list(t.dims) == [16, 12]]
        sizes[name] = len(tables)
    assert sizes == {"embedded_twice": 1, "embedded_and_multiplied": 2}


def test_graphs_in_nodes_read_the_values_around_them():
    torch.manual_seed(0)
    model, x = OWN["mean_of_embeddings"](), torch.randint(16, (4, 6))
    proto = onnx_file.each_once(onnx_file.export(model, x))
    assert any(attribute.HasField("g") for node in proto.graph.node for attribute in node.attribute)
    given = onnx_file.Session(proto.SerializeToString())(x.flip(0).repeat(2, 1).numpy())
    np.testing.assert_allclose(given, model(x.flip(0).repeat(2, 1)).detach(), atol=1e-6)


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="the system does not tell")
def test_memory_is_what_a_process_takes_more():
    """A layer of a million weights takes four megabytes in floats, and about a quarter in eight bits."""
    torch.manual_seed(0)
    data = load("digits")
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(),
                          nn.Linear(1024, 10)).eval()  # fmt: skip
    proto = onnx_file.export(model, data.inputs(data.train[:2]))
    eight = onnx_file.dynamic(proto)
    floats, bytes_ = (memory(each.SerializeToString(), data) for each in (proto, eight))
    size = 4 * sum(p.numel() for p in model.parameters())
    assert size <= floats <= 3 * size  # the runtime may keep a second copy, in the order of its kernels
    assert size / 4 <= bytes_ <= floats / 1.5


# Files that cannot hold a network


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("length_of_the_batch", r"takes no other number of inputs than 2\. .*len\(x\).* take x\.shape\[0\]"),
        ("branching", r"branches on values .* torch\.where \(own_networks\.py, line \d+\)"),
    ],
)
def test_a_failed_export_says_where_and_what_would_be_right(name, said, capfd):
    with pytest.raises(DnnlabError, match=said) as caught:
        onnx_file.export(made(name), torch.randn(2, 1, 8, 8))
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


def test_a_constant_that_depends_on_the_example_is_seen():
    def forward(s, x):
        return s.last(x.flatten(1)) * len(x)

    net = OWN["Written"](forward, last=nn.Linear(64, 10))
    with pytest.raises(DnnlabError, match=r"for other inputs than those of the export|no other number of inputs"):
        onnx_file.export(net, torch.randn(2, 1, 8, 8))


# As a user would


@pytest.fixture
def own(dnnlab, blank_figures, tmp_path, monkeypatch):
    """Calls compress for one of these networks."""
    monkeypatch.syspath_prepend(str(FILE.parent))

    def call(name, *arguments):
        return dnnlab("compress", "--model", f"own_networks:{name}", "--epochs", 1, "--recover", 1, "--train-size", 300,
                      "--seeds", 1, *arguments)  # fmt: skip

    return call


def rows(done):
    return pd.read_csv(Path(json.loads(done.out)["run"]) / "cells.csv", keep_default_na=False).set_index("method")


def test_what_is_left_is_said_before_anything_is_trained(own):
    done = own("encoder", "--method", "int8:qat", "--dry-run")
    assert done.code == 0
    assert "encoder.layers.0.self_attn.out_proj (others read its weight, and not through a call of it)" in done.err
    done = own("encoder", "--method", "structured:1.2x,int8", "--json")
    assert done.code == 0, done.err
    notes, _, measuring = done.err.partition("measuring")
    assert "structured:1.2x leaves layers" in notes
    assert "embed" in notes
    assert measuring
    found = rows(done)
    assert "embed" in found.loc["structured:1.2x", "left"]
    assert found.loc["int8", "left"] == ""


WITHOUT_EFFECT = {
    "spare_layer": "spare.0.bias, spare.0.weight, spare.1.bias, spare.1.num_batches_tracked, spare.1.running_mean, "
    "spare.1.running_var, spare.1.weight",
    "spare_parameter": "spare",
    "spare_branch": "spare.bias, spare.weight",
    "head_in_training": "aux.bias, aux.weight",
    "head_in_a_dictionary": "aux.bias, aux.weight",
}
METHODS = "prune:0.8,share:4bit,prune:2of4,prune:0.8:rewind,int8:qat,int8"


@pytest.fixture(scope="module")
def without_spares(tmp_path_factory):
    """The rows of the network that has nothing to spare, measured once."""
    return {}


@pytest.mark.parametrize("name", WITHOUT_EFFECT)
def test_what_inference_does_without_is_neither_compressed_nor_counted(name, own, dnnlab, without_spares):
    """Sizes are those of the same network without it."""
    methods = METHODS if name == "spare_layer" else "prune:0.8,int8:qat"
    if name == "spare_layer" or not without_spares:
        without_spares["rows"] = rows(own("two_layers", "--method", METHODS, "--json"))
    bare = without_spares["rows"]
    done = own(name, "--method", methods, "--json")
    assert done.code == 0, done.err
    assert f"the logits of own_networks:{name} do not depend on" in done.err
    found = rows(done)
    sizes = ["params", "nonzeros", "bytes", "ratio", "ratio_onnx", "left", "missed"]
    for method in found.index:
        assert found.loc[method, sizes].to_dict() == bare.loc[method, sizes].to_dict()
        assert found.loc[method, "unread"] == WITHOUT_EFFECT[name]
        assert bare.loc[method, "unread"] == ""
    pruned = found.loc["prune:0.8"]
    assert float(pruned["nonzeros"]) == pytest.approx(0.2 * 2960 + 50, abs=1)
    run = Path(json.loads(done.out)["run"])
    assert dnnlab("decompress", run / pruned["file"], "--to", "out.safetensors").code == 0
    state = load_file("out.safetensors")
    assert sorted(state) == ["a.bias", "a.weight", "b.bias", "b.weight"]
    assert sum(int((tensor != 0).sum()) for tensor in state.values()) == float(pruned["nonzeros"])
    if name != "spare_layer":
        return
    # It loads into the factory in every experiment; what it lacks is not needed.
    for command in (("dead-relu",), ("gradient-flow",), ("compress", "--method", "int8", "--recover", 1, "--seeds", 1)):
        done = dnnlab(*command, "--model", f"own_networks:{name}", "--weights", "out.safetensors", "--dry-run")
        assert done.code == 0, done.err


def test_a_file_that_lacks_what_inference_needs_is_refused(own, dnnlab, tmp_path):
    state = OWN["spare_layer"]().state_dict()
    save_file({name: tensor for name, tensor in state.items() if name != "b.bias"}, tmp_path / "net.safetensors")
    done = dnnlab("dead-relu", "--model", "own_networks:spare_layer", "--weights", "net.safetensors", "--dry-run")
    assert done.code == 2
    said = "dnnlab: --weights net.safetensors do not fit the model: Missing key(s) in state_dict"
    assert done.err.splitlines()[-1].startswith(said)
    assert "b.bias" in done.err
    assert "\\t" not in done.err


def test_a_network_that_keeps_tensors_is_compressed(own):
    done = own("keeps_its_features", "--method", "prune:0.5,structured:1.3x,lowrank:1.2x,int8:qat", "--json")
    assert done.code == 0, done.err
    assert set(rows(done)["error"]) == {""}


def test_a_network_with_other_outputs_in_training_is_refused_before_training(own):
    done = own("tuple_in_training", "--method", "prune:0.5")
    assert done.code == 2
    assert done.err == (
        "dnnlab: own_networks:tuple_in_training: in training the model gives tuple for 2 inputs of digits; it should "
        "give logits [2, 10].\n"
    )


def test_a_layer_that_training_alone_needs_whole_is_left(own):
    done = own("head_in_training", "--method", "structured:1.3x")
    assert done.code == 2
    assert "a (what reads it needs all its channels)" in done.err.splitlines()[-1]


def test_a_convolution_that_is_padded_and_cut_is_left(own):
    """Its two layers are added, and torch-pruning takes the cut of the last dimension for one of channels. Layers c and
    d beside them take 64 · 32 + 32 · 10 of the multiply–accumulates."""
    done = own("padded_and_cut", "--method", "structured:1.2x,int8", "--json")
    assert done.code == 0, done.err
    found = rows(done)
    assert "b, a (what reads it needs all its channels)" in found.loc["structured:1.2x", "left"]
    assert float(found.loc["baseline", "macs"]) / float(found.loc["structured:1.2x", "macs"]) >= 1.2
    done = own("padded_and_cut", "--method", "structured:4x,int8", "--json")
    assert done.code == 1
    assert float(rows(done).loc["int8", "int8_share"]) > 0


def test_a_network_that_cannot_be_used_is_one_failed_cell(own, monkeypatch):
    """Whatever a stage makes of a network, the others go on."""

    def failing(*arguments):
        raise UsageError("the network takes no input of 1 × 8 × 8")

    monkeypatch.setattr("dnnlab.compress.stages.share.apply", failing)
    done = own("two_layers", "--method", "share:4bit,int8", "--json")
    assert done.code == 1
    found = rows(done)
    assert list(found["error"][found["error"] != ""]) == ["RuntimeError: the network takes no input of 1 × 8 × 8"]
    assert found.loc["int8", "errors"] != ""


def test_narrower_layers_of_a_container_load_into_the_factory(own, dnnlab):
    done = own("two_layers", "--chain", "structured:1.3x > prune:0.5", "--json")
    assert done.code == 0, done.err
    run, found = Path(json.loads(done.out)["run"]), rows(done)
    assert dnnlab("decompress", run / found.loc["prune:0.5", "file"], "--to", "narrow.safetensors").code == 0
    model, data = OWN["two_layers"](), load("digits")
    load_weights(model, "narrow.safetensors")
    assert sum(p.numel() for p in model.parameters()) == float(found.loc["prune:0.5", "params"]) < 3010
    errors = int((logits(model, data.inputs(data.test)).argmax(1) != data.y[data.test]).sum())
    assert errors == float(found.loc["prune:0.5", "errors"])


@pytest.mark.parametrize("name", ["weight_normed", "spectral_normed", "weight_normed_by_hooks", "masked_by_hooks"])
def test_a_computed_weight_comes_back_as_a_plain_one(name, own, dnnlab):
    """Its own files load into the factory, in any experiment, with the same outputs."""
    done = own(name, "--method", "share:6bit,int8:weights", "--json")
    assert done.code == 0, done.err
    run, found = Path(json.loads(done.out)["run"]), rows(done)
    assert dnnlab("decompress", run / found.loc["share:6bit", "file"], "--to", "shared.safetensors").code == 0
    written = run / found.loc["baseline", "file"].replace(".onnx", ".safetensors")
    data = load("digits")
    x = data.inputs(data.test)
    for file, method in ((written, "baseline"), ("shared.safetensors", "share:6bit")):
        model = OWN[name]()
        load_weights(model, str(file))
        errors = int((logits(model, x).argmax(1) != data.y[data.test]).sum())
        assert errors == float(found.loc[method, "errors"])
        for command in (("dead-relu",), ("gradient-flow",), ("compress", "--method", "int8", "--seeds", 1)):
            done = dnnlab(*command, "--model", f"own_networks:{name}", "--weights", file, "--dry-run")
            assert done.code == 0, done.err


@pytest.mark.parametrize("text", ["structured:1.1x", "lowrank:0.3", "int8:qat"])
def test_an_embedding_is_named(text, retraining):
    """Its weight is one of two dimensions, and these methods leave it."""
    model = OWN["Written"](
        lambda s, x: s.last(F.relu(s.first(s.table((x.flatten(1) > 0).long()).flatten(1)))),
        table=nn.Embedding(2, 3),
        first=nn.Linear(192, 32),
        last=nn.Linear(32, 10),
    )
    (stage,) = chain.parse(text)
    assert stage.module.left(model, stage, retraining.data)["table"] == "a weight of Embedding"


def test_a_method_that_can_do_nothing_is_refused_before_training(own):
    done = own("recurrent", "--method", "structured:2x")
    assert done.code == 2
    assert re.fullmatch(r"dnnlab: .*save none of its MACs; .*lstm \(a weight of LSTM\)\.", done.err.splitlines()[-1])
    done = own("recurrent", "--method", "structured:2x,int8:dynamic", "--json")
    assert done.code == 1  # the other one is measured
    assert "its row will say so" in done.err
    found = rows(done)
    (error,) = found["error"][found["error"] != ""]
    assert re.search(r"save none of its MACs; it leaves lstm \(a weight of LSTM\)\.$", error)
    assert found.loc["int8:dynamic", "int8_share"] == "1.0"
    assert found.loc["int8:dynamic", "judged_batch"] == "1.0"


def test_dynamic_ranges_are_judged_at_the_batch_of_use(own):
    """A range over a call depends on the inputs that come together."""
    for batch in (1, 64):
        done = own("vision_transformer", "--method", "int8:dynamic", "--inference-batch", batch, "--json")
        assert done.code == 0, done.err
        assert rows(done).loc["int8:dynamic", "judged_batch"] == f"{batch}.0"
        said = json.loads((Path(json.loads(done.out)["run"]) / "provenance.json").read_text())
        assert said["options"]["inference_batch"] == batch


def test_a_network_that_uses_view_trains(own, dnnlab):
    done = own("viewed", "--method", "prune:0.5", "--json")
    assert done.code == 0, done.err
    done = dnnlab("compare-arch", "--arch", "own_networks:viewed", "--budget", "steps=3", "--seeds", 1, "--json")
    assert done.code == 0, done.err


def test_a_later_stage_without_anything_to_do_is_told_before_training(own):
    done = own("volumes", "--chain", "structured:1.1x > lowrank:0.9")
    assert (done.code, "measuring" in done.err) == (2, False)
    assert "lowrank:0.9: no layer of this network gets smaller when it is factorised: " in done.err
    done = own("volumes", "--chain", "structured:1.1x > lowrank:0.9", "--chain", "structured:1.1x", "--json")
    assert done.code == 1, done.err
    notes, _, _ = done.err.partition("measuring")
    assert "lowrank:0.9: no layer" in notes
    assert "; its row will say so" in notes


def test_quiet_is_quiet(own):
    done = own("recurrent", "--method", "int8", "--quiet", "--json")
    assert done.code == 0, done.err
    assert done.err == ""


def test_nothing_of_pytorch_is_needed_to_measure_memory():
    """The process that is measured imports the runtime alone."""
    program = (
        "import sys, dnnlab.compress.resident as r; r._measure; print('torch' in sys.modules, 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
