"""The same networks on the device and on the CPU, which is the reference: to nine digits in float64."""

import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dnnlab.data import load
from dnnlab.data.dataset import Dataset
from dnnlab.instruments import layerwise
from dnnlab.instruments.hooks import Recorder
from dnnlab.networks.shape import MLPShape, parse_skip
from dnnlab.networks.stacked import StackedMLP
from dnnlab.statistics.streams import stream
from dnnlab.training import evaluation, networks, recorded
from dnnlab.training.batches import batch_order
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.optimisers import OPTIMISERS
from dnnlab.training.stacked import StackedTraining, accuracy, gather

STEPS = recorded.CALLED_FIRST + 4
"""The last of them are recorded."""
RATE = 2.0**-7
"""PyTorch's own optimisers hold the rate in float32 on CUDA, which this one fits."""


class Float64(Dataset):
    """Data whose inputs are float64."""

    def standardised(self, x):
        each = (-1, *[1] * (len(self.shape) - 1))
        return (x.double() - self.mean.double().view(each)) / self.std.double().view(each)


def digits(device):
    return Float64(**vars(load("digits"))).to(device)


def order(data, seed=0):
    return batch_order(len(data.train), 32, stream(0, seed, "batches"))


def small_cnn():
    torch.manual_seed(0)
    # No bias before a normalisation: its gradient is rounding alone, which Adam makes as large as any other.
    parts = [nn.Conv2d(1, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
    parts += [nn.Conv2d(6, 8, 3, padding=1, groups=2), nn.GELU(), nn.Flatten(), nn.Linear(128, 10)]
    return nn.Sequential(*parts).double()


def stacked(device, optimiser, norm, skip):
    """Two members in training: their parameters, what was seen of each step, and a measured pass."""
    data = digits(device)
    shape = MLPShape(data.features, 10, 3, 12, ("relu", "tanh", "prelu"), norm, parse_skip(skip))
    streams = [stream(0, seed, "weights") for seed in (0, 1)]
    stack = StackedMLP.draw(shape, ["he", "xavier"], streams, torch.float64, device)
    rates = [0.01, 0.003] if optimiser.startswith("adam") else [0.1, 0.05]
    # Adam divides by the size of the gradient, with the decay in it: of a bias before a normalisation, which has no
    # gradient but rounding, it would make a walk by chance.
    decay = 0.0 if optimiser == "adam" else 0.01
    hyper = [Hyperparameters(optimiser, rates[0]), Hyperparameters(optimiser, rates[1], decay, dropout=0.2, clip=0.3)]
    orders, noise = [order(data, seed) for seed in (0, 1)], [stream(0, seed, "dropout") for seed in (0, 1)]
    training = StackedTraining(stack, data, hyper, orders, noise)
    steps = [training.step() for _ in range(STEPS)]
    probe = gather(data, [next(order(data, seed + 2)) for seed in (0, 1)])  # orders are drawn ahead on CUDA
    seen = layerwise.measure(stack, probe, training.masks(32))
    found = {f"step {i} {name}": value for i, step in enumerate(steps) for name, value in vars(step).items()}
    found |= {**stack.parameters, **stack.running, **seen.layers, "loss": seen.loss, "seen": seen.accuracy}
    return found | {"accuracy": accuracy(stack, data, data.validation)}


def hooked(device, optimiser):
    """What hooks see of a network that was trained."""
    data, model = digits(device), small_cnn().to(device)
    training = networks.PlainTraining(model, data, order(data), Hyperparameters(optimiser, RATE, 0.01, clip=0.5))
    norms = [training.norms() for _ in range(STEPS)]
    model.zero_grad()
    with Recorder(model) as recorder:
        F.cross_entropy(model(data.inputs(data.train[:64])), data.y[data.train[:64]]).backward()
    rows = pd.DataFrame(recorder.rows()).select_dtypes("number")
    found = {f"{name} {i}": value for name in rows for i, value in enumerate(rows[name])} | model.state_dict()
    return found | {
        "norms": norms,
        "accuracy": evaluation.accuracy(evaluation.as_written(model, data), data, data.validation),
    }


def exact(model, x, y):
    """The loss, too, in float64. Mixed precision leaves float64 alone."""
    return F.cross_entropy(model(x), y, label_smoothing=0.1)


def single(device, optimiser):
    """A network with every trick of compare-arch."""
    data = digits(device)
    hyper = Hyperparameters(optimiser, RATE, 0.01, "constant", 0.1, "crop+flip", 0.9)
    noise = stream(0, 0, "augmentation")
    training = networks.NetworkTraining(small_cnn(), data, order(data), hyper, noise, objective=exact, repeats=True)
    losses = [training.step(step / STEPS).loss for step in range(STEPS)]
    found = {**training.model.state_dict(), "losses": torch.stack(losses)}
    found |= {f"average {name}": value for name, value in training.evaluated.state_dict().items()}
    return found | {"accuracy": evaluation.accuracy(networks.inference(training.evaluated), data, data.test)}


PATHS = {
    **{
        f"stack, {optimiser}, {norm} norm, {skip} skip": (stacked, optimiser, norm, skip)
        for optimiser, norm, skip in (
            *(("momentum", "batch", "none"), ("adam", "batch", "residual"), ("adamw", "batch", "none")),
            *(("sgd", "layer", "highway"), ("rmsprop", "none", "dense")),
        )
    },
    **{f"hooks, {optimiser}": (hooked, optimiser) for optimiser in ("momentum", "adamw")},
    **{f"one network, {optimiser}": (single, optimiser) for optimiser in OPTIMISERS},
}


@pytest.mark.parametrize("path", PATHS)
def test_float64_is_the_same_to_nine_digits(path, device):
    train, *options = PATHS[path]
    expected, found = train("cpu", *options), train(device, *options)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, str):
            assert found[name] == value
            continue
        # Adam divides a gradient by its size: where that is rounding alone, before a normalisation, rounding shows.
        small = 1e-8 if "adam" in path else 1e-11
        close = {"rtol": 1e-9, "atol": small, "equal_nan": True, "check_device": False}
        pair = (torch.as_tensor(each[name]).detach() for each in (found, expected))
        torch.testing.assert_close(*pair, **close, msg=lambda text, name=name: f"{name}: {text}")


NUMBERS = ("weight_grad_norm", "delta_norm", "act_grad_norm", "mean", "variance", "loss", "input_mean_square")


@pytest.mark.parametrize("model", ["stack", "one's own"])
def test_float32_differs_by_rounding_alone(model, run, cnn):
    """Ten times less than TF32 would."""
    own = ("--model", cnn.replace("Net", "smooth"))
    what = own if model == "one's own" else ("--act", "tanh", "--norm", "batch", "--width", 32, "--depth", 8)
    expected, found = (run("gradient-flow", *what, "--seeds", 2, "--fresh", **on) for on in ({"on": "cpu"}, {}))
    pd.testing.assert_frame_equal(found.cells[[*NUMBERS]], expected.cells[[*NUMBERS]], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("steps", [0, 20])
def test_a_summary_lies_within_the_intervals_of_the_cpus(steps, run, device):
    command = ("gradient-flow", "--act", "relu,tanh", "--width", 32, "--depth", 6, "--seeds", 5, "--steps", steps)
    expected, found = run(*command, on="cpu").summary, run(*command).summary
    intervals = [name.removesuffix("_lo") for name in expected if name.endswith("_lo") and expected[name].notna().all()]
    assert "rate" in intervals
    for name in intervals:
        middle = "rate_theory" if name == "theory" else name
        assert found[middle].between(expected[f"{name}_lo"], expected[f"{name}_hi"]).all(), name
