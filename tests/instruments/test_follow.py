"""Layers, their places, gradients and units in small networks of many kinds, each with what is right for it.

Gradients are compared with plain tensor hooks in a twin in float64. Units are killed by their biases, so that it is
known which are dead.
"""

import contextlib
import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize, prune
from torch.utils import _pytree as pytree
from torch.utils.checkpoint import checkpoint

from dnnlab.instruments import Recorder, module_census

pytestmark = pytest.mark.filterwarnings("ignore")  # of PyTorch, on what it will no longer have

L, C1, C2, C3, R, Seq = nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ReLU, nn.Sequential


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """These networks are too small to share among threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Kept:
    """Collects the squared norm of the gradient at each tensor that is handed to `at` or that a module gives."""

    def __init__(self):
        self.squares, self.calls = {}, {}

    def watch(self, name, tensors):
        call = self.calls[name] = self.calls.get(name, 0) + 1
        label = name if call == 1 else f"{name}#{call}"

        def add(grad):
            self.squares[label] = self.squares.get(label, 0) + float(grad.abs().square().sum())

        def watched(t):
            if not isinstance(t, torch.Tensor) or not t.requires_grad:
                return t
            t.register_hook(add)
            return t.clone()  # what is done in place afterwards is not done to the watched tensor

        return pytree.tree_map(watched, tensors)


KEPT: Kept | None = None


def at(name, y):
    """The output of a layer that is not the output of a module."""
    return y if KEPT is None else KEPT.watch(name, y)


def gradient_norms(model, x, loss, names):
    """The norm of the gradient at the output of each layer in ``names``, as far as one arrives."""
    global KEPT
    KEPT, kept = Kept(), Kept()
    by_hand, modules = KEPT, dict(model.named_modules())
    for name in {n.partition("#")[0] for n in names} & set(modules):
        modules[name].register_forward_hook(lambda module, args, out, name=name: kept.watch(name, out))
    try:
        loss(model(x)).backward()
    finally:
        KEPT = None
    return {name: math.sqrt(square) for name, square in (kept.squares | by_hand.squares).items()}


class Net(nn.Module):
    """A network of some parts and a function of them and of the input. Tensors among the parts are buffers."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            if isinstance(part, torch.Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, *args):
        return self.function(self, *args)


def trained(*shape):
    """A parameter."""
    return nn.Parameter(torch.randn(shape) / math.sqrt(shape[-1]))


def total(out):
    """A loss of all outputs."""
    return sum(t.sin().sum() for t in pytree.tree_leaves(out) if isinstance(t, torch.Tensor))


def first(out):
    """A loss of the first output alone."""
    return total(next(t for t in pytree.tree_leaves(out) if isinstance(t, torch.Tensor)))


@dataclass
class Case:
    what: str
    build: Callable[[], nn.Module]
    x: Any
    """A tuple is the shape of normal inputs, a list that of positive ones."""
    rows: str
    """``name:place`` for each layer."""
    sites: str = ""
    """``name/units/dead``: how many units an activation has, and which are dead. ``?`` where that cannot be known,
    ``?8/1,3`` where it need not be. ``*`` is any name; ``~2`` is any two."""
    kill: dict = field(default_factory=dict)
    """Which entries of which parameter are set to -50. Its other entries are made positive."""
    loss: Callable = total
    matrices: dict = field(default_factory=dict)

    def model(self):
        torch.manual_seed(0)
        model = self.build()
        with torch.no_grad():
            for name, index in self.kill.items():
                parameter = model.get_parameter(name)
                parameter.copy_(parameter.abs() + (3 if parameter.ndim == 1 else 0.1))  # all others live
                parameter[index] = -50.0
        return model

    def inputs(self):
        if isinstance(self.x, torch.Tensor):
            return self.x
        make = torch.randn if isinstance(self.x, tuple) else torch.rand
        return make(*self.x, generator=torch.Generator().manual_seed(1))


def double(model):
    for module in model.modules():
        for table in (module._parameters, module._buffers):
            for name, t in table.items():
                if t is not None and t.is_complex():
                    table[name] = nn.Parameter(t.to(torch.complex128)) if isinstance(t, nn.Parameter) else t
                elif t is not None and t.is_floating_point():
                    t.data = t.data.double()
    return model


# -- The networks ------------------------------------------------------------------------------------------------------


class Outputs(NamedTuple):
    """As GoogLeNet's in training."""

    logits: torch.Tensor
    aux_logits: torch.Tensor


class Own(torch.autograd.Function):
    """ReLU of one's own, which calls ReLU in its backward pass too."""

    @staticmethod
    def forward(ctx, y):
        ctx.save_for_backward(y)
        return y * (y > 0)

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return grad * torch.sign(torch.relu(y))


class ZeroBelow(nn.Module):
    """Zero below 0 and a square above, by operations that are no activation's."""

    def forward(self, y):
        return torch.exp(torch.log(y.abs() + 1) * 2) * torch.ceil(torch.sigmoid(y) - 0.5).clamp(0, 1)


class Dropped(nn.Module):
    """Stochastic depth of one's own, which counts its calls."""

    def __init__(self):
        super().__init__()
        self.calls = 0
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, y):
        self.calls += 1
        self.seen += len(y)
        return y * torch.bernoulli(torch.full((len(y), 1), 0.7)).to(y.dtype)


class Symmetric(nn.Module):
    def forward(self, w):
        return w.triu() + w.triu(1).transpose(-1, -2)


class Scaled(nn.Module):
    def forward(self, w):
        return w / (w.norm() + 1)


class LowRank(nn.Module):
    """A parametrization that adds a product of two parameters."""

    def __init__(self, out, fan, rank):
        super().__init__()
        self.up, self.down = trained(out, rank), trained(rank, fan)

    def forward(self, w):
        return w + self.up @ self.down


def parametrized(module, parametrization):
    parametrize.register_parametrization(module, "weight", parametrization)
    return module


class Merged(nn.Linear):
    """LoRA merged into the weight."""

    def __init__(self, fan, out, rank=2):
        super().__init__(fan, out)
        self.A, self.B = trained(rank, fan), trained(out, rank)

    def forward(self, x):
        return F.linear(x, self.weight + 0.5 * (self.B @ self.A), self.bias)


class Standardised(nn.Conv2d):
    def forward(self, x):
        w = self.weight
        w = (w - w.mean((1, 2, 3), keepdim=True)) / (w.std((1, 2, 3), keepdim=True) + 1e-5)
        return F.conv2d(x, w, self.bias, self.stride, self.padding)


class Binary(nn.Linear):
    """Weights of -1 and 1 with a straight-through gradient."""

    def forward(self, x):
        return F.linear(x, self.weight + (self.weight.sign() - self.weight).detach(), self.bias)


def tie(model):
    model.b.weight = model.a.weight
    return model


def freeze(model, *names):
    for name in names:
        model.get_submodule(name).requires_grad_(False)
    return model


def without_grad(function, *args):
    with torch.no_grad():
        return function(*args)


def put(y, index, value):
    y[index] = value
    return y


def add_(y, z):
    y += z
    return y


def steps(m, x):
    """A recurrent network by hand."""
    h = torch.zeros(len(x), 4, dtype=x.dtype)
    for t in range(x.shape[1]):
        h = torch.tanh(m.ih(x[:, t]) + m.hh(h))
    return m.head(h)


def attend(m, x):
    """Attention by hand, with a bias for each difference of positions."""
    b, t, _ = x.shape
    q, k, v = m.qkv(x).reshape(b, t, 3, 2, 4).permute(2, 0, 3, 1, 4)
    scores = q @ k.transpose(-1, -2) / 2 + m.table[:, m.index]
    return m.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, 8))


def spectral(m, x):
    """A filter in the frequency domain."""
    return torch.fft.irfft(torch.fft.rfft(m.a(x)) * torch.view_as_complex(m.g), n=8)


LINEAR = [
    Case("chain", lambda: Seq(L(5, 8), R(), L(8, 3)), (40, 5), "0:first 2:output", "0/8/1,3", {"0.bias": [1, 3]}),
    Case("one layer", lambda: Seq(L(5, 3)), (40, 5), "0:output"),
    Case("tokens", lambda: Seq(L(5, 8), R(), L(8, 3)), (9, 7, 5), "0:first 2:output", "0/8/0", {"0.bias": [0]}),
    Case(
        "one vector, no bias",
        lambda: Net(lambda m, x: m.b(F.relu(m.a(x[0]))), a=L(5, 6, bias=False), b=L(6, 4, bias=False)),
        [2, 5],
        "a:first b:output",
        "a/6/0,3",
        {"a.weight": [0, 3]},
    ),
    Case(
        "skip",
        lambda: Net(lambda m, x: m.c((y := m.a(x)) + m.b(F.relu(y))), a=L(5, 6), b=L(6, 6), c=L(6, 2)),
        (40, 5),
        "a:first b:hidden c:output",
        "a/6/2",
        {"a.bias": [2]},
    ),
    Case(
        "dense",
        lambda: Net(
            lambda m, x: m.c(torch.cat([y := F.relu(m.a(x)), F.relu(m.b(y))], 1)), a=L(5, 6), b=L(6, 4), c=L(10, 2)
        ),
        (40, 5),
        "a:first b:hidden c:output",
        "a/6/2 b/4/0,3",
        {"a.bias": [2], "b.bias": [0, 3]},
    ),
    Case(
        "one vector",
        lambda: Net(lambda m, x: m.b(F.relu(m.a(x[0]))), a=L(5, 6), b=L(6, 4)),
        [2, 5],
        "a:first b:output",
        "a/6/0,1,2,3,4,5",
        {"a.bias": slice(None)},
    ),
]

