"""The named architectures are the published ones: against torchvision's own outputs, and published counts."""

import hashlib
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from dnnlab.instruments.cost import cost
from dnnlab.networks.catalogue import create_model
from dnnlab.networks.members import MEMBERS
from dnnlab.networks.skeleton import Skeleton

ORACLE = json.loads((Path(__file__).parent.parent / "fixtures" / "torchvision-parity.json").read_text())
"""Of torchvision 0.28: state-dict entries, the SHA-256 of their names and shapes, and logits in float64."""

# Trainable parameters without auxiliary heads, and 1e9 MACs to three decimals, of torchvision's docs, timm
# and the papers.
PUBLISHED = {
    "alexnet": (61_100_840, 0.714),
    "vgg16": (138_357_544, 15.470),
    "vgg16_bn": (138_365_992, 15.470),
    "vgg19": (143_667_240, 19.632),
    "vgg19_bn": (143_678_248, 19.632),
    "resnet18": (11_689_512, 1.814),
    "resnet34": (21_797_672, 3.664),
    "resnet50": (25_557_032, 4.089),
    "resnet101": (44_549_160, 7.801),
    "resnet152": (60_192_808, 11.514),
    "resnext50_32x4d": (25_028_904, 4.230),
    "se_resnet50": (28_088_024, 3.860),
    "googlenet": (6_624_904, 1.498),
    "inception_v3": (23_834_568, 5.713),
    "inception_resnet_v2": (55_843_464, 13.156),
    "densenet121": (7_978_856, 2.834),
    "densenet161": (28_681_000, 7.728),
    "densenet169": (14_149_480, 3.360),
    "densenet201": (20_013_928, 4.291),
    "densenet264": (33_337_704, 5.752),
    "vit_b_16": (86_567_656, 17.564),
    "vit_b_32": (88_224_232, 4.409),
    "vit_l_16": (304_326_632, 61.555),
    "vit_l_32": (306_535_400, 15.378),
    "xception": (22_855_952, 8.357),
    "nasnetamobile": (5_289_978, 0.564),
    "nasnetalarge": (88_753_150, 23.783),
    "mobilenet_v1": (4_231_976, 0.569),
    "mobilenet_v2": (3_504_872, 0.301),
    "mobilenet_v3_small": (2_542_856, 0.057),
    "mobilenet_v3_large": (5_483_032, 0.217),
    "efficientnet_b0": (5_288_548, 0.386),
    "efficientnet_b1": (7_794_184, 0.687),
    "efficientnet_b2": (9_109_994, 1.088),
    "efficientnet_b3": (12_233_232, 1.827),
    "efficientnet_b4": (19_341_616, 4.394),
    "efficientnet_b5": (30_389_784, 10.266),
    "efficientnet_b6": (43_040_704, 19.068),
    "efficientnet_b7": (66_347_960, 37.746),
}
# The same for 10 classes and images of 32 px, in 1e6 MACs to one decimal.
PUBLISHED_SMALL = {
    "nin": (966_986, 222.5),
    "resnet20": (269_722, 40.6),
    "resnet32": (464_154, 68.9),
    "resnet44": (658_586, 97.2),
    "resnet56": (853_018, 125.5),
    "resnet110": (1_727_962, 252.9),
    "plain20": (269_722, 40.6),
    "plain110": (1_727_962, 252.9),
    "wrn16_8": (10_961_370, 1548.1),
    "wrn28_10": (36_479_194, 5243.3),
    "resnet9": (6_573_120, 379.3),
    "densenet40": (1_019_722, 264.8),
    "densenet_bc100": (769_162, 287.9),
}
AUXILIARY = {"googlenet": 6_379_984, "inception_v3": 3_326_696}
"""Parameters of auxiliary heads, which the counts above leave out."""


def rebuilt(name, shape, dtype):
    """The entry of a state dict that anyone can draw again from its name."""
    if not dtype.is_floating_point:
        return torch.zeros(shape, dtype=dtype)
    z = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(tuple(shape))
    if len(shape) > 1:
        z *= np.sqrt(2 / np.prod(shape[1:]))
    elif name.endswith("running_var"):
        z = 1 + 0.1 * np.abs(z)
    else:
        z = 0.1 * z + name.endswith("weight")
    return torch.from_numpy(z)


@pytest.mark.parametrize("name", [name for name in ORACLE if name in MEMBERS])
def test_it_is_torchvisions_network(name):
    expected = ORACLE[name]
    with Skeleton():
        model = create_model(name).eval()
    state = model.state_dict()
    lines = [f"{entry} {tuple(value.shape)}" for entry, value in state.items()]
    assert len(lines) == expected["entries"]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == expected["names_sha256"]
    drawn = {entry: rebuilt(entry, value.shape, value.dtype) for entry, value in state.items()}
    model.load_state_dict(drawn, assign=True)
    size = expected["size"]
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 3, size, size)))
    with torch.no_grad():
        logits = model(x)[0]
    np.testing.assert_allclose(logits[:5], expected["logits"], rtol=1e-9)
    np.testing.assert_allclose(logits.mean(), expected["mean"], rtol=1e-9)
    np.testing.assert_allclose(logits.std(correction=0), expected["std"], rtol=1e-9)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_counts(name):
    counted = cost(name)
    assert (counted.parameters, round(counted.macs / 1e9, 3)) == PUBLISHED[name]
    assert counted.auxiliary == AUXILIARY.get(name, 0)


