"""GPT-2 (Radford 2019), as a classifier of sequences of tokens: by default of the token that comes next."""

import math

from torch import Tensor, nn
from torch.nn import functional as F

from dnnlab.networks.activations import build
from dnnlab.networks.transformer import HEAD, Block, check_length, draw_normal, linear, normalise

_EPS = 1e-5


class GPT2(nn.Module):
    """Tokens ``[batch, token]``, embedded with their positions, through ``layers`` blocks in which a token reads those
    before it; the class is read from the last one.

    Where the classes are the vocabulary, the last layer is the embedding itself ("tied"), so that it has no parameters
    of its own: then all parameters together are the published count. Otherwise it is a linear layer, and the published
    count is of all but that.

    Args:
        layers: blocks.
        heads: of attention at width 1, each of 64 features.
        positions: the longest sequence.
        vocabulary: different tokens.
        input_size: tokens of a sequence.
        act: ``published`` is GELU by its approximation with tanh, and ``gelu`` the exact one.
        norm: ``layer``, over the features of each token, or ``none``.
        skip: ``none`` for a plain twin, which has no shortcuts.
        dropout: of the embeddings and at the end of each branch; not of the attention's weights, which the paper's code
            has, too.

    Raises:
        UsageError: a sequence is longer than there are positions.
    """

    def __init__(
        self,
        layers: int,
        heads: int,
        positions: int = 1024,
        *,
        vocabulary: int = 50_257,
        input_size: int = 1024,
        num_classes: int = 50_257,
        act: str = "published",
        norm: str = "layer",
        skip: str = "residual",
        width: float = 1.0,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        check_length("GPT-2", input_size, positions)
        heads = max(1, round(heads * width))
        features = heads * HEAD

        def activate() -> nn.Module:
            return nn.GELU(approximate="tanh") if act == "published" else build(act)

        self.wte = nn.Embedding(vocabulary, features)
        self.wpe = nn.Embedding(positions, features)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential(
            *(Block(heads, activate, norm, skip, dropout, causal=True, eps=_EPS) for _ in range(layers))
        )
        self.ln = normalise(norm, features, _EPS)
        self.head = None if num_classes == vocabulary else linear(features, num_classes)
        draw_normal(self)
        for name, parameter in self.named_parameters():  # branches add up over the layers
            if name.endswith(("out_proj.weight", "mlp.3.weight")):
                nn.init.normal_(parameter, 0.0, 0.02 / math.sqrt(2 * layers))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.layers(self.dropout(self.wte(x) + self.wpe.weight[: x.shape[1]]))
        last = self.ln(tokens)[:, -1]
        logits: Tensor = F.linear(last, self.wte.weight) if self.head is None else self.head(last)
        return logits