CONVOLUTION = [
    Case(
        "1d",
        lambda: Seq(C1(3, 6, 3), R(), C1(6, 4, 3, stride=2), R(), nn.Flatten(), L(16, 2)),
        (9, 3, 11),
        "0:first 2:hidden 5:output",
        "0/6/5 2/4/1",
        {"0.bias": [5], "2.bias": [1]},
    ),
    Case(
        "2d",
        lambda: Seq(C2(3, 6, 3, padding=1), nn.BatchNorm2d(6), R(True), nn.MaxPool2d(2), nn.Flatten(), L(54, 2)),
        (9, 3, 6, 6),
        "0:first 5:output",
        "0/6/2,3",
        {"0.bias": [2, 3]},
    ),
    Case(
        "3d",
        lambda: Seq(C3(1, 4, 2), R(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), L(4, 2)),
        (5, 1, 4, 4, 4),
        "0:first 4:output",
        "0/4/0",
        {"0.bias": [0]},
    ),
    Case(
        "transposed 2d",
        lambda: Seq(nn.ConvTranspose2d(3, 6, 2, stride=2), R(), C2(6, 2, 1)),
        (5, 3, 4, 4),
        "0:first 2:output",
        "0/6/1,4",
        {"0.bias": [1, 4]},
    ),
    Case(
        "transposed 1d, grouped",
        lambda: Seq(nn.ConvTranspose1d(4, 6, 3, groups=2), R(), C1(6, 2, 1)),
        (5, 4, 6),
        "0:first 2:output",
        "0/6/3",
        {"0.bias": [3]},
    ),
    Case(
        "transposed 3d",
        lambda: Seq(nn.ConvTranspose3d(2, 3, 2), R(), C3(3, 2, 1)),
        (3, 2, 3, 3, 3),
        "0:first 2:output",
        "0/3/2",
        {"0.bias": [2]},
    ),
    Case(
        "depthwise and pointwise",
        lambda: Seq(C2(4, 8, 3, groups=4), nn.ReLU6(), C2(8, 6, 1), R(), nn.Flatten(), L(96, 2)),
        (9, 4, 6, 6),
        "0:first 2:hidden 5:output",
        "0/8/7 2/6/0,1",
        {"0.bias": [7], "2.bias": [0, 1]},
    ),
    Case(
        "circular, dilated",
        lambda: Seq(C2(2, 5, 3, padding=2, padding_mode="circular", dilation=2), R(), C2(5, 1, 5)),
        (5, 2, 5, 5),
        "0:first 2:output",
        "0/5/4",
        {"0.bias": [4]},
    ),
    Case(
        "no batch dimension",
        lambda: Net(lambda m, x: m.b(F.relu(m.a(x[0]))), a=C2(2, 5, 3), b=C2(5, 1, 3)),
        (1, 2, 9, 9),
        "a:first b:output",
        "a/5/2",
        {"a.bias": [2]},
    ),
]


def two(first, second, **parts):
    """A hidden layer by hand, ReLU, and an output layer."""
    return Net(lambda m, x: second(m, F.relu(first(m, x))), **parts)


def head(fan):
    return {"b": L(fan, 3)}


every, at1 = slice(None), lambda m, h: m.b(h)
FUNCTIONAL = [
    Case(
        "F.linear",
        lambda: two(lambda m, x: at("w", F.linear(x, m.w, m.c)), at1, w=trained(6, 5), c=trained(6), **head(6)),
        (40, 5),
        "w:first b:output",
        "w/6/1,2",
        {"c": [1, 2]},
    ),
    Case(
        "x @ w",
        lambda: two(lambda m, x: at("w", x @ m.w) + m.c, at1, w=trained(5, 6), c=trained(6), **head(6)),
        (40, 5),
        "w:first b:output",
        "w/6/1,2",
        {"c": [1, 2]},
    ),
    Case(
        "w @ x",
        lambda: two(lambda m, x: at("w", m.w @ x), at1, w=trained(6, 5), **head(7)),
        [40, 5, 7],
        "w:first b:output",
        "w/6/2",
        {"w": 2},
    ),
    Case(
        "w @ x.T",
        lambda: two(lambda m, x: at("w", m.w @ x.T), lambda m, h: m.b(h.T), w=trained(6, 5), **head(6)),
        [40, 5],
        "w:first b:output",
        "w/6/2",
        {"w": 2},
    ),
    Case(
        "einsum",
        lambda: two(lambda m, x: at("w", torch.einsum("bi,io->bo", x, m.w)), at1, w=trained(5, 6), **head(6)),
        [40, 5],
        "w:first b:output",
        "w/6/4",
        {"w": (every, 4)},
    ),
    Case(
        "einsum, units in the middle",
        lambda: two(lambda m, x: at("w", torch.einsum("oi,bip->bop", m.w, x)), at1, w=trained(6, 5), **head(7)),
        [40, 5, 7],
        "w:first b:output",
        "w/6/4",
        {"w": 4},
    ),
    Case(
        "einsum, units first",
        lambda: two(
            lambda m, x: at("w", torch.einsum("...i,oi->o...", x, m.w)),
            lambda m, h: m.b(h.T),
            w=trained(6, 5),
            **head(6),
        ),
        [40, 5],
        "w:first b:output",
        "w/6/4",
        {"w": 4},
    ),
    Case(
        "einsum, a matrix a head",
        lambda: two(
            lambda m, x: at("w", torch.einsum("bti,hio->bhto", x, m.w)),
            lambda m, h: m.b(h.transpose(1, 2).flatten(2)),
            w=trained(2, 5, 3),
            **head(6),
        ),
        [9, 4, 5],
        "w:first b:output",
        "w/6/5",
        {"w": (1, every, 2)},
    ),
    Case(
        "a matrix a group",
        lambda: two(
            lambda m, x: at("w", torch.einsum("bgi,gio->bgo", x.unflatten(1, (2, 3)), m.w)),
            lambda m, h: m.b(h.flatten(1)),
            w=trained(2, 3, 4),
            **head(8),
        ),
        [20, 6],
        "w:first b:output",
        "w/8/6",
        {"w": (1, every, 2)},
    ),
    Case(
        "bmm, a matrix a group",
        lambda: two(
            lambda m, x: at("w", torch.bmm(x.unflatten(1, (2, 3)).transpose(0, 1), m.w)),
            lambda m, h: m.b(h.transpose(0, 1).flatten(1)),
            w=trained(2, 3, 4),
            **head(8),
        ),
        [20, 6],
        "w:first b:output",
        "w/8/6",
        {"w": (1, every, 2)},
    ),
    Case(
        "bmm, expanded",
        lambda: two(lambda m, x: at("w", torch.bmm(x, m.w.expand(len(x), 5, 6))), at1, w=trained(5, 6), **head(6)),
        [9, 4, 5],
        "w:first b:output",
        "w/6/3",
        {"w": (every, 3)},
    ),
    Case(
        "addmm",
        lambda: two(lambda m, x: at("w", torch.addmm(m.c, x, m.w.t())), at1, w=trained(6, 5), c=trained(6), **head(6)),
        (40, 5),
        "w:first b:output",
        "w/6/3",
        {"c": [3]},
    ),
    Case(
        "tensordot",
        lambda: two(lambda m, x: at("w", torch.tensordot(x, m.w, dims=([1], [1]))), at1, w=trained(6, 5), **head(6)),
        [40, 5],
        "w:first b:output",
        "w/6/3",
        {"w": 3},
    ),
    Case(
        "F.conv2d",
        lambda: two(
            lambda m, x: at("k", F.conv2d(x, m.k, m.c)),
            lambda m, h: at("o", F.conv2d(h, m.o)),
            k=trained(6, 2, 3, 3),
            c=trained(6),
            o=trained(2, 6, 1, 1),
        ),
        (9, 2, 5, 5),
        "k:first o:output",
        "k/6/0",
        {"c": [0]},
    ),
    Case(
        "F.conv_transpose1d",
        lambda: two(
            lambda m, x: at("k", F.conv_transpose1d(x, m.k, m.c)),
            lambda m, h: at("o", F.conv1d(h, m.o)),
            k=trained(2, 6, 3),
            c=trained(6),
            o=trained(2, 6, 1),
        ),
        (9, 2, 5),
        "k:first o:output",
        "k/6/0",
        {"c": [0]},
    ),
    Case(
        "list of parameters",
        lambda: two(
            lambda m, x: at("ws.0", x @ m.ws[0]),
            lambda m, h: at("ws.1", h @ m.ws[1]),
            ws=nn.ParameterList([trained(5, 6), trained(6, 3)]),
        ),
        [40, 5],
        "ws.0:first ws.1:output",
        "ws.0/6/2",
        {"ws.0": (every, 2)},
    ),
    Case(
        "dict of parameters",
        lambda: two(
            lambda m, x: at("ws.u", x @ m.ws["u"]),
            lambda m, h: at("ws.v", h @ m.ws["v"]),
            ws=nn.ParameterDict({"u": trained(5, 6), "v": trained(6, 3)}),
        ),
        [40, 5],
        "ws.u:first ws.v:output",
        "ws.u/6/2",
        {"ws.u": (every, 2)},
    ),
    Case(
        "in a block",
        lambda: Seq(
            Net(lambda m, x: at("0.w", x @ m.w), w=trained(5, 6)),
            R(),
            Net(lambda m, x: x @ m.weight, weight=trained(6, 3)),
        ),
        [40, 5],
        "0.w:first 2:output",
        "0.w/6/2",
        {"0.w": (every, 2)},
    ),
    Case(
        "slices of one matrix",
        lambda: two(lambda m, x: at("w", x @ m.w[:, :6]), lambda m, h: at("w", h @ m.w[:6, 6:]), w=trained(9, 9)),
        [40, 9],
        "w:first w#2:output",
        "w/6/2",
        {"w": (every, 2)},
    ),
    Case(
        "product of two parameters",
        lambda: two(
            lambda m, x: m.a(x), lambda m, h: at("u + v", h @ (m.u @ m.v)), a=L(5, 6), u=trained(6, 2), v=trained(2, 3)
        ),
        (40, 5),
        "a:first u~+~v:output",
        "a/6/2",
        {"a.bias": [2]},
        matrices={"u + v": {"u", "v"}},
    ),
    Case(
        "called with other parameters",
        lambda: Net(
            lambda m, x: functional_call(m.a, {k: v * 2 for k, v in m.a.named_parameters()}, (x,)),
            a=Seq(L(5, 6), R(), L(6, 2)),
        ),
        (40, 5),
        "a.0:first a.2:output",
        "a.0/6/2",
        {"a.0.bias": [2]},
    ),
    Case(
        "added in the same operation",
        lambda: two(lambda m, x: at("w", torch.addmm(m.a(x), x, m.w)), at1, a=L(5, 6), w=trained(5, 6), **head(6)),
        [40, 5],
        "a:first w:first b:output",
        "w/6/1,2",
        {"a.bias": [1, 2]},
    ),
    Case(
        "products with constants",
        lambda: two(
            lambda m, x: m.a(x @ m.r),
            lambda m, h: m.b(F.relu(h @ m.s)),
            r=torch.randn(5, 5),
            s=torch.randn(6, 6),
            a=L(5, 6),
            b=L(6, 2),
        ),
        (40, 5),
        "a:first b:output",
        "a/6/2 */?",
        {"a.bias": [2]},
    ),
    Case(
        "a constant kernel",
        lambda: two(
            lambda m, x: F.conv2d(m.a(F.conv2d(x, m.blur[:2], groups=2)), m.blur, groups=6),
            lambda m, h: m.b(h),
            blur=torch.ones(6, 1, 2, 2),
            a=C2(2, 6, 3),
            b=C2(6, 2, 1),
        ),
        (9, 2, 8, 8),
        "a:first b:output",
        "a/?6/2",
        {"a.bias": [2]},
    ),
    Case(
        "bilinear",
        lambda: Net(lambda m, x: m.b(F.relu(m.a(x, x))), a=nn.Bilinear(5, 5, 6), b=L(6, 2)),
        (40, 5),
        "a:first b:output",
        "a/6/2",
        {"a.bias": [2]},
    ),
]

