"""Both ways of counting against PyTorch's counter around real passes, and against closed forms."""

import math
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from dnnlab.errors import UsageError
from dnnlab.instruments.cost import _by_computing, _by_passing, _by_shapes, count
from dnnlab.instruments.products import plain_functions
from dnnlab.instruments.shapes import Unknown
from dnnlab.networks.catalogue import create_model
from dnnlab.networks.family import FAMILIES
from dnnlab.networks.members import MEMBERS
from dnnlab.networks.skeleton import Skeleton


class Net(nn.Module):
    """A network whose forward pass is ``run(self, x)``."""

    def __init__(self, run, **parts):
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.run(self, x)


def conv(fan_in, fan_out, kernel=3, **options):
    return nn.Conv2d(fan_in, fan_out, kernel, **({"padding": kernel // 2} | options))


def head(channels):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def frozen(*modules):
    for module in modules:
        module.requires_grad_(False)
    return modules[0]


def parameter(*shape):
    return nn.Parameter(torch.rand(shape))


def pytorch_macs(model, shape):
    """Half the operations that PyTorch counts on real tensors: of a forward pass, and of a training step."""
    model = model.eval()
    with plain_functions(()), FlopCounterMode(display=False) as counter:
        out = model(torch.rand(1, *shape))
        forward = counter.get_total_flops()
        out.sum().backward()
    return forward / 2, counter.get_total_flops() / 2


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.low = conv(1, 8), conv(8, 16, stride=2)
        self.up, self.last = nn.ConvTranspose2d(16, 8, 2, 2), conv(16, 10, 1)

    def forward(self, x):
        x = F.relu(self.down(x))
        x = torch.cat([x, self.up(F.relu(self.low(x)))], 1)
        return self.last(x).mean((2, 3))


def attended(need_weights):
    def run(self, x):
        tokens = self.tokens(x[:, 0])
        return self.last(self.attend(tokens, tokens, tokens, need_weights=need_weights)[0].mean(1))

    return Net(run, tokens=nn.Linear(8, 16), attend=nn.MultiheadAttention(16, 4, batch_first=True),
               last=nn.Linear(16, 10))  # fmt: skip


def two_branches():
    return Net(lambda s, x: s.h(torch.cat([s.a(x), s.b(x)], 1)), a=conv(1, 8), b=conv(1, 24, 5), h=head(32))


def recurrent(kind, **options):
    width = 24 * (1 + options.get("bidirectional", False))
    rnn = kind(8, 24, batch_first=True, **options)
    return Net(lambda s, x: s.fc(s.rnn(x[:, 0])[0][:, -1]), rnn=rnn, fc=nn.Linear(width, 10))


def frozen_first():
    first = frozen(conv(1, 8))
    return nn.Sequential(first, nn.ReLU(), conv(8, 8), head(8))


def frozen_inside():
    return nn.Sequential(conv(1, 8), nn.ReLU(), frozen(conv(8, 8)), nn.ReLU(), head(8))


def discarded():
    """A layer whose output is thrown away runs forward, and no gradient reaches it."""
    return Net(lambda s, x: (s.spare(x), s.h(s.a(x)))[1], spare=conv(1, 5), a=conv(1, 8), h=head(8))


def shared():
    return Net(lambda s, x: s.h(s.a(F.relu(s.a(s.first(x))))), first=conv(1, 8), a=conv(8, 8), h=head(8))


def positions():
    """A position embedding below the first product: that needs the gradient of its input."""
    net = Net(lambda s, x: s.h(s.a(x + s.position)), a=conv(1, 8), h=head(8))
    net.position = parameter(1, 1, 8, 8)
    return net


def overwritten():
    def run(self, x):
        y = self.a(x)
        half = y[:, :4]
        half += self.b(x)
        return self.h(y)

    return Net(run, a=conv(1, 8), b=conv(1, 4), h=head(8))


def without_gradient():
    def run(self, x):
        with torch.no_grad():
            y = self.a(x)
        return self.h(self.b(y))

    return Net(run, a=conv(1, 8), b=conv(8, 8), h=head(8))


def detached():
    return Net(lambda s, x: s.h(s.b(s.a(x).detach())), a=conv(1, 8), b=conv(8, 8), h=head(8))


def matrices():
    net = Net(lambda s, x: (s.w @ s.a(x.flatten(1)).unsqueeze(-1)).squeeze(-1) @ s.v, a=nn.Linear(64, 12))
    net.w, net.v = parameter(9, 12), parameter(9, 10)
    return net


def recomputed(reentrant):
    return Net(lambda s, x: s.c(checkpoint(s.b, s.a(x.flatten(1)), use_reentrant=reentrant)),
               a=nn.Linear(64, 32), b=nn.Linear(32, 32), c=nn.Linear(32, 10))  # fmt: skip


def volumes():
    return Net(
        lambda s, x: s.fc(F.relu(s.c(x[:, None])).mean((2, 3, 4))), c=nn.Conv3d(1, 8, 3, padding=1), fc=nn.Linear(8, 10)
    )


def low_rank():
    net = Net(lambda s, x: F.linear(x.flatten(1), s.w + s.b @ s.a))
    net.w, net.a, net.b = frozen(parameter(10, 64)), parameter(4, 64), parameter(10, 4)
    return net


def by_numbers():
    """What it does depends on numbers, which the meta device has not."""
    return Net(lambda s, x: s.a(x.flatten(1)) if x.sum().item() > 0 else x, a=nn.Linear(64, 10))


def own_constant():
    """A tensor of its own that is neither a parameter nor a buffer."""
    net = Net(lambda s, x: s.a(x.flatten(1) + s.constant), a=nn.Linear(64, 10))
    net.constant = torch.rand(64)
    return net


def scripted():
    with warnings.catch_warnings(action="ignore"):  # a newer PyTorch advises against it
        part = torch.jit.script(nn.Linear(64, 20))
    return nn.Sequential(nn.Flatten(), part, nn.ReLU(), nn.Linear(20, 10))


NETWORKS = {
    "two branches": two_branches,
    "LSTM": lambda: recurrent(nn.LSTM),
    "GRU": lambda: recurrent(nn.GRU, num_layers=2),
    "RNN": lambda: recurrent(nn.RNN, bidirectional=True),
    "frozen first": frozen_first,
    "frozen inside": frozen_inside,
    "attention": lambda: attended(False),
    "attention with weights": lambda: attended(True),
    "encoder": lambda: Net(
        lambda s, x: s.h(s.e(s.t(x[:, 0])).mean(1)),
        t=nn.Linear(8, 16), e=nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), h=nn.Linear(16, 10),
    ),
    "U-Net": UNet,
    "discarded": discarded,
    "shared": shared,
    "positions": positions,
    "overwritten": overwritten,
    "without gradient": without_gradient,
    "detached": detached,
    "matrices": matrices,
    "einsum": lambda: Net(lambda s, x: torch.einsum("bi,oi->bo", x.flatten(1), s.a.weight), a=nn.Linear(64, 10)),
    "recomputed": lambda: recomputed(False),
    "recomputed, reentrant": lambda: recomputed(True),
    "volumes": volumes,
    "low rank": low_rank,
    "by numbers": by_numbers,
    "own constant": own_constant,
    "scripted": scripted,
    "dictionary": lambda: Net(lambda s, x: {"logits": s.h(s.a(x)), "more": x}, a=conv(1, 8), h=head(8)),
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "dictionary"])
def test_macs_are_those_that_pytorch_counts_in_a_real_step(name):
    model = NETWORKS[name]()
    counted = count(model, (1, 8, 8))
    assert (counted.macs, counted.training_macs) == pytorch_macs(model, (1, 8, 8))
    assert counted.uncounted == ()


# Each a form of a call that the tables of shapes do not have, or once had wrong.
FORMS = {
    "pool by keywords": lambda s, x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "pool's input": lambda s, x: F.avg_pool2d(input=x, kernel_size=2),
    "one side kept": lambda s, x: nn.AdaptiveAvgPool2d((1, None))(x),
    "mean's axis": lambda s, x: x.mean(axis=(2, 3), keepdim=True),
    "mean's type": lambda s, x: x.mean((2, 3), True, dtype=torch.float32),
    "mean over no dimension": lambda s, x: x * x.mean(()) + x.sum(dim=[]) + x.amax(()),
    "stack and sum": lambda s, x: torch.stack([x, torch.zeros_like(x)], -1).sum(-1).unsqueeze(0).squeeze(0),
    "cat's axis": lambda s, x: torch.cat([x, x[:, :0]], axis=1),
    "convolution's input": lambda s, x: torch.conv2d(input=x, weight=s.c.weight, padding="same"),
    "add's other": lambda s, x: torch.Tensor.add(x, other=x, alpha=2),
    "pool's indices": lambda s, x: F.max_pool2d(x, 2, return_indices=True)[0],
    "kernel in a list": lambda s, x: F.max_pool2d(x, [2], [1]),
    "flatten by names": lambda s, x: torch.flatten(input=x, start_dim=2).unflatten(dim=2, sizes=(8, 8)),
    "relu's place": lambda s, x: F.relu(x, True),
    "elu's slope": lambda s, x: F.elu(x, 1) + F.prelu(x, s.slope),
    "without a batch": lambda s, x: F.conv2d(x[0], s.c.weight, padding=1)[None],
    "keywords of linear": lambda s, x: F.linear(weight=s.square, input=x),
    "attention by groups": lambda s, x: F.scaled_dot_product_attention(x, x[:, :4], x[:, :4], enable_gqa=True),
    "masked attention": lambda s, x: F.scaled_dot_product_attention(x, x, x, s.square, is_causal=False),
}


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_call_is_refused(form):
    net = Net(lambda s, x: s.h(FORMS[form](s, s.first(x))), first=conv(1, 8), c=conv(8, 8), h=head(8))
    net.slope, net.square = parameter(1), parameter(8, 8)
    counted = count(net, (1, 8, 8))
    assert (counted.macs, counted.training_macs) == pytorch_macs(net, (1, 8, 8))


def both(model, shape, dtype=torch.float32):
    """What both ways of counting say."""
    own = dict(model.named_parameters()), dict(model.named_buffers())
    x = torch.empty(1, *shape, device="meta", dtype=dtype)
    quick = _by_shapes(model.eval(), x, *own)
    with plain_functions(()):
        return quick, _by_passing(model, x, *own)


SMALLEST = {member.family: name for name, member in reversed(MEMBERS.items())}


@pytest.mark.parametrize("family", FAMILIES)
def test_shapes_and_a_pass_say_the_same_of_the_catalogue(family):
    name = SMALLEST[family]
    with Skeleton():
        model = create_model(name)
    quick, passed = both(model, MEMBERS[name].shape, torch.int64 if MEMBERS[name].vocabulary else torch.float32)
    assert quick == passed


QUICK = (
    "two branches",
    "frozen first",
    "frozen inside",
    "U-Net",
    "discarded",
    "shared",
    "positions",
    "LSTM",
    "GRU",
    "volumes",
    "dictionary",
)


@pytest.mark.parametrize("name", QUICK)
def test_shapes_and_a_pass_say_the_same_of_small_networks(name):
    quick, passed = both(NETWORKS[name](), (1, 8, 8))
    assert quick == passed


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("frozen", [None, "weight_hh_l0", "weight_ih_l0", "weight_ih_l1"])
@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_shapes_and_a_pass_say_the_same_of_recurrent_layers(kind, frozen, batch_first):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(8, 6)
            self.recurrent = kind(6, 5, 2, bias=frozen is not None, batch_first=batch_first)
            self.start = nn.Parameter(torch.zeros(2, 1, 5))

        def forward(self, x):
            x = self.first(x[:, 0])
            x = x if batch_first else x.transpose(0, 1)
            out, _ = self.recurrent(x, (self.start, self.start) if kind is nn.LSTM else self.start)
            return out.flatten(1)

    model = Net()
    if frozen:
        getattr(model.recurrent, frozen).requires_grad_(False)
    quick, passed = both(model.to("meta"), (1, 8, 8))
    assert quick == passed


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - set(QUICK) - {"by numbers", "own constant"}))
def test_the_tables_of_shapes_do_not_guess(name):
    with pytest.raises(Unknown):
        both(NETWORKS[name](), (1, 8, 8))


