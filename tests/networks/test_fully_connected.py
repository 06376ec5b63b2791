"""The catalogue's fully connected families: what their options make of them, and the highway layer's two ends."""

import pytest
import torch
from torch import nn

from dnnlab.errors import UsageError
from dnnlab.instruments.cost import cost
from dnnlab.networks.catalogue import create_model
from dnnlab.networks.families.highway import HighwayLayer
from dnnlab.networks.mlp import MLP
from dnnlab.networks.shape import MLPShape, Skip


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize("skip", ["none", "residual", "highway", "dense"])
def test_an_mlp_is_the_network_of_its_shape(norm, skip):
    model = create_model("mlp3", in_chans=1, norm=norm, skip=skip, width=0.125).eval()
    shape = MLPShape(784, 10, 3, 64, ("relu",) * 3, norm, Skip(skip))
    twin = MLP(shape).eval()
    twin.load_state_dict(model.state_dict())
    x = torch.randn(5, 1, 28, 28)
    assert torch.equal(model(x), twin(x))
    counted = cost("mlp3", in_chans=1, norm=norm, skip=skip, width=0.125)
    assert (counted.parameters, counted.macs) == (shape.weight_count(), shape.macs())


def test_an_mlp_drops_after_every_activation():
    model = create_model("mlp5", dropout=0.3, in_chans=1)
    order = [type(m) for m in model.modules() if isinstance(m, nn.ReLU | nn.Dropout)]
    assert order == [nn.ReLU, nn.Dropout] * 5
    assert all(m.p == 0.3 for m in model.modules() if isinstance(m, nn.Dropout))


def test_each_layer_of_an_mlp_can_have_an_activation_of_its_own():
    model = create_model("mlp3:act=tanh+relu*2,width=0.125", in_chans=1)
    parameters = model.state_dict()
    x = torch.randn(5, 1, 28, 28)
    hidden = x.flatten(1)
    for layer, act in zip(("first", "hidden.0", "hidden.1"), (torch.tanh, torch.relu, torch.relu), strict=True):
        hidden = act(hidden @ parameters[f"{layer}.weight"].T + parameters[f"{layer}.bias"])
    logits = hidden @ parameters["output.weight"].T + parameters["output.bias"]
    assert torch.allclose(model(x), logits, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "message"),
    [("mlp3:act=tanh+relu", "describes 2 layers, but there are 3"), ("mlp3:act=relu+x+relu", "unknown activation 'x'"),
     ("resnet20:act=tanh+relu", "unknown activation")],
)  # fmt: skip
def test_a_sequence_has_as_many_activations_as_layers_and_is_for_fully_connected_networks(name, message):
    with pytest.raises(UsageError, match=message):
        create_model(name)


@pytest.mark.parametrize("name", ["mlp1", "highway10"])
def test_the_image_decides_the_first_layer(name):
    difference = cost(name, 32).parameters - cost(name, 28).parameters
    units = create_model(name).state_dict()["first.weight" if name == "mlp1" else "layers.0.0.weight"].shape[0]
    assert difference == 3 * (32**2 - 28**2) * units


@pytest.mark.parametrize("depth", [10, 20, 50, 100])
def test_parameters_of_highway_networks_by_hand(depth):
    first, layer, last = 784 * 50 + 50, 2 * (50 * 50 + 50), 50 * 10 + 10
    assert cost(f"highway{depth}", in_chans=1).parameters == first + (depth - 1) * layer + last
    plain = cost(f"highway{depth}", in_chans=1, skip="none").parameters
    assert plain == first + (depth - 1) * layer // 2 + last


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "group"])
def test_a_highway_layer_carries_what_its_gate_lets_past(norm):
    model = create_model("highway10", in_chans=1, norm=norm).eval()
    layer = next(m for m in model.modules() if isinstance(m, HighwayLayer))
    assert set(layer.gate.bias.tolist()) == {-2.0}
    x = torch.randn(3, 50)
    nn.init.constant_(layer.gate.bias, -1e3)
    assert torch.equal(layer(x), x)
    nn.init.constant_(layer.gate.bias, 1e3)
    assert torch.equal(layer(x), layer.hidden(x))