old_weight_norm, old_spectral_norm = nn.utils.weight_norm, nn.utils.spectral_norm
PARAMETRISED = [
    Case(what, build, shape, "0:first 2:output", "0/6/1", {"0.bias": [1]}, matrices=matrices)
    for what, build, shape, matrices in [
        (
            "weight norm, as it was",
            lambda: Seq(old_weight_norm(L(5, 6)), R(), old_weight_norm(L(6, 2))),
            (40, 5),
            {"0": {"0.weight_g", "0.weight_v"}},
        ),
        (
            "weight norm",
            lambda: Seq(parametrizations.weight_norm(C2(2, 6, 3)), R(), parametrizations.weight_norm(C2(6, 2, 3))),
            (9, 2, 6, 6),
            {"0": {"0.parametrizations.weight.original0", "0.parametrizations.weight.original1"}},
        ),
        (
            "spectral norm, as it was",
            lambda: Seq(old_spectral_norm(C2(2, 6, 3)), R(), old_spectral_norm(C2(6, 2, 3))),
            torch.randn(9, 2, 6, 6, generator=torch.Generator().manual_seed(1)) / 1000,
            {"0": {"0.weight_orig"}},
        ),
        (
            "spectral norm",
            lambda: Seq(parametrizations.spectral_norm(L(5, 6)), R(), parametrizations.spectral_norm(L(6, 2))),
            (40, 5),
            {"0": {"0.parametrizations.weight.original"}},
        ),
        ("orthogonal", lambda: Seq(parametrizations.orthogonal(L(6, 6)), R(), L(6, 2)), (40, 6), {}),
        ("symmetric", lambda: Seq(parametrized(L(6, 6), Symmetric()), R(), L(6, 2)), (40, 6), {}),
        (
            "two parametrizations",
            lambda: Seq(parametrized(parametrized(L(6, 6), Symmetric()), Scaled()), R(), L(6, 2)),
            (40, 6),
            {},
        ),
        ("low rank", lambda: Seq(parametrized(L(5, 6), LowRank(6, 5, 2)), R(), L(6, 2)), (40, 5), {}),
        ("pruned", lambda: Seq(prune.random_unstructured(L(5, 6), "weight", 0.5), R(), L(6, 2)), (40, 5), {}),
        ("standardised", lambda: Seq(Standardised(2, 6, 3), R(), Standardised(6, 2, 3)), (9, 2, 6, 6), {}),
        ("binary", lambda: Seq(Binary(5, 6), R(), Binary(6, 2)), (40, 5), {}),
        ("LoRA merged", lambda: Seq(Merged(5, 6), R(), Merged(6, 2)), (40, 5), {"0": {"0.weight", "0.A", "0.B"}}),
    ]
]

SHARED = [
    Case(
        "called three times",
        lambda: Net(lambda m, x: m.b(F.relu(m.a(F.relu(m.a(F.relu(m.a(x))))))), a=L(5, 5), b=L(5, 2)),
        (40, 5),
        "a:first a#2:hidden a#3:hidden b:output",
        "a/5/1 a#2/5/1 a#3/5/1",
        {"a.bias": [1]},
    ),
    Case(
        "autoencoder with one matrix",
        lambda: two(lambda m, x: at("w", x @ m.w), lambda m, h: at("w", h @ m.w.T), w=trained(5, 6)),
        [40, 5],
        "w:first w#2:output",
        "w/6/0",
        {"w": (every, 0)},
    ),
    Case(
        "embedding read and written",
        lambda: Net(lambda m, x: at("e", F.linear(F.relu(m.a(m.e(x))), m.e.weight)), e=nn.Embedding(7, 5), a=L(5, 5)),
        torch.arange(28).view(4, 7) % 7,
        "a:first e:output",
        "a/5/1",
        {"a.bias": [1]},
    ),
    Case(
        "one weight in two modules",
        lambda: tie(Net(lambda m, x: m.c(F.relu(m.b(F.relu(m.a(x))))), a=L(5, 5), b=L(5, 5), c=L(5, 2))),
        (40, 5),
        "a:first *:hidden c:output",
        "a/5/1 */5/2",
        {"a.bias": [1], "b.bias": [2]},
    ),
    Case(
        "one block on two inputs",
        lambda: Net(lambda m, x: m.b(F.relu(m.a(x[:, :5])) - F.relu(m.a(x[:, 5:]))), a=L(5, 6), b=L(6, 2)),
        (40, 10),
        "a:first a#2:first b:output",
        "a/6/1 a#2/6/1",
        {"a.bias": [1]},
    ),
    Case(
        "LoRA beside",
        lambda: two(
            lambda m, x: m.a(x) + at("B", at("A", x @ m.A) @ m.B),
            at1,
            a=freeze(L(5, 6)),
            A=trained(5, 2),
            B=trained(2, 6),
            **head(6),
        ),
        (40, 5),
        "a:first A:first B:hidden b:output",
        "*/6/3",
        {"a.bias": [3]},
    ),
    Case(
        "LoRA beside a convolution",
        lambda: Net(
            lambda m, x: m.c(F.relu(m.a(x) + m.up(m.down(x)))),
            a=C2(3, 6, 3),
            down=C2(3, 2, 3, bias=False),
            up=C2(2, 6, 1, bias=False),
            c=C2(6, 2, 1),
        ),
        (9, 3, 5, 5),
        "a:first down:first up:hidden c:output",
        "*/6/3",
        {"a.bias": [3]},
    ),
    Case(
        "LoRA merged in a convolution",
        lambda: two(
            lambda m, x: at("a", F.conv2d(x, m.a.weight + (m.B @ m.A).view(6, 3, 3, 3), m.a.bias)),
            lambda m, h: m.c(h),
            a=C2(3, 6, 3),
            A=trained(2, 27),
            B=trained(6, 2),
            c=C2(6, 2, 1),
        ),
        (9, 3, 5, 5),
        "a:first c:output",
        "a/6/3",
        {"a.bias": [3]},
        matrices={"a": {"a.weight", "A", "B"}},
    ),
]


def rnn_names(*kinds, layers=1, suffixes=("",)):
    return {f"a.weight_{kind}_l{i}{s}" for kind in kinds for i in range(layers) for s in suffixes}


RECURRENT = [
    Case(
        "LSTM",
        lambda: Net(lambda m, x: m.b(m.a(x)[0]), a=nn.LSTM(5, 4, 2, batch_first=True), b=L(4, 2)),
        (9, 6, 5),
        "a:first b:output",
        matrices={"a": rnn_names("ih", "hh", layers=2)},
    ),
    Case(
        "LSTM, all of its outputs",
        lambda: Net(lambda m, x: m.b((y := m.a(x))[0][-1] + y[1][0][0] * y[1][1][0]), a=nn.LSTM(5, 4), b=L(4, 2)),
        (6, 9, 5),
        "a:first b:output",
    ),
    Case(
        "LSTM, its last state alone",
        lambda: Net(lambda m, x: m.b(m.a(m.e(x))[1][0][-1]), e=L(5, 5), a=nn.LSTM(5, 4, proj_size=3), b=L(3, 2)),
        (6, 9, 5),
        "e:first a:hidden b:output",
        matrices={"a": rnn_names("ih", "hh", "hr")},
    ),
    Case(
        "GRU in two directions",
        lambda: Net(lambda m, x: m.b(F.relu(m.a(x)[0])), a=nn.GRU(5, 4, bidirectional=True), b=L(8, 2)),
        (6, 9, 5),
        "a:first b:output",
        "a/8/1",
        {"a.bias_ih_l0": [9]},  # its new state is -1, towards which the old one goes
        matrices={"a": rnn_names("ih", "hh", suffixes=("", "_reverse"))},
    ),
    Case("GRU gives the logits", lambda: Net(lambda m, x: m.a(x)[0], a=nn.GRU(5, 4)), (6, 9, 5), "a:output"),
    Case("RNN", lambda: Net(lambda m, x: m.b(m.a(x)[0]), a=nn.RNN(5, 4), b=L(4, 2)), (6, 9, 5), "a:first b:output"),
    Case(
        "RNN of ReLU",
        lambda: Net(lambda m, x: m.b(m.a(x)[0]), a=nn.RNN(5, 4, nonlinearity="relu"), b=L(4, 2)),
        (6, 9, 5),
        "a:first b:output",
        "*/4/1",
        {"a.bias_ih_l0": [1]},
    ),
    Case(
        "RNN of ReLU, two layers, two directions",
        lambda: Net(
            lambda m, x: m.b(m.a(x)[0]),
            a=nn.RNN(5, 4, 2, nonlinearity="relu", bidirectional=True, batch_first=True),
            b=L(8, 2),
        ),
        (9, 6, 5),
        "a:first b:output",
        "*/4/1 */4/2 */4/0 */4/3",
        {"a.bias_ih_l0": [1], "a.bias_ih_l0_reverse": [2], "a.weight_ih_l1": [0], "a.weight_ih_l1_reverse": [3]}
        | {"a.weight_hh_l1": 0, "a.weight_hh_l1_reverse": 3},
    ),
    Case(
        "packed",
        lambda: Net(
            lambda m, x: m.b(
                nn.utils.rnn.pad_packed_sequence(m.a(nn.utils.rnn.pack_padded_sequence(x, [6, 4, 2]))[0])[0]
            ),
            a=nn.LSTM(5, 4),
            b=L(4, 2),
        ),
        (6, 3, 5),
        "a:first b:output",
    ),
    Case(
        "by hand",
        lambda: Net(steps, ih=L(5, 4), hh=L(4, 4), head=L(4, 2)),
        (9, 3, 5),
        "ih:first hh:first ih#2:first hh#2:hidden ih#3:first hh#3:hidden head:output",
    ),
    Case(
        "multi-head attention",
        lambda: Net(lambda m, x: m.b(m.a(x, x, x)[0]), a=nn.MultiheadAttention(8, 2), b=L(8, 2)),
        (6, 9, 8),
        "a:first b:output",
        matrices={"a": {"a.in_proj_weight", "a.out_proj.weight"}},
    ),
    Case(
        "multi-head attention with other widths, and biases of keys and values",
        lambda: Net(
            lambda m, x: m.b(m.a(m.e(x), x, x)[0]),
            e=L(5, 8),
            a=nn.MultiheadAttention(8, 2, kdim=5, vdim=5, add_bias_kv=True, add_zero_attn=True),
            b=L(8, 2),
        ),
        (6, 9, 5),
        "e:first a:hidden b:output",
        matrices={"a": {"a.q_proj_weight", "a.k_proj_weight", "a.v_proj_weight", "a.out_proj.weight"}},
    ),
    Case(
        "multi-head attention without weights",
        lambda: Net(
            lambda m, x: m.b(F.relu(m.a(y := m.e(x), y, y, need_weights=False)[0])),
            e=L(5, 8),
            a=nn.MultiheadAttention(8, 2, batch_first=True),
            b=L(8, 2),
        ),
        (6, 9, 5),
        "e:first a:hidden b:output",
        "a/8/5",
        {"a.out_proj.bias": [5]},
    ),
    Case(
        "cross-attention",
        lambda: Net(
            lambda m, x: m.b(m.a(m.e(x), x, x)[0]), e=L(5, 8), a=nn.MultiheadAttention(8, 2, kdim=5, vdim=5), b=L(8, 2)
        ),
        (6, 9, 5),
        "e:first a:hidden b:output",
        matrices={"a": {f"a.{n}_proj_weight" for n in "qkv"} | {"a.out_proj.weight"}},
    ),
    Case(
        "transformer encoder",
        lambda: Seq(L(5, 8), nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12, 0.0), 2), L(8, 2)),
        (6, 9, 5),
        "0:first 1.layers.0.self_attn:hidden 1.layers.0.linear1:hidden 1.layers.0.linear2:hidden "
        "1.layers.1.self_attn:hidden 1.layers.1.linear1:hidden 1.layers.1.linear2:hidden 2:output",
        "1.layers.0.linear1/12/1,7 1.layers.1.linear1/12/5",
        {"1.layers.0.linear1.bias": [1, 7], "1.layers.1.linear1.bias": [5]},
    ),
    Case(
        "transformer encoder layer, batch first",
        lambda: Seq(nn.TransformerEncoderLayer(8, 2, 12, 0.0, batch_first=True), L(8, 2)),
        (6, 9, 8),
        "0.self_attn:first 0.linear1:hidden 0.linear2:hidden 1:output",
        "0.linear1/12/1,7",
        {"0.linear1.bias": [1, 7]},
    ),
    Case(
        "transformer decoder layer",
        lambda: Net(lambda m, x: m.b(m.a(x, x)), a=nn.TransformerDecoderLayer(8, 2, 12, 0.0), b=L(8, 2)),
        (6, 9, 8),
        "a.self_attn:first a.multihead_attn:hidden a.linear1:hidden a.linear2:hidden b:output",
        "a.linear1/12/1,7",
        {"a.linear1.bias": [1, 7]},
    ),
]

