"""Where the units of each ReLU lie, found by moving them: one unit of a layer's output after the other is no way.

Each layer's output is replaced by what it was, plus a small random number for each unit, several times. Two elements of
what a ReLU reads are of the same unit when they move together, and of two units when they move independently.
Activations and normalisations are left out meanwhile, so that a unit moves alike everywhere.
"""

import itertools
import math
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from tests.zoo.oracle import CHANNELS, LAST, Called, Dispatched, Layer, own_products

DRAWS, PAIRS, STEP = 16, 256, 1e-6

KEPT = {
    *("leaky_relu", "elu", "celu", "selu", "prelu", "rrelu", "gelu", "silu", "mish", "softplus"),
    *("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"),
}
"""Activations that are never zero on a half-line, and normalisations: an element of their output is of the same unit as
that of their input."""


def is_relu(func, args, kwargs) -> bool:
    """Whether a call is of a function that is zero up to some point, and no other above it."""
    name = getattr(func, "__name__", "").rstrip("_")
    bounds = [kwargs.get(key, args[place] if len(args) > place else None) for place, key in ((1, "min"), (2, "max"))]
    if name in ("relu", "relu6", "hardswish", "hardsigmoid"):
        return True
    if name == "hardtanh":
        low = kwargs.get("min_val", args[1] if len(args) > 1 else -1.0)
        return low == 0
    if name in ("clamp", "clip", "clamp_min"):
        return isinstance(bounds[0], int | float) and bounds[0] == 0
    if name == "threshold":
        return tuple(args[1:3]) == (0, 0)
    return False


def keeps(func) -> bool:
    return getattr(func, "__name__", "").rstrip("_") in KEPT


@dataclass
class Site:
    """One call of a ReLU, or of another function that is zero up to some point."""

    call: int
    last: set[Layer]
    """The layers whose units it reads."""
    elements: torch.Tensor = None
    """Of the tensor that it reads, flat: some elements, and the next ones along each dimension."""
    sizes: tuple[int, ...] = ()
    moved: list[torch.Tensor] = field(default_factory=list)
    axes: tuple[int, ...] | None = None
    """The dimensions along which units lie, if that is known."""
    why: str = ""


class Reference(Called):
    """Keeps what layers give, and which calls are ReLUs."""

    def __init__(self, dispatched):
        super().__init__(dispatched)
        self.calls = itertools.count()
        self.outputs, self.sites, self.read = {}, [], []
        self.nowhere: set[Layer] = set()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        call, seen = next(self.calls), self.dispatched
        read = args[0] if args else kwargs.get("input")
        if keeps(func):
            return read.clone()
        if is_relu(func, args, kwargs):
            if not seen.of(read).data:
                return func(*args, **kwargs)
            self.sites.append(Site(call, set(seen.of(read).last)))
            self.sites[-1].moved.append(self.place(self.sites[-1], read))
            return read.clone()
        before = len(seen.layers)
        seen.layer, seen.inside, seen.ours = Layer(), True, func in LAST or func in CHANNELS
        try:
            out = func(*args, **kwargs)
        finally:
            layer, seen.layer, seen.inside = seen.layer, None, False
        for made in seen.layers[before:]:
            assert made is layer
        if layer.weights:
            axis = self.axis(func, args, out)
            if axis is None:
                self.nowhere.add(layer)
            self.outputs[call] = (pytree.tree_map(lambda t: t.clone() if isinstance(t, torch.Tensor) else t, out), axis)
        return out

    def axis(self, func, args, out):
        if func in LAST:
            return -1
        if func in CHANNELS:
            return out.ndim - args[1].ndim + 1
        if getattr(func, "__name__", "") in ("matmul", "__matmul__") and args[1].ndim == 2:
            return -1 if self.dispatched.of(args[1]).weight else None
        return None

    def place(self, site, read):
        """Chooses the elements of ``read`` that are looked at."""
        site.sizes = tuple(read.shape)
        generator = torch.Generator().manual_seed(0)
        rows = torch.stack([torch.randint(max(1, n - 1), (PAIRS,), generator=generator) for n in read.shape])
        grid = [rows, *(rows.clone() for _ in read.shape)]
        for d, n in enumerate(read.shape):
            grid[d + 1][d] += int(n > 1)
        strides = [math.prod(read.shape[d + 1 :]) for d in range(read.ndim)]
        weights = torch.tensor(strides).view(-1, 1)
        site.elements = torch.stack([(g * weights).sum(0) for g in grid])
        return read.detach().contiguous().view(-1)[site.elements]


