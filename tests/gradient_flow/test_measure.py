"""What is measured along training, against a loop of plain PyTorch."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F

from dnnlab.data import load
from dnnlab.gradient_flow import figures, summary
from dnnlab.gradient_flow.measure import inputs, measure, singular_values
from dnnlab.gradient_flow.spec import Spec
from dnnlab.networks.mlp import MLP
from dnnlab.networks.shape import MLPShape
from dnnlab.networks.stacked import StackedMLP
from dnnlab.statistics.streams import stream
from dnnlab.training.batches import batch_order

SPEC = Spec(act=("tanh",), depth=(3,), width=(12,), seeds=3, steps=4, every=2, clip=(0.5,), lr=(0.1,), jacobian=True)


@pytest.fixture(scope="module")
def cells():
    found = pd.DataFrame(measure(SPEC.plan(), SPEC, "cpu", lambda share: None))
    plan = pd.DataFrame([vars(cell) for cell in SPEC.plan()])
    return plan.loc[found["cell"]].reset_index(drop=True).join(found).assign(error="")


def plain(seed):
    """One member as a module, and its order of batches."""
    data = load("digits")
    shape = MLPShape(data.features, 10, 3, 12, ("tanh",) * 3)
    stack = StackedMLP.draw(shape, ["torch"], [stream(0, seed, "weights")])
    return data, MLP.of_member(stack, 0), batch_order(len(data.train), 128, stream(0, seed, "batches"))


@pytest.mark.parametrize("seed", [0, 2])
def test_along_training_it_is_what_pytorchs_own_loop_does(cells, seed):
    data, model, order = plain(seed)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    probe = data.train[torch.from_numpy(next(batch_order(len(data.train), 128, stream(0, seed, "probe"))))]
    own = cells[cells["seed"] == seed]
    norms = []
    drawn = [module.weight.detach().clone() for module in (model.first, *model.hidden, model.output)]
    for step in range(5):
        if step % 2 == 0:
            network = own[(own["step"] == step) & (own["layer"] == 0)].iloc[0]
            with torch.no_grad():
                loss = F.cross_entropy(model(data.inputs(probe)), data.y[probe])
                right = (model(data.inputs(data.validation)).argmax(1) == data.y[data.validation]).double().mean()
            assert network["loss"] == pytest.approx(float(loss), rel=1e-5)
            assert network["accuracy"] == pytest.approx(float(right))
            if norms:  # since the last measurement
                before, after = np.array(norms).T
                assert network["grad_norm"] == pytest.approx(before.mean(), rel=1e-4)
                assert network["clipped_norm"] == pytest.approx(after.mean(), rel=1e-4)
                assert network["clipped_share"] == np.mean(after < before)
            norms = []
            changed = [
                float((module.weight.detach() - old).norm() / old.norm())
                for module, old in zip((model.first, *model.hidden, model.output), drawn, strict=True)
            ]
            layers = own[(own["step"] == step) & (own["layer"] > 0)]
            np.testing.assert_allclose(layers["weight_change"], changed, rtol=1e-3, atol=1e-9)
        index = data.train[torch.from_numpy(next(order))]
        optimiser.zero_grad()
        F.cross_entropy(model(data.inputs(index)), data.y[index]).backward()
        norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5))
        norms.append((norm, min(norm, 0.5)))
        weights = [module.weight.detach().clone() for module in (model.first, *model.hidden, model.output)]
        optimiser.step()
        if step in (0, 2):
            layers = own[(own["step"] == step) & (own["layer"] > 0)]
            moved = [
                float((module.weight.detach() - old).norm() / old.norm())
                for module, old in zip((model.first, *model.hidden, model.output), weights, strict=True)
            ]
            np.testing.assert_allclose(layers["update_ratio"], moved, rtol=1e-3)


def test_singular_values_are_those_of_the_jacobian():
    data, model, _ = plain(0)
    shape = MLPShape(data.features, 10, 3, 12, ("tanh",) * 3)
    stack = StackedMLP.draw(shape, ["torch"], [stream(0, 0, "weights")])
    x = data.inputs(data.train[:4]).flatten(1)
    found = singular_values(stack, x[None])[0]
    model = model.double()
    for i in range(4):
        jacobian = torch.autograd.functional.jacobian(model, x[i : i + 1].double())[0, :, 0]
        torch.testing.assert_close(found[i], torch.linalg.svdvals(jacobian), rtol=1e-6, atol=1e-9)


def test_the_middle_singular_value_is_the_median(cells):
    first = cells[(cells["layer"] == 0) & (cells["step"] == 0)]
    assert (first["jacobian_max"] >= first["jacobian_median"]).all()
    assert (first["jacobian_median"] >= first["jacobian_min"]).all()


def test_the_figures_draw_what_the_cells_say(cells):
    table = summary.summarise(cells, SPEC)
    pictures = {picture.name: picture for picture in figures.draw(cells, table, SPEC)}
    assert list(pictures) == ["gradient-by-layer", "loss", "gradient-along-training", "gradient-map"]
    (axes,) = pictures["gradient-by-layer"].figure.axes
    (line,) = [line for line in axes.lines if line.get_label() == "_tanh"]
    first = cells[(cells["step"] == 0) & (cells["layer"].between(1, 3))]
    deltas = first.pivot(index="seed", columns="layer", values="delta_norm").to_numpy()
    expected = np.exp(np.log(deltas / deltas[:, -1:]).mean(0))
    np.testing.assert_allclose(line.get_ydata(), expected[::-1], rtol=1e-6)  # from the last layer back to the first
    assert list(line.get_xdata()) == [3, 2, 1]
    # The healthy band is in the picture whatever is drawn: a factor of a hundred either way.
    low, high = axes.get_ylim()
    assert low < 0.01 < 100 < high
    # At the last step the slider shows what was measured there.
    last = cells[(cells["step"] == SPEC.steps) & (cells["layer"].between(1, 3))]
    deltas = last.pivot(index="seed", columns="layer", values="delta_norm").to_numpy()
    along = pictures["gradient-by-layer"].along
    assert along.drawn == 0
    np.testing.assert_allclose(along.y[SPEC.steps]["tanh"], np.exp(np.log(deltas / deltas[:, -1:]).mean(0))[::-1])
    loss = cells[(cells["layer"] == 0)].groupby("step")["loss"].mean()
    (drawn,) = [line for line in pictures["loss"].figure.axes[0].lines if line.get_label() == "_tanh"]
    np.testing.assert_allclose(drawn.get_ydata(), loss.to_numpy())
    assert f"tanh: {table['rate'][0]:.3g}" in pictures["gradient-by-layer"].alt


def test_without_a_configuration_that_was_measured_there_is_no_figure(cells):
    failed = cells.assign(error="no")
    assert list(figures.draw(failed, summary.summarise(failed, SPEC), SPEC)) == []


@pytest.mark.parametrize(("batch", "features"), [(7, 5), (5, 7)])
def test_the_spreads_of_inputs_are_those_of_their_products(batch, features):
    x = np.random.default_rng(0).normal(0.3, 1.0, size=(2, batch, features))
    found = inputs(torch.from_numpy(x))
    for member, each in enumerate(x):
        products = each @ each.T / features
        apart = products[~np.eye(batch, dtype=bool)]
        assert float(found["input_square_spread"][member]) == pytest.approx(np.diag(products).std(ddof=1))
        assert float(found["input_product_spread"][member]) == pytest.approx(apart.std())
        mean_product = found["input_mean_square"][member] - found["input_variance"][member]
        assert float(mean_product) == pytest.approx(apart.mean())


def test_one_input_alone_does_not_spread():
    found = inputs(torch.randn(3, 1, 4))
    assert all((found[name] == 0).all() for name in ("input_variance", "input_square_spread", "input_product_spread"))