NO_LAYER = [
    Case(
        "positions, class token and layer scale",
        lambda: Net(
            lambda m, x: m.b(
                (y := torch.cat([m.cls.expand(len(x), 1, 6), m.a(x)], 1) + m.pos)[:, 0]
                + (m.gamma * m.c(F.relu(m.norm(y))))[:, 0]
            ),
            a=L(5, 6),
            cls=trained(1, 1, 6),
            pos=trained(1, 8, 6),
            gamma=trained(6),
            norm=nn.LayerNorm(6),
            c=L(6, 6),
            b=L(6, 2),
        ),
        (9, 7, 5),
        "a:first c:hidden b:output",
        "*/6/4",
        {"norm.bias": [4]},
    ),
    Case(
        "table of biases",
        lambda: Net(
            attend,
            qkv=L(5, 24),
            proj=L(8, 3),
            table=trained(2, 7),
            index=torch.arange(4)[:, None] - torch.arange(4) + 3,
        ),
        (9, 4, 5),
        "qkv:first proj:output",
    ),
    Case(
        "embeddings looked up",
        lambda: Net(
            lambda m, x: m.b(F.relu(m.a(m.e(x) + m.p(torch.arange(7)) + F.embedding(x, m.f)))),
            e=nn.Embedding(7, 5),
            p=nn.Embedding(7, 5),
            f=trained(7, 5),
            a=L(5, 6),
            b=L(6, 2),
        ),
        torch.arange(28).view(4, 7) % 7,
        "a:first b:output",
        "a/6/3",
        {"a.bias": [3]},
    ),
    Case(
        "bag of embeddings, and a table that is indexed",
        lambda: Net(
            lambda m, x: m.b(F.relu(m.a(m.e(x) + m.f[x[:, 0]]))),
            e=nn.EmbeddingBag(7, 5),
            f=trained(7, 5),
            a=L(5, 6),
            b=L(6, 2),
        ),
        torch.arange(28).view(4, 7) % 7,
        "a:first b:output",
        "a/6/3",
        {"a.bias": [3]},
    ),
    Case(
        "affine norms",
        lambda: Seq(
            nn.BatchNorm2d(2),
            C2(2, 6, 3),
            nn.GroupNorm(3, 6),
            R(),
            nn.InstanceNorm2d(6, affine=True),
            C2(6, 4, 1),
            nn.LayerNorm([4, 4, 4]),
            nn.PReLU(4),
            C2(4, 2, 1),
        ),
        (9, 2, 6, 6),
        "1:first 5:hidden 8:output",
        "1/6/0",
        {"2.bias": [0]},
    ),
    Case(
        "temperature, gate and mixing weights",
        lambda: Net(
            lambda m, x: (
                m.b(torch.sigmoid(m.g) * F.relu(y := m.a(x)) + (1 - torch.sigmoid(m.g)) * y * m.mix.softmax(0)[0])
                * m.t.exp()
            ),
            a=L(5, 6),
            b=L(6, 2),
            g=trained(6),
            mix=trained(2),
            t=nn.Parameter(torch.zeros(())),
        ),
        (40, 5),
        "a:first b:output",
        "a/6/3",
        {"a.bias": [3]},
    ),
]

FIXED = [
    Case(
        "learned queries",
        lambda: Net(
            lambda m, x: m.head(
                F.scaled_dot_product_attention(
                    m.q(m.latent).expand(len(x), -1, -1), m.k(y := m.a(x)), F.relu(m.v(y))
                ).mean(1)
            ),
            latent=trained(1, 3, 6),
            a=L(5, 6),
            q=L(6, 6),
            k=L(6, 6),
            v=L(6, 6),
            head=L(6, 2),
        ),
        (10, 7, 5),
        "q:constant a:first k:hidden v:hidden head:output",
        "v/6/1,4",
        {"v.bias": [1, 4]},
    ),
    Case(
        "learned queries that first attend to themselves",
        lambda: Net(
            lambda m, x: m.head(
                m.cross(m.own(q := m.queries.expand(len(x), -1, -1), q, q)[0], y := m.a(x), y)[0].mean(1)
            ),
            queries=trained(1, 3, 6),
            a=L(5, 6),
            own=nn.MultiheadAttention(6, 2, batch_first=True),
            cross=nn.MultiheadAttention(6, 2, batch_first=True),
            head=L(6, 2),
        ),
        (10, 7, 5),
        "own:constant a:first cross:hidden head:output",
    ),
    Case(
        "a bias that layers make of constants",
        lambda: Net(
            lambda m, x: m.head(F.relu(m.a(x) + m.g(F.relu(m.f(m.table)))).mean(1)),
            table=torch.randn(7, 2),
            a=L(5, 6),
            f=L(2, 4),
            g=L(4, 6),
            head=L(6, 2),
        ),
        (40, 7, 5),
        "a:first f:first g:hidden head:output",
        "f/4/3 a/6/1,4",
        {"f.bias": [3], "a.bias": [1, 4]},
    ),
    *(
        Case(
            f"positions through a layer, {kind}",
            lambda make=make: Net(
                lambda m, x: m.head(F.relu(m.a(x + m.p(m.pos))).mean(1)),
                p=L(3, 5),
                pos=make(7, 3),
                a=L(5, 6),
                head=L(6, 2),
            ),
            (40, 7, 5),
            rows,
            "a/6/1,4",
            {"a.bias": [1, 4]},
        )
        for kind, make, rows in (
            ("trained", trained, "p:constant a:first head:output"),
            # A tensor that is no parameter may come from the input in a way that is not seen.
            ("a buffer", torch.randn, "p:first a:hidden head:output"),
        )
    ),
    Case(
        "scores of queries and positions",
        lambda: Net(
            lambda m, x: m.head(
                (
                    ((q := m.q(y := m.a(x)).view(-1, 7, 2, 3).transpose(1, 2)) @ q.mT)
                    + q @ m.p(m.pos).view(1, 7, 2, 3).permute(0, 2, 3, 1)
                )
                .softmax(-1)
                .mean(1)
                @ F.relu(y)
            ).mean(1),
            a=L(5, 6),
            q=L(6, 6),
            p=L(4, 6),
            pos=torch.randn(7, 4),
            head=L(6, 2),
        ),
        (10, 7, 5),
        "a:first q:hidden p:first head:output",
        "a/6/1,4",
        {"a.bias": [1, 4]},
    ),
    Case(
        "added in one operation with a product of constants",
        lambda: Net(
            lambda m, x: m.head(F.relu(m.c(F.relu(torch.addmm(m.a(x), m.grid.expand(len(x), -1), m.w.t()))))),
            a=L(5, 6),
            grid=torch.randn(1, 2),
            w=trained(6, 2),
            c=L(6, 6),
            head=L(6, 2),
        ),
        (40, 5),
        "a:first c:hidden head:output",
        "a/6/1,4 c/6/2",
        {"a.bias": [1, 4], "c.bias": [2]},
    ),
    Case(
        "scores with a bias of layers in one operation",
        lambda: Net(
            lambda m, x: m.head(
                (
                    torch.baddbmm(m.g(m.table)[None].expand(len(x), -1, -1), q := m.q(y := m.a(x)), q.mT).softmax(-1)
                    @ F.relu(y)
                ).mean(1)
            ),
            a=L(5, 6),
            q=L(6, 6),
            g=L(4, 7),
            table=torch.randn(7, 4),
            head=L(6, 2),
        ),
        (10, 7, 5),
        "g:first a:first q:hidden head:output",
        "a/6/1,4",
        {"a.bias": [1, 4]},
    ),
    Case(
        "a product of constants with what the input gives for a bias",
        lambda: Net(
            lambda m, x: m.head(F.relu(F.linear(m.grid, m.w / 9, m.a(x).mean(0)))),
            a=L(5, 6),
            grid=torch.randn(9, 2),
            w=trained(6, 2),
            head=L(6, 2),
        ),
        (40, 5),
        "a:first head:output",
        "a/6/1,4",
        {"a.bias": [1, 4]},
    ),
    Case(
        "a bias of layers",
        lambda: Net(
            lambda m, x: m.head(F.relu(m.a(x) + m.g(F.relu(m.f(m.z))))),
            z=trained(1, 3),
            a=L(5, 6),
            f=L(3, 4),
            g=L(4, 6),
            head=L(6, 2),
        ),
        (40, 5),
        "a:first f:constant g:constant head:output",
        "f/4/3 a/6/1,4",
        {"f.bias": [3], "a.bias": [1, 4]},
    ),
    Case(
        "a layer of a parameter, added to the logits",
        lambda: Net(
            lambda m, x: m.head(torch.tanh(m.a(x))) + m.g(m.z), z=trained(1, 3), a=L(5, 6), g=L(3, 2), head=L(6, 2)
        ),
        (40, 5),
        "a:first head:output g:output",
    ),
    Case(
        "two towers, of which one reads tokens of its own",
        lambda: Net(
            lambda m, x: F.normalize(m.b(F.relu(m.a(x)))) @ F.normalize(m.t(m.tokens)).t(),
            tokens=trained(3, 4),
            t=L(4, 6),
            a=L(5, 6),
            b=L(6, 6),
        ),
        (40, 5),
        "a:first b:output t:output",
        "a/6/1,4",
        {"a.bias": [1, 4]},
    ),
    Case(
        "whose input is not seen",
        lambda: Net(lambda m, x: m.b(F.relu(m.a(torch.from_numpy(x.detach().numpy())))), a=L(5, 6), b=L(6, 2)),
        (40, 5),
        "a:first b:output",
        "a/6/1,4",
        {"a.bias": [1, 4]},
    ),
    *(
        Case(
            f"a matrix that a layer makes, {kind}",
            lambda product=product: Net(
                lambda m, x: m.b(F.relu(product(m.a(x), m.make(m.z).view(6, 6)) + m.bias)),
                a=L(5, 6),
                make=L(3, 36),
                z=trained(1, 3),
                bias=trained(6),
                b=L(6, 2),
            ),
            (40, 5),
            "a:first make:constant b:output",
            "*/?",
        )
        for kind, product in (
            ("linear", F.linear),
            ("from the right", torch.matmul),
            ("einsum", lambda y, w: torch.einsum("bi,oi->bo", y, w)),
            ("one by one", lambda y, w: torch.stack([w @ row for row in y])),
        )
    ),
]
"""Layers that read parameters or constants alone. Where a matrix that they make multiplies the input, the product is no
layer, and its units are not known."""

