"""Search spaces: published counts, stacks against networks of their own, supernets against the networks in them."""

import dataclasses
import itertools
import math
import random

import numpy as np
import pytest
import torch

from dnnlab import create_model
from dnnlab.data import load
from dnnlab.data.dataset import Dataset
from dnnlab.errors import UsageError
from dnnlab.instruments.cost import count
from dnnlab.networks import named, spaces
from dnnlab.networks.mlp import MLP
from dnnlab.networks.shape import MLPShape, parse_skip
from dnnlab.networks.spaces import cell, mlp
from dnnlab.networks.spaces.cell_net import CellNet
from dnnlab.networks.spaces.mlp_net import LayeredMLP
from dnnlab.networks.spaces.space import Space
from dnnlab.networks.spaces.stack import SameStack
from dnnlab.networks.spaces.supernet import one_hot
from dnnlab.training.batches import batch_order
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.networks import train_together

SHAPE = (1, 8, 8)


def codes(space, count, seed=0):
    rng = random.Random(seed)
    return [tuple(rng.randrange(size) for size in space.sizes) for _ in range(count)]


def published_rule(choices):
    """How NATS-Bench tells networks apart (Dong 2021, ``to_unique_str``): nothing stays a term of a sum."""
    nodes = ["0"]
    for j in (1, 2, 3):
        terms = []
        for i in range(j):
            operation = choices[f"{i}-{j}"]
            if operation == "none" or nodes[i] == "#":
                terms.append("#")
            else:
                terms.append(nodes[i] if operation == "skip_connect" else f"({nodes[i]})@{operation}")
        nodes.append("+".join(sorted(terms)))
    return nodes[-1]


def in_numbers(choices):
    """What a cell makes of one number, with a function of its own for each operation; all are 0 at 0."""
    functions = {"none": lambda x: 0.0, "skip_connect": lambda x: x, "nor_conv_1x1": lambda x: math.sin(1.3 * x),
                 "nor_conv_3x3": lambda x: math.tanh(1.7 * x),
                 "avg_pool_3x3": lambda x: math.expm1(0.31 * x)}  # fmt: skip
    nodes = [0.7]
    for j in (1, 2, 3):
        nodes.append(math.fsum(functions[choices[f"{i}-{j}"]](nodes[i]) for i in range(j)))
    return round(nodes[-1], 9)


def test_cells_are_equal_exactly_where_they_compute_the_same():
    """And where the published rule, by which there are 6466 networks (Dong & Yang 2020), says so."""
    space = cell.SPACE
    assert len(space) == 15625
    by_rule, by_number = {}, {}
    for code in itertools.product(*map(range, space.sizes)):
        choices = space.choices(code)
        ours = space.canonical(choices)
        assert by_rule.setdefault(published_rule(choices), ours) == ours
        assert by_number.setdefault(in_numbers(choices), ours) == ours
    assert len(by_rule) == 6466
    assert len(by_number) == len(set(by_number.values()))


@pytest.mark.parametrize(("operation", "parameters"), [("nor_conv_3x3", 1_531_546), ("skip_connect", 73_306)])
def test_the_published_size_of_the_benchmarks_networks(operation, parameters):
    """The largest and the smallest network of NAS-Bench-201 on CIFAR-10, at its 16 channels and 5 cells a stage."""
    net = CellNet(dict.fromkeys(cell.DIMENSIONS, operation), (3, 32, 32), 10, channels=16, cells=5)
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_a_cell_is_written_as_the_table_writes_it():
    for code in codes(cell.SPACE, 50):
        choices = cell.SPACE.choices(code)
        assert cell.parse(cell.SPACE.line(code)) == choices
    for wrong in ("", "|none~0|", cell.SPACE.line(code).replace("~0", "~3"), cell.SPACE.line(code) + "|"):
        with pytest.raises(UsageError, match="is no cell"):
            cell.parse(wrong)


