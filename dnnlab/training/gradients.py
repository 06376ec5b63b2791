"""The gradients of a stack on a CPU, by hand: backpropagation through its products, while PyTorch differentiates what
stands between them.

A step of small networks is a hundred operations of some microseconds each, and `torch.autograd` takes as long to note
many of them as they take. Here PyTorch's own kernels differentiate the most frequent activations, and autograd the
norms and other activations; each gradient is written where the optimiser reads it. The numbers are those of autograd.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from dnnlab.networks.shape import MLPShape
from dnnlab.networks.stacked import Batch, StackedMLP

Backward = Callable[[Tensor, Tensor | None], Tensor]
"""Gives the gradient at a pre-activation y from that at the activation's output, which it may overwrite, and from that
which a residual connection brings to y."""

_WIDE = 16
"""A CPU computes with so many numbers of float32 at once, at most: a softmax of fewer classes takes a twentieth of the
time where examples lie side by side. Where they come in such numbers, it has the same bits."""

_aten = torch.ops.aten

_BACKWARD: Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "linear": lambda u, h, grad: grad,
    "sigmoid": lambda u, h, grad: _aten.sigmoid_backward(grad, h),
    "tanh": lambda u, h, grad: _aten.tanh_backward(grad, h),
    "relu": lambda u, h, grad: _aten.threshold_backward.grad_input(grad, h, 0, grad_input=grad),
    "leaky_relu": lambda u, h, grad: _aten.leaky_relu_backward(grad, u, 0.01, False),
    "elu": lambda u, h, grad: _aten.elu_backward(grad, 1, 1, 1, False, u),
    "swish": lambda u, h, grad: _aten.silu_backward(grad, u),
    "gelu": lambda u, h, grad: _aten.gelu_backward(grad, u),
}
"""The gradient at the input u of an activation, from u, its output h, and the gradient there."""


def writes(shape: MLPShape) -> bool:
    """Whether `write` serves networks of this shape: those without skips, or with residual ones."""
    return shape.skip.kind in ("none", "residual")


@torch.no_grad()
def write(stack: StackedMLP, batch: Batch, dropout: Sequence[Tensor], places: Mapping[str, Tensor]) -> Tensor:
    """Write the gradient of every parameter of ``stack`` into its place, and give the losses ``[member]``.

    Args:
        stack: Its shape is one that `writes`. Batch norm's running statistics take the batch in.
        batch: What it is trained on.
        dropout: As of `StackedMLP.forward`.
        places: By the name of a parameter a contiguous tensor of its shape.
    """
    depth, skip, parameters = stack.shape.depth, stack.shape.skip, stack.parameters
    read, below = [batch.x], list[Backward]()
    """What layer 1, 2, … reads, and the way back through the activation of hidden layer 1, 2, …"""
    y = stack.affine(1, batch.x)
    for layer in range(1, depth + 1):
        if layer > 1:
            y = stack.connect(layer, read, y)
        h, backward = _activated(stack, layer, y, places)
        read.append(h * dropout[layer - 1] if dropout else h)
        below.append(backward)
    loss, grad = _at_logits(stack.affine(depth + 1, read[depth]), batch.y)
    stream: Tensor | None = None  # the gradient at y of the layer above, where the layer adds to it
    for layer in range(depth + 1, 0, -1):
        scaled = 1 < layer <= depth and skip.scale != 1
        branch = grad * skip.scale if scaled else grad
        torch.bmm(read[layer - 1].mT, branch, out=places[f"weight.{layer}"])
        torch.sum(branch, 1, keepdim=True, out=places[f"bias.{layer}"])
        if layer == 1:
            break
        grad = torch.bmm(branch, parameters[f"weight.{layer}"].mT)
        if dropout:
            grad.mul_(dropout[layer - 2])
        grad = below[layer - 2](grad, stream)
        stream = grad if skip.kind == "residual" else None
    return loss


def _at_logits(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The losses ``[member]`` of `networks.stacked.losses`, and their gradient at the ``logits [member, batch,
    class]``."""
    size = y.shape[1]
    beside = logits.shape[2] < _WIDE and size % _WIDE == 0
    scores, classes = (logits.mT.contiguous(), 1) if beside else (logits, 2)
    labels = y.unsqueeze(classes)
    shares = torch.log_softmax(scores, classes)
    loss = shares.gather(classes, labels).neg_().squeeze(classes).mean(dim=1)
    grad = torch.zeros_like(shares).scatter_(classes, labels, -1 / size)
    grad = _aten._log_softmax_backward_data(grad, shares, classes, shares.dtype)
    return loss, grad.mT.contiguous() if beside else grad


def _activated(stack: StackedMLP, layer: int, y: Tensor, places: Mapping[str, Tensor]) -> tuple[Tensor, Backward]:
    """The output of a hidden layer's activation, and the way back to its pre-activation ``y [member, batch, width]``,
    which writes the gradients of parameters on the way."""
    act = stack.shape.acts[layer - 1]
    if stack.shape.norm == "none" and act in _BACKWARD:
        h, slope = stack.activate(layer, y), _BACKWARD[act]
        return h, lambda grad, stream: slope(y, h, grad) if stream is None else slope(y, h, grad) + stream
    names = [name for name in (f"gamma.{layer}", f"beta.{layer}", f"slope.{layer}") if name in stack.parameters]
    with torch.enable_grad():
        leaf = y.detach().requires_grad_()
        h = stack.activate(layer, stack.normalise(layer, leaf, training=True, track=bool(stack.running)))
        passed = leaf.view_as(leaf)  # made last, so that its gradient is the first of the sum, as in the whole network

    def backward(grad: Tensor, stream: Tensor | None) -> Tensor:
        outputs, grads = ([h], [grad]) if stream is None else ([h, passed], [grad, stream])
        at_y, *others = torch.autograd.grad(outputs, [leaf, *(stack.parameters[name] for name in names)], grads)
        for name, other in zip(names, others, strict=True):
            places[name].copy_(other)
        return at_y

    return h.detach(), backward
