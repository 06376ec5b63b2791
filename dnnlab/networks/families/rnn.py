"""Recurrent networks (Elman 1990; Hochreiter & Schmidhuber 1997) that read a sequence and class it at its end."""

from typing import Any

from torch import Tensor, nn

from dnnlab.networks.blocks import scaled


class RNN(nn.Module):
    """Layers of ``units`` times ``width`` that read the rows of an image ``[batch, channel, height, width]`` from the
    top, or tokens ``[batch, token]`` through an embedding of as many features; a linear layer reads the last state.

    A layer has PyTorch's two vectors of biases for each gate.

    Args:
        units: of each layer, at width 1.
        cell: PyTorch's class of the layers: ``RNN``, with tanh, or ``LSTM``.
        layers: one on another.
        input_size: pixels along a side of the images.
        vocabulary: different tokens; 0 for images.
        dropout: of the embedded tokens, between layers, and before the last layer (Zaremba 2014).
    """

    def __init__(
        self,
        units: int,
        *,
        cell: str = "RNN",
        layers: str = "1",
        input_size: int = 28,
        vocabulary: int = 0,
        num_classes: int = 10,
        in_chans: int = 3,
        width: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        units, count = scaled(units, width), int(layers)
        self.embedding = nn.Embedding(vocabulary, units) if vocabulary else None
        self.dropout = nn.Dropout(dropout)
        read = units if vocabulary else in_chans * input_size
        between = dropout if count > 1 else 0.0
        kinds: dict[str, Any] = {"RNN": nn.RNN, "LSTM": nn.LSTM}
        self.recurrent = kinds[cell](read, units, count, batch_first=True, dropout=between)
        self.fc = nn.Linear(units, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.transpose(1, 2).flatten(2) if self.embedding is None else self.dropout(self.embedding(x))
        states, _ = self.recurrent(rows)
        logits: Tensor = self.fc(self.dropout(states[:, -1]))
        return logits
