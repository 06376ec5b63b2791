"""``--arch``: networks of the catalogue, measured as users' own are."""

import json

import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dnnlab import create_model
from dnnlab import gradient_flow as call
from dnnlab.data import load
from dnnlab.statistics.streams import stream, torch_seed
from dnnlab.training.batches import batch_order


def layers_of(done):
    assert done.code == 0, done.err
    content = json.loads(done.out)
    cells = pd.read_csv(f"{content['run']}/cells.csv", keep_default_na=False, na_values=[""])
    return content["summary"], cells[cells["layer"] > 0]


def by_hand(arch, data, seed):
    """Of every convolution and linear layer the norms of the gradients of its weights and of its outputs, in float64
    and plain PyTorch, by the name of its weights."""
    torch.manual_seed(torch_seed(0, seed, "weights"))
    channels, size, _ = data.shape
    net = create_model(arch, num_classes=len(data.classes), in_chans=channels, input_size=size).double().train()
    index = data.train[next(batch_order(len(data.train), 16, stream(0, seed, "probe")))]
    outputs = {}
    for name, part in net.named_modules():
        if isinstance(part, nn.Conv2d | nn.Linear):

            def keep(part, inputs, out, name=name):
                out.retain_grad()
                outputs[name] = out

            part.register_forward_hook(keep)
    F.cross_entropy(net(data.inputs(index).double()), data.y[index]).backward()
    return {
        name: (float(net.get_parameter(f"{name}.weight").grad.norm()), float(out.grad.norm()))
        for name, out in outputs.items()
    }


@pytest.mark.parametrize(
    ("arch", "name"),
    [("plain20:width=0.25", "digits"), ("resnet20:width=0.25,act=gelu", "gaussian:3x16x16:classes=7,examples=60"),
     ("vgg11:width=0.05,norm=batch", "gaussian:3x40x40:examples=60")],
)  # fmt: skip
def test_gradients_are_those_of_plain_pytorch(dnnlab, blank_figures, arch, name):
    done = dnnlab("gradient-flow", "--arch", arch, "--data", name, "--seeds", 2, "--batch-size", 16, "--json")
    (row,), layers = layers_of(done)
    assert (row["model"], row["data"], row["act"], row["width"]) == (arch, name, "", 0)
    for seed in (0, 1):
        expected = by_hand(arch, load(name), seed)
        found = layers[layers["seed"] == seed].set_index("name")
        assert list(found.index) == list(expected)
        for layer, (weight, delta) in expected.items():
            assert found.loc[layer, "weight_grad_norm"] == pytest.approx(weight, rel=2e-3), layer
            assert found.loc[layer, "delta_norm"] == pytest.approx(delta, rel=2e-3), layer


def test_several_networks_are_rows_of_one_table_and_recipes_and_python_take_the_same(dnnlab, tmp_path, blank_figures):
    options = {"arch": ["plain20:width=0.25", "resnet20:width=0.25"], "data": ["digits", "gaussian:1x8x8"], "seeds": 1}
    command = ("gradient-flow", "--arch", ",".join(options["arch"]), "--data", ",".join(options["data"]), "--seeds", 1)
    rows, _ = layers_of(dnnlab(*command, "--json"))
    assert [(row["model"], row["data"]) for row in rows] == [(a, d) for a in options["arch"] for d in options["data"]]
    again = dnnlab(*command)
    assert "finished on" in again.err
    run = call(**options)
    assert list(run.summary["rate"]) == [row["rate"] for row in rows]
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in options.items())
    (tmp_path / "recipe.toml").write_text(f'experiment = "gradient-flow"\n[options]\n{text}')
    done = dnnlab("run", "recipe.toml")
    assert done.code == 0, done.err
    assert "finished on" in done.err


def test_the_path_is_that_of_a_users_own_network(dnnlab, tmp_path, monkeypatch, blank_figures):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "copies_of_published.py").write_text(
        "from dnnlab import create_model\n"
        "def net(): return create_model('resnet20:width=0.25', num_classes=10, in_chans=1, input_size=8)\n"
    )
    small = ("--seeds", 2, "--steps", 2, "--json")
    (ours,), _ = layers_of(dnnlab("gradient-flow", "--arch", "resnet20:width=0.25", *small))
    (users,), _ = layers_of(dnnlab("gradient-flow", "--model", "copies_of_published:net", *small))
    assert ours | {"model": ""} == users | {"model": ""}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--arch", "vgg11"), "--data gaussian:3x224x224"),
        (("--arch", "inception_v3", "--data", "parity:8"), "takes square images, not inputs of 8; take other inputs, "
         "such as --data gaussian:3x299x299"),
        (("--arch", "resnet20", "--model", "mine:net"), "give one of them"),
        (("--arch", "resnet20", "--act", "tanh"), "it does not go with --arch"),
        (("--arch", "resnet20,vgg11", "--weights", "w.safetensors"), "one --arch"),
        (("--arch", "resnet21"), "resnet20"),
        (("--arch", "resnet20", "--data", "tokens:9x16"), "begins with an embedding"),
        (("--data", "tokens:9x16"), "begins with an embedding"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_what_would(dnnlab, tmp_path, arguments, says):
    done = dnnlab("gradient-flow", *arguments)
    assert done.code == 2
    assert says in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "results").exists()
