"""BERT (Devlin 2019), as a classifier of sequences of tokens."""

from torch import Tensor, nn

from dnnlab.networks.activations import build
from dnnlab.networks.transformer import HEAD, Block, check_length, draw_normal, linear, normalise

_EPS = 1e-12


class BERT(nn.Module):
    """Tokens ``[batch, token]``, embedded with their positions, through ``layers`` blocks; a layer with tanh, the
    pooler, reads the first token, and the classifier reads that.

    The published counts are of all but the classifier, with the pooler. All tokens are of the first of the two
    segments, and none is masked.

    Args:
        layers: blocks.
        heads: of attention at width 1, each of 64 features.
        positions: the longest sequence.
        vocabulary: different tokens.
        input_size: tokens of a sequence.
        norm: ``layer``, over the features of each token, or ``none``.
        skip: ``none`` for a plain twin, which has no shortcuts.
        dropout: of the embeddings, at the end of each branch, and before the classifier; not of the attention's
            weights, which the paper has, too.

    Raises:
        UsageError: a sequence is longer than there are positions.
    """

    def __init__(
        self,
        layers: int,
        heads: int,
        positions: int = 512,
        *,
        vocabulary: int = 30_522,
        input_size: int = 128,
        num_classes: int = 2,
        act: str = "gelu",
        norm: str = "layer",
        skip: str = "residual",
        width: float = 1.0,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        check_length("BERT", input_size, positions)
        heads = max(1, round(heads * width))
        features = heads * HEAD
        self.word_embeddings = nn.Embedding(vocabulary, features)
        self.position_embeddings = nn.Embedding(positions, features)
        self.token_type_embeddings = nn.Embedding(2, features)
        self.ln = normalise(norm, features, _EPS)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential(
            *(Block(heads, lambda: build(act), norm, skip, dropout, eps=_EPS, norm_last=True) for _ in range(layers))
        )
        self.pooler = nn.Sequential(linear(features, features), nn.Tanh(), nn.Dropout(dropout))
        self.classifier = linear(features, num_classes)
        draw_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        places = self.position_embeddings.weight[: x.shape[1]] + self.token_type_embeddings.weight[0]
        tokens = self.layers(self.dropout(self.ln(self.word_embeddings(x) + places)))
        pooled: Tensor = self.classifier(self.pooler(tokens[:, 0]))
        return pooled
