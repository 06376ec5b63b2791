"""Fully connected networks of one depth and normalisation, whatever their widths and activations, as one program."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnnlab.networks.activations import build
from dnnlab.networks.shape import NORM_EPS
from dnnlab.networks.spaces.mlp_net import LayeredMLP
from dnnlab.networks.stacked import moments

_MOMENTUM = 0.1
"""Momentum of batch normalisation's running statistics, as in PyTorch."""


class MLPStack:
    """`LayeredMLP` networks, narrow layers padded to the widest of the stack.

    Units that pad put out zero, so no gradient moves what leads to them or away from them.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        nets: list[Any] = [model for model in models if isinstance(model, LayeredMLP)]
        first = nets[0]
        self.members, self.depth, self.norm = len(nets), len(first.acts), type(first.norms[0])
        widths = [[net.linears[layer].weight.shape[0] for net in nets] for layer in range(self.depth)]
        fans = [first.linears[0].weight.shape[1], *map(max, widths)]
        like = first.output.weight
        self.parameters: dict[str, Tensor] = {}
        self.running: dict[str, Tensor] = {}
        for layer in range(self.depth):
            size = fans[layer + 1]
            self._hold(f"weight.{layer}", [net.linears[layer].weight.T for net in nets], (fans[layer], size))
            self._hold(f"bias.{layer}", [net.linears[layer].bias[None] for net in nets], (1, size))
            if self.norm is not nn.Identity:
                self._hold(f"gamma.{layer}", [net.norms[layer].weight[None] for net in nets], (1, size))
                self._hold(f"beta.{layer}", [net.norms[layer].bias[None] for net in nets], (1, size))
            if self.norm is nn.BatchNorm1d:
                for name in ("mean", "var"):
                    start = [getattr(net.norms[layer], f"running_{name}")[None] for net in nets]
                    self.running[f"{name}.{layer}"] = _padded(start, (1, size))
        self._hold("weight.out", [net.output.weight.T for net in nets], (fans[-1], like.shape[0]))
        self._hold("bias.out", [net.output.bias[None] for net in nets], (1, like.shape[0]))
        self.widths = [torch.tensor(each, device=like.device).view(-1, 1, 1) for each in widths]
        self.masks = [
            (torch.arange(fans[layer + 1], device=like.device) < width).to(like.dtype)
            for layer, width in enumerate(self.widths)
        ]
        self.joined = [
            torch.tensor([net.joined[layer] for net in nets], device=like.device).to(like.dtype).view(-1, 1, 1)
            for layer in range(self.depth)
        ]
        self.joins = [any(net.joined[layer] for net in nets) for layer in range(self.depth)]
        self.acts = [_Acts([net.acts[layer] for net in nets], like.device) for layer in range(self.depth)]

    def _hold(self, name: str, values: Sequence[Tensor], size: tuple[int, int]) -> None:
        self.parameters[name] = _padded(values, size).requires_grad_()

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Logits ``[member, batch, class]`` of inputs ``[member, batch, …]``."""
        h = y = x.flatten(2)
        for layer, (mask, joined, joins) in enumerate(zip(self.masks, self.joined, self.joins, strict=True)):
            branch = torch.baddbmm(self.parameters[f"bias.{layer}"], h, self.parameters[f"weight.{layer}"])
            y = branch + _as_wide(y, branch) * joined if joins else branch
            h = self.acts[layer](self._normalised(layer, y, training)) * mask
        return torch.baddbmm(self.parameters["bias.out"], h, self.parameters["weight.out"])

    def _normalised(self, layer: int, y: Tensor, training: bool) -> Tensor:
        if self.norm is nn.Identity:
            return y
        y = y.to(self.parameters[f"gamma.{layer}"].dtype)  # in mixed precision, too, statistics are of full precision
        if self.norm is nn.LayerNorm:
            mask, width = self.masks[layer], self.widths[layer]
            mean = (y * mask).sum(-1, keepdim=True) / width
            var = (((y - mean) * mask) ** 2).sum(-1, keepdim=True) / width
        elif training:
            mean, var = moments(y)
            for name, value in (("mean", mean), ("var", var * (y.shape[1] / (y.shape[1] - 1)))):
                self.running[f"{name}.{layer}"].lerp_(value.detach(), _MOMENTUM)
        else:
            mean, var = self.running[f"mean.{layer}"], self.running[f"var.{layer}"]
        scaled = (y - mean) * torch.rsqrt(var + NORM_EPS)
        return torch.addcmul(self.parameters[f"beta.{layer}"], scaled, self.parameters[f"gamma.{layer}"])

    def load_into(self, member: int, model: nn.Module) -> None:
        """Copy one member into a network of its own."""
        assert isinstance(model, LayeredMLP)
        net: Any = model
        with torch.no_grad():
            for layer, linear in enumerate(net.linears):
                linear.weight.copy_(_cut(self.parameters[f"weight.{layer}"][member].T, linear.weight))
                linear.bias.copy_(_cut(self.parameters[f"bias.{layer}"][member][0], linear.bias))
                norm = net.norms[layer]
                if self.norm is not nn.Identity:
                    norm.weight.copy_(_cut(self.parameters[f"gamma.{layer}"][member][0], norm.weight))
                    norm.bias.copy_(_cut(self.parameters[f"beta.{layer}"][member][0], norm.bias))
                for name in ("mean", "var") if self.running else ():
                    values = getattr(norm, f"running_{name}")
                    values.copy_(_cut(self.running[f"{name}.{layer}"][member][0], values))
            model.output.weight.copy_(_cut(self.parameters["weight.out"][member].T, model.output.weight))
            model.output.bias.copy_(self.parameters["bias.out"][member][0])


class _Acts:
    """The activation of each member: members of one kind are gathered, activated, and put back in their places."""

    def __init__(self, names: Sequence[str], device: torch.device) -> None:
        kinds = sorted(set(names))
        groups = [[i for i, name in enumerate(names) if name == kind] for kind in kinds]
        self.functions = [build(kind) for kind in kinds]
        self.groups = [torch.tensor(group, device=device) for group in groups]
        self.back = torch.tensor([i for group in groups for i in group], device=device).argsort()

    def __call__(self, u: Tensor) -> Tensor:
        if len(self.functions) == 1:
            activated: Tensor = self.functions[0](u)
            return activated
        parts = [function(u[group]) for function, group in zip(self.functions, self.groups, strict=True)]
        return torch.cat(parts).index_select(0, self.back)


def _padded(values: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    parts = [F.pad(v.detach(), (0, size[1] - v.shape[1], 0, size[0] - v.shape[0])) for v in values]
    return torch.stack(parts)


def _as_wide(h: Tensor, like: Tensor) -> Tensor:
    """``h`` cut or padded with zeros to the width of ``like``; units beyond the narrower of the two are padding."""
    return F.pad(h, (0, like.shape[-1] - h.shape[-1]))


def _cut(values: Tensor, like: Tensor) -> Tensor:
    return values[tuple(slice(n) for n in like.shape)]