PLACES = [
    Case(
        "two heads",
        lambda: Net(lambda m, x: torch.cat([m.b(h := F.relu(m.a(x))), m.c(h)], 1), a=L(5, 6), b=L(6, 2), c=L(6, 2)),
        (40, 5),
        "a:first b:output c:output",
        "a/6",
    ),
    Case(
        "an auxiliary head",
        lambda: Net(lambda m, x: Outputs(m.b(h := F.relu(m.a(x))), m.c(h)), a=L(5, 6), b=L(6, 2), c=L(6, 2)),
        (40, 5),
        "a:first b:output c:unused",
        "a/6",
        loss=first,
    ),
    Case(
        "an auxiliary head in a dict",
        lambda: Net(
            lambda m, x: {"logits": m.b(h := F.relu(m.a(x))), "aux": m.d(F.relu(m.c(h)))},
            a=L(5, 6),
            b=L(6, 2),
            c=L(6, 4),
            d=L(4, 2),
        ),
        (40, 5),
        "a:first b:output c:unused d:unused",
        "a/6 c/4",
        loss=first,
    ),
    Case(
        "a dropped branch",
        lambda: Net(lambda m, x: (m.c(h := F.relu(m.a(x))), m.b(h))[1], a=L(5, 6), b=L(6, 2), c=L(6, 2)),
        (40, 5),
        "a:first c:unused b:output",
        "a/6",
    ),
    Case(
        "two towers",
        lambda: Net(lambda m, x: m.c(F.relu(m.a(x)) * torch.sigmoid(m.b(x))), a=L(5, 6), b=L(5, 6), c=L(6, 2)),
        (40, 5),
        "a:first b:first c:output",
        "a/6",
    ),
    Case(
        "logits summed over a skip",
        lambda: Net(lambda m, x: (y := m.a(x)) + m.b(F.relu(y)), a=L(5, 6), b=L(6, 6)),
        (40, 5),
        "a:first b:output",
        "a/6",
    ),
    Case(
        "logits pooled and normalised",
        lambda: Seq(C2(2, 6, 3), R(), C2(6, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LogSoftmax(1)),
        (9, 2, 6, 6),
        "0:first 2:output",
        "0/6",
    ),
    Case(
        "mean of two networks",
        lambda: Net(
            lambda m, x: torch.stack([m.a(x), m.b(x)]).mean(0),
            a=Seq(L(5, 6), R(), L(6, 2)),
            b=Seq(L(5, 6), R(), L(6, 2)),
        ),
        (40, 5),
        "a.0:first a.2:output b.0:first b.2:output",
        "a.0/6 b.0/6",
    ),
    Case(
        "input changed before the first layer",
        lambda: Net(
            lambda m, x: m.b(torch.tanh(m.a(F.pad((x - m.mean) / 2, (0, 1))))), a=L(6, 6), b=L(6, 2), mean=torch.ones(5)
        ),
        (40, 5),
        "a:first b:output",
    ),
    Case(
        "half of the logits",
        lambda: Net(lambda m, x: m.b(torch.tanh(m.a(x)))[:, :2], a=L(6, 6), b=L(6, 4)),
        (40, 6),
        "a:first b:output",
    ),
]

DELTAS = [
    Case(
        "frozen below",
        lambda: freeze(Seq(L(5, 6), nn.Tanh(), L(6, 6), nn.Tanh(), L(6, 2)), "0"),
        (40, 5),
        "0:first 2:hidden 4:output",
    ),
    Case(
        "detached",
        lambda: Net(lambda m, x: m.b(m.a(x).tanh().detach()), a=L(5, 6), b=L(6, 2)),
        (40, 5),
        "a:first b:output",
    ),
    Case(
        "partly without gradient",
        lambda: Net(lambda m, x: m.b(without_grad(m.a, x) + m.c(x)), a=L(5, 6), b=L(6, 2), c=L(5, 6)),
        (40, 5),
        "a:first c:first b:output",
    ),
    Case(
        "a trained layer below a frozen one",
        lambda: freeze(Seq(L(5, 6), nn.Tanh(), L(6, 6), nn.Tanh(), L(6, 2)), "2"),
        (40, 5),
        "0:first 2:hidden 4:output",
    ),
    Case(
        "30 layers of sigmoid",
        lambda: Seq(*[m for _ in range(30) for m in (L(6, 6), nn.Sigmoid())], L(6, 2)),
        (40, 6),
        "0:first " + " ".join(f"{2 * i}:hidden" for i in range(1, 30)) + " 60:output",
    ),
    Case(
        "in-place activation",
        lambda: Seq(C2(2, 6, 3), R(True), C2(6, 6, 3), nn.ELU(inplace=True), C2(6, 2, 1)),
        (9, 2, 8, 8),
        "0:first 2:hidden 4:output",
        "0/6/1",
        {"0.bias": [1]},
    ),
    Case(
        "added in place",
        lambda: Net(lambda m, x: m.c(F.relu_(add_(m.b(torch.tanh(y := m.a(x))), y))), a=L(5, 6), b=L(6, 6), c=L(6, 2)),
        (40, 5),
        "a:first b:hidden c:output",
        "*/6/1",
        {"b.bias": [1]},
    ),
    Case(
        "partly overwritten",
        lambda: Net(lambda m, x: m.b(put(m.a(x).mul_(3), (every, 0), 0.0).tanh_()), a=L(5, 6), b=L(6, 2)),
        (40, 5),
        "a:first b:output",
    ),
    Case(
        "written into a buffer",
        lambda: Net(
            lambda m, x: m.b(put(x.new_zeros(len(x), 12), (every, slice(3, 9)), m.a(x)).tanh()), a=L(5, 6), b=L(12, 2)
        ),
        (40, 5),
        "a:first b:output",
    ),
    Case(
        "dropped by a module of one's own",
        lambda: Net(lambda m, x: m.c((y := m.a(x).tanh()) + m.d(m.b(y))), a=L(5, 6), b=L(6, 6), c=L(6, 2), d=Dropped()),
        (40, 5),
        "a:first b:hidden c:output",
    ),
    Case(
        "read three times",
        lambda: Net(lambda m, x: m.b((y := m.a(x)).tanh()) + m.c(y.sin()) + y[:, :2], a=L(5, 6), b=L(6, 2), c=L(6, 2)),
        (40, 5),
        "a:first b:output c:output",
    ),
    Case(
        "checkpointed",
        lambda: Net(
            lambda m, x: m.c(checkpoint(m.b, checkpoint(m.a, x, use_reentrant=False), use_reentrant=False)),
            a=Seq(L(5, 6), R(), L(6, 6), nn.Tanh()),
            b=Seq(L(6, 6), R(True)),
            c=L(6, 2),
        ),
        (40, 5),
        "a.0:first a.2:hidden b.0:hidden c:output",
        "a.0/6/1 b.0/6/2",
        {"a.0.bias": [1], "b.0.bias": [2]},
    ),
    Case(
        "checkpointed by hand-written layers",
        lambda: Net(
            lambda m, x: m.c(checkpoint(lambda t: F.relu(at("w", t @ m.w)), x, use_reentrant=False)),
            w=trained(5, 6),
            c=L(6, 2),
        ),
        [40, 5],
        "w:first c:output",
        "w/6/1",
        {"w": (every, 1)},
    ),
    Case(
        "a filter of frequencies",
        lambda: Net(lambda m, x: m.b(spectral(m, x)), a=L(5, 8), g=trained(5, 2), b=L(8, 2)),
        (40, 5),
        "a:first b:output",
    ),
    Case(
        "distances from trained rows",
        lambda: Net(lambda m, x: -at("w", torch.cdist(F.relu(m.a(x)), m.w)), a=L(5, 30), w=trained(4, 30)),
        (40, 5),
        "a:first w:output",
        "a/30/1",
        {"a.bias": [1]},
    ),
    Case(
        "distances in another norm, then a layer",
        lambda: Net(
            lambda m, x: m.b(at("w", torch.cdist(m.w, m.a(x), 1.0)).mT.tanh()), a=L(5, 6), w=trained(4, 6), b=L(4, 2)
        ),
        (40, 5),
        "a:first w:hidden b:output",
    ),
    Case(
        "complex matrices",
        lambda: Net(
            lambda m, x: m.b((m.a(x.to(torch.promote_types(x.dtype, torch.complex64)))).abs()),
            a=L(5, 6, dtype=torch.complex64),
            b=L(6, 2),
        ),
        (40, 5),
        "a:first b:output",
    ),
    Case(
        "mixing by the Fourier transform",
        lambda: Net(lambda m, x: m.b(F.relu(m.c(torch.fft.fft2(m.a(x)).real))), a=L(5, 6), c=L(6, 6), b=L(6, 2)),
        (9, 4, 5),
        "a:first c:hidden b:output",
        "c/6/1",
        {"c.bias": [1]},
    ),
]


def units(what, layer, shape, change, sites="a/6/1,4", kill=None, **parts):
    """A layer, a change of its output, and ReLU. Its units 1 and 4 are dead."""
    return Case(
        what,
        lambda: Net(lambda m, x: F.relu(change(m, m.a(x))), a=layer(), **{k: v() for k, v in parts.items()}),
        shape,
        "",
        sites,
        {"a.bias": [1, 4]} if kill is None else kill,
    )


line, lines, image, many = (40, 5), (9, 4, 5), (9, 2, 6, 6), (400, 4, 5)
lin, conv, conv1, conv8 = lambda: L(5, 6), lambda: C2(2, 6, 3), lambda: C1(4, 6, 1), lambda: C2(2, 8, 3)
image4 = torch.randn(9, 6, 4, 4, generator=torch.Generator().manual_seed(3))
rnn = lambda: nn.RNN(5, 3, 2, batch_first=True, bidirectional=True)  # noqa: E731
# A state [layer · direction, batch, unit] has the units of all layers and directions, in this order.
states = {"a.bias_ih_l0": [1], "a.bias_ih_l1_reverse": [2]}
UNITS = [
    units("states", rnn, many, lambda m, y: y[1].transpose(0, 1).flatten(1), "a/12/1,11", states),
    units("states as they are", rnn, many, lambda m, y: y[1], "a/12/1,11", states),
    units("last state", rnn, many, lambda m, y: y[1][-1], "a/3/2", states),
    units("last states", rnn, many, lambda m, y: torch.cat([y[1][-2], y[1][-1]], 1), "a/6/5", states),
    units("outputs", rnn, many, lambda m, y: y[0], "a/6/5", states),
    units(
        "state of one layer",
        lambda: nn.RNN(5, 6, batch_first=True),
        many,
        lambda m, y: y[1].squeeze(0),
        kill={"a.bias_ih_l0": [1, 4]},
    ),
    units("transpose", lin, lines, lambda m, y: y.transpose(1, 2)),
    units("permute", conv, image, lambda m, y: y.permute(0, 2, 3, 1)),
    units("movedim and mT", conv, image, lambda m, y: y.movedim(1, 0).mT),
    units("einsum as permute", conv, image, lambda m, y: torch.einsum("bchw->whcb", y)),
    units("flatten", conv, image, lambda m, y: y.flatten(1)),
    units("view as vector", conv, image, lambda m, y: y.reshape(-1)),
    units("flatten after permute", conv, image, lambda m, y: y.permute(0, 2, 3, 1).flatten(1)),
    units("tokens to rows", lin, lines, lambda m, y: y.reshape(-1, 6)),
    units("there and back", lin, lines, lambda m, y: y.transpose(1, 2).reshape(9, 24).view(9, 6, 4).transpose(1, 2)),
    units("unflatten", lin, line, lambda m, y: y.unflatten(1, (2, 3))),
    units("heads", lin, lines, lambda m, y: y.view(9, 4, 2, 3).transpose(1, 2)),
    units(
        "heads of three",
        lambda: L(5, 12),
        lines,
        lambda m, y: y.view(9, 4, 3, 2, 2).permute(2, 0, 3, 1, 4)[0],
        "a/4/1",
        {"a.bias": [1, 4]},
    ),
    units("heads back", lin, lines, lambda m, y: y.view(9, 4, 2, 3).transpose(1, 2).transpose(1, 2).flatten(2)),
    units("heads as batch", lin, lines, lambda m, y: y.view(9, 4, 2, 3).transpose(1, 2).reshape(18, 4, 3), "a/6/1,4"),
    units(
        "values attended to",
        lin,
        lines,
        lambda m, y: (q := y.view(9, 4, 2, 3).transpose(1, 2)).matmul(q.mT).softmax(-1) @ q,
        "a/?6/1,4",
    ),
    units("attention scores", lin, lines, lambda m, y: y @ y.mT, "*/?"),
    units("chunk, first half", lin, line, lambda m, y: y.chunk(2, 1)[0], "a/3/1"),
    units("chunk, second half", conv, image, lambda m, y: y.chunk(2, 1)[1], "a/3/1"),
    units("split", lin, line, lambda m, y: y.split([1, 2, 3], 1)[1], "a/2/0"),
    units("slice", conv, image, lambda m, y: y[:, 1:5], "a/4/0,3"),
    units("every second unit", lin, lines, lambda m, y: y[..., ::2], "a/3/2"),
    units("one unit", conv, image, lambda m, y: y[:, 4], "a/1/0"),
    units("narrow", lin, line, lambda m, y: y.narrow(1, 3, 3), "a/3/1"),
    units("halves exchanged", conv, image, lambda m, y: torch.cat(y.chunk(2, 1)[::-1], 1)),
    units("cat with its negative", conv, image, lambda m, y: torch.cat([y, -y], 1), "a/12/1,4,6,8,9,11"),
    units(
        "cat of two layers",
        lin,
        line,
        lambda m, y: torch.cat([y, m.b(torch.tanh(y))], 1),
        "*/8/1,4,7",
        {"a.bias": [1, 4], "b.weight": [], "b.bias": [1]},
        b=lambda: L(6, 2),
    ),
    units(
        "cat along tokens",
        lin,
        lines,
        lambda m, y: torch.cat([y, y.flip(1), m.t.expand(9, 1, 6)], 1),
        "a/6/1",
        {"a.bias": [1, 4], "t": (0, 0, 1)},
        t=lambda: trained(1, 1, 6),
    ),
    units(
        "squeeze and excite",
        conv,
        image,
        lambda m, y: y * torch.sigmoid(m.b(y.mean((2, 3))))[:, :, None, None],
        b=lambda: L(6, 6),
    ),
    units(
        "squeeze and excite, pooled",
        conv,
        image,
        lambda m, y: torch.sigmoid(m.b(F.adaptive_avg_pool2d(y, 1))) * y,
        b=lambda: C2(6, 6, 1),
    ),
    units("spatial gate", conv, image, lambda m, y: y * torch.sigmoid(m.b(y)), b=lambda: C2(6, 1, 1)),
    units("gate a token", lin, lines, lambda m, y: y * m.b(y).softmax(1), b=lambda: L(6, 1)),
    units("sum of two layers", conv, image, lambda m, y: y + m.b(torch.tanh(y)), "*/6/1,4", b=lambda: C2(6, 6, 1)),
    units("sum with the input", lambda: L(6, 6), (40, 6), lambda m, y: y / 2 + m.b, b=lambda: trained(1, 6)),
    units("sum with a map", conv, image, lambda m, y: y + m.b(torch.tanh(y)), "a/6/1,4", b=lambda: C2(6, 1, 1)),
    units("outer sum", lin, lines, lambda m, y: y[:, :, None] + y[:, None], "a/6/1,4"),
    units("outer product of units", lin, line, lambda m, y: y[:, :, None] * y[:, None], "*/?"),
    units("batch norm", conv, image, lambda m, y: m.n(y), n=lambda: nn.BatchNorm2d(6)),
    units("batch norm of tokens", lin, lines, lambda m, y: m.n(y.transpose(1, 2)), n=lambda: nn.BatchNorm1d(6)),
    units("layer norm", lin, lines, lambda m, y: m.n(y), n=lambda: nn.LayerNorm(6)),
    units(
        "layer norm of an image",
        conv,
        image,
        lambda m, y: m.n(y),
        "a/6/1,4",
        {"n.bias": [1, 4]},
        n=lambda: nn.LayerNorm([6, 4, 4]),
    ),
    units(
        "layer norm by hand",
        lin,
        lines,
        lambda m, y: (y - y.mean(-1, keepdim=True)) / (y.var(-1, keepdim=True) + 1e-5).sqrt() * m.g + m.b,
        g=lambda: nn.Parameter(torch.ones(6)),
        b=lambda: trained(6),
    ),
    units("group norm", conv, image, lambda m, y: m.n(y), "a/6/1,4", {"n.bias": [1, 4]}, n=lambda: nn.GroupNorm(2, 6)),
    units(
        "instance norm",
        conv,
        image,
        lambda m, y: m.n(y),
        "a/6/1,4",
        {"n.bias": [1, 4]},
        n=lambda: nn.InstanceNorm2d(6, affine=True),
    ),
    units("RMS norm", lin, lines, lambda m, y: F.rms_norm(y, (6,))),
    units("length 1", lin, lines, lambda m, y: F.normalize(y, dim=-1), "a/?6/1,4"),
    units("max pool", conv, image, lambda m, y: F.max_pool2d(y, 2)),
    units("average pool of tokens", lin, lines, lambda m, y: F.avg_pool1d(y.transpose(1, 2), 2)),
    units("global pool", conv, image, lambda m, y: F.adaptive_max_pool2d(y, 1).flatten(1)),
    units("mean over places", conv, image, lambda m, y: y.mean((2, 3))),
    units("max over places", conv, image, lambda m, y: y.amax((-1, -2)) + y.flatten(2).max(2).values),
    units("padding", conv, image, lambda m, y: F.pad(F.pad(y, (1, 1, 1, 1)), (2, 2, 2, 2), mode="reflect")),
    units("interpolation", conv, image, lambda m, y: F.interpolate(y, scale_factor=2, mode="bilinear")),
    units("up-sampling", conv, image, lambda m, y: m.u(y), u=lambda: nn.Upsample(scale_factor=2)),
    units("pixel shuffle", conv8, image, lambda m, y: F.pixel_shuffle(y, 2), "a/8/1,4"),
    units("pixel unshuffle", conv, image, lambda m, y: F.pixel_unshuffle(y, 2), "a/6/1,4"),
    units("channel shuffle", conv, image, lambda m, y: y.view(9, 2, 3, 4, 4).transpose(1, 2).flatten(1, 2), "a/6/~2"),
    units("channel shuffle of PyTorch", conv, image, lambda m, y: F.channel_shuffle(y, 2), "a/?6/~2"),
    units(
        "windows",
        conv,
        image,
        lambda m, y: y.permute(0, 2, 3, 1).view(9, 2, 2, 2, 2, 6).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, 6),
    ),
    units("sliding windows", conv, image, lambda m, y: y.unfold(2, 2, 1).unfold(-2, 3, 1).flatten(2)),
    units("sliding windows over units", lin, line, lambda m, y: y.unfold(1, 6, 1), "*/?"),
    units("roll and flip", conv, image, lambda m, y: torch.roll(y, (1, 1), (2, 3)).flip(-1)),
    units("unfold", conv, image, lambda m, y: F.unfold(y, 2), "a/?6/1,4"),
    units("stack and unbind", lin, lines, lambda m, y: torch.stack(y.unbind(1)[::-1], 1)),
    units(
        "stack of two layers", lin, line, lambda m, y: torch.stack([y, m.b(torch.tanh(y))], 1), "*/?", b=lambda: L(6, 6)
    ),
    units(
        "tokens of two layers", lin, lines, lambda m, y: torch.cat([y, m.b(torch.tanh(y))], 1), "*/?", b=lambda: L(6, 6)
    ),
    units(
        "two calls of one layer",
        lambda: L(6, 6),
        (40, 6),
        lambda m, y: torch.cat([y, m.a(torch.tanh(y))]),
        "*/6/1,4",
        {"a.weight": [], "a.bias": [1, 4]},
    ),
    units("squeeze and expand", lin, line, lambda m, y: y[:, None, :, None].expand(40, 3, 6, 2).contiguous()),
    units("one token", lin, lines, lambda m, y: y[:, 0]),
    units("some tokens", lin, lines, lambda m, y: y[:, [0, 2]]),
    units("tokens under a mask", lin, lines, lambda m, y: y[torch.arange(36).view(9, 4) % 3 > 0]),
    units(
        "tokens masked", lin, lines, lambda m, y: y.masked_fill((torch.arange(36).view(9, 4) % 3 > 0)[..., None], 0.0)
    ),
    units("other type", lin, line, lambda m, y: y.double().to(torch.float16).clone()),
    units("grouped convolution", lambda: C2(2, 6, 3, groups=2), image, lambda m, y: y),
    units("transposed convolution", lambda: nn.ConvTranspose2d(2, 6, 3, groups=2), image, lambda m, y: y.flatten(2)),
    units("channels first from linear", lin, (9, 4, 4, 5), lambda m, y: F.max_pool2d(y.permute(0, 3, 1, 2), 2)),
    units("sum over units", conv, image, lambda m, y: y.sum(1), "*/?"),
    units("max over pairs of units", lin, line, lambda m, y: y.view(40, 3, 2).amax(-1), "*/?"),
    units("constant rotation of units", lin, line, lambda m, y: y @ m.r, "*/?", r=lambda: torch.randn(6, 6)),
    units("sorted units", lin, line, lambda m, y: y.sort(1).values, "*/?"),
    units("largest units", lin, line, lambda m, y: y.topk(3, 1).values, "*/?"),
    units(
        "units in another order for each input",
        lin,
        line,
        lambda m, y: y.gather(1, torch.stack([torch.randperm(6) for _ in y])),
        "*/?",
    ),
    units("Fourier transform over units", lin, line, lambda m, y: torch.fft.fft(y, dim=1).real, "*/?"),
    units("Fourier transform over tokens", lin, lines, lambda m, y: torch.fft.fft(y, dim=1).real, "*/?6"),
    units("reshaped across inputs", lin, line, lambda m, y: y.reshape(20, 12), "a/?6/1,4"),
    units("reshaped across units", lin, line, lambda m, y: y.reshape(60, 4), "*/?6/1,4"),
    units("pool over units", lin, line, lambda m, y: F.max_pool1d(y, 2), "*/?"),
    units(
        "convolution with a constant over units",
        lin,
        line,
        lambda m, y: F.conv1d(y[:, None], m.k),
        "*/?",
        k=lambda: torch.ones(1, 1, 2),
    ),
    units("pool over units that keeps their number", lin, line, lambda m, y: F.avg_pool1d(y, 3, 1, 1), "*/?"),
    units("chosen units", lin, line, lambda m, y: y.index_select(1, torch.tensor([0, 0, 1, 2, 3, 3])), "*/?"),
    units("shifted by less than a unit", conv, image, lambda m, y: y.flatten(1).roll(3, 1), "*/?"),
    units("cumulative sum of tokens", lin, lines, lambda m, y: y.cumsum(1)),
    units("cumulative sum of units", lin, line, lambda m, y: y.cumsum(1) - y, "*/?"),
]

