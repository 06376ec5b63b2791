"""The networks that are compressed, and their students: not trained, trained, or a user's own."""

from functools import partial

import torch
from torch import nn

from dnnlab import memory
from dnnlab.compress.beforehand import tried
from dnnlab.compress.spec import Spec
from dnnlab.data import load
from dnnlab.data.dataset import Dataset
from dnnlab.errors import UsageError
from dnnlab.instruments.cost import count
from dnnlab.instruments.unread import unread
from dnnlab.networks import named, user_network
from dnnlab.networks.catalogue import parse
from dnnlab.statistics.streams import torch_seed
from dnnlab.training.checks import check_batch, check_numbers
from dnnlab.training.evaluation import check, check_in_training

_STUDENT_WIDTH = 0.25


def fresh(name: str, data: Dataset, base: int, seed: int, purpose: str) -> nn.Module:
    """The network called ``name``, with weights drawn from the seed alone."""
    torch.manual_seed(torch_seed(base, seed, purpose))
    return named.build(name, data.shape, len(data.classes))


def student_name(spec: Spec, network: str) -> str:
    """The name of the network that distill trains: that of the option, or the network itself at a quarter of its
    width."""
    return spec.student or at_width(network, _STUDENT_WIDTH)


def at_width(network: str, width: float) -> str:
    """The name of a network of the catalogue at ``width`` times its width."""
    member, options = parse(network)
    options = options | {"width": width * float(options.get("width", 1.0))}
    return f"{member.name}:" + ",".join(f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
                                        for name, value in options.items())  # fmt: skip


def check_fit(spec: Spec) -> list[str]:
    """Check that every network, and every student, takes every data set, before anything is trained, and that each
    stage finds something to do on a user's own network. What it gives are notes: what stages leave as it is.

    Raises:
        UsageError: one does not, its weights are another's, or its batch is larger than the training split; a user's
            own cannot be exported, or a stage finds nothing to do or less than it is asked for.
    """
    notes: list[str] = []
    for data_name in spec.data:
        data = load(data_name)
        examples = min(spec.train_size or len(data.train), len(data.train))
        check_batch(data, spec.batch_size, examples)
        wanted = list(spec.networks)
        if any(stage.about.makes_student for stage in spec.stages):
            wanted += [student_name(spec, network) for network in spec.networks]
        for name in dict.fromkeys(wanted):
            check_numbers(data, name)
            if named.in_catalogue(name):
                skeleton = named.build(name, data.shape, len(data.classes), skeleton=True)
                parameters = sum(p.numel() for p in skeleton.parameters())
                memory.require(12 * parameters, f"training {name}")  # weights, gradients and moments
            model = named.build(name, data.shape, len(data.classes))
            if spec.weights and name in spec.networks:
                user_network.load_weights(model, spec.weights, partial(unread, data=data))
            check(model, data)
            if named.is_users(name) and (not spec.weights or any(stage.trains for stage in spec.stages)):
                with named.refusing(name):
                    check_in_training(model, data)
            if not any(p.ndim > 1 for p in model.parameters()):
                raise UsageError(f"{name} has no weights to compress.")
            if named.is_users(name):
                notes += tried(name, model, spec.recipes.get((name, data_name), ()), data, spec.searching)
    if spec.controls:
        own = [name for name in spec.networks if not named.in_catalogue(name)]
        notes += [
            f"--controls has no small dense network beside {name}, which is not in the catalogue: it cannot be made "
            "narrower by its name"
            for name in own
        ]
    return list(dict.fromkeys(notes))


def smaller_than(network: str, data: Dataset, parameters: float) -> str:
    """The name of the network of the catalogue at the largest width with at most so many parameters, for the inputs and
    classes of ``data``; empty where there is none."""
    low, high, best = 0.0, 1.0, ""
    for _ in range(14):
        middle = (low + high) / 2
        name = at_width(network, middle)
        try:
            skeleton = named.build(name, data.shape, len(data.classes), skeleton=True)
            small = count(skeleton, data.shape, data.dtype).parameters <= parameters
        except ValueError:  # groups of convolutions do not divide these channels
            return best
        if small:
            low, best = middle, name
        else:
            high = middle
    return best