@pytest.mark.parametrize("name", ["frozen first", "attention", "LSTM", "encoder", "U-Net"])
def test_a_real_pass_says_the_same_as_one_on_the_meta_device(name):
    model = NETWORKS[name]().eval()
    own = dict(model.named_parameters()), dict(model.named_buffers())
    x = torch.empty(1, 1, 8, 8, device="meta")
    with plain_functions(()):
        assert _by_computing(model, x, *own) == _by_passing(model, x, *own)


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_recurrent_layers_by_their_closed_forms(kind, gates):
    steps, width, hidden = 8, 8, 24
    into, across, last = steps * gates * hidden * width, steps * gates * hidden**2, hidden * 10
    counted = count(recurrent(kind), (1, 8, 8))
    assert counted.macs == into + across + last
    # Neither the input nor the state at the start, which is zero, needs a gradient.
    assert counted.training_macs == 2 * into + 3 * across - gates * hidden**2 + 3 * last
    assert counted.activations == 2 * steps * gates * hidden + 10


def test_attention_by_its_closed_form():
    tokens, width = 8, 16
    projections, products = 4 * tokens * width**2, 2 * tokens**2 * width
    first, last = tokens * 8 * width, width * 10
    for need_weights in (False, True):
        counted = count(attended(need_weights), (1, 8, 8))
        assert counted.macs == first + projections + products + last
        assert counted.training_macs == 3 * counted.macs - first
        assert counted.activations == tokens * width * (1 + 3 + 1) + 10


