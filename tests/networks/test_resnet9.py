"""ResNet-9 against a plain copy of the published network, and against counts by hand."""

import pytest
import torch
from torch import nn

from dnnlab.instruments.cost import cost
from dnnlab.networks.catalogue import create_model


class Added(nn.Module):
    """What the layers make of their input, plus the input."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.layers(x)


class Eighth(nn.Module):
    def forward(self, x):
        return x / 8


def block(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()


def published(scale):
    """The network of Page's code, layer by layer, with its channels divided by ``scale``."""
    a, b, c, d = (n // scale for n in (64, 128, 256, 512))
    return nn.Sequential(
        *block(3, a),
        *(*block(a, b), nn.MaxPool2d(2), Added(*block(b, b), *block(b, b))),
        *(*block(b, c), nn.MaxPool2d(2)),
        *(*block(c, d), nn.MaxPool2d(2), Added(*block(d, d), *block(d, d))),
        *(nn.MaxPool2d(4), nn.Flatten(), nn.Linear(d, 10, bias=False), Eighth()),
    )


def drawn(model):
    """The model with every parameter and statistic drawn at random, so that none is 0 or 1."""
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            lowest = 0.5 if name.endswith("running_var") else -0.5
            nn.init.uniform_(value, lowest, lowest + 1)
    return model


@pytest.mark.parametrize("training", [False, True])
def test_it_computes_what_the_published_network_does(training):
    torch.manual_seed(0)
    model, reference = create_model("resnet9", width=0.25).double(), drawn(published(4).double())
    entries = list(reference.state_dict().values())
    state = model.state_dict()
    assert [value.shape for value in state.values()] == [value.shape for value in entries]
    model.load_state_dict(dict(zip(state, entries, strict=True)))
    x = torch.randn(4, 3, 32, 32, dtype=torch.float64)
    expected = reference.train(training)(x)
    assert expected.std(0).min() > 0.01
    torch.testing.assert_close(model.train(training)(x), expected, rtol=1e-9, atol=0)


def test_parameters_and_macs_by_hand():
    convolutions = (  # pixels, inputs, outputs
        (32**2, 3, 64),
        *((32**2, 64, 128), (16**2, 128, 128), (16**2, 128, 128)),
        (16**2, 128, 256),
        *((8**2, 256, 512), (4**2, 512, 512), (4**2, 512, 512)),
    )
    parameters = sum(9 * i * o + 2 * o for _, i, o in convolutions) + 512 * 10
    macs = sum(pixels * 9 * i * o for pixels, i, o in convolutions) + 512 * 10
    assert (parameters, macs) == (6_573_120, 379_261_952)
    counted = cost("resnet9")
    assert (counted.parameters, counted.macs) == (parameters, macs)


@pytest.mark.parametrize("size", [8, 28, 32, 45])
def test_the_last_pool_is_over_all_positions(size):
    torch.manual_seed(0)
    model = create_model("resnet9", in_chans=1, input_size=size, width=0.125).eval()
    reached = []
    model.layer3.register_forward_hook(lambda module, inputs, out: reached.append(out))
    logits = model(torch.randn(2, 1, size, size))
    assert reached[0].shape == (2, 64, size // 8, size // 8)
    maxima = reached[0].flatten(2).max(2).values
    torch.testing.assert_close(logits, maxima @ model.linear.weight.T / 8)


def test_with_its_branches_at_zero_it_adds_nothing_to_their_input_and_a_plain_one_passes_nothing_on():
    x = torch.randn(2, 16, 8, 8)
    for skip, expected in (("residual", x), ("none", torch.zeros_like(x))):
        layer = create_model("resnet9", skip=skip, width=0.125).layer1[2]
        nn.init.zeros_(layer.res2.conv.weight)
        assert torch.equal(layer(x), expected)


def test_weights_start_as_pytorchs_own():
    """Uniform, with a bound of 1/√fan_in."""
    torch.manual_seed(0)
    model = create_model("resnet9")
    weights = [module.weight.detach() for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert len(weights) == 9
    for weight in weights:
        bound = weight[0].numel() ** -0.5
        assert 0.99 * bound < weight.abs().max() <= bound
        assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)