FORMS = {
    "module": lambda: R(),
    "F.relu": lambda: F.relu,
    "F.relu in place": lambda: lambda y: F.relu(y, inplace=True),
    "method in place": lambda: lambda y: y.relu_(),
    "clip": lambda: lambda y: y.clip(min=0),
    "clamp in place": lambda: lambda y: y.clamp_(min=0),
    "clamp_min": lambda: lambda y: torch.clamp_min(y, 0.0),
    "clamp by a tensor": lambda: lambda y: torch.clamp(y, min=torch.zeros(())),
    "threshold": lambda: lambda y: F.threshold(y, 0.0, 0.0),
    "threshold in place": lambda: nn.Threshold(0.1, 0.0, inplace=True),
    "maximum": lambda: lambda y: torch.maximum(y, torch.zeros_like(y)),
    "max": lambda: lambda y: torch.max(y, y.new_zeros(())),
    "fmax": lambda: lambda y: torch.fmax(torch.zeros(1), y),
    "where": lambda: lambda y: torch.where(y > 0, y, 0.0),
    "where, the other way": lambda: lambda y: torch.where(y <= 0, torch.zeros_like(y), y),
    "method where": lambda: lambda y: y.where(y >= 0, torch.zeros(())),
    "mask": lambda: lambda y: y * (y > 0),
    "mask of floats": lambda: lambda y: (y > 0).float() * y,
    "mask in place": lambda: lambda y: y.mul_(y.gt(0)),
    "mask of what is detached": lambda: lambda y: y * (y.detach() > 0),
    "step of what is detached": lambda: lambda y: y * torch.heaviside(y.detach(), y.new_zeros(())),
    "where, with zeros of its own": lambda: lambda y: torch.where(y >= 0, y, y * 0),
    "where it is above zero": lambda: lambda y: put(torch.zeros_like(y), m := y > 0, y[m]),
    "minimum of the negative": lambda: lambda y: -torch.minimum(-y, torch.zeros(())),
    "clamped negative": lambda: lambda y: -(-y).clamp(max=0),
    "larger one of a pair with zero": lambda: lambda y: torch.stack([y, torch.zeros_like(y)], -1).amax(-1),
    "without its negative part": lambda: lambda y: y - y.clamp(max=0),
    "less its minimum with zero": lambda: lambda y: y - torch.minimum(y, y.new_zeros(())),
    "masked_fill": lambda: lambda y: y.masked_fill(y < 0, 0),
    "masked_fill in place": lambda: lambda y: y.masked_fill_(y.le(0), 0.0),
    "written": lambda: lambda y: put(y, y < 0, 0),
    "written in a clone": lambda: lambda y: put(h := y.clone(), h < 0, 0.0),
    "with the absolute value": lambda: lambda y: (y + y.abs()) / 2,
    "with abs": lambda: lambda y: 0.5 * (torch.abs(y) + y),
    "autograd.Function": lambda: Own.apply,
    "aten": lambda: torch.ops.aten.relu,
    "aten, default": lambda: torch.ops.aten.relu.default,
    "relu6": lambda: F.relu6,
    "hardtanh from zero": lambda: nn.Hardtanh(0.0, 3.0),
    "squared": lambda: lambda y: F.relu(y).square(),
    "own module": lambda: ZeroBelow(),
    "own module with ReLU in it": lambda: Net(lambda m, y: F.relu(y) ** 2),
    "own module, clip": lambda: Net(lambda m, y: y.clip(0, 1)),
    "hardsigmoid": lambda: F.hardsigmoid,
    "hardswish": lambda: nn.Hardswish(),
}
OTHERS = {
    "gelu": lambda y: F.gelu(y),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "silu": F.silu,
    "silu by hand": lambda y: y * torch.sigmoid(y),
    "elu": F.elu,
    "leaky": F.leaky_relu,
    "leaky by where": lambda y: torch.where(y > 0, y, 0.1 * y),
    "leaky by max": lambda y: torch.maximum(y, 0.1 * y),
    "softplus": F.softplus,
    "tanhshrink": F.tanhshrink,
    "absolute value": lambda y: y.abs(),
    "clamp on both sides": lambda y: y.clamp(-1, 1),
    "clamp from below, not at zero": lambda y: y.clamp(min=-1),
    "clamp from above": lambda y: y.clamp(max=1),
    "threshold to another value": lambda y: F.threshold(y, 0.0, -1.0),
    "largest of two": lambda y: torch.maximum(y, y.flip(0)),
    "masked by others": lambda y: y * (y.flip(0) > 0),
    "masked by constants": lambda y: y.masked_fill(torch.arange(6) % 2 == 0, 0.0),
    "where by others": lambda y: torch.where(y.flip(0) > 0, y, 0.0),
    "filled, not with zero": lambda y: y.masked_fill(y < 0, -1.0),
    "written, not by sign": lambda y: put(y, (every, 2), 0.0),
    "mean with another absolute value": lambda y: (y + y.flip(0).abs()) / 2,
    "dropout": lambda y: F.dropout(y, 0.5, True),
    "maximum pooling": lambda y: F.max_pool1d(y, 2).repeat(1, 2),
    "mask of what is inside": lambda y: y * (y.abs() < 1),
    "mask of its whole part": lambda y: y * (y.long() > 0),
    "step": lambda y: y.bool().to(y.dtype) * (y > 0),
    "whole part": lambda y: torch.where(y > 0, y.int().to(y.dtype), 0.0),
    "less the negative part of its whole part": lambda y: y - y.long().clamp(max=0),
    "written where another is above": lambda y: put(torch.zeros_like(y), m := y > 1, (y * 2)[m]),
    "minimum with zero": lambda y: torch.minimum(y, torch.zeros(())),
    "larger one of a pair": lambda y: torch.stack([y, y.flip(0)], -1).amax(-1),
}
RELUS = [
    Case(
        what,
        lambda form=form: Net(
            lambda m, x: m.b(m.f(m.a(x))),
            a=L(5, 6),
            f=form(),
            b=L(6, 2),
        ),
        (40, 5),
        "a:first b:output",
        "a/6/1,4",
        {"a.bias": [1, 4]},
    )
    for what, form in FORMS.items()
]
NO_RELUS = [
    Case(what, lambda form=form: Net(lambda m, x: m.b(form(m.a(x))), a=L(5, 6), b=L(6, 2)), (40, 5), "a:first b:output")
    for what, form in OTHERS.items()
]
NO_RELUS += [
    Case(
        what,
        lambda form=form: Net(lambda m, x: m.b(m.f(m.a(x))), a=L(5, 6), f=Net(form), b=L(6, 2)),
        (40, 5),
        "a:first b:output",
    )
    for what, form in {  # each is so small somewhere that it is zero in float32
        "own module of GELU": lambda m, y: F.gelu(y),
        "own module of GELU by tanh": lambda m, y: F.gelu(y, approximate="tanh"),
        "own module of GELU by hand": lambda m, y: y * (1 + torch.erf(y / math.sqrt(2))) / 2,
        "own module of tanh + 1": lambda m, y: torch.tanh(4 * y) + 1,
    }.items()
]

