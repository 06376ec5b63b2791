"""PyTorch's own optimisers are the oracle, in float64."""

import pytest
import torch

from dnnlab.training.optimisers import OPTIMISERS, StackedOptimiser
from dnnlab.training.plain import _OPTIMISERS


@pytest.mark.parametrize("decay", [0.0, 0.03])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_each_member_follows_torch_optim(name, decay):
    torch.manual_seed(0)
    start = torch.randn(3, 4, 5, dtype=torch.float64)
    lrs, decays = [0.1, 0.01, 0.003], [decay, 0.0, 2 * decay]
    stacked = {"w": start.clone().requires_grad_()}
    optimiser = StackedOptimiser(name, stacked, *torch.tensor([lrs, decays], dtype=torch.float64))
    singles = [start[m].clone().requires_grad_() for m in range(3)]
    references = [_OPTIMISERS[name]([w], lr=lrs[m], weight_decay=decays[m]) for m, w in enumerate(singles)]
    for step in range(25):
        grads = torch.randn(3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(step))
        optimiser.step({"w": grads})
        for m, reference in enumerate(references):
            singles[m].grad = grads[m].clone()
            reference.step()
    torch.testing.assert_close(stacked["w"].detach(), torch.stack(singles).detach(), rtol=1e-10, atol=1e-12)


def test_the_plain_loop_knows_the_same_names():
    assert tuple(_OPTIMISERS) == OPTIMISERS
