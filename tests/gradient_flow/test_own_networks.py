"""Networks of one's own, each with a property that a gradient's rate must not trip over."""

import importlib
import json
import math
import re
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dnnlab.data import load
from dnnlab.instruments.norms import norm
from dnnlab.networks import user_network
from dnnlab.networks.remembered import same_buffers
from dnnlab.statistics.streams import stream, torch_seed
from dnnlab.training.batches import batch_order

NETWORKS = """
import warnings

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


class Net(nn.Module):
    def __init__(self, forward, **modules):
        super().__init__()
        self.run = forward
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x):
        return self.run(self, x.flatten(1))


def layers(n, width=32):
    return nn.ModuleList([nn.Linear(64 if i == 0 else width, width) for i in range(n)])


def through(layers, act, x):
    for layer in layers:
        x = act(layer(x))
    return x


def sigmoid40():
    return Net(lambda s, x: s.head(through(s.layers, torch.sigmoid, x)), layers=layers(40), head=nn.Linear(32, 10))


def sigmoid80():
    return Net(lambda s, x: s.head(through(s.layers, torch.sigmoid, x)), layers=layers(80), head=nn.Linear(32, 10))


def plain():
    return Net(lambda s, x: s.head(through(s.layers, F.relu, x)), layers=layers(4), head=nn.Linear(32, 10))


def lazy():
    return Net(
        lambda s, x: s.head(through(s.layers, F.relu, x)),
        layers=nn.ModuleList([nn.LazyLinear(32) for _ in range(4)]), head=nn.LazyLinear(10),
    )  # fmt: skip


def lazy_and_unused():
    net = lazy()
    net.spare = nn.LazyLinear(3)
    return net


def lazy_in_training():
    net = Net(lambda s, x: s.head(through(s.layers, F.relu, x) + (s.more(x) if s.training else 0)),
              layers=layers(4), more=nn.LazyLinear(32), head=nn.Linear(32, 10))  # fmt: skip
    net.register_buffer("calls", torch.zeros(1))
    net.register_forward_hook(lambda s, given, out: s.calls.add_(1) and None)
    return net


def lazy_and_wrong():
    return nn.Sequential(nn.LazyConv3d(8, 3), nn.Flatten(), nn.LazyLinear(10))


def with_tokens():
    net = Net(lambda s, x: s.head(through(s.layers, F.relu, x) + s.token), layers=layers(4), head=nn.Linear(32, 10))
    net.token = nn.Parameter(torch.zeros(1, 32))
    return net


def frozen_in_the_middle():
    net = plain()
    net.layers[1].requires_grad_(False)
    return net


def frozen_below():
    net = plain()
    net.layers[0].requires_grad_(False)
    return net


def branch_at_zero():
    net = Net(
        lambda s, x: s.head(s.c(F.relu(s.b(F.relu(s.a(x))))) * s.gain + s.skip(x)),
        a=nn.Linear(64, 32), b=nn.Linear(32, 32), c=nn.Linear(32, 32), skip=nn.Linear(64, 32), head=nn.Linear(32, 10),
    )
    net.gain = nn.Parameter(torch.zeros(()))
    return net


def dropped():
    def forward(s, x):
        x = F.relu(s.first(x))
        for layer in s.layers:
            if not s.training or torch.rand(()) > 0.5:
                x = x + F.relu(layer(x))
        return s.head(x)

    return Net(forward, first=nn.Linear(64, 32), layers=nn.ModuleList([nn.Linear(32, 32) for _ in range(6)]),
               head=nn.Linear(32, 10))


def auxiliary():
    def forward(s, x):
        h = through(s.layers, F.relu, x)
        out = s.head(h)
        s.seen = s.aux(h)
        return out

    return Net(forward, layers=layers(3), head=nn.Linear(32, 10), aux=nn.Linear(32, 10))


def with_a_bias(of_layers):
    net = Net(None, layers=layers(4), head=nn.Linear(32, 10), f=nn.Linear(2, 8), g=nn.Linear(8, 32))
    net.table = nn.Parameter(torch.linspace(-1, 1, 2))
    made = net.g(torch.relu(net.f(net.table))).detach()
    if not of_layers:
        del net.f, net.g, net.table
    bias = (lambda s: s.g(torch.relu(s.f(s.table)))) if of_layers else (lambda s: made)
    net.run = lambda s, x: s.head(through(s.layers[1:], torch.relu, torch.relu(s.layers[0](x) + bias(s))))
    return net


def bias_of_layers():
    return with_a_bias(True)


def bias_of_numbers():
    return with_a_bias(False)


def checkpointed():
    return Net(
        lambda s, x: s.head(checkpoint(lambda t: through(s.layers, F.relu, t), x, use_reentrant=False)),
        layers=layers(4), head=nn.Linear(32, 10),
    )


def remembers():
    def forward(s, x):
        if s.scale is None:
            s.scale = torch.ones(64)
        return s.head(through(s.layers, F.relu, x * s.scale))

    net = Net(forward, layers=layers(4), head=nn.Linear(32, 10))
    net.register_buffer("scale", None)
    return net


def in_a_dictionary():
    net = plain()
    run = net.run
    net.run = lambda s, x: {"features": x, "logits": run(s, x)}
    return net


def refuses():
    def forward(s, x):
        raise LookupError("no such thing")

    return Net(forward, head=nn.Linear(64, 10))


def refuses_backwards():
    class Bad(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, grad):
            raise ArithmeticError("not today")

    return Net(lambda s, x: s.head(Bad.apply(s.a(x))), a=nn.Linear(64, 32), head=nn.Linear(32, 10))


def without_parameters():
    return Net(lambda s, x: x[:, :10])


def scripted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer versions of PyTorch advise against it
        return torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))
"""


