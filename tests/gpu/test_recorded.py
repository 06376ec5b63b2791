"""A recorded step is the step that is called, and both are PyTorch's own loop."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dnnlab.data import load
from dnnlab.networks.catalogue import create_model
from dnnlab.networks.family import FAMILIES
from dnnlab.networks.members import MEMBERS
from dnnlab.networks.spaces.mlp_net import LayeredMLP
from dnnlab.networks.spaces.mlp_stack import MLPStack
from dnnlab.networks.spaces.stack import SameStack
from dnnlab.runner.device import settled
from dnnlab.training.augmentation import augmentation
from dnnlab.training.batches import batch_order
from dnnlab.training.evaluation import accuracy
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.networks import NetworkTraining, inference, mixed, train_together
from dnnlab.training.recorded import CALLED_FIRST, WORTH_RECORDING, Ahead
from dnnlab.training.schedules import rate

STEPS = CALLED_FIRST + 40
HYPERPARAMETERS = Hyperparameters("momentum", 0.05, 5e-4, "onecycle", 0.1, "crop+flip+cutout", 0.0)


def network(arch, data):
    torch.manual_seed(0)
    size = 32 if arch == "resnet9" else data.shape[-1]
    return create_model(arch, num_classes=10, in_chans=1, input_size=size)


def order(data, batch=64):
    return batch_order(len(data.train), batch, np.random.default_rng(1))


def losses(data, arch, repeats, hyper=HYPERPARAMETERS, steps=STEPS, batch=64):
    noise = np.random.default_rng(2)
    training = NetworkTraining(network(arch, data), data, order(data, batch), hyper, noise, repeats=repeats)
    return torch.stack([training.step(step / steps).loss for step in range(steps)]).float(), training


def same(ours, theirs):
    """Loss by loss at first, the last of them of recorded steps; later, when rounding has grown, on average."""
    torch.testing.assert_close(ours[: CALLED_FIRST + 8], theirs[: CALLED_FIRST + 8], rtol=0.02, atol=0.02)
    torch.testing.assert_close(ours.mean(), theirs.mean(), rtol=0.05, atol=0)


@pytest.mark.parametrize("arch", ["resnet20:width=0.5", "resnet9:width=0.25"])
def test_it_is_the_step_that_is_called(arch, device):
    data = load("digits").to(device)
    with settled(device):
        (recorded, ours), (called, theirs) = (losses(data, arch, repeats) for repeats in (True, False))
        accuracies = [float(accuracy(inference(training.model), data, data.test)) for training in (ours, theirs)]
    same(recorded, called)
    assert accuracies[0] == pytest.approx(accuracies[1], abs=0.03)


def test_it_is_pytorchs_own_loop(device):
    """Written out with its own optimiser, without recording; only the draws of positions and changes are ours."""
    data = load("digits").to(device)
    with settled(device):
        ours, _ = losses(data, "resnet20:width=0.5", True)
        model = network("resnet20:width=0.5", data).to(device).train()
        optimiser = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9, weight_decay=5e-4)
        positions, noise, theirs = order(data), np.random.default_rng(2), []
        change = augmentation(HYPERPARAMETERS.augment)
        for step in range(STEPS):
            optimiser.param_groups[0]["lr"] = 0.05 * rate("onecycle", step / STEPS)
            index = data.train[torch.from_numpy(next(positions)).to(device)]
            x, y = data.standardised(change(data.x[index], noise)), data.y[index]
            optimiser.zero_grad()
            with mixed(x):
                out = model(x)
            loss = F.cross_entropy(out.float(), y, label_smoothing=0.1)
            loss.backward()
            optimiser.step()
            theirs.append(loss.detach())
    same(ours, torch.stack(theirs))


FIRST = {family: next(name for name, member in MEMBERS.items() if member.family == family) for family in FAMILIES}
"""The first network of each family."""


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["bert_base", "gpt2", "lstm_ptb_medium"])
def test_networks_of_tokens_can_be_recorded(name, device, recwarn):
    if device == "cpu":
        pytest.skip("nothing is recorded there")
    data = load("tokens:97x12:examples=256").to(device)
    torch.manual_seed(0)
    model = create_model(name, num_classes=10, input_size=12, dropout=0.1, width=0.1)
    hyper = dataclasses.replace(HYPERPARAMETERS, augment="none")
    with settled(device):
        training = NetworkTraining(model, data, order(data, 16), hyper, np.random.default_rng(0), repeats=True)
        for step in range(CALLED_FIRST + 3):
            loss = training.step(step / 20).loss
    assert loss.isfinite()
    assert training.recorded._graph is not None, [str(warning.message) for warning in recwarn]


OF_IMAGES = [family for family, name in FIRST.items() if not MEMBERS[name].vocabulary]


@pytest.mark.gpu
@pytest.mark.parametrize("family", [family for family in OF_IMAGES if family != "fc_densenet"])  # it labels pixels
def test_every_family_can_be_recorded(family, device, recwarn):
    if device == "cpu":
        pytest.skip("nothing is recorded there")
    width = {} if family in ("vit",) else {"width": 0.1}
    channels = torch.randint(256, (256, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    digits = load("digits")
    size = 64 if family in ("inception_v3", "inception_resnet_v2") else 32
    x = F.interpolate(channels.float(), size=(size, size)).to(torch.uint8)
    places = torch.arange(256)
    three = {"mean": torch.full((3,), 128.0), "std": torch.full((3,), 60.0)}
    data = type(digits)(
        **{**vars(digits), "x": x, "y": places % 10, "train": places, "validation": places, "test": places, **three}
    ).to(device)
    torch.manual_seed(0)
    name = FIRST[family]
    model = create_model(name, num_classes=10, in_chans=3, input_size=size, dropout=0.1, **width)
    with settled(device):
        training = NetworkTraining(
            model, data, order(data, 16), HYPERPARAMETERS, np.random.default_rng(0), repeats=True
        )
        for step in range(CALLED_FIRST + 3):
            loss = training.step(step / 20).loss
    assert loss.isfinite()
    assert training.recorded._graph is not None, [str(warning.message) for warning in recwarn]


@pytest.mark.parametrize("kind", [MLPStack, SameStack])
def test_networks_of_a_search_are_recorded_alike(kind, device):
    data = load("digits").to(device)
    steps = WORTH_RECORDING + 60

    def trained(repeats):
        torch.manual_seed(0)
        models = [LayeredMLP((1, 8, 8), 10, [16, 16], ["relu", "tanh"], "batch", "residual") for _ in range(2)]
        orders, noises = [order(data) for _ in models], [np.random.default_rng(i) for i in (0, 1)]
        hyper = Hyperparameters("adamw", 0.01, 1e-4, "cosine", augment="crop")
        with settled(device):
            train_together(models, kind, data, orders, hyper, noises, steps, repeats=repeats)
            return [float(accuracy(inference(model.to(device)), data, data.test)) for model in models]

    recorded, called = trained(True), trained(False)
    assert recorded == pytest.approx(called, abs=0.03)
    assert min(recorded) > 0.6


def test_what_is_drawn_ahead_comes_in_order(device):
    drawn = iter(np.arange(300, dtype=np.int64).reshape(100, 3))
    ahead = Ahead(lambda: next(drawn), torch.device(device))
    assert [ahead().tolist() for _ in range(50)] == [[3 * i, 3 * i + 1, 3 * i + 2] for i in range(50)]