class Moved(TorchFunctionMode):
    """The same pass again, with each unit of each layer moved by a number of its own."""

    def __init__(self, reference, draw):
        super().__init__()
        self.reference, self.calls = reference, itertools.count()
        self.sites = {site.call: site for site in reference.sites}
        self.generator = torch.Generator().manual_seed(draw)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        call = next(self.calls)
        if keeps(func):
            return (args[0] if args else kwargs["input"]).clone()
        if call in self.sites:
            site, read = self.sites[call], args[0] if args else kwargs["input"]
            site.moved.append(read.detach().contiguous().view(-1)[site.elements])
            return read.clone()
        out = func(*args, **kwargs)
        if call not in self.reference.outputs:
            return out
        kept, axis = self.reference.outputs[call]
        leaves, tree = pytree.tree_flatten(kept)
        leaves = [t.clone() if isinstance(t, torch.Tensor) else t for t in leaves]
        if axis is not None:
            first = leaves[0]
            shape = [1] * first.ndim
            shape[axis] = first.shape[axis]
            steps = torch.randn(shape, generator=self.generator, dtype=torch.float64)
            step = STEP if first.dtype == torch.float64 else 1e-3
            leaves[0] = first + (step * first.std() * steps).to(first.dtype)
        return pytree.tree_unflatten(leaves, tree)


def judge(site: Site, nowhere: set[Layer]) -> None:
    """Says along which dimensions units lie."""
    if not site.last:
        site.why = "it reads no layer"
        return
    if site.last & nowhere:
        site.why = "it reads a layer of which it is not known where its units lie"
        return
    moved = torch.stack(site.moved).double()
    moved = moved[1:] - moved[:1]  # [draw, element and its neighbours, pair]
    length = moved.norm(dim=0)
    alike = (moved[:, :1] * moved[:, 1:]).sum(0).abs() / (length[:1] * length[1:])
    axes = []
    for d, size in enumerate(site.sizes):
        if size == 1:
            continue
        still = 1e-3 * length.median()
        seen = alike[d][(length[0] > still) & (length[d + 1] > still)]
        if len(seen) < 8:
            site.why = "hardly any element moves"
            return
        low, middle, high = seen.quantile(torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)).tolist()
        if low > 0.85:
            continue
        if middle < 0.5 and high < 0.85:
            axes.append(d)
        else:
            site.why = f"elements move partly together along dimension {d}: {low:.2f} {middle:.2f} {high:.2f}"
            return
    if axes or math.prod(site.sizes) == site.sizes[0]:
        site.axes = tuple(axes)
    else:
        site.why = "no dimension is of units alone"


@torch.no_grad()
def sites(model: nn.Module, inputs: tuple) -> list[Site]:
    """The ReLUs of a forward pass in evaluation mode, in their order, and where their units lie."""
    model.eval()
    seen = Dispatched(model, inputs)
    reference = Reference(seen)
    math_attention, plain = own_products()
    with math_attention, plain:
        model(*inputs)  # what it keeps for later passes is then kept
        with seen, reference:
            model(*inputs)
        for draw in range(DRAWS if reference.sites else 0):
            with Moved(reference, draw):
                model(*inputs)
    for site in reference.sites:
        judge(site, reference.nowhere)
    return reference.sites


@dataclass
class Looked:
    """What a ReLU gave."""

    what: str
    outputs: int
    zeros: int
    dead: torch.Tensor | None
    """``[unit]``, whether it is zero throughout; ``None`` where it is not known where units lie."""


class Zeros(TorchFunctionMode):
    """Looks at which outputs of each ReLU are zero."""

    def __init__(self, found):
        super().__init__()
        self.found, self.calls, self.looked = {site.call: site for site in found}, itertools.count(), []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        call = next(self.calls)
        out = func(*args, **(kwargs or {}))
        if call in self.found:
            axes = self.found[call].axes
            alive = out.detach() != 0
            others = [d for d in range(out.ndim) if d not in (axes or ())]
            dead = None if axes is None else ~(alive.amax(others) if others else alive).flatten()
            self.looked.append(Looked(func.__name__, out.numel(), out.numel() - int(alive.sum()), dead))
        return out


@torch.no_grad()
def look(model: nn.Module, inputs: tuple, found: list[Site]) -> list[Looked]:
    """What each of the sites gives for these inputs."""
    with Zeros(found) as zeros:
        model(*inputs)
    return zeros.looked