def bilinear():
    return Net(lambda s, x: s.b(s.a(x.flatten(1)), s.a(x.flatten(1))), a=nn.Linear(64, 5), b=nn.Bilinear(5, 5, 10))


def vector():
    net = Net(lambda s, x: torch.mv(s.w, s.a(x.flatten(1))[0])[None], a=nn.Linear(64, 12))
    net.w = parameter(10, 12)
    return net


def dot():
    net = Net(lambda s, x: torch.dot(s.a(x.flatten(1))[0], s.w)[None, None], a=nn.Linear(64, 12))
    net.w = parameter(12)
    return net


def distances(count):
    net = Net(lambda s, x: torch.cdist(s.a(x.flatten(1)), s.w), a=nn.Linear(64, 12))
    net.w = parameter(count, 12)
    return net


def batches():
    net = Net(lambda s, x: torch.addbmm(s.bias, s.a(x[0]), s.w), a=nn.Linear(8, 12))
    net.w, net.bias = parameter(1, 12, 10), parameter(10)
    return net


@pytest.mark.parametrize(
    ("make", "first", "product", "out"),
    [
        (bilinear, 2 * 64 * 5, 5 * 5 * 10, 2 * 5 + 10),
        (vector, 64 * 12, 12 * 10, 12 + 10),
        (dot, 64 * 12, 12, 12 + 1),
        (lambda: distances(10), 64 * 12, 10 * 12, 12 + 10),
        (lambda: distances(40), 64 * 12, 40 * 12, 12 + 40),  # PyTorch's way for many is by a product of matrices
        (batches, 8 * 8 * 12, 8 * 12 * 10, 8 * 12 + 8 * 10),
    ],
)
def test_products_that_pytorch_does_not_count_by_their_closed_forms(make, first, product, out):
    """Each gradient costs one forward pass: two of the product, and one of the layer before, which reads the input."""
    extra = (2 if make is bilinear else 1) * product  # which has two inputs and a weight
    counted = count(make(), (1, 8, 8))
    assert counted.macs == first + product
    assert counted.training_macs == 2 * first + 2 * product + extra
    assert counted.activations == out
    assert counted.uncounted == ()


