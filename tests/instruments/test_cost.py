"""The counter against PyTorch's own, closed forms, and what it must not touch."""

import math
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from dnnlab.errors import UsageError
from dnnlab.instruments.cost import Cost, cost, count
from dnnlab.instruments.meta import Tally
from dnnlab.instruments.products import Counts
from dnnlab.networks.blocks import BasicBlock, Bottleneck, Style
from dnnlab.networks.catalogue import create_model
from dnnlab.networks.members import MEMBERS
from dnnlab.networks.skeleton import Skeleton


def pytorch_macs(model, shape, training=False, dtype=torch.float32):
    """Half the operations that PyTorch counts on the meta device for one input of ``shape``: of a forward pass, and of
    ``training``, if it is asked for."""
    model = model.to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(training):
        out = model(torch.empty(1, *shape, device="meta", dtype=dtype))
        forward = counter.get_total_flops()
        if training:
            out.sum().backward()
    return forward / 2, counter.get_total_flops() / 2


def test_the_whole_catalogue_is_counted_without_loading_the_compiler():
    code = (
        "import sys; from dnnlab.instruments.cost import cost, costs; from dnnlab.networks.members import MEMBERS; "
        "found = costs(); assert found.keys() == MEMBERS.keys(); assert found['resnet50'] == cost('resnet50'); "
        "sys.exit('sympy' in sys.modules or 'torch._dynamo' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", MEMBERS)
def test_macs_are_those_that_pytorch_counts(name):
    with Skeleton():
        model = create_model(name)
    # PyTorch counts the weights' gradient of a grouped convolution as if it had one group.
    training = not any(m.groups > 1 for m in model.modules() if isinstance(m, nn.modules.conv._ConvNd))
    dtype = torch.int64 if MEMBERS[name].vocabulary else torch.float32
    expected, counted = pytorch_macs(model, MEMBERS[name].shape, training, dtype), cost(name)
    assert counted.macs == expected[0]
    if training:
        assert counted.training_macs == expected[1]


class Zoo(nn.Module):
    """Layers of every kind that the tables of shapes know."""

    def __init__(self):
        super().__init__()
        self.dilated = nn.Conv2d(3, 8, 3, stride=2, padding=2, dilation=2)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.average = nn.AvgPool2d(2, ceil_mode=True)
        self.tall = nn.Conv2d(8, 12, (5, 1), padding="same", groups=4)
        self.up = nn.ConvTranspose2d(12, 8, 3, stride=2, padding=1, output_padding=1, groups=2)
        self.valid = nn.Conv2d(8, 16, (1, 3), padding="valid")
        self.fc = nn.Linear(16, 5)

    def forward(self, x):
        x = self.average(self.pool(F.relu(self.dilated(x))))
        x = self.up(self.tall(x) + torch.ones(12, 1, 1, device=x.device))
        x = self.valid(torch.cat([x[:, :4], F.pad(x[:, 4:], (1, 0))[..., 1:]], 1))
        a = F.adaptive_avg_pool2d(x, (3, 2)).flatten(2).transpose(1, 2)
        a = F.scaled_dot_product_attention(a, a, a) * a.mean(1, keepdim=True)
        return self.fc(a.mean(1) + a.amax(1))


@pytest.mark.parametrize("size", [29, 30, 31, 32, 33, 64])
def test_shapes_are_pytorchs(size):
    model = Zoo().eval()
    seen = []
    for module in model.modules():
        module.register_forward_hook(lambda module, inputs, output: seen.append(tuple(output.shape)))
    counted = cost(model, size)
    ours = seen.copy()
    seen.clear()
    model(torch.zeros(1, 3, size, size))
    assert ours == seen
    assert counted.macs == pytorch_macs(model, (3, size, size))[0]


def test_functions_that_the_tables_do_not_know_are_counted_too():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.attend = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            tokens = x.flatten(2).transpose(1, 2)
            attended, _ = self.attend(tokens, tokens, tokens, need_weights=False)
            return (attended @ attended.mT).softmax(-1)

    tokens, width = 36, 8
    linear, attention, product = 4 * tokens * width**2, 2 * tokens**2 * width, tokens**2 * width
    assert cost(Attention(), 6, in_chans=width).macs == linear + attention + product


