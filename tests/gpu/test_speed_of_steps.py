"""A step of training never waits for the device, so that the next one is prepared while it computes."""

import contextlib

import pytest
import torch

from dnnlab.data import load
from dnnlab.networks.catalogue import create_model
from dnnlab.networks.shape import MLPShape
from dnnlab.networks.spaces.mlp_net import LayeredMLP
from dnnlab.networks.spaces.mlp_stack import MLPStack
from dnnlab.networks.spaces.stack import SameStack
from dnnlab.networks.stacked import StackedMLP
from dnnlab.statistics.streams import stream
from dnnlab.training import networks, optimisers, recorded
from dnnlab.training.batches import batch_order
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.stacked import StackedTraining

STEPS = recorded.CALLED_FIRST
"""Of a search's networks no more are taken: recording a step, which is done once, waits."""


@contextlib.contextmanager
def no_waiting(device):
    """Within, whatever waits for CUDA fails."""
    if device == "cpu":
        yield
        return
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


def orders(data, count):
    return [batch_order(len(data.train), 32, stream(0, seed, "batches")) for seed in range(count)]


def noises(count):
    return [stream(0, seed, "noise") for seed in range(count)]


def a_stack(data, optimiser, norm, dropout):
    shape = MLPShape(data.features, 10, 3, 12, ("relu", "tanh", "gelu"), norm)
    stack = StackedMLP.draw(shape, ["he"] * 2, noises(2), device=str(data.x.device))
    hyper = [Hyperparameters(optimiser, 0.01), Hyperparameters(optimiser, 0.01, 0.01, dropout=dropout, clip=0.3)]
    training = StackedTraining(stack, data, hyper, orders(data, 2), noises(2))
    return lambda steps: [training.step() for _ in range(steps)]


def one_network(data, optimiser, augment, ema):
    model = create_model("nin:width=0.1,dropout=0.1", num_classes=10, in_chans=1, input_size=8)
    hyper = Hyperparameters(optimiser, 0.01, 1e-4, "onecycle", 0.1, augment, ema)
    training = networks.NetworkTraining(model, data, orders(data, 1)[0], hyper, noises(1)[0], repeats=True)
    return lambda steps: [training.step(step / steps) for step in range(steps)]


def several_networks(data, kind, norm, augment):
    """Those of a search, padded to one shape or alike from the start."""
    acts = [["relu", "tanh"], ["tanh", "gelu"]] if kind is MLPStack else [["relu", "tanh"]] * 2
    widths = [[12, 12], [12, 8]] if kind is MLPStack else [[12, 12]] * 2
    models = [
        LayeredMLP((1, 8, 8), 10, w, a, norm, "residual").to(data.x.device) for w, a in zip(widths, acts, strict=True)
    ]
    stack = kind(models)
    hyper = Hyperparameters("adam", 0.01, 1e-4, "cosine", augment=augment)
    return lambda steps: networks.train_together(
        models, lambda _: stack, data, orders(data, 2), hyper, noises(2), steps, repeats=True
    )


LOOPS = {
    "a stack": (a_stack, "momentum", "none", 0.0),
    "a stack with batch norm and dropout": (a_stack, "adamw", "batch", 0.2),
    "one network": (one_network, "momentum", "none", 0.0),
    "one network, augmented and averaged": (one_network, "adamw", "crop+flip", 0.9),
    "several networks": (several_networks, MLPStack, "none", "none"),
    "several networks with batch norm, augmented": (several_networks, MLPStack, "batch", "crop+flip"),
    "several networks with layer norm": (several_networks, MLPStack, "layer", "none"),
    "several networks of one structure": (several_networks, SameStack, "batch", "none"),
}


def made_in_peace(*asked):
    """PyTorch's optimisers look at their rate when they are made, which waits; their steps do not."""
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("default")
    try:
        return optimisers.make_optimiser(*asked)
    finally:
        torch.cuda.set_sync_debug_mode(mode)


@pytest.mark.parametrize("loop", LOOPS)
def test_steps_do_not_wait_for_the_device(loop, device, monkeypatch):
    if device == "cuda":
        monkeypatch.setattr(networks, "make_optimiser", made_in_peace)
    torch.manual_seed(0)
    make, *options = LOOPS[loop]
    take = make(load("digits").to(device), *options)
    take(recorded.CALLED_FIRST + 2)
    with no_waiting(device):
        take(STEPS)
