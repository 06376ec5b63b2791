"""Names, options and what they do to the networks."""

import subprocess
import sys

import pytest
import torch

import dnnlab
from dnnlab.errors import UsageError
from dnnlab.instruments.cost import cost
from dnnlab.instruments.traced import trace
from dnnlab.networks.activations import activation
from dnnlab.networks.blocks import PaddedIdentity, scaled
from dnnlab.networks.catalogue import create_model, parse
from dnnlab.networks.family import FAMILIES, FREE
from dnnlab.networks.members import MEMBERS
from dnnlab.networks.skeleton import Skeleton

FIRST_OF_FAMILY = {member.family: name for name, member in reversed(MEMBERS.items())}
FULLY_CONNECTED = {"mlp", "highway"}
OF_IMAGES = [family for family, name in FIRST_OF_FAMILY.items() if not MEMBERS[name].vocabulary]
OF_TOKENS = [name for family, name in FIRST_OF_FAMILY.items() if MEMBERS[name].vocabulary]
VALUES = {"act": ("gelu", "prelu"), "width": (0.5,), "dropout": (0.0, 0.2)}
EVERY_VALUE = [
    (name, option, value)
    for family, name in FIRST_OF_FAMILY.items()
    for option, values in FAMILIES[family].options.items()
    for value in (VALUES[option] if values == FREE else values)
]


def skeleton(name, **options):
    with Skeleton():
        return create_model(name, **options).eval()