def test_the_fields_of_a_small_network_by_hand():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 5 * 5, 2)
    )
    first, last = 5 * 5 * 4 * 3 * 9, 100 * 2
    assert cost(net, 5) == Cost(
        parameters=4 * 3 * 9 + 2 * 4 + 100 * 2 + 2,
        auxiliary=0,
        buffers=2 * 4 + 1,
        macs=first + last,
        training_macs=2 * first + 3 * last,
        activations=100 + 2,
    )


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_each_gradient_of_a_grouped_convolution_costs_a_forward_pass(groups):
    first, grouped = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, padding=1, groups=groups)
    one, other = 3 * 8 * 16, 8 * (8 // groups) * 9 * 16
    assert cost(nn.Sequential(first, grouped), 4).training_macs == 2 * one + 3 * other


@pytest.mark.parametrize(
    ("block", "weights"),
    [
        (lambda style: BasicBlock(style, 64, 64, 1, nn.Identity()), 73_728),
        (lambda style: BasicBlock(style, 256, 256, 1, nn.Identity()), 1_179_648),
        (lambda style: Bottleneck(style, 256, 64, 1, nn.Identity()), 69_632),
    ],
)
def test_convolution_weights_of_the_blocks(block, weights):
    counted = sum(p.numel() for p in block(Style("relu", "batch")).parameters() if p.ndim == 4)
    assert counted == weights


def test_a_module_is_left_as_it_was():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
    net[1].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    cost(net, 8)
    assert [m.training for m in net] == [True, False, True]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_auxiliary_heads_and_frozen_parameters_are_counted_apart():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.aux, self.frozen = nn.Conv2d(3, 2, 1), nn.Linear(7, 3), nn.Conv2d(2, 2, 1)
            self.frozen.requires_grad_(False)

        def forward(self, x):
            return self.frozen(self.conv(x))

    counted = cost(Net(), 1)
    assert (counted.parameters, counted.auxiliary) == (8, 24)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: cost(nn.Linear(3, 3)), "say input_size"),
        (
            lambda: cost("vgg11", input_size=16),
            r"does not run on an input of 3 × 16 × 16, forward and backward: the image is too small: .* 0 × 0 px",
        ),
        (lambda: cost(nn.Conv2d(3, 3, 1), 8, in_chans=1), "does not run on an input of 1 × 8 × 8"),
        (lambda: cost(nn.Sequential(nn.Flatten(), nn.Linear(10, 3)), 8), "does not run on an input of 3 × 8 × 8"),
        (lambda: cost("resnet5"), "did you mean"),
        (lambda: cost("resnet50", skip="dense"), "unknown skip of resnet"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(call, said):
    with pytest.raises(UsageError, match=said):
        call()


def test_a_skeleton_takes_no_memory_and_no_time_for_initialisation():
    with Skeleton():
        model = create_model("vgg19")
    assert all(t.is_meta for t in (*model.parameters(), *model.buffers()))


def test_costs_scale_with_the_input():
    counted = cost("resnet50")
    larger = cost("resnet50", 448)
    convolutions = counted.macs - 2048 * 1000
    assert larger.macs == 4 * convolutions + 2048 * 1000
    assert larger.activations == 4 * (counted.activations - 1000) + 1000
    assert math.isclose(counted.activations, 11.11e6, rel_tol=1e-3)  # in timm's table


def test_a_tally_starts_at_zero():
    x = torch.empty(1, device="meta")
    with Tally({}, [], x, frozenset()) as tally:
        out = F.relu(x)
    assert tally.counts(out) == Counts(macs=0, training_macs=0, activations=0, used=frozenset())


class _Rows(nn.Module):
    def forward(self, x):
        return x.new_zeros(len(x), x.shape[2])


class _TwoInputs(nn.Module):
    def forward(self, x, y):
        return x + y


@pytest.mark.parametrize("module", [_Rows(), _TwoInputs()])
def test_a_network_for_other_inputs_is_refused_in_a_sentence(module):
    with pytest.raises(UsageError, match=r"does not run on an input of 5, forward and backward: "):
        count(module, (5,))


def test_lazy_layers_are_told_to_have_no_shape_yet():
    lazy = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
    with pytest.raises(UsageError, match="call it once on an input in its factory"):
        count(lazy, (1, 8, 8))
    lazy(torch.zeros(1, 1, 8, 8))
    assert count(lazy, (1, 8, 8)).macs == 64 * 3
