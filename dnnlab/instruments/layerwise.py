"""One measured pass through a stack, layer by layer, that no depth can underflow.

Backpropagation runs a layer at a time over graphs cut between the stages of a layer, so every intermediate
gradient is at hand without hooks. Between layers the gradient is rescaled by a power of two per member, which
is exact, and the exponent is carried along: fifty sigmoid layers shrink a gradient by 1e-42, below what
float32 can hold, and are still measured.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dnnlab.networks.activations import activation, is_zero
from dnnlab.networks.stacked import Batch, StackedMLP, losses

GRADIENT_NORMS = ("weight_grad_norm", "delta_norm", "act_grad_norm", "branch_grad_norm", "skip_grad_norm")
FACTORS = ("weight_factor", "act_factor", "norm_factor", "skip_factor")
ACTIVATION_STATISTICS = ("mean", "variance", "saturation", "dead_fraction", "zero_fraction")
LAYER_QUANTITIES = (*GRADIENT_NORMS, *FACTORS, *ACTIVATION_STATISTICS)


@dataclass(frozen=True)
class LayerwisePass:
    """What one pass through a stack measured, in float64."""

    layers: dict[str, Tensor]
    """Each quantity by its name, ``[member, depth + 1]`` for the layers 1 … depth + 1. ``delta_norm`` is the norm of
    the gradient at a layer's output y, ``act_grad_norm`` at its activation's output, ``weight_grad_norm`` at its
    weights. The product of ``weight_factor``, ``act_factor``, ``norm_factor`` and ``skip_factor`` is this layer's
    ``delta_norm`` over that of the layer behind it. ``mean``, ``variance``, ``saturation``, ``dead_fraction`` and
    ``zero_fraction`` are of the activation's output. What does not exist is nan: the output layer has no activation, a
    plain network no skip."""
    loss: Tensor
    """Mean cross-entropy of the batch, ``[member]``."""
    accuracy: Tensor
    """Share of the batch that is right, ``[member]``."""


@dataclass
class _Hidden:
    """The cut graph of one hidden layer: each leaf starts the graph of the next stage."""

    y: Tensor
    u: Tensor
    h: Tensor
    kept: Tensor
    """h after dropout."""
    h_leaf: Tensor
    y_leaf: Tensor


class _Record:
    """Collects one value a member for each quantity and layer; reads nothing back from the device."""

    def __init__(self, members: int, depth: int, like: Tensor) -> None:
        nothing = like.new_full((members,), math.nan)
        unscaled = torch.zeros(members, dtype=torch.int32, device=like.device)
        self._values: dict[str, list[Tensor]] = {name: [nothing] * (depth + 1) for name in LAYER_QUANTITIES}
        self._exponents = {name: [unscaled] * (depth + 1) for name in GRADIENT_NORMS}

    def __call__(self, name: str, layer: int, value: Tensor, exponent: Tensor | None = None) -> None:
        self._values[name][layer - 1] = value
        if exponent is not None:
            self._exponents[name][layer - 1] = exponent

    def layers(self) -> dict[str, Tensor]:
        stacked = {name: torch.stack(values, dim=1).double() for name, values in self._values.items()}
        for name, exponents in self._exponents.items():
            # By two factors, neither of which leaves float64. Not torch.ldexp: older versions take its power of two in
            # float32.
            power = torch.stack(exponents, dim=1).double()
            half = (power / 2).floor()
            stacked[name] = stacked[name] * torch.exp2(half) * torch.exp2(power - half)
        return stacked


_CHUNK = 2**18
"""Elements of one layer's activations that a pass works on at a time, so that it stays in the processor's cache."""


def measure(stack: StackedMLP, batch: Batch, dropout: Sequence[Tensor] = ()) -> LayerwisePass:
    """Gradients and activations of each layer, in one forward and backward pass that no depth can underflow.

    Between layers the gradient is rescaled by a power of two, which is exact. So a gradient of 1e-42 is measured too,
    which is less than float32 can hold. Nothing in the stack changes.

    Args:
        stack: The networks.
        batch: What each of them reads.
        dropout: A mask ``[member, batch, width]`` for each hidden layer, already scaled by 1/(1 - p). Statistics are of
            the activations before it.

    Orthogonal weights without an activation keep the length of a gradient, in each of 50 layers:

    >>> import torch
    >>> from dnnlab.instruments import measure_layers
    >>> from dnnlab.networks import Batch, MLPShape, StackedMLP
    >>> from dnnlab.statistics import stream
    >>> shape = MLPShape(inputs=16, classes=16, depth=50, width=16, acts=("linear",) * 50)
    >>> stack = StackedMLP.draw(shape, ["orthogonal"], [stream(0, 0, "weights")])
    >>> batch = Batch(torch.ones(1, 8, 16), torch.zeros(1, 8, dtype=torch.int64))
    >>> norms = measure_layers(stack, batch).layers["delta_norm"][0]
    >>> f"{norms[0] / norms[-1]:.3f}"
    '1.000'
    """
    step = max(1, _CHUNK // (batch.y.shape[1] * stack.shape.width))
    if batch.x.is_cuda or step >= stack.members:
        return _measure(stack, batch, dropout)
    passes = [
        _measure(stack.members_of(part), Batch(batch.x[part], batch.y[part]), [mask[part] for mask in dropout])
        for part in (slice(i, i + step) for i in range(0, stack.members, step))
    ]
    return LayerwisePass(
        {name: torch.cat([p.layers[name] for p in passes]) for name in LAYER_QUANTITIES},
        torch.cat([p.loss for p in passes]),
        torch.cat([p.accuracy for p in passes]),
    )


def _measure(stack: StackedMLP, batch: Batch, dropout: Sequence[Tensor]) -> LayerwisePass:
    depth = stack.shape.depth
    record = _Record(stack.members, depth, batch.x)
    hidden, outputs = _forward(stack, batch.x, dropout)
    logits = outputs[-1]
    scratch = torch.empty_like(hidden[0].h)  # one for all layers: fresh memory costs more than what is done in it
    for layer, cut in enumerate(hidden, 1):
        _activation_statistics(stack.shape.acts[layer - 1], layer, cut, scratch, record)
    with torch.no_grad():
        loss = losses(logits, batch.y)
        accuracy = (logits.argmax(-1) == batch.y).double().mean(1)
    (delta,) = torch.autograd.grad(losses(logits_leaf := logits.detach().requires_grad_(), batch.y).sum(), logits_leaf)
    _backward(stack, batch.x, hidden, outputs, delta, record)
    return LayerwisePass(record.layers(), loss.double(), accuracy)


def _forward(stack: StackedMLP, x: Tensor, dropout: Sequence[Tensor]) -> tuple[list[_Hidden], list[Tensor]]:
    """The hidden layers, and the outputs of every affine stage: y_1 … y_depth and the logits."""
    hidden: list[_Hidden] = []
    outputs: list[Tensor] = []
    for layer in range(1, stack.shape.depth + 1):
        leaves = [cut.h_leaf for cut in hidden]
        out = stack.connect(layer, leaves, hidden[-1].y_leaf) if hidden else stack.affine(1, x)
        y = out.detach().requires_grad_()
        u = stack.normalise(layer, y)
        h = stack.activate(layer, u)
        kept = h * dropout[layer - 1] if dropout else h
        hidden.append(_Hidden(y, u, h, kept, kept.detach().requires_grad_(), out.detach().requires_grad_()))
        outputs.append(out)
    leaves = [cut.h_leaf for cut in hidden]
    outputs.append(stack.affine(stack.shape.depth + 1, stack.read(leaves)))
    return hidden, outputs


def _activation_statistics(act: str, layer: int, cut: _Hidden, scratch: Tensor, record: _Record) -> None:
    u, h = cut.u.detach(), cut.h.detach()
    mean = h.mean(dim=(1, 2))
    record("mean", layer, mean)
    # Two plain passes: torch.var_mean over two dimensions is ten times slower on CPU.
    centred = torch.sub(h, mean.view(-1, 1, 1), out=scratch)
    record("variance", layer, _norm(centred).square() / h[0].numel())
    # A mask of floats is made and summed in vector instructions, a mask of truth values is not; its counts are
    # exact in float32 up to 2²⁴.
    zero = _share(torch.eq(h, 0, out=scratch))
    record("zero_fraction", layer, zero.mean(1))
    record("dead_fraction", layer, (zero == 1).double().mean(1))
    saturated = activation(act).saturated
    if saturated is is_zero:
        record("saturation", layer, zero.mean(1))
    elif saturated is not None:
        record("saturation", layer, _share(saturated(u, h).to(torch.float32)).mean(1))


def _share(mask: Tensor) -> Tensor:
    """Of ``mask [member, batch, unit]``, the share of inputs a unit: ``[member, unit]``."""
    return mask.sum(dim=1).double() / mask.shape[1]


def _backward(
    stack: StackedMLP, x: Tensor, hidden: list[_Hidden], outputs: list[Tensor], delta: Tensor, record: _Record
) -> None:
    depth, kind = stack.shape.depth, stack.shape.skip.kind
    members = stack.members
    # log2 of the true gradient over the one in flight
    exponent = torch.zeros(members, dtype=torch.int32, device=x.device)
    gathered: list[Tensor | None] = [None] * depth  # dense: what each activation has received so far
    delta_norm = _norm(delta)
    record("delta_norm", depth + 1, delta_norm)

    for layer in range(depth, -1, -1):
        # From the output of affine stage layer + 1 to its weights, the activation below, and the stream.
        below = hidden if kind == "dense" else hidden[-1:]
        sources = [stack.parameters[f"weight.{layer + 1}"], *(cut.h_leaf for cut in below)]
        skips = 0 < layer < depth and kind in ("residual", "highway")
        if skips:
            sources.append(hidden[-1].y_leaf)
        weight_grad, *grads = _gradients(outputs.pop(), sources, delta)
        record("weight_grad_norm", layer + 1, _norm(weight_grad), exponent)
        if layer == 0:
            return
        cut = hidden.pop()
        skip_grad = grads.pop() if skips else None
        act_grad = from_next = grads[-1]
        if kind == "dense":
            for i, grad in enumerate(grads):
                earlier = gathered[i]
                gathered[i] = grad if earlier is None else earlier + grad
            total = gathered[layer - 1]
            act_grad = from_next if total is None else total

        # Through the activation and the normalisation, and together with what the skip brings.
        if cut.u is cut.y:
            (branch_grad,) = _gradients(cut.kept, [cut.y], act_grad)
            act_norm, branch_norm = _norm(act_grad), _norm(branch_grad)
            normed_norm = branch_norm
        else:
            normed_grad, branch_grad = _gradients(cut.kept, [cut.u, cut.y], act_grad)
            act_norm, branch_norm, normed_norm = _norm(act_grad), _norm(branch_grad), _norm(normed_grad)
        record("act_grad_norm", layer, act_norm, exponent)
        if skip_grad is None:
            above, delta_next, delta = delta_norm, branch_norm, branch_grad
        else:
            delta = branch_grad + skip_grad
            above, delta_next = delta_norm, _norm(delta)
            record("branch_grad_norm", layer, branch_norm, exponent)
            record("skip_grad_norm", layer, _norm(skip_grad), exponent)
        record("delta_norm", layer, delta_next, exponent)

        if layer < depth:
            next_norm = _norm(from_next) if kind == "dense" else act_norm
            record("weight_factor", layer, next_norm / above)
            record("act_factor", layer, normed_norm / act_norm)
            record("norm_factor", layer, branch_norm / normed_norm)
            record("skip_factor", layer, act_norm / next_norm if kind == "dense" else delta_next / branch_norm)
        delta_norm = delta_next
        if kind != "dense":  # dense gradients arrive from everywhere, on one scale, and do not run off
            _, shift = torch.frexp(delta_norm)
            factor = torch.exp2(-shift.to(delta.dtype))
            delta, delta_norm = delta.mul_(factor.view(-1, 1, 1)), delta_norm * factor
            exponent = exponent + shift


def _gradients(output: Tensor, sources: Sequence[Tensor], gradient: Tensor) -> tuple[Tensor, ...]:
    """The gradients at the ``sources``, where that at the ``output`` is ``gradient``. It comes by a product, since
    PyTorch loads its compiler to compare the shapes of a gradient that it is given, which takes half a second."""
    return torch.autograd.grad(torch.dot(output.flatten(), gradient.flatten()), sources)


def _norm(t: Tensor) -> Tensor:
    """Frobenius norm of each member of ``[member, …, …]``."""
    return torch.linalg.vector_norm(t, dim=(1, 2))
