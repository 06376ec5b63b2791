"""Many fully connected networks of one shape as a single tensor program.

Every parameter and every activation has a leading member dimension, so that seeds and configurations run side
by side in batched matrix products. A member's numbers do not depend on its neighbours.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dnnlab.networks import initialisers
from dnnlab.networks.activations import build
from dnnlab.networks.shape import GATE_BIAS, NORM_EPS, MLPShape

_RUNNING_MOMENTUM = 0.1


@dataclass
class Batch:
    """What a stack of networks reads in one pass: inputs and labels for each of its members.

    Three members that read the same batch of five examples:

    >>> import torch
    >>> from dnnlab.networks import Batch
    >>> x, y = torch.randn(5, 64), torch.randint(10, (5,))
    >>> batch = Batch(x.expand(3, -1, -1), y.expand(3, -1))
    >>> batch.x.shape, batch.y.shape
    (torch.Size([3, 5, 64]), torch.Size([3, 5]))
    """

    x: Tensor
    """Inputs ``[member, batch, feature]``."""
    y: Tensor
    """Labels ``[member, batch]``, whole numbers from 0."""


class StackedMLP:
    """Many networks of one `MLPShape` as one tensor program, for many seeds or configurations side by side.

    A member's numbers do not depend on its neighbours. Call `forward` for the logits; it is no ``nn.Module``.

    Args:
        shape: What all members look like.
        parameters: Tensors by name, for the layers l = 1 … depth + 1: ``weight.l [member, fan_in, fan_out]`` and
            ``bias.l [member, 1, fan_out]``. Highways have ``gate.l`` and ``gate_bias.l`` too, norms ``gamma.l`` and
            ``beta.l [member, 1, width]``, PReLU ``slope.l [member, 1, 1]``. `draw` makes them.

    Three seeds of a network with He's initialisation, under which weights have the variance 2/fan_in:

    >>> import torch
    >>> from dnnlab.networks import MLPShape, StackedMLP
    >>> from dnnlab.statistics import stream
    >>> shape = MLPShape(inputs=64, classes=10, depth=2, width=200, acts=("relu", "relu"))
    >>> stack = StackedMLP.draw(shape, ["he"] * 3, [stream(0, seed, "weights") for seed in range(3)])
    >>> stack.forward(torch.zeros(3, 5, 64)).shape
    torch.Size([3, 5, 10])
    >>> f"{stack.parameters['weight.2'].var() * 200:.1f}"
    '2.0'
    """

    def __init__(self, shape: MLPShape, parameters: dict[str, Tensor]) -> None:
        self.shape = shape
        self.parameters = parameters
        self._functions = {act: build(act) for act in set(shape.acts) - {"prelu"}}
        self.running: dict[str, Tensor] = {}
        """Batch norm's running mean and variance, ``[member, 1, width]``, for evaluation."""
        if shape.norm == "batch":
            for layer in range(1, shape.depth + 1):
                like = parameters[f"gamma.{layer}"]
                self.running[f"mean.{layer}"] = torch.zeros_like(like)
                self.running[f"var.{layer}"] = torch.ones_like(like)

    @classmethod
    def draw(
        cls,
        shape: MLPShape,
        inits: Sequence[str],
        rngs: Sequence[np.random.Generator],
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
    ) -> "StackedMLP":
        """A stack whose member m is initialised by ``inits[m]`` (see `INITIALISERS`) from its own random numbers
        ``rngs[m]``."""
        members, width = len(inits), shape.width
        parameters: dict[str, Tensor] = {}

        def stack(weight: str, bias: str, layer: int) -> None:
            fans = shape.fan_in(layer), shape.fan_out(layer)
            if weight == "gate":  # the input of gates is the stream y, never a concatenation
                fans = width, width
            drawn = [
                initialisers.draw(init, rng, *fans, *shape.neighbours(layer))
                for init, rng in zip(inits, rngs, strict=True)
            ]
            for name, values in zip((weight, bias), zip(*drawn, strict=True), strict=True):
                tensor = torch.from_numpy(np.stack(values)).to(device, dtype)
                parameters[f"{name}.{layer}"] = tensor if tensor.ndim == 3 else tensor.unsqueeze(1)

        for layer in range(1, shape.depth + 2):
            stack("weight", "bias", layer)
            if shape.skip.kind == "highway" and 1 < layer <= shape.depth:
                stack("gate", "gate_bias", layer)
                parameters[f"gate_bias.{layer}"].fill_(GATE_BIAS)
            if layer <= shape.depth:
                if shape.norm != "none":
                    parameters[f"gamma.{layer}"] = torch.ones(members, 1, width, dtype=dtype, device=device)
                    parameters[f"beta.{layer}"] = torch.zeros(members, 1, width, dtype=dtype, device=device)
                if shape.acts[layer - 1] == "prelu":
                    parameters[f"slope.{layer}"] = torch.full((members, 1, 1), 0.25, dtype=dtype, device=device)
        return cls(shape, {name: tensor.requires_grad_() for name, tensor in parameters.items()})

    @property
    def members(self) -> int:
        """How many networks it has."""
        return self.parameters["weight.1"].shape[0]

    def members_of(self, part: slice) -> "StackedMLP":
        """The members in ``part`` as a stack, which shares their memory."""
        share = StackedMLP(self.shape, {name: p.detach()[part].requires_grad_() for name, p in self.parameters.items()})
        share.running = {name: r[part] for name, r in self.running.items()}
        return share

    def normalise(self, layer: int, y: Tensor, training: bool = True, track: bool = False) -> Tensor:
        """The input of a hidden layer's activation: ``y [member, batch, width]``, normalised if the shape has a norm.

        ``training`` takes batch norm's statistics from the batch, and ``track`` folds them into the running ones.
        """
        norm = self.shape.norm
        if norm == "none":
            return y
        gamma, beta = self.parameters[f"gamma.{layer}"], self.parameters[f"beta.{layer}"]
        if norm == "layer":
            return torch.addcmul(beta, F.layer_norm(y, (self.shape.width,), eps=NORM_EPS), gamma)
        if training:
            mean, var = moments(y)
            if track:
                unbiased = var * y.shape[1] / (y.shape[1] - 1)
                self.running[f"mean.{layer}"].lerp_(mean.detach(), _RUNNING_MOMENTUM)
                self.running[f"var.{layer}"].lerp_(unbiased.detach(), _RUNNING_MOMENTUM)
        else:
            mean, var = self.running[f"mean.{layer}"], self.running[f"var.{layer}"]
        scale = gamma * torch.rsqrt(var + NORM_EPS)
        return torch.addcmul(beta - mean * scale, y, scale)

    def activate(self, layer: int, u: Tensor) -> Tensor:
        """φ of a hidden layer, ``[member, batch, width]``."""
        act = self.shape.acts[layer - 1]
        if act == "prelu":
            # PyTorch's PReLU has one slope for each index of the second dimension.
            rows = u.reshape(1, len(u), -1)
            return torch.prelu(rows, self.parameters[f"slope.{layer}"].flatten()).view(u.shape)
        activated: Tensor = self._functions[act](u)
        return activated

    def affine(self, layer: int, h: Tensor) -> Tensor:
        """W h + b of layer 1 … depth + 1, ``[member, batch, unit]``."""
        return torch.baddbmm(self.parameters[f"bias.{layer}"], h, self.parameters[f"weight.{layer}"])

    def connect(self, layer: int, hs: Sequence[Tensor], y: Tensor) -> Tensor:
        """``y_layer`` of layer 2 … depth from earlier activations ``hs`` and the stream ``y`` before it."""
        skip = self.shape.skip
        branch = self.affine(layer, self.read(hs))
        if skip.kind == "residual":
            return torch.add(y, branch, alpha=skip.scale)
        if skip.kind == "highway":
            logit = torch.baddbmm(self.parameters[f"gate_bias.{layer}"], y, self.parameters[f"gate.{layer}"])
            return torch.lerp(y, branch, torch.sigmoid(logit))
        return branch

    def read(self, hs: Sequence[Tensor]) -> Tensor:
        """The input of a layer: the last activations, or with dense skips all of them."""
        return torch.cat(list(hs), dim=-1) if self.shape.skip.kind == "dense" else hs[-1]

    def forward(self, x: Tensor, training: bool = False, dropout: Sequence[Tensor] = ()) -> Tensor:
        """Logits ``[member, batch, class]`` of inputs ``[member, batch, feature]``.

        ``training`` takes batch norm's statistics from the batch, and folds them into the running ones;
        ``dropout`` holds one mask ``[member, batch, width]`` for each hidden layer, already scaled by 1/(1 - p).
        """
        track = training and bool(self.running)
        hs = [h for _, _, h in self.hidden(x, training, dropout, track)]
        return self.affine(self.shape.depth + 1, self.read(hs))

    def hidden(
        self, x: Tensor, training: bool, dropout: Sequence[Tensor] = (), track: bool = False
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Of each hidden layer the pre-activation y, what the activation reads u = norm(y), and its output h after
        dropout, ``[member, batch, width]`` each. ``training`` and ``track`` are those of `normalise`."""
        y = self.affine(1, x)
        hs: list[Tensor] = []
        for layer in range(1, self.shape.depth + 1):
            if layer > 1:
                y = self.connect(layer, hs, y)
            u = self.normalise(layer, y, training, track)
            h = self.activate(layer, u)
            hs.append(h * dropout[layer - 1] if dropout else h)
            yield y, u, hs[-1]


def moments(y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and population variance over the batch, ``[member, 1, width]`` each, of ``y [member, batch, width]``.

    In two plain passes: `torch.var_mean` takes ten times as long over this axis on a CPU.
    """
    mean = y.mean(1, keepdim=True)
    return mean, (y - mean).square().mean(1, keepdim=True)


def losses(logits: Tensor, y: Tensor) -> Tensor:
    """Mean cross-entropy of each member, ``[member]``, of logits ``[member, batch, class]``."""
    flat = F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none")
    return flat.view(y.shape).mean(dim=1)
