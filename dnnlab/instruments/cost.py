"""What a network costs: parameters, multiply–accumulates and activations, counted without computing anything."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.parameter import UninitializedParameter

from dnnlab.errors import UsageError, users_code
from dnnlab.instruments.meta import Tally
from dnnlab.instruments.products import Counts, Products, plain_functions
from dnnlab.instruments.shapes import Unknown
from dnnlab.networks.catalogue import create_model, parse
from dnnlab.networks.members import MEMBERS
from dnnlab.networks.remembered import undo_of
from dnnlab.networks.skeleton import Skeleton


@dataclass(frozen=True)
class Cost:
    """Counts of one network for a batch of one, in evaluation mode.

    MACs are multiply–accumulates of products: of convolutions, linear, bilinear and recurrent layers, attention and any
    other product of matrices, and of distances between all rows of two matrices. It is what torchvision's docs call
    FLOPS. What works elementwise is not counted, such as normalisation or pooling.
    """

    parameters: int
    """Trainable elements that inference uses, so without auxiliary heads."""
    auxiliary: int
    """Trainable elements that inference does not use, such as those of auxiliary heads (Szegedy 2015)."""
    buffers: int
    """Elements that are saved but not trained, such as the statistics of batch normalisation."""
    macs: int
    """Multiply–accumulates of the forward pass."""
    training_macs: int
    """Multiply–accumulates of the forward and the backward pass, without auxiliary heads. The gradient of each factor
    of a product costs as much as the product, and is counted where autograd computes it: not of the network's own
    input, nor of what is frozen."""
    activations: int
    """Elements put out by products with a trained matrix or kernel, one factor of which is no parameter."""
    frozen: int = 0
    """Elements of parameters that inference uses and that are not trained."""
    uncounted: tuple[str, ...] = ()
    """Functions of PyTorch that read a parameter, may multiply by it, and are in none of these counts."""
    unused: frozenset[str] = frozenset()
    """The names of the parameters that inference does not use."""


def cost(
    model: str | nn.Module,
    input_size: int | None = None,
    *,
    num_classes: int | None = None,
    in_chans: int | None = None,
    **options: Any,
) -> Cost:
    """Counts ``model``, a name as `create_model` takes it, or any module, on an input ``[1, in_chans, size, size]``, or
    on tokens ``[1, size]`` where the name is of a network of tokens.

    ``input_size`` is the published one of a name, and must be given for a module. A module is left as it was.

    Raises:
        UsageError: nobody knows the name, its family does not honour an option, the size of a module's input is
            missing, or the network does not take inputs of this size.
    """
    if isinstance(model, str):
        member, _ = parse(model)
        size = input_size or member.input_size
        with Skeleton():
            module = create_model(model, num_classes=num_classes, in_chans=in_chans, input_size=size, **options).eval()
        if member.vocabulary:
            return _count(module, (size,), lambda: None, torch.int64)
        return _count(module, (in_chans or 3, size, size), lambda: None)
    if input_size is None:
        raise UsageError("the cost of a module depends on its input; say input_size, such as 224.")
    return count(model, (in_chans or 3, input_size, input_size))


def costs() -> dict[str, Cost]:
    """Every member of the catalogue, at its published input size and classes."""
    return {name: cost(name) for name in MEMBERS}


def count(model: nn.Module, shape: Sequence[int], dtype: torch.dtype | None = None) -> Cost:
    """What one input costs ``model``, which is left as it was.

    Nothing is computed, unless the network needs numbers, such as to choose what it does: then one input of noise
    passes through it, forward and backward.

    Args:
        model: Any module.
        shape: Of one input without the batch: ``(3, 32, 32)`` for an image, ``(20,)`` for a row of a table.
        dtype: Of the input, such as ``torch.int64`` for tokens; that of the parameters when not given.

    Raises:
        UsageError: The network does not take inputs of this shape, or it has lazy layers that have no shape yet.

    ResNet-50 has 25,557,032 parameters, and 4.09 billion MACs for an image of 224 pixels, as torchvision says:

    >>> from dnnlab.instruments import count
    >>> from dnnlab.networks import create_model
    >>> cost = count(create_model("resnet50"), (3, 224, 224))
    >>> f"{cost.parameters:,}", f"{cost.macs / 1e9:.2f} billion"
    ('25,557,032', '4.09 billion')
    """
    if any(isinstance(p, UninitializedParameter) for p in model.parameters()):
        raise UsageError("the network has lazy layers; call it once on an input in its factory to give them shapes.")
    training = {m: m.training for m in model.modules()}
    model.eval()
    undo = undo_of(model)
    try:
        return _count(model, shape, undo, dtype)
    finally:
        undo()
        for m, was in training.items():
            m.training = was


def _count(model: nn.Module, shape: Sequence[int], undo: Callable[[], None], dtype: torch.dtype | None = None) -> Cost:
    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    with users_code(f"the network does not run on an input of {' × '.join(map(str, shape))}, forward and backward"):
        counted = _counts(model, shape, dtype, parameters, buffers, undo)
    sizes = {name: p.numel() for name, p in parameters.items() if p.requires_grad}
    used = sum(size for name, size in sizes.items() if name in counted.used)
    return Cost(
        parameters=used,
        auxiliary=sum(sizes.values()) - used,
        frozen=sum(p.numel() for name, p in parameters.items() if name in counted.used and name not in sizes),
        buffers=sum(b.numel() for b in buffers.values()),
        macs=counted.macs,
        training_macs=counted.training_macs,
        activations=counted.activations,
        uncounted=counted.uncounted,
        unused=frozenset(parameters.keys() - counted.used),
    )


Tensors = Mapping[str, Tensor]


def _counts(
    model: nn.Module,
    shape: Sequence[int],
    dtype: torch.dtype | None,
    parameters: Tensors,
    buffers: Tensors,
    undo: Callable[[], None],
) -> Counts:
    """By shapes where all functions are known, else by a pass on the meta device, else by a real one."""
    own = (*parameters.values(), *buffers.values())
    if dtype is None:
        dtype = next((p.dtype for p in parameters.values() if p.is_floating_point()), None)
    x = torch.empty(1, *shape, device="meta", dtype=dtype)
    ways = [_by_shapes, _by_passing]
    if not any(t.is_meta for t in own):
        ways.append(_by_computing)
    problems: list[Exception] = []
    for way in ways:
        try:
            with plain_functions(own) if way is not _by_shapes else nullcontext():
                return way(model, x, parameters, buffers)
        except Unknown:
            pass
        except Exception as problem:  # noqa: BLE001 - the next way says whether it is one
            problems.append(problem)
        undo()
    # The first knows of shapes what no error of PyTorch says; the last speaks of what was really computed.
    raise problems[0] if len(problems) == len(ways) and isinstance(problems[0], RuntimeError) else problems[-1]


def _by_shapes(model: nn.Module, x: Tensor, parameters: Tensors, buffers: Tensors) -> Counts:
    trained = frozenset(name for name, p in parameters.items() if p.requires_grad)
    elsewhere = {n: torch.empty_like(t, device="meta") for n, t in {**parameters, **buffers}.items() if not t.is_meta}
    held = [elsewhere.get(name, b) for name, b in buffers.items()]
    with torch.enable_grad(), Tally({n: elsewhere.get(n, p) for n, p in parameters.items()}, held, x, trained) as tally:
        try:
            out = functional_call(model, elsewhere, x) if elsewhere else model(x)
        except Exception:
            if tally.unknown:
                raise Unknown from None
            raise
    return tally.counts(out)


def _by_passing(model: nn.Module, x: Tensor, parameters: Tensors, buffers: Tensors) -> Counts:
    parameters = {
        name: torch.empty_like(p, device="meta").requires_grad_(p.requires_grad) for name, p in parameters.items()
    }
    buffers = {name: torch.empty_like(b, device="meta") for name, b in buffers.items()}
    with Products(parameters, x) as products:
        return products.counts(functional_call(model, {**parameters, **buffers}, x))


def _by_computing(model: nn.Module, x: Tensor, parameters: Tensors, buffers: Tensors) -> Counts:
    # What the pass changes in buffers is undone by `count`, as is all else that it sets.
    gradients = {name: p.grad for name, p in parameters.items()}
    device = next((t.device for t in (*parameters.values(), *buffers.values())), torch.device("cpu"))
    try:
        for p in parameters.values():
            p.grad = None
        x = torch.rand(x.shape, generator=torch.Generator().manual_seed(0)).to(device, x.dtype)
        with Products(parameters, x) as products:
            return products.counts(model(x))
    finally:
        for name, p in parameters.items():
            p.grad = gradients[name]