@pytest.fixture
def models(dnnlab, tmp_path, monkeypatch):
    """The name of a module of these networks, in the current folder."""
    name = f"anybody_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(NETWORKS)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield name
    sys.modules.pop(name, None)


@pytest.fixture
def measured(dnnlab, models, blank_figures):
    """Gives the summary's row of one of these networks, and its rows of layers."""

    def measure(network, *options):
        done = dnnlab("gradient-flow", "--model", f"{models}:{network}", "--seeds", 3, "--json", *options)
        assert done.code == 0, done.err
        content = json.loads(done.out)
        (row,) = content["summary"]
        cells = pd.read_csv(f"{content['run']}/cells.csv", keep_default_na=False, na_values=[""])
        return row, cells[cells["layer"] > 0]

    return measure


def by_hand(module, network, seed):
    """Norms of the gradients at the outputs of every Linear that was called, by name, in float64 and plain PyTorch."""
    data = load("digits")
    torch.manual_seed(torch_seed(0, seed, "weights"))
    net = getattr(importlib.import_module(module), network)().double()
    index = data.train[next(batch_order(len(data.train), 128, stream(0, seed, "probe")))]
    kept = {}
    for name, part in net.named_modules():
        if isinstance(part, nn.Linear):

            def called(part, inputs, out, name=name):
                if name not in kept and out.requires_grad:  # a checkpoint calls it again
                    out.retain_grad()
                kept.setdefault(name, out)

            part.register_forward_hook(called)
    F.cross_entropy(net(data.inputs(index).double()), data.y[index]).backward()
    return {name: float(out.grad.norm()) if out.grad is not None else math.nan for name, out in kept.items()}


@pytest.mark.parametrize("network", ["plain", "with_tokens", "frozen_in_the_middle", "frozen_below", "auxiliary",
                                     "checkpointed", "branch_at_zero"])  # fmt: skip
def test_the_gradient_of_every_layer_is_what_plain_pytorch_gives(measured, models, network):
    _, layers = measured(network)
    expected = by_hand(models, network, 0)
    first = layers[(layers["seed"] == 0)].set_index("name")["delta_norm"].to_dict()
    assert list(first) == list(expected)
    for name, delta in expected.items():
        assert first[name] == pytest.approx(delta, rel=1e-4, nan_ok=True), name


