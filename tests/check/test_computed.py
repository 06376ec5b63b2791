"""What is counted in built networks: channels and connections, against the paper's formulas and by hand."""

import pytest
from torch import nn

from dnnlab.check import computed
from dnnlab.errors import UsageError


@pytest.mark.parametrize(
    ("name", "growth", "first", "layers"),
    [("densenet121", 32, 64, (6, 12, 24, 16)), ("densenet161", 48, 96, (6, 12, 36, 24))],
)
def test_dense_blocks_are_those_of_the_paper(name, growth, first, layers):
    reached = first
    for number, count in enumerate(layers, 1):
        block = f"features.denseblock{number}"
        for layer in (1, 2, count):
            assert computed.inputs(name, f"{block}.denselayer{layer}") == reached + growth * (layer - 1)
            assert computed.outputs(name, f"{block}.denselayer{layer}") == growth
        assert computed.connections(name, block) == count * (count + 1) // 2
        reached += growth * count
        if number < len(layers):
            transition = f"features.transition{number}"
            assert (computed.inputs(name, transition), computed.outputs(name, transition)) == (reached, reached // 2)
            reached //= 2


def test_connections_of_a_chain_are_its_parts(monkeypatch):
    class Branches(nn.Module):
        """The second part reads the input and the first; the third reads the second."""

        def __init__(self):
            super().__init__()
            self.one, self.two, self.three = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x):
            return self.three(self.two(x + self.one(x)).relu())

    parts = {"chain": nn.Sequential(*[nn.Linear(2, 2) for _ in range(12)]), "branches": Branches()}
    monkeypatch.setattr(computed, "create_model", lambda name: nn.ModuleDict(parts))
    assert computed.connections("any", "chain") == 12
    assert computed.connections("any", "branches") == 1 + 2 + 1


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("features.denseblock5", r"unknown module of densenet121 .*did you mean features\.denseblock"),
        ("features.pool0", "no convolution and no linear layer"),
    ],
)
def test_a_module_that_is_not_there_is_told(module, message):
    with pytest.raises(UsageError, match=message):
        computed.inputs("densenet121", module)
