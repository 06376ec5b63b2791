"""The fully connected network whose layers each have their own width and activation."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from dnnlab.networks.activations import build


class LayeredMLP(nn.Module):
    """`networks.mlp.MLP` whose layers have widths and activations of their own.

    ``y_l = W_l h_{l-1} + b_l`` and ``h_l = act_l(norm(y_l))``; where ``skip`` is residual and the widths agree,
    ``y_{l-1}`` is added to ``y_l``. Inputs of any ``shape`` are flattened.
    """

    def __init__(
        self,
        shape: Sequence[int],
        classes: int,
        widths: Sequence[int],
        acts: Sequence[str],
        norm: str = "none",
        skip: str = "none",
    ) -> None:
        super().__init__()
        fans = [math.prod(shape), *widths]
        norms = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
        self.acts = tuple(acts)
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(fans))
        self.norms = nn.ModuleList(norms[norm](width) if norm in norms else nn.Identity() for width in widths)
        self.activations = nn.ModuleList(build(act) for act in acts)
        self.joined = [False, *(skip == "residual" and a == b for a, b in pairwise(widths))]
        self.output = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[batch, class]``."""
        h = y = x.flatten(1)
        for linear, norm, act, joined in zip(self.linears, self.norms, self.activations, self.joined, strict=True):
            y = y + linear(h) if joined else linear(h)
            h = act(norm(y))
        return self.output(h)
