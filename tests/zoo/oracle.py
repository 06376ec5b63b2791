"""What is so about a network, found by means of its own: PyTorch's dispatcher, a probe of zeros, forward derivatives.

Nothing of dnnlab is imported here. Three kinds of tensors are told apart by the memory that they lie in:

- a constant was computed from neither the network's input nor a parameter;
- a weight was computed from parameters and constants alone;
- all else is data, and so is what a trained product gives.

A trained product multiplies a weight by data, and a call of a linear or convolutional function always is one. Elsewhere
a product of weights and constants makes a weight, as where positions are looked up by a matrix of zeros and ones. A
layer is one call of a public function of PyTorch in which there are trained products: `F.linear` has one, multi-head
attention several.
"""

import math
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten

FACTORS = {
    aten.mm: (0, 1),
    aten.addmm: (1, 2),
    aten.bmm: (0, 1),
    aten.baddbmm: (1, 2),
    aten.addbmm: (1, 2),
    aten.mv: (0, 1),
    aten.addmv: (1, 2),
    aten.dot: (0, 1),
    aten.convolution: (0, 1),
    aten._cdist_forward: (0, 1),
    aten._euclidean_dist: (0, 1),
    aten._trilinear: (0, 1, 2),
}
"""Where each product has its factors. The others of PyTorch are made of these, if its own kernels are turned off."""

LAST = {F.linear, F.multi_head_attention_forward, torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu}
"""Functions that are layers, whose units lie along the last dimension."""
CHANNELS = {
    *(F.conv1d, F.conv2d, F.conv3d, torch.conv1d, torch.conv2d, torch.conv3d),
    *(F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d),
}
"""Functions that are layers, whose units are channels."""


def own_products():
    """All products as those of `FACTORS`: attention and recurrent layers are computed step by step."""
    return sdpa_kernel(SDPBackend.MATH), torch.backends.mkldnn.flags(enabled=False)


@dataclass(eq=False)
class Layer:
    """One call of a function in which there are trained products."""

    weights: set[int] = field(default_factory=set)
    """The parameters of two or more dimensions that are multiplied by, by their ``id``."""
    upstream: set["Layer"] = field(default_factory=set)
    """The layers on which it depends."""
    constant: bool = True
    """Whether it multiplies parameters alone, or what such layers make of them."""
    probes: list[torch.Tensor] = field(default_factory=list)
    """Zeros that were added to its outputs; their gradients are those of the outputs."""

    @property
    def delta(self) -> float:
        grads = [p.grad for p in self.probes if p.grad is not None]
        return math.hypot(*(float(torch.linalg.vector_norm(g)) for g in grads)) if grads else math.nan


@dataclass
class Known:
    """What is known of all that lies in one piece of memory."""

    data: bool = False
    constant: bool = False
    """Of data: whether layers made it that read parameters alone."""
    parameters: set[int] = field(default_factory=set)
    last: set[Layer] = field(default_factory=set)
    """The layers that reach it through no other trained product."""
    upstream: set[Layer] = field(default_factory=set)
    """All layers that it depends on."""

    def add(self, other: "Known") -> None:
        self.constant = (self.constant or not self.data) and (other.constant or not other.data)
        self.data |= other.data
        self.constant &= self.data
        self.parameters |= other.parameters
        self.last |= other.last
        self.upstream |= other.upstream

    @property
    def weight(self) -> bool:
        return bool(self.parameters) and not self.data