def test_layers_that_are_not_there_do_not_count():
    shallow = {"depth": 1, "width.1": 32, "act.1": "tanh"}
    same = mlp.SPACE.code(shallow), mlp.SPACE.code(shallow | {"width.3": 64, "act.2": "gelu", "skip": "residual"})
    assert same[0] != same[1]
    assert mlp.SPACE.identity(same[0]) == mlp.SPACE.identity(same[1])
    deep = shallow | {"depth": 2, "width.2": 32}
    assert mlp.SPACE.identity(mlp.SPACE.code(deep)) != mlp.SPACE.identity(mlp.SPACE.code(deep | {"skip": "residual"}))


@pytest.mark.parametrize("name", ["mlp", "conv"])
def test_equal_hashes_mean_equal_networks(name):
    """Of many drawn pairs that differ in one dimension, those with one hash have the same modules."""
    space = spaces.SPACES[name]
    rng = random.Random(1)
    for code in codes(space, 60):
        place = rng.randrange(len(code))
        other = (*code[:place], rng.randrange(space.sizes[place]), *code[place + 1 :])
        texts = [str(space.build(space.choices(each), SHAPE, 10)) for each in (code, other)]
        joined = [getattr(space.build(space.choices(each), SHAPE, 10), "joined", None) for each in (code, other)]
        equal = space.identity(code) == space.identity(other)
        assert equal == (texts[0] == texts[1] and joined[0] == joined[1])


@pytest.mark.parametrize("norm", mlp.NORMS)
@pytest.mark.parametrize("skip", mlp.SKIPS)
def test_a_network_of_equal_widths_is_the_mlp_of_the_other_experiments(norm, skip):
    torch.manual_seed(0)
    ours = LayeredMLP(SHAPE, 10, (12,) * 3, ("tanh", "relu", "gelu"), norm, skip)
    theirs = MLP(MLPShape(math.prod(SHAPE), 10, 3, 12, ("tanh", "relu", "gelu"), norm, parse_skip(skip)))
    layers = [theirs.first, *theirs.hidden]
    readers = [*(block.below for block in theirs.hidden), theirs.below_output]
    with torch.no_grad():
        for mine, layer in zip([*ours.linears, ours.output], [*layers, theirs.output], strict=True):
            layer.weight.copy_(mine.weight)
            layer.bias.copy_(mine.bias)
        for mine, reader in zip(ours.norms, readers, strict=True):
            if norm != "none":
                mine.weight.uniform_(0.5, 2)
                reader[0].load_state_dict(mine.state_dict())
        x = torch.randn(7, *SHAPE)
        torch.testing.assert_close(ours(x), theirs(x))


class DoubleData(Dataset):
    """The digits in float64, so that what differs is no rounding."""

    def standardised(self, x):
        return super().standardised(x).double()


@pytest.fixture(scope="module")
def digits():
    data = load("digits")
    return DoubleData(**{field.name: getattr(data, field.name) for field in dataclasses.fields(data)})


@pytest.mark.parametrize("kind", ["mlp none", "mlp batch", "mlp layer", "conv", "cell"])
def test_a_stack_trains_as_each_network_does_alone(kind, digits):
    name, _, norm = kind.partition(" ")
    space = spaces.SPACES[name]
    if norm:
        drawn = [space.choices(code) for code in codes(space, 400, seed=5)]
        chosen = [each for each in drawn if each["depth"] == 3 and each["norm"] == norm][:5]
    else:
        chosen = [space.choices(code) for code in codes(space, 1, seed=2)] * 2

    def made():
        networks = []
        for seed, choices in enumerate(chosen):
            torch.manual_seed(seed)
            networks.append(space.build(choices, SHAPE, 10).double())
        return networks

    alone, together = made(), made()
    hyper = Hyperparameters("momentum", 0.05, 1e-3, "cosine")
    for networks, stack in ((alone, None), (together, space.stack or SameStack)):
        orders = [batch_order(len(digits.train), 64, np.random.default_rng(i)) for i in range(len(networks))]
        noises = [np.random.default_rng(i) for i in range(len(networks))]
        train_together(networks, stack, digits, orders, hyper, noises, 6)
    for a, b in zip(alone, together, strict=True):
        held = b.state_dict()
        for key, value in a.state_dict().items():
            if not key.endswith("num_batches_tracked"):
                assert torch.allclose(value, held[key], atol=1e-9), key