def elementwise():
    net = Net(lambda s, x: ((x.flatten(1) * s.g)[:, None] * s.w).sum(-1))
    net.w, net.g = parameter(10, 64), parameter(64)
    return net


def exponential():
    net = Net(lambda s, x: s.a(x.flatten(1) @ torch.linalg.matrix_exp(s.w)), a=nn.Linear(64, 10))
    net.w = parameter(64, 64)
    return net


@pytest.mark.parametrize(("make", "named"), [(elementwise, "mul"), (exponential, "linalg_matrix_exp")])
def test_what_multiplies_by_a_parameter_and_is_not_counted_is_named(make, named):
    assert count(make(), (1, 8, 8)).uncounted == (named,)


def test_what_works_elementwise_or_normalises_is_not_named():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.slope, self.scale = nn.LayerNorm(64), nn.PReLU(), parameter(64)
            self.gate, self.table, self.last = parameter(1), nn.Embedding(3, 64), nn.Linear(64, 10)

        def forward(self, x):
            x = self.slope(self.norm(x.flatten(1))) * self.scale + self.table(x.flatten(1).argmax(1) % 3)
            return self.last(torch.lerp(x, x.square(), self.gate.sigmoid()).softmax(1))

    assert count(Scaled(), (1, 8, 8)).uncounted == ()


