"""Networks and data that do not fit are told with what would."""

import pytest
import torch
from torch import nn

from dnnlab.data import load
from dnnlab.errors import UsageError
from dnnlab.networks.members import MEMBERS
from dnnlab.networks.named import published_classes, published_input
from dnnlab.training.checks import check, check_network, check_numbers
from dnnlab.training.networks import cross_entropy


def test_tokens_are_for_networks_of_ones_own():
    tokens, numbers = load("tokens:9x4"), load("gaussian:4")
    check_numbers(tokens, "mine:net")
    for network in ("", "resnet20", "found.toml"):
        check_numbers(numbers, network)
        with pytest.raises(
            UsageError, match=r"^tokens:9x4 gives tokens, and .* takes numbers; give a network of your own"
        ):
            check_numbers(tokens, network)


def test_networks_of_tokens_take_the_tokens_that_they_know():
    check_numbers(load("tokens:30522x4:examples=3000"), "bert_base")
    with pytest.raises(
        UsageError, match=r"^bert_base takes tokens, and gaussian:4 gives numbers; take .*:30522x128, or"
    ):
        check_numbers(load("gaussian:4"), "bert_base")
    with pytest.raises(
        UsageError,
        match=r"^bert_base:act=relu knows the tokens from 0 to 30521, and tokens:40000x4 has the token 39999;",
    ):
        check_numbers(load("tokens:40000x4"), "bert_base:act=relu")


def test_the_fully_connected_network_takes_any_shape_of_numbers():
    check(["gaussian:2x3x4x5", "gaussian:7"], [128], (), "")
    with pytest.raises(UsageError, match="the fully connected network takes numbers"):
        check(["tokens:9x4"], [128], (), "")


@pytest.mark.parametrize("name", [name for name in MEMBERS if MEMBERS[name].input_size <= 32])
def test_what_is_suggested_is_taken(name):
    data = load(f"gaussian:{published_input(name)}:examples=20")
    check_network(name, "", data)


def test_a_network_that_does_not_take_the_data_is_told_with_data_that_it_takes():
    with pytest.raises(
        UsageError, match=r"^vgg11: the model refuses .* take other inputs, such as --data gaussian:3x224"
    ):
        check_network("vgg11", "", load("digits"))
    with pytest.raises(UsageError, match=r"^lenet5 takes square images, not inputs of 3 × 8 × 9; .* gaussian:3x28x28"):
        check_network("lenet5", "", load("gaussian:3x8x9"))


def test_a_network_that_classes_every_pixel_is_only_counted():
    with pytest.raises(
        UsageError, match=r"^fc_densenet56 classes every pixel, and digits has one label for each input"
    ):
        check_network("fc_densenet56", "", load("digits"))


def test_published_inputs_and_classes():
    assert [(published_input(a), published_classes(a)) for a in ("resnet50", "resnet20:act=gelu", "inception_v3")] == [
        ("3x224x224", 1000), ("3x32x32", 10), ("3x299x299", 1000),
    ]  # fmt: skip
    assert published_classes("torchvision:resnet18") == 1000


def test_the_loss_of_a_network_that_classes_every_pixel_is_the_mean_over_pixels():
    torch.manual_seed(0)
    net, x, y = nn.Conv2d(2, 5, 1), torch.randn(3, 2, 4, 6), torch.tensor([4, 0, 2])
    net.requires_grad_(False)
    log = net(x).log_softmax(1)
    expected = -torch.stack([log[i, y[i]].mean() for i in range(3)]).mean()
    assert float(cross_entropy(net, x, y)) == pytest.approx(float(expected), rel=1e-6)
