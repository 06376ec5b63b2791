"""Recurrent networks: counts in closed form, the order in which they read, and the equations of their cells."""

import pytest
import torch

from dnnlab.instruments.cost import cost
from dnnlab.networks.catalogue import create_model


@pytest.mark.parametrize(("name", "gates"), [("rnn", 1), ("lstm", 4)])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("chans", [1, 3])
def test_counts_in_closed_form(name, gates, layers, chans):
    units, reads = 128, [28 * chans] + [128] * (layers - 1)
    weights = sum(gates * units * (read + units) for read in reads)
    counted = cost(f"{name}:layers={layers}", 28, in_chans=chans)
    assert counted.parameters == weights + layers * gates * 2 * units + units * 10 + 10
    assert counted.macs == 28 * weights + units * 10


@pytest.mark.parametrize(("name", "units", "million"), [("lstm_ptb_medium", 650, 20), ("lstm_ptb_large", 1500, 66)])
def test_published_counts_of_language_models(name, units, million):
    """Of Zaremba 2014, as table 1 of Merity 2017 (arXiv:1609.07843) has them; the counts are of two vectors of biases a
    gate, as PyTorch has them."""
    counted = cost(name)
    layer = 4 * units * (2 * units + 2)
    assert counted.parameters == 10_000 * units + 2 * layer + units * 10_000 + 10_000
    assert round(counted.parameters / 1e6) == million
    assert counted.macs == 35 * 2 * 4 * units * 2 * units + units * 10_000


def test_an_image_is_read_row_by_row_from_the_top():
    torch.manual_seed(0)
    model = create_model("rnn", in_chans=2, input_size=5).double().eval()
    cell, x = model.recurrent, torch.randn(3, 2, 5, 5, dtype=torch.float64)
    state = torch.zeros(3, 128, dtype=torch.float64)
    for row in range(5):
        read = torch.cat([x[:, 0, row], x[:, 1, row]], 1)
        into = read @ cell.weight_ih_l0.T + cell.bias_ih_l0
        state = torch.tanh(into + state @ cell.weight_hh_l0.T + cell.bias_hh_l0)
    torch.testing.assert_close(model(x), state @ model.fc.weight.T + model.fc.bias)


def test_an_lstm_of_tokens_is_that_of_the_paper():
    torch.manual_seed(0)
    model = create_model("lstm_ptb_medium", width=0.02, num_classes=4).double().eval()
    x = torch.randint(10_000, (3, 6))
    reads = [model.embedding.weight[x[:, step]] for step in range(6)]
    for layer in range(2):
        inward, across, bias, other = (
            getattr(model.recurrent, f"{kind}_l{layer}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        h = c = torch.zeros(3, across.shape[1], dtype=torch.float64)
        states = []
        for read in reads:
            i, f, g, o = (read @ inward.T + h @ across.T + bias + other).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            states.append(h)
        reads = states
    torch.testing.assert_close(model(x), h @ model.fc.weight.T + model.fc.bias)


def test_an_lstm_learns_to_class_by_the_first_row():
    """What it must remember over the rows that follow."""
    torch.manual_seed(0)
    model = create_model("lstm", in_chans=1, input_size=8, num_classes=2, width=0.25)
    x, y = torch.randn(64, 1, 8, 8), torch.arange(64) % 2
    x[:, 0, 0] = (2.0 * y - 1).unsqueeze(1)
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(80):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert (model(x).argmax(1) == y).all()
