"""Which layers are probed."""

import torch
from torch import nn

from dnnlab.compare_arch.separability.measure import features
from dnnlab.data import load


class Attentive(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.act = nn.ReLU()
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        x = x.flatten(1, 2)
        out, _ = self.attention(x, x, x)
        return self.head(self.act(out).flatten(1))


def test_attention_is_no_activation():
    data = load("digits")
    assert list(features(Attentive(), data, torch.arange(10))) == ["inputs", "act"]
