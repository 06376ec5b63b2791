"""PyTorch's own optimisers are the oracle, in float64."""

import pytest
import torch

from dnnlab.training.optimisers import OPTIMISERS, ByMember, ByShape, StackedOptimiser, make_optimiser


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
        optimiser.step(optimiser.layout.gathered({"w": grads}))
        for m, reference in enumerate(references):
            singles[m].grad = grads[m].clone()
            reference.step()
    torch.testing.assert_close(stacked["w"].detach(), torch.stack(singles).detach(), rtol=1e-10, atol=1e-12)


SHAPES = {"weight.1": (3, 4, 5), "bias.1": (3, 1, 5), "weight.2": (3, 5, 5), "bias.2": (3, 1, 5), "slope.1": (3, 1, 1)}


def drawn():
    return {name: torch.randn(shape, dtype=torch.float64) for name, shape in SHAPES.items()}


@pytest.mark.parametrize("layout", [ByMember, ByShape])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_all_parameters_at_once_are_updated_as_each_by_itself(name, layout, monkeypatch):
    """On a GPU they are parts of one tensor by member, on a CPU by shape and in pieces."""
    torch.manual_seed(0)
    monkeypatch.setattr("dnnlab.training.optimisers._PIECE", 50)
    monkeypatch.setattr("dnnlab.training.optimisers.ByShape", layout)
    start, values = drawn(), torch.tensor([[0.1, 0.01, 0.003], [0.03, 0.0, 0.06]], dtype=torch.float64)
    each = {key: value.clone().requires_grad_() for key, value in start.items()}
    together = {key: value.clone().requires_grad_() for key, value in start.items()}
    ones = {key: StackedOptimiser(name, {key: parameter}, *values) for key, parameter in each.items()}
    optimiser = StackedOptimiser(name, together, *values)
    for _ in range(5):
        grads = drawn()
        optimiser.step(optimiser.layout.gathered(grads))
        for key, one in ones.items():
            one.step(one.layout.gathered({key: grads[key]}))
            torch.testing.assert_close(optimiser.updates[key], one.updates[key], rtol=1e-14, atol=0)
            torch.testing.assert_close(together[key].detach(), each[key].detach(), rtol=1e-14, atol=0)
    assert all(parameter.data_ptr() % 32 == 0 for parameter in together.values())


@pytest.mark.parametrize("layout", [ByMember, ByShape])
def test_norm_and_factor_are_of_all_parameters_of_a_member(layout):
    grads = drawn()
    made = layout({key: value.clone().requires_grad_() for key, value in drawn().items()})
    flat = made.gathered(grads)
    squares = torch.stack([value.flatten(1).square().sum(1) for value in grads.values()])
    torch.testing.assert_close(made.norm(flat), squares.sum(0).sqrt())
    factor = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    made.scale(flat, factor)
    for key, part in made.parts(flat).items():
        torch.testing.assert_close(part, grads[key] * factor.view(-1, 1, 1), rtol=0, atol=0)


def test_rates_that_are_all_the_same_or_not_give_the_same_numbers():
    """A member's update does not depend on its neighbours' rates."""
    start, grads = drawn(), drawn()
    taken = []
    for rates in ((0.1, 0.1, 0.1), (0.1, 0.7, 0.1)):
        parameters = {key: value.float().requires_grad_() for key, value in start.items()}
        optimiser = StackedOptimiser("momentum", parameters, torch.tensor(rates), torch.full((3,), 0.01))
        optimiser.step(optimiser.layout.gathered({key: grad.float() for key, grad in grads.items()}))
        taken.append(parameters)
    for key in SHAPES:
        for member in (0, 2):
            assert torch.equal(taken[0][key][member], taken[1][key][member])
