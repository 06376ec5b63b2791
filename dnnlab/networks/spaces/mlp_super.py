"""All fully connected networks of the space in one: the supernet that DARTS and one-shot search train."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from dnnlab.networks.activations import build
from dnnlab.networks.spaces.mlp import ACTS, DEPTHS, SKIPS, WIDTHS
from dnnlab.networks.spaces.supernet import mixed


class MLPSupernet(nn.Module):
    """Layers of the greatest width, of which a mask keeps as many units as were chosen (Wan 2020), and an exit after
    each. ``mix`` holds the weights of the choices, dimension by dimension as in `mlp.DIMENSIONS`."""

    def __init__(self, shape: Sequence[int], classes: int) -> None:
        super().__init__()
        inputs = int(torch.Size(shape).numel())
        widest, depth = max(WIDTHS), max(DEPTHS)
        fans = [inputs, *[widest] * depth]
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(fans))
        self.batch_norms = nn.ModuleList(nn.BatchNorm1d(widest) for _ in range(depth))
        self.layer_norms = nn.ModuleList(nn.LayerNorm(widest) for _ in range(depth))
        self.activations = nn.ModuleList(build(act) for act in ACTS)
        self.exits = nn.ModuleList(nn.Linear(widest, classes) for _ in DEPTHS)
        masks = torch.stack([(torch.arange(widest) < width).float() for width in WIDTHS])
        self.masks: Tensor
        self.register_buffer("masks", masks, persistent=False)

    def forward(self, x: Tensor, mix: Sequence[Tensor]) -> Tensor:
        """Logits ``[batch, class]``."""
        count = len(DEPTHS)
        depths, widths, acts, (norm, skip) = mix[0], mix[1 : 1 + count], mix[1 + count : 1 + 2 * count], mix[-2:]
        h = stream = x.flatten(1)
        logits = []
        for layer in range(count):
            if not depths.requires_grad and not bool(depths[layer:].any()):
                break
            y = self.linears[layer](h) + (skip[SKIPS.index("residual")] * stream if layer else 0)
            norms = (nn.Identity(), self.batch_norms[layer], self.layer_norms[layer])
            mask = widths[layer] @ self.masks
            h, stream = mixed(self.activations, mixed(norms, y, norm), acts[layer]) * mask, y * mask
            logits.append(depths[layer] * self.exits[layer](h))
        return torch.stack(logits).sum(0)
