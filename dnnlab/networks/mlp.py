"""The fully connected network as an ordinary ``nn.Module``: the readable twin of one member of a stack."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnnlab.networks.activations import build
from dnnlab.networks.shape import GATE_BIAS, NORM_EPS, MLPShape
from dnnlab.networks.stacked import StackedMLP


class Normed(nn.Sequential):
    """The part between a hidden layer's pre-activation y and the next layer: normalisation, if there is one, and the
    activation."""

    def __init__(self, shape: MLPShape, layer: int) -> None:
        norms: dict[str, Any] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
        norm = [norms[shape.norm](shape.width, eps=NORM_EPS)] if shape.norm in norms else []
        super().__init__(*norm, build(shape.acts[layer - 1]))


class Hidden(nn.Module):
    """Layer 2 … depth: ``y_l`` from ``y_{l-1} [batch, width]`` and, with dense skips, all activations before it.

    It owns its weights itself, so that a forward hook on it sees ``y_l``, skip included.
    """

    def __init__(self, shape: MLPShape, layer: int) -> None:
        super().__init__()
        self.skip = shape.skip
        self.below = Normed(shape, layer - 1)
        linear = nn.Linear(shape.fan_in(layer), shape.width)
        self.weight, self.bias = linear.weight, linear.bias
        if self.skip.kind == "highway":
            self.gate = nn.Linear(shape.width, shape.width)
            nn.init.constant_(self.gate.bias, GATE_BIAS)

    def forward(self, y: Tensor, earlier: list[Tensor]) -> Tensor:
        """The pre-activation y_l of this layer, from that of the layer before; appends φ(norm(y_{l-1})) to
        ``earlier``."""
        earlier.append(self.below(y))
        read = torch.cat(earlier, dim=1) if self.skip.kind == "dense" else earlier[-1]
        branch = F.linear(read, self.weight, self.bias)
        if self.skip.kind == "residual":
            return y + self.skip.scale * branch
        if self.skip.kind == "highway":
            gate = torch.sigmoid(self.gate(y))
            return gate * branch + (1 - gate) * y
        return branch


class MLP(nn.Module):
    """One fully connected network as an ordinary ``nn.Module``, with PyTorch's own initialisation.

    It gets inputs ``[batch, …]``, which it flattens to ``[batch, feature]``, and gives logits ``[batch, class]``.

    Args:
        shape: What it looks like.

    The second member of a stack gives the same logits as a module of its own:

    >>> import torch
    >>> from dnnlab.networks import MLP, MLPShape, StackedMLP
    >>> from dnnlab.statistics import stream
    >>> shape = MLPShape(inputs=8, classes=3, depth=2, width=16, acts=("tanh", "tanh"))
    >>> stack = StackedMLP.draw(shape, ["he"] * 2, [stream(0, seed, "weights") for seed in range(2)])
    >>> x = torch.ones(2, 5, 8)
    >>> torch.allclose(MLP.of_member(stack, 1)(x[1]), stack.forward(x)[1], atol=1e-5)
    True
    """

    def __init__(self, shape: MLPShape) -> None:
        super().__init__()
        self.shape = shape
        self.first = nn.Linear(shape.inputs, shape.width)
        self.hidden = nn.ModuleList(Hidden(shape, layer) for layer in range(2, shape.depth + 1))
        self.below_output = Normed(shape, shape.depth)
        self.output = nn.Linear(shape.fan_in(shape.depth + 1), shape.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[batch, class]``."""
        y, earlier = self.first(x.flatten(1)), cast(list[Tensor], [])
        for hidden in self.hidden:
            y = hidden(y, earlier)
        earlier.append(self.below_output(y))
        return self.output(torch.cat(earlier, dim=1) if self.shape.skip.kind == "dense" else earlier[-1])

    @classmethod
    def of_member(cls, stack: StackedMLP, member: int) -> "MLP":
        """Member ``member`` of a stack: the same parameters, copied, in the same type."""
        model = cls(stack.shape).to(stack.parameters["weight.1"].dtype)
        state = dict(model.named_parameters())
        with torch.no_grad():
            for name, stacked in stack.parameters.items():
                kind, _, layer = name.partition(".")
                values = stacked[member].mT if kind in ("weight", "gate") else stacked[member].flatten()
                state[model.place(kind, int(layer))].copy_(values)
        return model

    def place(self, kind: str, layer: int) -> str:
        """The name in this module of a stack's parameter ``kind.layer``."""
        depth = self.shape.depth
        holder = "first" if layer == 1 else "output" if layer == depth + 1 else f"hidden.{layer - 2}"
        if kind in ("weight", "bias"):
            return f"{holder}.{kind}"
        if kind in ("gate", "gate_bias"):
            return f"{holder}.gate.{'weight' if kind == 'gate' else 'bias'}"
        reader = "below_output" if layer == depth else f"hidden.{layer - 1}.below"
        if kind == "slope":
            return f"{reader}.{0 if self.shape.norm == 'none' else 1}.weight"
        return f"{reader}.0.{'weight' if kind == 'gamma' else 'bias'}"