def test_a_parameter_that_multiplies_nothing_makes_no_layer(measured):
    row, layers = measured("with_tokens")
    assert row["depth"] == 4
    assert "token" not in " ".join(layers["name"])


def test_a_gradient_that_float32_holds_is_measured_though_its_square_is_not(measured, models):
    row, layers = measured("sigmoid40")
    expected = by_hand(models, "sigmoid40", 0)
    deepest = layers[(layers["seed"] == 0) & (layers["name"] == "layers.0")]["delta_norm"].item()
    assert expected["layers.0"] < 1e-23
    assert deepest == pytest.approx(expected["layers.0"], rel=1e-4)
    assert row["verdict"] == "vanishing"
    assert 0.05 < row["rate"] < 0.25
    assert row["no_gradient"] == ""


def test_a_gradient_of_exactly_zero_has_vanished(measured):
    row, layers = measured("sigmoid80")
    assert (layers.loc[layers["name"] == "layers.0", "delta_norm"] == 0).all()
    assert row["verdict"] == "vanishing"
    assert row["first_last_ratio"] == 0
    assert 0.05 < row["rate"] < 0.25
    assert "layers.0" in row["no_gradient"]


def test_layers_without_a_gradient_are_named_and_left_out(measured, models):
    row, _ = measured("frozen_below")
    assert (row["depth"], row["no_gradient"], row["verdict"]) == (4, "layers.0", "healthy")
    rates = []
    for seed in range(3):
        known = [delta for name, delta in by_hand(models, "frozen_below", seed).items() if name != "head"][1:]
        rates.append(-np.polyfit(range(3), np.log(known), 1)[0])
    assert row["rate"] == pytest.approx(math.exp(np.mean(rates)), rel=1e-4)


def test_what_is_left_out_is_said(dnnlab, models, blank_figures):
    done = dnnlab("gradient-flow", "--model", f"{models}:branch_at_zero", "--seeds", 3)
    assert "no gradient reached a, b and c." in " ".join(done.out.split())  # there is no rate to leave them out
    assert "in no seed did two of its hidden layers receive a finite gradient" in " ".join(done.out.split())


def test_seeds_are_put_together_by_name_where_layers_are_dropped_by_chance(measured):
    row, layers = measured("dropped")
    assert set(layers["name"]) <= {"first", "head", *(f"layers.{i}" for i in range(6))}
    assert layers.groupby("seed")["name"].nunique().min() < 8
    assert (layers.loc[layers["name"] == "head", "place"] == "output").all()
    assert row["depth"] == layers.loc[layers["place"] != "output", "name"].nunique()
    assert math.isfinite(row["rate"])


def test_an_auxiliary_head_is_neither_hidden_nor_the_output(measured):
    row, layers = measured("auxiliary")
    places = layers[layers["seed"] == 0].set_index("name")["place"].to_dict()
    assert places == {
        "layers.0": "first",
        "layers.1": "hidden",
        "layers.2": "hidden",
        "head": "output",
        "aux": "unused",
    }
    assert row["depth"] == 3


def test_layers_that_read_parameters_alone_take_no_part_in_the_rate(measured):
    (made, layers), (given, _) = measured("bias_of_layers"), measured("bias_of_numbers")
    places = layers[layers["seed"] == 0].set_index("name")["place"].to_dict()
    assert {name: places[name] for name in ("layers.0", "f", "g")} == {
        "layers.0": "first",
        "f": "constant",
        "g": "constant",
    }
    assert (layers["delta_norm"] > 0).all()
    assert (made["depth"], given["depth"]) == (4, 4)
    assert made["rate"] == pytest.approx(given["rate"], rel=1e-5)


def test_layers_that_only_training_calls_learn_their_size_and_other_buffers_stay(models, measured):
    _, layers = measured("lazy_in_training")
    assert {*layers["name"]} == {"layers.0", "layers.1", "layers.2", "layers.3", "more", "head"}
    net = importlib.import_module(models).lazy_in_training()
    user_network.complete(net, "net", (1, 8, 8))
    assert (net.more.weight.shape, net.calls.item(), net.training) == ((32, 64), 0, True)