def test_parameters_that_inference_does_not_use_are_counted_apart():
    net = Net(lambda s, x: s.net(x), net=nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), spare=nn.Linear(7, 3),
              still=frozen(nn.Linear(5, 5)))  # fmt: skip
    counted = count(net, (1, 8, 8))
    assert (counted.parameters, counted.auxiliary, counted.frozen) == (650, 24, 0)
    assert counted.unused == {"spare.weight", "spare.bias", "still.weight", "still.bias"}
    counted = count(frozen_first(), (1, 8, 8))
    assert (counted.parameters, counted.auxiliary, counted.frozen) == (584 + 90, 0, 80)


def test_auxiliary_heads_of_torchvision_are_no_parameters_of_inference():
    torchvision = pytest.importorskip("torchvision")
    model = torchvision.models.googlenet(weights=None, init_weights=False)
    heads = sum(p.numel() for head in (model.aux1, model.aux2) for p in head.parameters())
    counted = count(model, (3, 224, 224))
    assert counted.auxiliary == heads
    assert counted.parameters == sum(p.numel() for p in model.parameters()) - heads


def test_a_pass_leaves_no_trace():
    class Caching(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.seen, self.kept = nn.Linear(64, 10), [], None
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            self.calls += 1
            if self.kept is None:
                self.kept = torch.arange(64)
                self.register_buffer("late", torch.randn(64).cumsum(0))
            return self.fc(x.flatten(1) + self.kept) if x.sum().item() > -1 else x

    model = Caching()
    model(torch.ones(1, 1, 8, 8)).sum().backward()
    model.kept = None
    del model.late
    gradient, drawn = model.fc.weight.grad.clone(), torch.random.get_rng_state()
    assert count(model, (1, 8, 8)).macs == 640
    assert model.training
    assert model.kept is None
    assert model.calls == 1
    assert not hasattr(model, "late")
    assert torch.equal(model.fc.weight.grad, gradient)
    assert torch.equal(torch.random.get_rng_state(), drawn)


def test_what_a_network_keeps_in_a_dictionary_is_forgotten():
    """Biases of attention that are looked up once in evaluation, as LeViT does; by numbers, so that several ways are
    tried one after the other."""

    class Keeping(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.bias, self.kept, self.order = nn.Linear(64, 10), parameter(4), {}, [[]]

        def forward(self, x):
            if "bias" not in self.kept:
                self.kept["bias"] = self.bias[torch.arange(10) % 4]
                self.order[0].append("bias")
            out = self.fc(x.flatten(1)) + self.kept["bias"]
            return out if out.sum().item() != math.inf else x

    model = Keeping()
    counted = count(model, (1, 8, 8))
    assert (counted.parameters, counted.auxiliary, counted.unused) == (650 + 4, 0, frozenset())
    assert (model.kept, model.order) == ({}, [[]])


def test_a_part_of_a_parameter_that_is_set_to_zero_is_no_product():
    def run(self, x):
        with torch.no_grad():
            self.a.bias[3:6].zero_()
        return self.a(x.flatten(1))

    assert count(Net(run, a=nn.Linear(64, 10)), (1, 8, 8)).uncounted == ()


def test_numbers_are_taken_in_the_type_of_the_parameters():
    net = Net(lambda s, x: x.flatten(1) @ s.a.weight.mT, a=nn.Linear(64, 10)).double()
    assert count(net, (1, 8, 8)).macs == 640


def test_what_a_network_raises_is_one_sentence():
    def run(self, x):
        assert x.ndim == 2, "rows only"

    with pytest.raises(
        UsageError, match=r"does not run on an input of 1 × 8 × 8, forward and backward: AssertionError: rows only"
    ):
        count(Net(run), (1, 8, 8))
