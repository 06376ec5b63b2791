"""PyTorch's own optimisers are the oracle, in float64."""

import pytest
import torch

from dnnlab.training.optimisers import OPTIMISERS, Slot, StackedOptimiser, _Flat, make_optimiser


@pytest.mark.parametrize("decay", [0.0, 0.03])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_each_member_follows_torch_optim(name, decay):
    torch.manual_seed(0)
    start = torch.randn(3, 4, 5, dtype=torch.float64)
    lrs, decays = [0.1, 0.01, 0.003], [decay, 0.0, 2 * decay]
    stacked = {"w": start.clone().requires_grad_()}
    optimiser = StackedOptimiser(name, stacked, *torch.tensor([lrs, decays], dtype=torch.float64))
    singles = [start[m].clone().requires_grad_() for m in range(3)]
    references = [make_optimiser(name, [w], lrs[m], decays[m]) for m, w in enumerate(singles)]
    for step in range(25):
        grads = torch.randn(3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(step))
        optimiser.step(optimiser.gathered({"w": grads}))
        for m, reference in enumerate(references):
            singles[m].grad = grads[m].clone()
            reference.step()
    torch.testing.assert_close(stacked["w"].detach(), torch.stack(singles).detach(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_all_parameters_at_once_are_updated_as_each_by_itself(name):
    """As on a GPU, where they become parts of one tensor."""
    torch.manual_seed(0)
    shapes = {"weight.1": (3, 4, 5), "bias.1": (3, 1, 5), "weight.2": (3, 5, 2), "slope.1": (3, 1, 1)}
    each = {key: torch.randn(shape, dtype=torch.float64).requires_grad_() for key, shape in shapes.items()}
    together = {key: value.detach().clone().requires_grad_() for key, value in each.items()}
    values = torch.tensor([[0.1, 0.01, 0.003], [0.03, 0.0, 0.06]], dtype=torch.float64)
    one, all_ = (StackedOptimiser(name, parameters, *values) for parameters in (each, together))
    all_.pieces, all_.slots = [_Flat(together)], [Slot(all_.steps)]
    for _ in range(5):
        grads = {key: torch.randn(shape, dtype=torch.float64) for key, shape in shapes.items()}
        taken = [optimiser.step(optimiser.gathered(grads)) for optimiser in (one, all_)]
        for key in shapes:
            torch.testing.assert_close(taken[1][key], taken[0][key], rtol=1e-14, atol=0)
            torch.testing.assert_close(together[key].detach(), each[key].detach(), rtol=1e-14, atol=0)
    assert all(parameter.data_ptr() % 32 == 0 for parameter in together.values())
