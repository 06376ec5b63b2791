"""The loop of networks of their own, against PyTorch's own loop; augmentation, schedules, averages."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dnnlab import create_model
from dnnlab.data import load
from dnnlab.training import networks
from dnnlab.training.augmentation import augmentation
from dnnlab.training.batches import batch_order
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.networks import NetworkTraining, cross_entropy, train_together
from dnnlab.training.schedules import rate

PLAIN = Hyperparameters("momentum", 0.05, 1e-3, label_smoothing=0.1)


def small(data):
    torch.manual_seed(0)
    conv = nn.Conv2d(data.shape[0], 4, 3)
    return nn.Sequential(conv, nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))


def training(data, hyper, model=None):
    order = batch_order(len(data.train), 32, np.random.default_rng(1))
    return NetworkTraining(model or small(data), data, order, hyper, np.random.default_rng(2))


def test_the_loop_is_pytorchs_own():
    data = load("digits")
    ours, theirs = training(data, PLAIN), small(data).train()
    optimiser = torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    order = batch_order(len(data.train), 32, np.random.default_rng(1))
    for batch in itertools.islice(order, 5):
        index = data.train[torch.from_numpy(batch)]
        loss = F.cross_entropy(theirs(data.inputs(index)), data.y[index], label_smoothing=0.1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        torch.testing.assert_close(ours.step().loss, loss.detach())
    for a, b in zip(ours.model.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(("schedule", "total"), [("cosine", 0.5), ("constant", 1.0), ("onecycle", 0.506)])
def test_schedules(schedule, total):
    done = np.linspace(0, 1, 2001)
    rates = [rate(schedule, x) for x in done]
    assert np.trapezoid(rates, done) == pytest.approx(total, abs=1e-3)  # onecycle: .3 · (.04 + 1) / 2 + .7 / 2
    assert max(rates) == pytest.approx(1)
    if schedule != "constant":
        assert rates[-1] == pytest.approx(0)


def test_the_average_of_weights_is_the_recursion():
    data = load("digits")
    loop = training(data, Hyperparameters("sgd", 0.1, ema=0.9))
    expected = copy.deepcopy(loop.model[0].weight.detach())
    for _ in range(4):
        loop.step()
        expected = 0.9 * expected + 0.1 * loop.model[0].weight.detach()
    torch.testing.assert_close(loop.evaluated[0].weight, expected)
    assert loop.evaluated is not loop.model


@pytest.mark.parametrize("steps", [1, 7, 20, 23])
def test_looks_are_even_and_the_last_is_at_the_end(steps):
    seen, loop = [], training(load("digits"), PLAIN)
    networks.run(loop, steps, math.nan, 10, lambda step, seconds, loss: seen.append(step), lambda share: None)
    assert seen == sorted(set(seen))
    assert seen[-1] == steps
    assert len(seen) == min(steps, 10)


def test_a_budget_of_seconds_ends_in_time():
    seen, loop = [], training(load("digits"), PLAIN)
    networks.run(loop, None, 0.3, 3, lambda step, seconds, loss: seen.append(seconds), lambda share: None)
    assert 0.3 <= seen[-1] < 3


def test_flips_mirror_about_half_and_crops_move_what_is_there():
    x = torch.arange(1, 65, dtype=torch.uint8).view(1, 1, 8, 8).expand(400, 2, 8, 8)
    flipped = augmentation("flip")(x, np.random.default_rng(0))
    mirrored = (flipped == x.flip(-1)).flatten(1).all(1)
    assert (mirrored | (flipped == x).flatten(1).all(1)).all()
    assert 150 < mirrored.sum() < 250
    cropped = augmentation("crop")(x, np.random.default_rng(0))
    padded = F.pad(x[0], (1, 1, 1, 1))
    windows = [padded[:, i : i + 8, j : j + 8] for i in range(3) for j in range(3)]
    found = [sum(torch.equal(image, window) for image in cropped) for window in windows]
    assert sum(found) == 400
    assert min(found) > 20
    assert augmentation("none") is None


def test_auxiliary_heads_add_their_weighted_losses():
    torch.manual_seed(0)
    model = create_model("googlenet", num_classes=10, input_size=32, width=0.25, dropout=0).train()
    x, y = torch.randn(4, 3, 32, 32), torch.arange(4)
    out = model(x)
    losses = [F.cross_entropy(logits, y) for logits in (out.logits, *out.aux)]
    torch.testing.assert_close(
        cross_entropy(model, x, y), losses[0] + 0.3 * (losses[1] + losses[2]), rtol=0.05, atol=0.05
    )
    assert cross_entropy(model.eval(), x, y) == F.cross_entropy(model(x), y)


class TestSideBySide:
    """Several networks in threads, with one thread of PyTorch's each."""

    COUNT = 3

    def trained(self, threads, together=True):
        """Their weights, after training with so many threads of PyTorch's."""
        data, before = load("digits"), torch.get_num_threads()
        models = []
        for seed in range(self.COUNT):
            torch.manual_seed(seed)
            block = [nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()]
            models.append(nn.Sequential(*block, nn.Flatten(), nn.Linear(512, 10)))
        rngs = [np.random.default_rng(seed) for seed in range(self.COUNT)]
        orders = [batch_order(len(data.train), 32, rng) for rng in rngs]
        torch.set_num_threads(threads)
        try:
            hyper = Hyperparameters("adam", 0.01, augment="flip")
            if together:
                train_together(models, None, data, orders, hyper, rngs, 6, repeats=True)
            else:
                for model, order, rng in zip(models, orders, rngs, strict=True):
                    train_together([model], None, data, [order], hyper, [rng], 6, repeats=True)
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(before)
        return [value for model in models for value in model.state_dict().values()]

    @pytest.mark.parametrize("threads", [1, 2, 5])
    def test_the_bytes_are_those_of_one_after_another_whatever_the_number_of_threads(self, threads):
        alone = self.trained(1, together=False)
        assert all(torch.equal(a, b) for a, b in zip(alone, self.trained(threads), strict=True))

    def test_a_failure_ends_the_others(self, monkeypatch):
        taken, real = [], NetworkTraining.step

        def failing(training, done=0.0):
            taken.append(done)
            if len(taken) == 4:
                raise ValueError("no such batch")
            return real(training, done)

        monkeypatch.setattr(NetworkTraining, "step", failing)
        with pytest.raises(ValueError, match="no such batch"):
            self.trained(2)
        assert len(taken) < 6 * self.COUNT
