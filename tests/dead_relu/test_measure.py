"""What a stack of networks reports, against the same networks trained and looked at one by one."""

import numpy as np
import pandas as pd
import pytest
import torch

from dnnlab.data import load
from dnnlab.dead_relu.census.measure import _LargestUpdates, fixed_inputs, measure
from dnnlab.dead_relu.census.plan import Cell
from dnnlab.dead_relu.spec import Spec
from dnnlab.networks.mlp import MLP
from dnnlab.networks.stacked import StackedMLP
from dnnlab.statistics.streams import stream
from dnnlab.theory.death import expected_dead
from dnnlab.training.batches import batch_order
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.networks import PlainTraining
from dnnlab.training.stacked import StackedTraining


def rows_of(spec):
    cells = spec.plan()
    table = pd.DataFrame(measure(cells, spec, "cpu", lambda share: None))
    return cells, table


def test_each_layer_has_the_share_that_chance_leaves_dead_at_birth():
    spec = Spec(init=("he", "torch"), width=(16,), depth=(3,), seeds=2, steps=1, inputs=50)
    cells, table = rows_of(spec)
    data = load("digits")
    x = data.inputs(fixed_inputs(data, spec)).flatten(1)
    for number, cell in enumerate(cells):
        expected = expected_dead(cell.shape(data.features, len(data.classes)), cell.init, x)
        own = table[(table["cell"] == number) & (table["layer"] > 0)]
        assert own["expected_dead"].tolist() == expected * 2  # at both steps


def test_dead_units_are_those_of_networks_trained_one_by_one():
    spec = Spec(lr=(0.05, 0.3), width=(16,), depth=(3,), seeds=2, steps=60, every=20, batch_size=(64,))
    cells, table = rows_of(spec)
    data = load("digits")
    x = data.inputs(fixed_inputs(data, spec)).flatten(1)
    for number, cell in enumerate(cells):
        stack = StackedMLP.draw(
            cell.shape(data.features, len(data.classes)), [cell.init], [stream(0, cell.seed, "weights")]
        )
        model = MLP.of_member(stack, 0)
        order = batch_order(len(data.train), 64, stream(0, cell.seed, "batches"))
        training = PlainTraining(model, data, order, Hyperparameters("sgd", cell.lr))
        ever, born, before, mean = None, None, None, None
        for step in (0, 20, 40, 60):
            with torch.no_grad():
                y = model.first(x)
                masks, means = [], []
                for block in model.hidden:
                    h = torch.relu(y)
                    means.append(y.mean(0))
                    masks.append((h == 0).all(0))
                    y = torch.nn.functional.linear(h, block.weight, block.bias)
                masks.append((torch.relu(y) == 0).all(0))
                means.append(y.mean(0))
            now = torch.stack(masks)
            fell = torch.zeros_like(now) if mean is None else torch.stack(means) < mean
            mean = torch.stack(means)
            born = now if born is None else born
            ever = now if ever is None else ever
            before = now if before is None else before
            own = table[(table["cell"] == number) & (table["step"] == step) & (table["layer"] > 0)]
            oracle = {"dead": now, "born_dead": born & now, "died": now & ~born, "revived": ever & ~now,
                      "newly_dead": now & ~before}  # fmt: skip
            for name, mask in oracle.items():
                # One unit in 16 may sit so near the edge that the order of float32 sums decides.
                np.testing.assert_allclose(own[name], mask.double().mean(1), atol=1 / 16 + 1e-9, err_msg=name)
            living = ~now & ~before
            expected = (fell & living).sum(1) / living.sum(1)
            np.testing.assert_allclose(own["survivors_down"], expected, atol=0.15)  # one unit of those that live
            ever, before = ever | now, now
            for _ in range(20 if step < 60 else 0):
                training.step()


