"""The families of depthwise convolutions: their blocks, stochastic depth, and how far the small stem shrinks."""

import pytest
import torch
from torch import nn

from dnnlab.networks.blocks import InvertedResidual, SqueezeExcite, StochasticDepth, Style
from dnnlab.networks.catalogue import create_model
from dnnlab.networks.families.xception import XceptionBlock
from dnnlab.networks.skeleton import Skeleton


def skeleton(name, **options):
    with Skeleton():
        return create_model(name, **options).eval()


def convolution_weights(module):
    return sum(p.numel() for p in module.parameters() if p.ndim == 4)


def test_a_separable_block_has_an_eighth_of_the_weights_of_a_standard_one():
    separable, standard = skeleton("mobilenet_v1").features, skeleton("mobilenet_v1", conv="standard").features
    assert len(separable) == 27
    assert len(standard) == 14
    assert convolution_weights(separable[3:5]) == 64 * 9 + 64 * 128 == 8_768  # 64 to 128 channels
    assert convolution_weights(standard[2]) == 73_728


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize(
    ("outputs", "stride", "skip", "sums"),
    [(8, 1, "residual", True), (8, 1, "none", False), (8, 2, "residual", False), (16, 1, "residual", False)],
)
def test_an_inverted_residual_adds_its_input_where_the_shape_stays(flat, outputs, stride, skip, sums):
    block = InvertedResidual(Style("relu", "none"), 8, 32, outputs, 3, stride, skip=skip, flat=flat).eval()
    x = torch.randn(2, 8, 6, 6)
    last = [m for m in block.modules() if isinstance(m, nn.Conv2d)][-1]
    nn.init.zeros_(last.weight)
    out = block(x)
    assert torch.equal(out, x) if sums else not out.any()


def test_an_xception_block_adds_its_shortcut():
    x = torch.randn(2, 8, 6, 6)
    for skip, stride, expected in (("residual", 1, x), ("none", 1, 0 * x), ("none", 2, torch.zeros(2, 8, 3, 3))):
        block = XceptionBlock(Style("relu", "none"), (8, 8, 8), stride, skip)
        nn.init.zeros_(block.branch[3][1].weight)
        assert torch.equal(block(x), expected)
    shrinking = XceptionBlock(Style("relu", "none"), (8, 8, 16), 2, "residual")
    nn.init.zeros_(shrinking.branch[3][1].weight)
    assert torch.equal(shrinking(x), shrinking.shortcut(x))


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "efficientnet_b0"])
def test_the_twin_without_sums_has_the_same_parameters(name):
    with_sums, without = skeleton(name), skeleton(name, skip="none")
    assert {k: v.shape for k, v in with_sums.state_dict().items()} == {
        k: v.shape for k, v in without.state_dict().items()
    }
    assert any(m.residual for m in with_sums.modules() if isinstance(m, InvertedResidual))
    assert not any(m.residual for m in without.modules() if isinstance(m, InvertedResidual))


def test_stochastic_depth_drops_whole_examples_in_training_and_keeps_the_mean():
    torch.manual_seed(0)
    drop, x = StochasticDepth(0.25), torch.ones(20_000, 2, 3, 1)
    per_example = drop(x).flatten(1)
    assert per_example.unique().tolist() == pytest.approx([0, 4 / 3])
    assert torch.equal(per_example.amin(1), per_example.amax(1))
    assert per_example.mean().item() == pytest.approx(1, abs=5 * (1 / 3 / 20_000) ** 0.5)  # variance p / (1 - p)
    assert drop.eval()(x) is x
    assert StochasticDepth(0.0)(x) is x


def test_stochastic_depth_grows_with_depth():
    probabilities = [m.probability for m in skeleton("efficientnet_b0").modules() if isinstance(m, StochasticDepth)]
    assert probabilities == pytest.approx([0.2 * i / 16 for i in range(16)])


def test_gates_and_activations_of_the_published_nets():
    v3 = skeleton("mobilenet_v3_large")
    assert {type(m.gate) for m in v3.modules() if isinstance(m, SqueezeExcite)} == {nn.Hardsigmoid}
    assert {type(m.act) for m in v3.modules() if isinstance(m, SqueezeExcite)} == {nn.ReLU}
    efficient = [m for m in skeleton("efficientnet_b0").modules() if isinstance(m, SqueezeExcite)]
    assert {type(m.gate) for m in efficient} == {nn.Sigmoid}
    assert {type(m.act) for m in efficient} == {nn.SiLU}


@pytest.mark.parametrize("version", range(8))
def test_batch_normalisation_of_efficientnets_is_torchvisions(version):
    norms = [m for m in skeleton(f"efficientnet_b{version}").modules() if isinstance(m, nn.BatchNorm2d)]
    assert {(m.eps, m.momentum) for m in norms} == ({(1e-5, 0.1)} if version < 5 else {(1e-3, 0.01)})


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("alexnet", 7),
        ("xception", 2),
        ("mobilenet_v1", 2),
        ("mobilenet_v2", 4),
        ("mobilenet_v3_small", 2),
        ("mobilenet_v3_large", 2),
        ("efficientnet_b0", 2),
    ],
)
def test_what_32_pixels_become_behind_the_small_stem(name, side):
    sides = []
    model = skeleton(name, input_size=32)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.MaxPool2d):
            module.register_forward_hook(lambda module, inputs, output: sides.append(output.shape[-1]))
    model(torch.empty(1, 3, 32, 32, device="meta"))
    assert sides[0] == 32
    assert sides[-1] == side