def test_the_table_and_the_parser_need_no_torch():
    code = (
        "import sys, dnnlab, dnnlab.networks.members, dnnlab.networks.catalogue as c; "
        "c.parse('resnet20:act=gelu,norm=none,width=0.5'); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_family_has_a_member_and_every_member_a_family():
    assert {member.family for member in MEMBERS.values()} == set(FAMILIES)
    assert all(name == member.name for name, member in MEMBERS.items())


@pytest.mark.parametrize(("name", "option", "value"), EVERY_VALUE)
def test_a_family_honours_every_value_of_its_options(name, option, value):
    assert cost(name, **{option: value}).macs > 0


@pytest.mark.parametrize("name", MEMBERS)
def test_published_defaults_are_named_by_the_options(name):
    family = FAMILIES[MEMBERS[name].family]
    for option in MEMBERS[name].arguments.keys() & family.options.keys():
        assert family.options[option] == FREE or MEMBERS[name].arguments[option] in family.options[option]


@pytest.mark.parametrize("family", OF_IMAGES)
def test_classes_and_channels_are_as_asked_for(family):
    model = skeleton(FIRST_OF_FAMILY[family], num_classes=7, in_chans=1)
    size = MEMBERS[FIRST_OF_FAMILY[family]].input_size
    assert model(torch.empty(2, 1, size, size, device="meta")).shape[:2] == (2, 7)


@pytest.mark.parametrize("name", [*OF_TOKENS, "lstm_ptb_medium"])
def test_tokens_have_a_number_of_classes_and_no_channels(name):
    model = skeleton(name, num_classes=7, input_size=9)
    assert model(torch.empty(2, 9, dtype=torch.int64, device="meta")).shape == (2, 7)
    with pytest.raises(UsageError, match=rf"{name} takes tokens, which have no channels; leave out in_chans\."):
        create_model(name, in_chans=3)


@pytest.mark.parametrize("family", [name for name, family in FAMILIES.items() if "norm" in family.options])
def test_without_normalisation_every_convolution_has_a_bias(family):
    model = skeleton(FIRST_OF_FAMILY[family], norm="none")
    assert all(m.bias is not None for m in model.modules() if isinstance(m, torch.nn.modules.conv._ConvNd))
    assert not list(model.buffers())


@pytest.mark.parametrize("family", sorted(FAMILIES.keys() - FULLY_CONNECTED))
def test_half_the_width_has_about_a_quarter_of_the_weights_inside(family):
    def inside(**options):
        model = skeleton(FIRST_OF_FAMILY[family], num_classes=7, **options)
        return sum(p.numel() for p in model.parameters() if p.ndim in (2, 4) and p.shape[1] > 3 and p.shape[0] != 7)

    assert 0.2 < inside(width=0.5) / inside() < 0.35


@pytest.mark.parametrize("family", [name for name, family in FAMILIES.items() if "act" in family.options])
def test_another_activation_replaces_every_hidden_one(family):
    names = {type(m).__name__ for m in skeleton(FIRST_OF_FAMILY[family], act="selu").modules()}
    assert "SELU" in names
    assert not names & {"ReLU", "ReLU6", "SiLU", "Hardswish", "GELU"}


@pytest.mark.parametrize("family", [name for name, family in FAMILIES.items() if "stem" in family.options])
@pytest.mark.parametrize(("size", "chans"), [(28, 1), (32, 3)])
def test_every_family_with_a_stem_for_small_images_takes_them(family, size, chans):
    model = skeleton(FIRST_OF_FAMILY[family], input_size=size, in_chans=chans, num_classes=10)
    assert model(torch.empty(2, chans, size, size, device="meta")).shape == (2, 10)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_can_be_traced_as_one_graph(family):
    model = skeleton(FIRST_OF_FAMILY[family])
    assert len(trace(model).graph.nodes) > sum(p.ndim > 1 for p in model.parameters())


def test_the_first_mention_of_an_activation_of_pytorch_may_be_in_a_skeleton():
    activation.cache_clear()
    assert type(skeleton("resnet20", act="Mish").act1) is torch.nn.Mish


def test_a_name_may_carry_options():
    member, options = parse("resnet20:act=gelu, norm=none,width=0.5")
    assert member.name == "resnet20"
    assert options == {"act": "gelu", "norm": "none", "width": 0.5}
    written, called = skeleton("resnet20:norm=none"), skeleton("resnet20", norm="none")
    assert list(written.state_dict()) == list(called.state_dict())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: parse("resnet2"), r"unknown model 'resnet2': did you mean .*resnet20"),
        (lambda: parse("resnet20:norm=bach"), r"unknown norm of resnet 'bach': did you mean batch\?"),
        (lambda: parse("resnet20:act=rleu"), r"unknown activation 'rleu': did you mean .*relu"),
        (
            lambda: parse("resnet20:head=mlp"),
            r"no option 'head'; options of resnet are act, norm, .* and stem\.",
        ),
        (lambda: parse("vgg11:skip=none"), r"vgg11 has no option 'skip'; options of vgg are act, .*, head and order\."),
        (lambda: parse("resnet20:norm"), "does not read; write NAME:OPTION=VALUE"),
        (lambda: parse("resnet20:"), "does not read; write NAME:OPTION=VALUE"),
        (lambda: parse("resnet20:norm=none,norm=batch"), "each option once"),
        (lambda: parse("resnet20:width=0"), "width '0' must be a number up to 100"),
        (lambda: parse("resnet20:width=wide"), "width 'wide' must be a number up to 100"),
        (lambda: parse("resnet20:dropout=1"), "dropout '1' must be a probability below 1"),
        (lambda: create_model("resnet20", skip=None), "unknown skip of resnet 'None'"),
        (lambda: create_model("resnet20", num_classes=0), "num_classes of a model must be at least 1, not 0"),
        (lambda: create_model("resnet20", input_size=-1), "input_size of a model must be at least 1, not -1"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(call, said):
    with pytest.raises(UsageError, match=said):
        call()


def test_the_package_offers_create_model():
    assert dnnlab.create_model is create_model


def test_a_new_network_is_trainable():
    torch.manual_seed(0)
    model = dnnlab.create_model("resnet20", in_chans=1, width=0.5)
    x, y = torch.randn(32, 1, 16, 16), torch.arange(32) % 10
    optimiser = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    losses = []
    for _ in range(30):
        losses.append(torch.nn.functional.cross_entropy(model(x), y))
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize(
    ("name", "size", "stem", "stride"),
    [
        ("resnet18", None, None, 2),
        ("resnet18", 65, None, 2),
        ("resnet18", 64, None, 1),
        ("resnet18", 64, "imagenet", 2),
        ("resnet18", None, "small", 1),
        ("resnet20", 64, "imagenet", 2),
        ("resnet20", 32, None, 1),
    ],
)
def test_small_images_get_the_small_stem_unless_another_is_asked_for(name, size, stem, stride):
    options = {} if stem is None else {"stem": stem}
    assert skeleton(name, input_size=size, **options).conv1.stride == (stride, stride)


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_a_plain_network_is_its_residual_twin_without_the_sum(depth):
    residual, plain = skeleton(f"resnet{depth}"), skeleton(f"plain{depth}")
    assert {k: v.shape for k, v in residual.state_dict().items()} == {k: v.shape for k, v in plain.state_dict().items()}
    assert cost(f"resnet{depth}") == cost(f"plain{depth}") == cost(f"resnet{depth}:skip=none")


@pytest.mark.parametrize(
    ("name", "last"),
    [("resnet20", "conv2"), ("resnet18", "conv2"), ("wrn16_8", "conv2"), ("inception_resnet_v2", "conv2d")],
)
def test_with_its_branches_at_zero_a_residual_network_passes_its_input_on_and_a_plain_one_does_not(name, last):
    x = torch.randn(2, 3, 32, 32)
    for skip, passes in (("residual", True), ("none", False)):
        model = create_model(name, norm="none", skip=skip, input_size=32, width=0.25).eval()
        for block in model.modules():
            if hasattr(block, last):
                torch.nn.init.zeros_(getattr(block, last).weight)
        assert (model(x)[0] != model(x)[1]).any().item() == passes


@pytest.mark.parametrize("skip", ["residual", "none"])
def test_with_its_branches_at_zero_a_transformer_passes_its_tokens_on_and_a_plain_one_does_not(skip):
    blocks = create_model("vit_b_16", skip=skip, input_size=32, width=0.25).encoder.layers
    for name, parameter in blocks.named_parameters():
        if "out_proj" in name or "mlp.3" in name:
            torch.nn.init.zeros_(parameter)
    x = torch.randn(2, 5, 192)
    assert torch.equal(blocks(x), x if skip == "residual" else torch.zeros_like(x))


def test_the_identity_shortcut_takes_every_second_pixel_and_pads_with_zero_channels():
    x = torch.arange(32.0).view(1, 2, 4, 4)
    out = PaddedIdentity(2, 2)(x)
    assert out[0].tolist() == [[[0, 2], [8, 10]], [[16, 18], [24, 26]], [[0, 0], [0, 0]], [[0, 0], [0, 0]]]


@pytest.mark.parametrize(
    ("channels", "width", "expected"), [(17, 1, 17), (32, 0.75, 24), (16, 0.1, 8), (24, 1.4, 32), (64, 1.1, 72)]
)
def test_scaled_channels_are_multiples_of_eight_at_most_ten_percent_short(channels, width, expected):
    assert scaled(channels, width) == expected


@pytest.mark.parametrize(("width", "first"), [(0.5, 8), (0.25, 4), (0.2, 3), (0.125, 2)])
def test_resnets_for_small_images_can_be_narrower_than_eight_channels(width, first):
    """With ResNet-20's parameters in closed form: 3 stages of 3 blocks, the channels doubled from one to the next."""
    convolutions = 27 * first + 9 * first**2 * (6 + 2 + 5 * 4 + 2 * 4 + 5 * 16)
    norms, last = 2 * first * (7 + 6 * 2 + 6 * 4), 4 * first * 10 + 10
    model = dnnlab.create_model("resnet20", num_classes=10, width=width)
    assert sum(p.numel() for p in model.parameters()) == convolutions + norms + last


@pytest.mark.parametrize("groups", [1, 4])
def test_convolutions_keep_the_size_of_gradients(groups):
    from dnnlab.networks.blocks import Conv2d

    torch.manual_seed(0)
    conv = Conv2d(64, 64, 3, padding=1, padding_mode="circular", groups=groups)
    x = torch.zeros(8, 64, 8, 8, requires_grad=True)
    conv(x).backward(torch.randn(8, 64, 8, 8))
    assert x.grad.var().item() == pytest.approx(2, rel=0.05)  # twice, for a ReLU lets half of it through


@pytest.mark.parametrize(("name", "heads", "weight"), [("googlenet", 2, 0.3), ("inception_v3", 1, 0.4)])
@pytest.mark.parametrize("size", [28, 96])
def test_auxiliary_heads_speak_in_training_and_only_then(name, heads, weight, size):
    torch.manual_seed(0)
    model = create_model(name, num_classes=4, input_size=size, width=0.125)
    x = torch.randn(2, 3, size, size)
    logits, aux, weights = model(x)
    assert [t.shape for t in (logits, *aux)] == [(2, 4)] * (1 + heads)
    assert weights == (weight,) * heads
    sum(t.square().sum() for t in (logits, *aux)).backward()
    assert all(p.grad is not None for p in model.parameters())
    assert torch.is_tensor(model.eval()(x))


@pytest.mark.parametrize(("name", "heads"), [("googlenet", ("aux1", "aux2")), ("inception_v3", ("AuxLogits",))])
def test_without_auxiliary_heads_the_rest_is_the_same(name, heads):
    with_heads, without = skeleton(name), skeleton(name, aux="false").train()
    names = [n for n in with_heads.state_dict() if n.split(".")[0] not in heads]
    assert list(without.state_dict()) == names
    assert cost(name, aux="false").auxiliary == 0
    assert torch.is_tensor(without(torch.empty(2, 3, 299, 299, device="meta")))


def test_the_auxiliary_head_of_inception_v3_reads_the_published_windows():
    head = create_model("inception_v3", width=0.125, num_classes=4).AuxLogits.eval()
    x = torch.randn(2, 96, 17, 17)
    means = torch.nn.functional.avg_pool2d(x, 5, 3)
    torch.testing.assert_close(head(x), head.fc(head.conv1(head.conv0(means)).flatten(1)))


@pytest.mark.parametrize("size", [32, 45, 64])
def test_a_network_that_classes_every_pixel_puts_out_its_inputs_size(size):
    out = skeleton("fc_densenet56")(torch.empty(2, 3, size, size, device="meta"))
    assert out.shape == (2, 12, size, size)


def test_the_pixels_of_an_image_reach_a_class_map_where_they_are():
    torch.manual_seed(0)
    model = create_model("fc_densenet56", width=0.5).eval()
    x = torch.randn(1, 3, 64, 64, requires_grad=True)
    model(x)[0, :, 40, 10].square().sum().backward()
    row, column = divmod(x.grad.square().sum((0, 1)).argmax().item(), 64)
    assert abs(row - 40) <= 2
    assert abs(column - 10) <= 2


@pytest.mark.parametrize(
    ("options", "tokens"),
    [({}, 197), ({"patch": 32}, 50), ({"input_size": 32}, 65), ({"input_size": 32, "patch": 16}, 5)],
)
def test_a_vision_transformer_has_a_token_for_each_patch_and_one_for_the_class(options, tokens):
    assert skeleton("vit_b_16", **options).encoder.pos_embedding.shape == (1, tokens, 768)


def test_patches_must_tile_the_image():
    with pytest.raises(UsageError, match=r"patches of 16 px do not tile an image of 100 px; take a patch or"):
        create_model("vit_b_16", input_size=100)


@pytest.mark.parametrize("name", ["densenet40", "densenet_bc100", "fc_densenet56"])
def test_a_dense_network_needs_no_normalisation_to_start(name):
    torch.manual_seed(0)
    model = create_model(name, norm="none").eval()
    out = model(torch.randn(4, 3, 32, 32))
    assert 0.03 < out.std() < 30
