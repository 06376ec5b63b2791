"""Vision transformers (Dosovitskiy 2021)."""

import math

import torch
from torch import Tensor, nn

from dnnlab.errors import UsageError
from dnnlab.networks.activations import build
from dnnlab.networks.blocks import Conv2d
from dnnlab.networks.transformer import HEAD, Block, linear, normalise


class Encoder(nn.Module):
    """Tokens with their positions, through ``layers`` blocks: ``[batch, token, feature]`` → the same shape."""

    def __init__(self, layers: int, tokens: int, heads: int, act: str, norm: str, skip: str, dropout: float) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, tokens, heads * HEAD))
        nn.init.normal_(self.pos_embedding, 0.0, 0.02)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential()
        for i in range(layers):
            block = Block(heads, lambda: build(act), norm, skip, dropout, hidden_dropout=dropout)
            self.layers.add_module(f"encoder_layer_{i}", block)
        self.ln = normalise(norm, heads * HEAD)

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
        self.heads.add_module("head", linear(features, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        patches = self.conv_proj(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(x.shape[0], -1, -1), patches], 1)
        return self.heads(self.encoder(tokens)[:, 0])
