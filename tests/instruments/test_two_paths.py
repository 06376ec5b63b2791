"""The stacked path and the hook path measure the same networks, and must agree to rounding."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dnnlab.instruments import layerwise
from dnnlab.instruments.hooks import Recorder
from dnnlab.networks.activations import ACTIVATIONS
from dnnlab.networks.mlp import MLP
from dnnlab.networks.shape import MLPShape, parse_skip
from dnnlab.networks.stacked import Batch, StackedMLP

DEPTH, WIDTH, MEMBERS, BATCH = 4, 6, 2, 9
SHARED = ("weight_grad_norm", "delta_norm", "act_grad_norm", "mean", "variance", "dead_fraction", "zero_fraction")


def stack_of(act, norm, skip, members=MEMBERS, dtype=torch.float64, init="he"):
    shape = MLPShape(5, 3, DEPTH, WIDTH, (act,) * DEPTH, norm, parse_skip(skip))
    stack = StackedMLP.draw(shape, [init] * members, [np.random.default_rng(i) for i in range(members)], dtype)
    rng = np.random.default_rng(99)
    with torch.no_grad():  # norms, gates and slopes away from their neutral start, so that they are tested too
        for name, parameter in stack.parameters.items():
            if not name.startswith(("weight", "bias")):
                parameter += 0.1 * torch.from_numpy(rng.standard_normal(parameter.shape)).to(dtype)
    x = torch.from_numpy(rng.standard_normal((members, BATCH, 5))).to(dtype)
    return stack, Batch(x, torch.from_numpy(rng.integers(3, size=(members, BATCH))))


def deltas_of(model):
    """The norms of the gradients at the pre-activations y of an `MLP`, by plain hooks; they fill in a backward pass."""
    layers = [model.first, *model.hidden, model.output]
    norms = [float("nan")] * len(layers)
    for place, layer in enumerate(layers):

        def made(module, inputs, y, place=place):
            y.register_hook(lambda grad: norms.__setitem__(place, float(grad.norm())))

        layer.register_forward_hook(made)
    return norms


@pytest.mark.parametrize("skip", ["none", "residual", "residual:0.3", "highway", "dense"])
@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize("act", [*ACTIVATIONS, "Softplus", "Hardtanh"])
def test_the_stacked_path_and_the_hook_path_agree(act, norm, skip):
    stack, batch = stack_of(act, norm, skip)
    stacked = layerwise.measure(stack, batch)
    for member in range(MEMBERS):
        model = MLP.of_member(stack, member)
        deltas = deltas_of(model)
        with Recorder(model) as recorder:
            F.cross_entropy(model(batch.x[member]), batch.y[member]).backward()
        rows = [row for row in recorder.rows() if not row["name"].endswith(".gate")]
        assert len(rows) == DEPTH + 1
        np.testing.assert_allclose(deltas, stacked.layers["delta_norm"][member].numpy(), rtol=1e-9)
        if skip.startswith(("residual", "highway")):  # the matrices' outputs are a part of y there
            rows = [row | {"delta_norm": delta} for row, delta in zip(rows, deltas, strict=True)]
        for quantity in SHARED:
            if act == "linear" and quantity not in ("weight_grad_norm", "delta_norm"):
                continue  # the identity calls no function that hooks could see
            hooked = [row.get(quantity, float("nan")) for row in rows]
            expected = stacked.layers[quantity][member].numpy()
            np.testing.assert_allclose(hooked, expected, rtol=1e-9, atol=1e-15, err_msg=f"{quantity} {member}")


@pytest.mark.parametrize("act", [a for a, known in ACTIVATIONS.items() if known.saturated])
def test_saturation_agrees(act):
    stack, batch = stack_of(act, "none", "none", init="normal:2")
    model = MLP.of_member(stack, 0)
    with Recorder(model) as recorder:
        F.cross_entropy(model(batch.x[0]), batch.y[0]).backward()
    hooked = [row["saturation"] for row in recorder.rows()[:-1]]
    np.testing.assert_allclose(hooked, layerwise.measure(stack, batch).layers["saturation"][0, :-1], rtol=1e-9)
    assert max(hooked) > 0


def test_factors_multiply_to_the_ratio_of_deltas():
    for norm in ("none", "batch", "layer"):
        for skip in ("none", "residual:0.5", "highway", "dense"):
            layers = layerwise.measure(*stack_of("tanh", norm, skip)).layers
            product = torch.stack([layers[name] for name in layerwise.FACTORS]).prod(0)[:, : DEPTH - 1]
            ratio = layers["delta_norm"][:, : DEPTH - 1] / layers["delta_norm"][:, 1:DEPTH]
            torch.testing.assert_close(product, ratio, rtol=1e-12, atol=0)


def test_branch_and_skip_gradients_are_those_of_autograd():
    """∂L/∂y splits into what passes through the identity and what passes through the branch."""
    stack, batch = stack_of("gelu", "layer", "residual:0.7", members=1)
    layers = layerwise.measure(stack, batch).layers
    parts = {}

    def through(y, route):
        leaf = y.detach().requires_grad_()
        hs = [stack.activate(2, stack.normalise(2, leaf if route == "branch" else y))]
        out = stack.connect(3, hs, leaf if route == "skip" else y)
        rest = stack.connect(4, [stack.activate(3, stack.normalise(3, out))], out)
        logits = stack.affine(5, stack.activate(4, stack.normalise(4, rest)))
        F.cross_entropy(logits[0], batch.y[0]).backward()
        return leaf.grad.norm().item()

    y1 = stack.affine(1, batch.x)
    y2 = stack.connect(2, [stack.activate(1, stack.normalise(1, y1))], y1).detach()
    parts = {route: through(y2, route) for route in ("branch", "skip")}
    assert layers["branch_grad_norm"][0, 1].item() == pytest.approx(parts["branch"], rel=1e-12)
    assert layers["skip_grad_norm"][0, 1].item() == pytest.approx(parts["skip"], rel=1e-12)


def test_fifty_sigmoid_layers_do_not_underflow():
    """In float32 the gradient of layer 1 is below the smallest number; float64 holds it, and is the oracle."""
    shape = MLPShape(8, 3, 60, 8, ("sigmoid",) * 60)
    single, double = (
        StackedMLP.draw(shape, ["torch"] * 2, [np.random.default_rng(i) for i in range(2)], dtype)
        for dtype in (torch.float32, torch.float64)
    )
    x = torch.from_numpy(np.random.default_rng(5).standard_normal((2, 16, 8)))
    y = torch.from_numpy(np.random.default_rng(6).integers(3, size=(2, 16)))
    measured = layerwise.measure(single, Batch(x.float(), y)).layers["delta_norm"]
    expected = layerwise.measure(double, Batch(x, y)).layers["delta_norm"]
    assert expected[:, 0].max() < 1e-46
    torch.testing.assert_close(measured, expected, rtol=1e-3, atol=0)


def test_a_member_does_not_depend_on_its_neighbours():
    """Bit for bit, also where a pass is split to fit the cache."""
    stack, batch = stack_of("relu", "batch", "none", members=5, dtype=torch.float32)
    together = layerwise.measure(stack, batch).layers["delta_norm"]
    for member in range(5):
        part = slice(member, member + 1)
        alone = layerwise.measure(stack.members_of(part), Batch(batch.x[part], batch.y[part])).layers["delta_norm"]
        assert torch.equal(alone[0], together[member])


def test_layerwise_equals_plain_backpropagation_with_dropout():
    stack, batch = stack_of("tanh", "none", "residual")
    masks = list((torch.rand(DEPTH, MEMBERS, BATCH, WIDTH, dtype=torch.float64) > 0.3) / 0.7)
    measured = layerwise.measure(stack, batch, masks).layers["weight_grad_norm"]
    logits = stack.forward(batch.x, training=True, dropout=masks)
    loss = torch.stack([F.cross_entropy(logits[m], batch.y[m]) for m in range(MEMBERS)]).sum()
    grads = torch.autograd.grad(loss, [stack.parameters[f"weight.{i}"] for i in range(1, DEPTH + 2)])
    expected = torch.stack([g.norm(dim=(1, 2)) for g in grads], dim=1)
    torch.testing.assert_close(measured, expected, rtol=1e-10, atol=0)