KINDS = {
    "linear": LINEAR,
    "convolution": CONVOLUTION,
    "functional": FUNCTIONAL,
    "parametrised": PARAMETRISED,
    "shared": SHARED,
    "recurrent": RECURRENT,
    "no layer": NO_LAYER,
    "of no input": FIXED,
    "place": PLACES,
    "delta": DELTAS,
    "relu": RELUS,
    "no relu": NO_RELUS,
    "units": UNITS,
}


def cases(*but):
    return [
        pytest.param(case, id=f"{kind}: {case.what}")
        for kind, each in KINDS.items()
        if kind not in but
        for case in each
    ]


# -- The tests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases("units"))
def test_layers_places_and_gradients(case):
    expected = [entry.replace("~", " ").rpartition(":")[::2] for entry in case.rows.split()]
    model, x = case.model(), case.inputs()
    torch.manual_seed(5)
    with Recorder(model) as recorder:
        case.loss(model(x)).backward()
    rows = recorder.rows()
    found = [
        ("*" if name == "*" else row["name"], row["place"]) for row, (name, _) in zip(rows, expected, strict=False)
    ]
    assert found == expected, [(row["name"], row["place"]) for row in rows]
    assert len(rows) == len(expected)
    for row in rows:
        if row["name"] in case.matrices:
            assert set(row["matrices"]) == case.matrices[row["name"]]
    twin, exact = double(case.model()), x.double() if x.is_floating_point() else x
    torch.manual_seed(5)
    norms = gradient_norms(twin, exact, case.loss, [row["name"] for row in rows])
    for row, (name, _) in zip(rows, expected, strict=True):
        if name != "*":
            assert row["delta_norm"] == pytest.approx(norms.get(name, math.nan), rel=1e-4, nan_ok=True), name


