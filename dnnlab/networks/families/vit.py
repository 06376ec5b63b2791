"""Vision transformers (Dosovitskiy 2021)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnnlab.errors import UsageError
from dnnlab.networks import activations
from dnnlab.networks.blocks import Conv2d

HEAD = 64
"""Features that each attention head reads, in every published member."""


class Attention(nn.Module):
    """Self-attention of ``heads`` heads: ``[batch, token, feature]`` → the same (Vaswani 2017)."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads, features = heads, heads * HEAD
        self.in_proj_weight = nn.Parameter(torch.empty(3 * features, features))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * features))
        self.out_proj = _linear(features, features)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        read = F.scaled_dot_product_attention(self._split(query), self._split(key), self._split(value))
        return self.out_proj(read.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        """``[batch, token, feature]`` → ``[batch, head, token, feature of the head]``."""
        return x.unflatten(-1, (self.heads, HEAD)).transpose(1, 2)


class Block(nn.Module):
    """Attention among tokens, then a layer of four times the features for each, both around a shortcut."""

    def __init__(self, heads: int, act: str, norm: str, skip: str, dropout: float) -> None:
        super().__init__()
        features = heads * HEAD
        self.ln_1 = _normalise(norm, features)
        self.self_attention = Attention(heads)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = _normalise(norm, features)
        self.mlp = nn.Sequential(
            *(_linear(features, 4 * features), activations.build(act), nn.Dropout(dropout)),
            *(_linear(4 * features, features), nn.Dropout(dropout)),
        )
        self.residual = skip == "residual"

    def forward(self, x: Tensor) -> Tensor:
        branch = self.dropout(self.self_attention(self.ln_1(x)))
        x = x + branch if self.residual else branch
        branch = self.mlp(self.ln_2(x))
        return x + branch if self.residual else branch


class Encoder(nn.Module):
    """Tokens with their positions, through ``layers`` blocks: ``[batch, token, feature]`` → the same shape."""

    def __init__(self, layers: int, tokens: int, heads: int, act: str, norm: str, skip: str, dropout: float) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, tokens, heads * HEAD))
        nn.init.normal_(self.pos_embedding, 0.0, 0.02)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential()
        for i in range(layers):
            self.layers.add_module(f"encoder_layer_{i}", Block(heads, act, norm, skip, dropout))
        self.ln = _normalise(norm, heads * HEAD)

    def forward(self, x: Tensor) -> Tensor:
        return self.ln(self.layers(self.dropout(x + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """An image as a sequence of patches, and a token more from which the class is read.

    Args:
        layers: of the encoder.
        heads: of attention at width 1, each of `HEAD` features.
        patch_size: pixels along a side of a patch, in the published network.
        input_size: pixels along a side of the images; the position embeddings are as many as patches.
        patch: another patch size; ``published`` leaves it to ``stem``.
        norm: ``layer``, over the features of each token, or ``none``.
        skip: ``none`` for a plain twin, which has no shortcuts.
        stem: ``small`` for patches of 4 px where ``patch`` is not given.
        dropout: of the tokens at first, inside each feed-forward layer, and at the end of each branch.

    Raises:
        UsageError: such patches do not tile such an image.
    """

    def __init__(
        self,
        layers: int,
        heads: int,
        patch_size: int,
        *,
        input_size: int = 224,
        patch: str = "published",
        num_classes: int = 1000,
        in_chans: int = 3,
        act: str = "gelu",
        norm: str = "layer",
        skip: str = "residual",
        stem: str = "imagenet",
        width: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        side = int(patch) if patch != "published" else 4 if stem == "small" else patch_size
        if input_size % side:
            raise UsageError(
                f"patches of {side} px do not tile an image of {input_size} px; take a patch or an input_size of "
                "which one divides the other."
            )
        heads = max(1, round(heads * width))
        features = heads * HEAD
        self.class_token = nn.Parameter(torch.zeros(1, 1, features))
        self.conv_proj = Conv2d(in_chans, features, side, side)
        nn.init.trunc_normal_(self.conv_proj.weight, std=math.sqrt(1 / (in_chans * side**2)))
        self.encoder = Encoder(layers, (input_size // side) ** 2 + 1, heads, act, norm, skip, dropout)
        # the paper's head is zero at first, which would keep all gradients behind it at zero for a step
        self.heads = nn.Sequential()
        self.heads.add_module("head", _linear(features, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        patches = self.conv_proj(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(x.shape[0], -1, -1), patches], 1)
        return self.heads(self.encoder(tokens)[:, 0])


def _normalise(norm: str, features: int) -> nn.Module:
    return nn.LayerNorm(features, eps=1e-6) if norm == "layer" else nn.Identity()


def _linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer initialised as Glorot 2010, as the paper has it."""
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