@pytest.mark.parametrize("network", ["checkpointed", "remembers", "in_a_dictionary", "lazy"])
def test_a_network_that_computes_the_same_measures_the_same(measured, network):
    plain, _ = measured("plain")
    other, layers = measured(network)
    assert len(layers) == 3 * 5
    assert other["rate"] == pytest.approx(plain["rate"], rel=1e-5)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("refuses", ["refuses inputs", "LookupError: no such thing", ".py, line"]),
        ("without_parameters", ["no parameters that take gradients"]),
        ("scripted", ["TorchScript"]),
        ("lazy_and_unused", ["does not call spare, and only a call tells the size; give it or remove the layer"]),
        ("lazy_and_wrong", ["learns the sizes of its layers from its first input, and refuses one of 1 × 8 × 8: "]),
    ],
)
def test_whatever_a_network_raises_is_one_sentence(dnnlab, models, network, words):
    done = dnnlab("gradient-flow", "--model", f"{models}:{network}", "--seeds", 1)
    assert done.code == 2
    (sentence,) = [line for line in done.err.splitlines() if line.startswith("dnnlab:")]
    for word in words:
        assert word in sentence


def test_a_failure_in_the_backward_pass_is_told_with_its_line(dnnlab, models, blank_figures):
    done = dnnlab("gradient-flow", "--model", f"{models}:refuses_backwards", "--seeds", 1)
    assert done.code == 1
    (sentence,) = [line for line in done.err.splitlines() if line.startswith("dnnlab:")]
    assert re.search(rf"ArithmeticError: not today \({models}.py, line \d+\)$", sentence)


def test_the_update_of_a_layer_is_that_of_all_its_matrices(measured, models):
    _, layers = measured("plain", "--steps", 1, "--lr", 0.1)
    data = load("digits")
    torch.manual_seed(torch_seed(0, 0, "weights"))
    net = importlib.import_module(models).plain()
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    index = data.train[next(batch_order(len(data.train), 128, stream(0, 0, "batches")))]
    F.cross_entropy(net(data.inputs(index)), data.y[index]).backward()
    torch.optim.SGD(net.parameters(), lr=0.1).step()
    layer = layers[(layers["seed"] == 0) & (layers["step"] == 0) & (layers["name"] == "layers.2")]
    change = net.layers[2].weight.detach() - before["layers.2.weight"]
    expected = float(change.norm() / before["layers.2.weight"].norm())
    assert layer["update_ratio"].item() == pytest.approx(expected, rel=1e-3)


def test_buffers_are_as_before_whether_they_changed_appeared_or_were_replaced():
    module = nn.BatchNorm1d(3)
    module.register_buffer("late", None)
    kept = module.running_mean
    with same_buffers(module):
        module(torch.randn(8, 3))
        module.late = torch.ones(2)
        module.running_var = torch.zeros(3)
        module.new = None
        module.register_buffer("added", torch.ones(1))
    assert module.running_mean is kept
    assert torch.equal(module.running_mean, torch.zeros(3))
    assert torch.equal(module.running_var, torch.ones(3))
    assert (module.late, module.num_batches_tracked.item()) == (None, 0)
    assert "added" not in dict(module.named_buffers())


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64])
@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1e-7, 1.0, 1e30])
def test_a_norm_does_not_depend_on_whether_squares_can_be_held(kind, scale):
    t = (torch.linspace(1, 2, 64, dtype=torch.float64) * scale).to(kind)
    wide = t.to(torch.complex128 if kind.is_complex else torch.float64)
    expected = math.sqrt(sum(abs(v) ** 2 for v in (wide / scale).tolist())) * scale
    assert float(norm(t)) == pytest.approx(expected, rel=1e-5 if kind != torch.float64 else 1e-12)


def test_the_norm_of_nothing_but_zeros_is_zero():
    assert float(norm(torch.zeros(5))) == 0.0
