"""What a network costs: parameters, multiply–accumulates and activations, counted without computing anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.func import functional_call
from torch.nn.parameter import UninitializedParameter

from dnnlab.errors import UsageError, first_line
from dnnlab.instruments.meta import Tally
from dnnlab.networks.catalogue import create_model, parse
from dnnlab.networks.members import MEMBERS
from dnnlab.networks.skeleton import Skeleton


@dataclass(frozen=True)
class Cost:
    """Counts of one network for a batch of one, in evaluation mode.

    MACs are multiply–accumulates of convolutions, linear layers and attention, what torchvision's docs call FLOPS;
    nothing else, such as normalisation or pooling, is counted.
    """

    parameters: int
    """Trainable elements that inference uses, so without auxiliary heads."""
    auxiliary: int
    """Trainable elements of auxiliary heads, which only training uses (Szegedy 2015)."""
    buffers: int
    """Elements that are saved but not trained, such as the statistics of batch normalisation."""
    macs: int
    """Multiply–accumulates of the forward pass."""
    training_macs: int
    """Multiply–accumulates of forward and backward pass without auxiliary heads: a gradient of the weights and one of
    the inputs, at one forward pass each, but none of the network's own inputs."""
    activations: int
    """Elements put out by convolutions and linear layers."""


def cost(
    model: str | nn.Module,
    input_size: int | None = None,
    *,
    num_classes: int | None = None,
    in_chans: int = 3,
    **options: Any,
) -> Cost:
    """Counts ``model``, a name as `create_model` takes it, or any module, on an input ``[1, in_chans, size, size]``.

    ``input_size`` is the published one of a name, and must be given for a module. A module is left as it was; it
    may name its auxiliary heads in an attribute ``auxiliary_heads``, a tuple of submodule names.

    Raises:
        UsageError: nobody knows the name, its family does not honour an option, the size of a module's input is
            missing, or the network does not take inputs of this size.
    """
    if isinstance(model, str):
        input_size = input_size or parse(model)[0].input_size
        with Skeleton():
            module = create_model(
                model, num_classes=num_classes, in_chans=in_chans, input_size=input_size, **options
            ).eval()
        return _count(module, (in_chans, input_size, input_size))
    if input_size is None:
        raise UsageError("the cost of a module depends on its input; say input_size, such as 224.")
    return count(model, (in_chans, input_size, input_size))


def costs() -> dict[str, Cost]:
    """Every member of the catalogue, at its published input size and classes."""
    return {name: cost(name) for name in MEMBERS}


def count(model: nn.Module, shape: Sequence[int]) -> Cost:
    """What one forward pass of ``model`` costs on one input. Nothing is computed, and the model is left as it was.

    Args:
        model: Any module. An attribute ``auxiliary_heads`` may name submodules that only training uses.
        shape: Of one input without the batch: ``(3, 32, 32)`` for an image, ``(20,)`` for a row of a table.

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
    try:
        return _count(model.eval(), shape)
    finally:
        for m, was in training.items():
            m.training = was


def _count(model: nn.Module, shape: Sequence[int]) -> Cost:
    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    elsewhere = {name: t.to("meta") for name, t in (parameters | buffers).items() if not t.is_meta}
    x = torch.empty(1, *shape, device="meta")
    try:
        with torch.no_grad(), Tally() as tally:
            functional_call(model, elsewhere, x) if elsewhere else model(x)
    except (RuntimeError, ValueError, TypeError, IndexError) as problem:
        raise UsageError(
            f"the network takes no input of {' × '.join(map(str, shape))}: {first_line(problem)}."
        ) from None
    heads = getattr(model, "auxiliary_heads", ())
    sizes = {name: p.numel() for name, p in parameters.items() if p.requires_grad}
    auxiliary = sum(size for name, size in sizes.items() if name.split(".")[0] in heads)
    return Cost(
        parameters=sum(sizes.values()) - auxiliary,
        auxiliary=auxiliary,
        buffers=sum(b.numel() for b in buffers.values()),
        macs=tally.macs,
        training_macs=3 * tally.macs - tally.first_macs,
        activations=tally.activations,
    )