class Dispatched(TorchDispatchMode):
    """Follows what is known through every operation that the dispatcher runs."""

    def __init__(self, model: nn.Module, inputs: tuple) -> None:
        super().__init__()
        self.known: dict[int, Known] = {}
        self.held = []  # so that no memory is used twice
        self.layer: Layer | None = None  # of the function that is being called
        self.inside = self.ours = False  # whether in a public function, and whether that is a layer's
        self.layers: list[Layer] = []
        self.shapes = {id(p): p.ndim for p in model.parameters()}
        for p in model.parameters():
            self.of(p).parameters.add(id(p))
        for t in pytree.tree_leaves(inputs):
            if isinstance(t, torch.Tensor):
                self.of(t).data = True

    def of(self, t: torch.Tensor) -> Known:
        storage = t.untyped_storage()
        if storage._cdata not in self.known:
            self.known[storage._cdata] = Known()
            self.held.append(storage)
        return self.known[storage._cdata]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        read = [t for t in pytree.tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        made = [t for t in pytree.tree_leaves(out) if isinstance(t, torch.Tensor)]
        result = Known()
        for t in read:
            result.add(self.of(t))
        places = FACTORS.get(func.overloadpacket)
        if places is not None:
            factors = [self.of(args[i]) for i in places]
            weights = [k for k in factors if k.weight]
            if weights and (any(k.data for k in factors) or self.ours):
                # Of parameters alone, it is the last factor that is the function's own weight.
                others = [k for k in factors if k not in weights] or factors[:-1]
                result = self.product(weights if len(weights) < len(factors) else weights[-1:], others, result)
        if not func.is_view:
            for t in made:
                self.of(t).add(result)
        else:
            for t in made:
                self.of(t)
        return out

    def product(self, weights: list[Known], others: list[Known], read: Known) -> Known:
        if self.layer is None or not self.inside:
            self.layer = Layer()
        layer = self.layer
        if layer not in self.layers:
            self.layers.append(layer)
        layer.weights |= {i for k in weights for i in k.parameters if self.shapes[i] >= 2}
        layer.upstream |= read.upstream - {layer}
        layer.constant &= all(k.weight or k.constant for k in others)
        return Known(True, layer.constant, set(), {layer}, read.upstream | {layer})


class Called(TorchFunctionMode):
    """Adds a probe to what each layer gives."""

    def __init__(self, dispatched: Dispatched) -> None:
        super().__init__()
        self.dispatched = dispatched

    def __torch_function__(self, func, types, args=(), kwargs=None):
        seen = self.dispatched
        seen.layer, seen.inside, seen.ours = Layer(), True, func in LAST or func in CHANNELS
        try:
            out = func(*args, **(kwargs or {}))
        finally:
            layer, seen.layer, seen.inside = seen.layer, None, False
        if not layer.weights:
            return out

        def probed(t):
            if not isinstance(t, torch.Tensor) or not t.is_floating_point():
                return t
            probe = torch.zeros_like(t, requires_grad=True)
            layer.probes.append(probe)
            return t + probe

        return pytree.tree_map(probed, out)


def logits(out) -> torch.Tensor:
    """The first tensor that a network gives, or that of this name."""
    if isinstance(out, dict) and "logits" in out:
        return out["logits"]
    return next(t for t in pytree.tree_leaves(out) if isinstance(t, torch.Tensor))


@dataclass
class Found:
    """A layer, as `layers` found it."""

    weights: frozenset[str]
    place: str
    delta: float


def layers(model: nn.Module, inputs: tuple, loss) -> list[Found]:
    """The layers of a forward and backward pass, in their order.

    Args:
        model: Any module; its gradients are overwritten.
        inputs: What it is called with.
        loss: A function of the logits.
    """
    model.zero_grad()
    names = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(p), name)
    seen = Dispatched(model, inputs)
    math_attention, plain = own_products()
    with math_attention, plain:
        with seen, Called(seen):
            out = logits(model(*inputs))
        loss(out).backward()
    end = seen.of(out)
    inner = {before for layer in end.upstream for before in layer.upstream}
    found = []
    for layer in seen.layers:
        if layer not in end.upstream:
            place = "unused"
        elif layer not in inner:
            place = "output"
        elif layer.constant:
            place = "constant"
        else:
            place = "first" if all(below.constant for below in layer.upstream) else "hidden"
        found.append(Found(frozenset(names[i] for i in layer.weights), place, layer.delta))
    return found


# -- Multiply–accumulates ----------------------------------------------------------------------------------------------


class Counted(TorchDispatchMode):
    """Counts multiply–accumulates by the shapes of what is really multiplied."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0
        self.names: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        packet = func.overloadpacket
        self.names.add(packet._qualified_op_name)
        if packet is aten.convolution:
            self.macs += convolution(args[0], args[1], out, args[6])
        elif packet is aten.convolution_backward:
            grad, x, weight = args[:3]
            self.macs += sum(args[-1][:2]) * convolution(x, weight, grad, args[7])
        elif packet in (aten.mm, aten.bmm):
            self.macs += out.numel() * args[0].shape[-1]
        elif packet in (aten.addmm, aten.baddbmm):
            self.macs += out.numel() * args[1].shape[-1]
        elif packet is aten.addbmm:
            self.macs += args[1].numel() * args[2].shape[-1]
        elif packet in (aten.mv, aten.dot):
            self.macs += args[0].numel()
        elif packet is aten.addmv:
            self.macs += args[1].numel()
        elif packet in FACTORS:
            raise NotImplementedError(f"no count of {packet}")
        return out


def convolution(x: torch.Tensor, weight: torch.Tensor, out: torch.Tensor, transposed: bool) -> int:
    """Each element of the smaller grid is multiplied by all elements of the kernel of its group."""
    return (x if transposed else out).numel() * math.prod(weight.shape[1:])


@dataclass
class Macs:
    forward: int
    training: int
    parameters: int
    """Trainable elements that a gradient of the logits reaches."""


def macs(model: nn.Module, inputs: tuple) -> Macs:
    """Counted in a real forward pass in evaluation mode, and in the backward pass of the sum of the logits."""
    model.eval()
    model.zero_grad()
    math_attention, plain = own_products()
    with math_attention, plain, Counted() as counted:
        out = logits(model(*inputs))
        forward = counted.macs
        out.sum().backward()
    used = sum(p.numel() for p in model.parameters() if p.requires_grad and p.grad is not None)
    return Macs(forward, counted.macs, used)
