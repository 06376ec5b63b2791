"""The gradients by hand against autograd through the whole network, in float64."""

import pytest
import torch

from dnnlab.networks.activations import ACTIVATIONS
from dnnlab.networks.shape import NORMS, MLPShape, parse_skip
from dnnlab.networks.stacked import Batch, StackedMLP, losses
from dnnlab.statistics.streams import stream
from dnnlab.training import gradients

DEPTH, MEMBERS = 3, 2


def a_stack(act, norm, skip, classes=5, dtype=torch.float64, depth=DEPTH):
    shape = MLPShape(7, classes, depth, 6, (act,) * depth, norm, parse_skip(skip))
    stack = StackedMLP.draw(shape, ["he"] * MEMBERS, [stream(0, m, "weights") for m in range(MEMBERS)], dtype)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():  # away from where gradients are the same whatever the formula
        for parameter in stack.parameters.values():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator, dtype=dtype)
    return stack


def a_batch(size, classes=5, dtype=torch.float64):
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(MEMBERS, size, 7, generator=generator, dtype=dtype)
    return Batch(x, torch.randint(classes, (MEMBERS, size), generator=generator))


def masks_for(size, dtype=torch.float64):
    generator = torch.Generator().manual_seed(3)
    return [(torch.rand(MEMBERS, size, 6, generator=generator) > 0.3).to(dtype) / 0.7 for _ in range(DEPTH)]


def by_hand(stack, batch, masks):
    places = {name: torch.full_like(p, torch.nan) for name, p in stack.parameters.items()}
    loss = gradients.write(stack, batch, masks, places)
    return loss, places


def by_autograd(stack, batch, masks):
    loss = losses(stack.forward(batch.x, training=True, dropout=masks), batch.y)
    names = list(stack.parameters)
    grads = torch.autograd.grad(loss.sum(), [stack.parameters[name] for name in names])
    return loss.detach(), dict(zip(names, grads, strict=True))


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("skip", ["none", "residual", "residual:0.3"])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("act", [*ACTIVATIONS, "Hardtanh"])
def test_gradients_are_those_of_autograd(act, norm, skip, dropout):
    batch, masks = a_batch(16), masks_for(16) if dropout else []
    stack, twin = a_stack(act, norm, skip), a_stack(act, norm, skip)
    assert gradients.writes(stack.shape)
    loss, found = by_hand(stack, batch, masks)
    expected_loss, expected = by_autograd(twin, batch, masks)
    torch.testing.assert_close(loss, expected_loss, rtol=1e-12, atol=0)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-13, msg=lambda m, n=name: f"{n}: {m}")
    for name, value in twin.running.items():
        assert torch.equal(stack.running[name], value)


@pytest.mark.parametrize(("size", "classes"), [(16, 2), (9, 5), (32, 40), (1, 3)])
def test_any_number_of_examples_and_classes(size, classes):
    batch = a_batch(size, classes)
    loss, found = by_hand(a_stack("relu", "none", "none", classes), batch, [])
    expected_loss, expected = by_autograd(a_stack("relu", "none", "none", classes), batch, [])
    torch.testing.assert_close(loss, expected_loss, rtol=1e-12, atol=0)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-13)


def test_one_hidden_layer():
    batch = a_batch(16)
    _, found = by_hand(a_stack("tanh", "none", "residual:0.3", depth=1), batch, [])
    _, expected = by_autograd(a_stack("tanh", "none", "residual:0.3", depth=1), batch, [])
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("skip", ["none", "residual"])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("act", ["relu", "prelu", "gelu"])
def test_a_member_does_not_depend_on_its_neighbours(act, norm, skip):
    stack, batch = a_stack(act, norm, skip), a_batch(16)
    loss, together = by_hand(stack, batch, [])
    part = slice(1, 2)
    own_loss, alone = by_hand(stack.members_of(part), Batch(batch.x[part], batch.y[part]), [])
    torch.testing.assert_close(own_loss, loss[part], rtol=1e-14, atol=0)
    for name, value in alone.items():
        torch.testing.assert_close(value, together[name][part], rtol=1e-12, atol=1e-15)


@pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() != "AVX512", reason="other kernels may round otherwise")
@pytest.mark.parametrize("skip", ["none", "residual"])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("act", ["relu", "prelu", "gelu"])
def test_in_float32_the_bits_are_those_of_autograd(act, norm, skip):
    """So that a number does not change where another shape, device or batch takes the other way."""
    batch = a_batch(32, dtype=torch.float32)
    loss, found = by_hand(a_stack(act, norm, skip, dtype=torch.float32), batch, masks_for(32, torch.float32))
    expected_loss, expected = by_autograd(
        a_stack(act, norm, skip, dtype=torch.float32), batch, masks_for(32, torch.float32)
    )
    assert torch.equal(loss, expected_loss)
    assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize("skip", ["dense", "highway"])
def test_other_skips_are_left_to_autograd(skip):
    assert not gradients.writes(a_stack("relu", "none", skip).shape)