def check(sites, expected):
    told = [(site.name, site.act, site.dead) for site in sites]
    assert len(sites) == len(expected), told
    for site, entry in zip(sites, expected, strict=True):
        name, units, dead = (*entry.split("/"), "")[:3]
        assert name in ("*", site.name), told
        if site.dead is None:
            assert units.startswith("?"), told
            continue
        assert units != "?", told
        assert len(site.dead) == int(units.strip("?")), told
        if dead.startswith("~"):
            assert int(site.dead.sum()) == int(dead[1:]), told
        else:
            assert site.dead.nonzero().flatten().tolist() == [int(i) for i in dead.split(",") if i], told


@pytest.mark.parametrize("case", cases())
def test_units(case):
    model, x = case.model(), case.inputs()
    torch.manual_seed(5)
    sites = module_census(model, [x])
    check(sites, case.sites.split())
    # The rows of a recorder say the same.
    model = case.model().eval()
    torch.manual_seed(5)
    with Recorder(model) as recorder:
        model(x)
    rows = {row["name"]: row for row in recorder.rows()}
    for site in sites:
        row = rows.get(site.name)
        if row is not None and row["act"] == site.act and not isinstance(getattr(model, "a", None), nn.RNNBase):
            share = math.nan if site.dead is None else float(site.dead.double().mean())
            assert row["dead_fraction"] == pytest.approx(share, nan_ok=True)


def everything_of(model):
    """All that could be left on a model."""
    hooks = [
        (name, key, len(value))
        for name, module in model.named_modules()
        for key, value in vars(module).items()
        if "hooks" in key and hasattr(value, "__len__")
    ]
    attributes = [(name, sorted(vars(module))) for name, module in model.named_modules()]
    on_parameters = [
        (name, sorted(vars(p)), len(p._backward_hooks or ()), p.requires_grad, type(p).__name__)
        for name, p in model.named_parameters()
    ]
    forwards = [(name, type(module), "forward" in vars(module)) for name, module in model.named_modules()]
    return hooks, attributes, on_parameters, forwards


@pytest.mark.parametrize("case", cases("units"))
def test_the_model_is_as_before(case):
    x = case.inputs()
    seen = []
    for context in (Recorder, lambda model: contextlib.nullcontext()):
        model = case.model()
        before = everything_of(model)
        torch.manual_seed(5)
        with context(model):
            out = model(x)
            case.loss(out).backward()
        assert everything_of(model) == before
        tensors = [t.detach() for t in pytree.tree_leaves(out) if isinstance(t, torch.Tensor)]
        grads = [p.grad for p in model.parameters()]
        seen.append([*tensors, *grads, *model.buffers()])
    for watched, bare in zip(*seen, strict=True):
        assert (watched is None) == (bare is None)
        assert watched is None or torch.equal(watched, bare)


def test_a_module_of_ones_own_is_not_changed_by_being_tried():
    seen = []
    for context in (Recorder, lambda model: contextlib.nullcontext()):
        torch.manual_seed(0)
        model = Seq(L(5, 6), Dropped(), L(6, 2))
        with context(model):
            out = model(torch.ones(4, 5))
        seen.append((model[1].calls, float(model[1].seen), out.tolist(), torch.rand(3).tolist()))
    assert seen[0] == seen[1]
    assert seen[0][:2] == (1, 4.0)


@pytest.mark.parametrize("case", [case for each in KINDS.values() for case in each[:2]], ids=lambda case: case.what)
def test_a_census_leaves_nothing_behind(case):
    model = case.model().eval()
    before, state = everything_of(model), copy.deepcopy(dict(model.state_dict()))
    module_census(model, [case.inputs()])
    assert everything_of(model) == before
    for name, t in model.state_dict().items():
        assert torch.equal(t, state[name])


def test_batches_count_together():
    case = LINEAR[0]
    whole = module_census(case.model(), [case.inputs()])
    parts = module_census(case.model(), case.inputs().split(7))
    for a, b in zip(whole, parts, strict=True):
        assert (a.name, a.dead.tolist(), a.zero_fraction) == (b.name, b.dead.tolist(), b.zero_fraction)


# -- Around the model --------------------------------------------------------------------------------------------------


def small():
    torch.manual_seed(0)
    return Seq(C2(2, 6, 3), nn.BatchNorm2d(6), R(True), C2(6, 4, 3), nn.GELU(), nn.Flatten(), L(16, 3))


IMAGES = torch.randn(9, 2, 6, 6, generator=torch.Generator().manual_seed(1))


def told(model, x, run=None):
    with Recorder(model) as recorder:
        total((run or model)(x)).backward()
    return {row["name"]: (row["place"], row["delta_norm"]) for row in recorder.rows()}


def expected_of(model, x):
    norms = gradient_norms(model, x, total, ["0", "3", "6"])
    return {"0": ("first", norms["0"]), "3": ("hidden", norms["3"]), "6": ("output", norms["6"])}


def close(found, expected, rel):
    assert list(found) == list(expected)
    for name, (place, norm) in expected.items():
        assert found[name] == (place, pytest.approx(norm, rel=rel)), name


def test_channels_last():
    model = small().to(memory_format=torch.channels_last)
    found = told(model, IMAGES.to(memory_format=torch.channels_last))
    close(found, expected_of(small().double(), IMAGES.double()), 1e-4)


def test_autocast():
    model = small()
    with torch.autocast("cpu", torch.bfloat16):
        found = told(model, IMAGES)
    close(found, expected_of(small().double(), IMAGES.double()), 0.05)
    with torch.autocast("cpu", torch.bfloat16):
        (site, *_) = module_census(small(), [IMAGES])
    assert site.name == "0"
    assert len(site.dead) == 6


def test_hooks_of_the_user():
    def hooked(model):
        model[0].register_forward_hook(lambda module, args, out: out.clone())
        model[3].register_forward_pre_hook(lambda module, args: (args[0] + 1,))
        model[4].register_full_backward_hook(lambda module, grads, outs: tuple(g * 2 for g in grads))
        model[6].weight.register_hook(lambda grad: grad * 3)
        return model

    expected = expected_of(hooked(small().double()), IMAGES.double())
    close(told(hooked(small()), IMAGES), expected, 1e-4)


def test_a_whole_model_checkpointed():
    model = small()
    found = told(model, IMAGES, lambda x: model(checkpoint(torch.mul, x, 1, use_reentrant=False)))
    close(found, expected_of(small().double(), IMAGES.double()), 1e-4)


def test_bfloat16():
    found = told(small().bfloat16(), IMAGES.bfloat16())
    close(found, expected_of(small().double(), IMAGES.double()), 0.05)


def test_an_input_that_needs_a_gradient():
    x = IMAGES.clone().requires_grad_()
    close(told(small(), x), expected_of(small().double(), IMAGES.double()), 1e-4)
    assert x.grad is not None


def test_an_error_in_the_model_leaves_no_hook():
    model = small()
    before = everything_of(model)
    with pytest.raises(RuntimeError), Recorder(model):
        model(torch.zeros(2, 5, 6, 6))
    assert everything_of(model) == before
    close(told(model, IMAGES), expected_of(small().double(), IMAGES.double()), 1e-4)


def test_a_pass_outside_is_not_counted():
    model, other = small(), small()
    with Recorder(model) as recorder:
        total(model(IMAGES)).backward()
    other(IMAGES)
    model(IMAGES)
    assert [row["name"] for row in recorder.rows()] == ["0", "3", "6"]


# -- Chains of changes -------------------------------------------------------------------------------------------------


def changed(labels, rng):
    """One change that only moves, repeats, drops or pools elements, of a tensor whose elements are of these units."""
    shape = labels.shape
    dims, kinds = len(shape), ["permute", "flatten", "unflatten", "slice", "roll", "cat", "chunk", "unsqueeze", "pool"]
    kind, d = kinds[rng.integers(len(kinds))], int(rng.integers(dims))
    if kind == "permute":
        order = rng.permutation(dims).tolist()
        return lambda y: y.permute(order)
    if kind == "flatten" and dims > 2:
        d = min(d, dims - 2)
        return lambda y: y.flatten(d, d + 1)
    if kind == "unflatten" and shape[d] % 2 == 0 and dims < 6:
        sizes = (2, shape[d] // 2) if rng.integers(2) else (shape[d] // 2, 2)
        return lambda y: y.unflatten(d, sizes)
    if kind == "slice" and shape[d] > 2:
        return lambda y: y[(slice(None),) * d + (slice(1, None),)]
    if kind == "roll" and (shape[d] <= len(labels.unique()) or not labels.diff(dim=d).any()):
        return lambda y: y.roll(1, d)
    if kind == "cat" and labels.numel() < 1000 and not labels.diff(dim=d).any():  # more places, not more units
        return lambda y: torch.cat([y, y], d)
    if kind == "chunk" and shape[d] % 2 == 0 and shape[d] > 2:
        return lambda y: y.chunk(2, d)[1]
    if kind == "unsqueeze" and dims < 6:
        return lambda y: y.unsqueeze(d)
    if kind == "pool" and dims > 2:
        return lambda y: y.amax(d)
    return lambda y: y.contiguous()


def chain(seed):
    """Some changes, one after the other, of a tensor ``[4, 6, 4, 2]``, and whether all units had as many elements as
    each other throughout."""
    rng, chosen, even = np.random.default_rng(seed), [], True
    labels = torch.arange(6.0).view(1, 6, 1, 1).expand(4, 6, 4, 2)
    for _ in range(rng.integers(1, 7)):
        chosen.append(changed(labels, rng))
        labels = chosen[-1](labels)
        even &= len(labels.unique(return_counts=True)[1].unique()) == 1

    def change(y):
        for each in chosen:
            y = each(y)
        return y

    return change, even


def test_any_chain_of_changes():
    """Which unit an element is of is found by putting NaN into one unit of the layer's output after the other."""
    unknown = []
    for seed in range(150):
        change, even = chain(seed)
        reached = []
        for unit in range(6):
            y = torch.zeros(4, 6, 4, 2)
            y[:, unit] = math.nan
            reached.append(change(y).isnan())
        case = units("", lambda: C2(1, 6, 1), (4, 1, 4, 2), lambda m, y, change=change: change(y))
        model, x = case.model(), case.inputs()
        (site,) = module_census(model, [x])
        if bool((torch.stack(reached).sum(0) > 1).any()):  # units were mixed
            assert site.dead is None, seed
        elif site.dead is not None:
            h = torch.relu(change(model.a(x)))
            dead = [bool((h[where] == 0).all()) for where in reached if where.any()]
            assert sorted(site.dead.tolist()) == sorted(dead), seed
        elif even:
            unknown.append(seed)
    assert len(unknown) <= 3, unknown