def test_shares_add_up():
    spec = Spec(lr=(1.0,), init=("xavier",), width=(32,), seeds=4, steps=40, act=("relu",))
    _, table = rows_of(spec)
    layers = table[table["layer"] > 0].dropna(subset=["dead"])
    np.testing.assert_allclose(layers["born_dead"] + layers["died"], layers["dead"], atol=1e-12)
    assert (layers["certified_dead"] <= layers["dead"] + 1e-12).all()
    assert (layers["revived"] + layers["dead"] <= 1 + 1e-12).all()
    np.testing.assert_allclose(layers["inactive"], layers["dead"], atol=1e-12)  # of a ReLU they are the same
    first = layers[layers["layer"] == 1]
    assert (first["irreversible"] <= first["dead"] + 1e-12).all()
    assert layers[layers["layer"] > 1]["irreversible"].isna().all()
    assert layers["dead"].max() > 0.3


def test_units_dead_on_all_training_data_stay_dead_under_sgd():
    """The first layer's inputs never change and dead units get no gradient, so what is irreversible never falls."""
    spec = Spec(lr=(1.0,), init=("xavier",), width=(32,), seeds=6, steps=60, every=10, inputs=0)
    _, table = rows_of(spec)
    first = table[table["layer"] == 1].pivot(index="step", columns="cell", values="irreversible")
    assert (first.diff().dropna() >= -1e-12).all().all()
    assert first.iloc[-1].max() > 0


def test_largest_updates_are_learning_rate_times_gradient():
    data = load("digits")
    spec = Spec(width=(8,), depth=(2,), seeds=1)
    cell = spec.plan()[0]
    stack = StackedMLP.draw(cell.shape(data.features, len(data.classes)), ["he"], [stream(0, 0, "weights")])
    twin = MLP.of_member(stack, 0)
    order = [batch_order(len(data.train), 128, stream(0, 0, "batches")) for _ in range(2)]
    training = StackedTraining(stack, data, [Hyperparameters("sgd", 0.7)], order[:1])
    largest = _LargestUpdates(stack)
    training.step()
    largest.see(training.updates)
    loop = PlainTraining(twin, data, order[1], Hyperparameters("sgd", 0.7))
    before = [torch.cat([twin.first.weight, twin.first.bias[:, None]], 1).detach().clone()]
    loop.step()
    moved = torch.cat([twin.first.weight, twin.first.bias[:, None]], 1) - before[0]
    expected = moved.norm(dim=1) / before[0].norm(dim=1)
    torch.testing.assert_close(largest.relative(1)[0], expected.detach(), rtol=1e-3, atol=1e-6)


def test_a_member_does_not_depend_on_its_neighbours():
    together = Spec(lr=(0.1, 0.5), init=("he",), width=(16,), depth=(3,), seeds=2, steps=10)
    cells, table = rows_of(together)
    alone = pd.DataFrame(measure(cells[3:], together, "cpu", lambda share: None))
    own = table[table["cell"] == 3].drop(columns="cell").reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.drop(columns="cell"), own, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm", ["batch", "layer"])
@pytest.mark.parametrize("skip", ["residual", "highway", "dense"])
def test_every_kind_of_network_is_measured(norm, skip):
    spec = Spec(norm=(norm,), skip=(skip,), width=(8,), depth=(3,), seeds=2, steps=4, act=("relu*2+gelu*1",))
    _, table = rows_of(spec)
    layers = table[table["layer"] > 0]
    assert layers[["dead", "certified_dead", "zero_fraction", "inactive"]].notna().all().all()


def test_under_a_remedy_the_treated_network_is_measured():
    cell = Cell("lower lr", "", "relu", "he", "none", "none", 3, 8, "digits", 32, "sgd", 0.5, 0.0, 0.0, 0)
    assert cell.treated.lr == pytest.approx(0.05)
    assert cell.lr == 0.5
    spec = Spec(remedies=True, seeds=2, lr=(0.5,))
    names = list(dict.fromkeys(c.remedy for c in spec.plan()))
    assert names[0] == "none"
    assert "he init" not in names  # it is He already
    assert len(names) == 10
    assert "he init" in {c.remedy for c in Spec(remedies=True, init=("xavier",)).plan()}
