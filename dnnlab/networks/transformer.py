"""The parts of transformers (Vaswani 2017), of images and of text. Shapes are ``[batch, token, feature]`` throughout.

Names of submodules equal those of torchvision's vision transformers.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnnlab.errors import UsageError

HEAD = 64
"""Features that each attention head reads, in every published member."""


class Attention(nn.Module):
    """Self-attention of ``heads`` heads: ``[batch, token, feature]`` → the same (Vaswani 2017).

    Where it is ``causal``, a token reads itself and those before it.
    """

    def __init__(self, heads: int, causal: bool = False) -> None:
        super().__init__()
        self.heads, self.causal, features = heads, causal, heads * HEAD
        self.in_proj_weight = nn.Parameter(torch.empty(3 * features, features))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * features))
        self.out_proj = linear(features, features)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        read = F.scaled_dot_product_attention(
            self._split(query), self._split(key), self._split(value), is_causal=self.causal
        )
        return self.out_proj(read.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        """``[batch, token, feature]`` → ``[batch, head, token, feature of the head]``."""
        return x.unflatten(-1, (self.heads, HEAD)).transpose(1, 2)


class Block(nn.Module):
    """Attention among tokens, then a layer of four times the features for each, both around a shortcut.

    Args:
        heads: of attention.
        activate: makes the activation.
        norm: ``layer``, over the features of each token, or ``none``.
        skip: ``none`` leaves the shortcuts out.
        dropout: at the end of each branch.
        hidden_dropout: behind the activation.
        causal: see `Attention`.
        eps: added to the variance in normalisation.
        norm_last: whether the sum of a branch and its shortcut is normalised, as of Vaswani 2017, and not what the
            branch reads.
    """

    def __init__(
        self,
        heads: int,
        activate: Callable[[], nn.Module],
        norm: str,
        skip: str,
        dropout: float,
        *,
        hidden_dropout: float = 0.0,
        causal: bool = False,
        eps: float = 1e-6,
        norm_last: bool = False,
    ) -> None:
        super().__init__()
        features = heads * HEAD
        self.ln_1 = normalise(norm, features, eps)
        self.self_attention = Attention(heads, causal)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = normalise(norm, features, eps)
        self.mlp = nn.Sequential(
            *(linear(features, 4 * features), activate(), nn.Dropout(hidden_dropout)),
            *(linear(4 * features, features), nn.Dropout(dropout)),
        )
        self.residual, self.norm_last = skip == "residual", norm_last

    def forward(self, x: Tensor) -> Tensor:
        if self.norm_last:
            x = self.ln_1(self._sum(x, self.dropout(self.self_attention(x))))
            return self.ln_2(self._sum(x, self.mlp(x)))
        x = self._sum(x, self.dropout(self.self_attention(self.ln_1(x))))
        return self._sum(x, self.mlp(self.ln_2(x)))

    def _sum(self, x: Tensor, branch: Tensor) -> Tensor:
        return x + branch if self.residual else branch


def check_length(name: str, length: int, positions: int) -> None:
    """Raise a `UsageError` where a sequence is longer than the network called ``name`` has positions."""
    if length > positions:
        raise UsageError(
            f"{name} has positions for sequences of up to {positions} tokens, not {length}; take shorter ones."
        )


def draw_normal(model: nn.Module, std: float = 0.02) -> None:
    """Draw all matrices of ``model`` from a normal distribution, and set the biases of layers to zero, as BERT and
    GPT-2 begin."""
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, 0.0, std)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)


def normalise(norm: str, features: int, eps: float = 1e-6) -> nn.Module:
    return nn.LayerNorm(features, eps=eps) if norm == "layer" else nn.Identity()


def linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer initialised as Glorot 2010, as vision transformers have it."""
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