def test_networks_of_a_stack_drop_out_apart():
    stack = SameStack([torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout()) for _ in range(2)])
    x = torch.ones(2, 3, *SHAPE)
    one, other = stack.forward(x, training=True)
    assert set(one.unique().tolist()) == {0.0, 2.0}
    assert not torch.equal(one, other)
    assert torch.equal(stack.forward(x, training=False), x.flatten(2))


def test_one_path_of_a_supernet_of_cells_is_that_network():
    supernet = cell.SPACE.supernet(SHAPE, 10).eval()
    x = torch.randn(3, *SHAPE)
    for code in codes(cell.SPACE, 5):
        choices = cell.SPACE.choices(code)
        net = cell.SPACE.build(choices, SHAPE, 10).eval()
        held = supernet.state_dict()
        places = {name: cell.OPERATIONS.index(operation) for name, operation in choices.items()}
        state = {}
        for key, value in net.state_dict().items():
            parts = key.split(".")
            if "edges" in parts:
                edge = parts.index("edges") + 1
                key = ".".join([*parts[: edge + 1], str(places[parts[edge]]), *parts[edge + 1 :]])
            state[".".join(parts)] = held.get(key, value)
        net.load_state_dict(state)
        mix = one_hot(code, cell.SPACE.sizes, x)
        assert torch.allclose(net(x), supernet(x, mix), atol=1e-5)


def test_one_path_of_a_supernet_of_layers_is_that_network():
    supernet = mlp.SPACE.supernet(SHAPE, 10).eval()
    x = torch.randn(3, *SHAPE)
    widest = {f"width.{layer}": 64 for layer in mlp.DEPTHS}
    for depth, norm, skip in itertools.product((1, 3), mlp.NORMS, mlp.SKIPS):
        acts = {f"act.{layer}": act for layer, act in zip(mlp.DEPTHS, ("tanh", "gelu", "relu", "swish"), strict=True)}
        choices = widest | acts | {"depth": depth, "norm": norm, "skip": skip}
        net = mlp.SPACE.build(choices, SHAPE, 10).eval()
        for layer in range(depth):
            net.linears[layer].load_state_dict(supernet.linears[layer].state_dict())
        net.output.load_state_dict(supernet.exits[depth - 1].state_dict())
        mix = one_hot(mlp.SPACE.code(choices), mlp.SPACE.sizes, x)
        assert torch.allclose(net(x), supernet(x, mix), atol=1e-5)


def test_a_found_network_is_a_file_that_builds_it_again(tmp_path):
    for name, space in spaces.SPACES.items():
        for code in codes(space, 5):
            file = tmp_path / f"{name}.toml"
            file.write_text(spaces.NetworkDescription(name, space.choices(code)).toml("found\nhere = 3"))
            again = spaces.read(str(file))
            assert space.identity(space.code(again.choices)) == space.identity(code)
            by_name = create_model(str(file), num_classes=7, in_chans=3, input_size=16)
            direct = space.build(space.choices(code), (3, 16, 16), 7)
            assert count(by_name, (3, 16, 16)) == count(direct, (3, 16, 16))
            assert by_name(torch.zeros(2, 3, 16, 16)).shape == (2, 7)
            named.check(str(file))
    with pytest.raises(UsageError, match="say num_classes and input_size"):
        create_model(str(file))
    with pytest.raises(UsageError, match="it takes no act"):
        create_model(str(file), num_classes=7, input_size=8, act="relu")


@pytest.mark.parametrize(
    "content",
    [None, "x", "", 'space = "mlp"', 'space = 3\n[choices]', 'space = "mpl"\n[choices]',
     'space = "no_such:f"\n[choices]', 'space = "mlp"\n[choices]\ndept = 3',
     'space = "mlp"\n[choices]\ndepth = 9', b"\xff"],
)  # fmt: skip
def test_a_file_that_describes_no_network_is_refused(content, tmp_path):
    file = tmp_path / "net.toml"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError):
        spaces.read(str(file))


@pytest.mark.parametrize("dimensions", [{}, {"a": ()}, {"a": "text"}, {"a": (1, 1)}, {"a": ([1],)}, {3: (1, 2)}])
def test_a_space_that_is_none_is_refused(dimensions):
    with pytest.raises(UsageError):
        Space(dimensions, lambda choices, shape, classes: None)