@pytest.mark.parametrize("name", PUBLISHED_SMALL)
def test_published_counts_of_networks_for_small_images(name):
    counted = cost(name)
    assert (counted.parameters, round(counted.macs / 1e6, 1)) == PUBLISHED_SMALL[name]


@pytest.mark.parametrize(("depth", "parameters", "macs"), [(56, 1_376_988, 8.93), (103, 9_322_348, 20.09)])
def test_published_counts_of_networks_that_class_every_pixel(depth, parameters, macs):
    counted = cost(f"fc_densenet{depth}")
    assert (counted.parameters, round(counted.macs / 1e9, 2)) == (parameters, macs)


def test_published_parameters_of_bn_inception_and_its_macs_by_hand():
    def module(side, inputs, ones, before, threes, before_doubles, doubles, pooled):
        inner = before * threes + before_doubles * doubles + doubles * doubles
        return side**2 * (inputs * (ones + before + before_doubles + pooled) + 9 * inner)

    def halving(side, inputs, before, threes, before_doubles, doubles):
        inner = side**2 * (inputs * (before + before_doubles) + 9 * before_doubles * doubles)
        return inner + (side // 2) ** 2 * 9 * (before * threes + doubles * doubles)

    by_hand = (
        112**2 * 49 * 3 * 64 + 56**2 * (64 * 64 + 9 * 64 * 192),
        module(28, 192, 64, 64, 64, 64, 96, 32),
        module(28, 256, 64, 64, 96, 64, 96, 64),
        halving(28, 320, 128, 160, 64, 96),
        module(14, 576, 224, 64, 96, 96, 128, 128),
        module(14, 576, 192, 96, 128, 96, 128, 128),
        module(14, 576, 160, 128, 160, 128, 160, 128),
        module(14, 608, 96, 128, 192, 160, 192, 128),
        halving(14, 608, 128, 192, 192, 256),
        module(7, 1056, 352, 192, 320, 160, 224, 128),
        module(7, 1024, 352, 192, 320, 192, 224, 128),
        1024 * 1000,
    )
    counted = cost("bn_inception")
    # its published 2.048e9 are of a counter that takes normalisations and pools for multiply-accumulates, too
    assert (counted.parameters, counted.macs) == (11_295_240, sum(by_hand))


def test_published_counts_of_the_small_stem():
    counted = cost("resnet18:stem=small", input_size=32, num_classes=10)
    assert (counted.parameters, round(counted.macs / 1e6, 1)) == (11_173_962, 555.4)


SE_RESNETS = {
    "se_resnet18": 11_778_592,
    "se_resnet34": 21_958_868,
    "se_resnet50": 28_088_024,
    "se_resnet101": 49_326_872,
    "se_resnet152": 66_821_848,
    "se_resnext50_32x4d": 27_559_896,
    "se_resnext101_32x4d": 48_955_416,
}
"""Trainable parameters in timm, where their names begin with ``legacy_``."""


@pytest.mark.parametrize("name", SE_RESNETS)
def test_published_parameters_of_networks_with_squeeze_and_excitation(name):
    assert cost(name).parameters == SE_RESNETS[name]


@pytest.mark.parametrize(
    ("name", "without", "blocks", "expansion"),
    [
        ("se_resnet18", "resnet18", (2, 2, 2, 2), 1),
        ("se_resnet34", "resnet34", (3, 4, 6, 3), 1),
        ("se_resnext50_32x4d", "resnext50_32x4d", (3, 4, 6, 3), 4),
    ],
)
def test_squeeze_and_excitation_adds_two_layers_a_block(name, without, blocks, expansion):
    channels = [64 * expansion * 2**stage for stage in range(4)]
    products = sum(count * 2 * c * (c // 16) for count, c in zip(blocks, channels, strict=True))
    biases = sum(count * (c + c // 16) for count, c in zip(blocks, channels, strict=True))
    with_, plain = cost(name), cost(without)
    assert (with_.macs, with_.parameters) == (plain.macs + products, plain.parameters + products + biases)


@pytest.mark.parametrize(
    ("name", "million", "macs"), [("amoebanet_a_4_50", 5.1, "0.555"), ("amoebanet_a_6_190", 86.7, "23.1")]
)
def test_published_counts_of_amoebanet(name, million, macs):
    """As precise as table 2 of Real 2019 has them."""
    counted = cost(name)
    assert round(counted.parameters / 1e6, 1) == million
    assert f"{counted.macs / 1e9:.{len(macs.partition('.')[2])}f}" == macs
