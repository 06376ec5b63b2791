"""The networks that are compressed, and their students: not trained, trained, or a user's own."""

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import nn

from dnnlab import memory
from dnnlab.compress import chain as chains
from dnnlab.compress import onnx_file
from dnnlab.compress.files import example
from dnnlab.compress.recovery import Retraining
from dnnlab.compress.spec import Spec
from dnnlab.data import load
from dnnlab.data.dataset import Dataset
from dnnlab.errors import DnnlabError, UsageError, first_line, some
from dnnlab.instruments.cost import count
from dnnlab.networks import named, user_network
from dnnlab.networks.catalogue import parse
from dnnlab.networks.parametrised import make_plain
from dnnlab.statistics.streams import torch_seed
from dnnlab.training.checks import check_batch
from dnnlab.training.evaluation import check
from dnnlab.training.hyperparameters import Hyperparameters

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
            if named.in_catalogue(name):
                skeleton = named.build(name, data.shape, len(data.classes), skeleton=True)
                parameters = sum(p.numel() for p in skeleton.parameters())
                memory.require(12 * parameters, f"training {name}")  # weights, gradients and moments
            model = named.build(name, data.shape, len(data.classes))
            if spec.weights and name in spec.networks:
                user_network.load_weights(model, spec.weights)
            check(model, data)
            if not any(p.ndim > 1 for p in model.parameters()):
                raise UsageError(f"{name} has no weights to compress.")
            if named.is_users(name):
                notes += _checked_own(name, model, spec.recipes.get((name, data_name), ()), data, spec.searching)
    return list(dict.fromkeys(notes))


def _checked_own(name: str, model: nn.Module, recipes: Sequence[str], data: Dataset, searching: bool) -> Iterator[str]:
    """Notes on what each first stage of ``recipes`` leaves of a user's own network, which is tried before training, and
    on chains that will fail; later stages are given another network.

    Raises:
        UsageError: the network cannot be exported, or no chain finds anything to do.
    """
    if computed := make_plain(model):
        yield (
            f"{name} computes {some(computed)} from other tensors, which training keeps to; what is compressed has the "
            "results as plain weights"
        )
    try:
        onnx_file.export(model, example(data))
    except DnnlabError as problem:
        raise UsageError(f"{name}: {problem}") from problem
    refused = []
    for stage in dict.fromkeys(chains.parse(recipe)[0] for recipe in recipes):
        rest = ""
        try:
            left = stage.module.left(model, stage, data) if stage.about.leaves(stage) else {}
            rest = f"{stage} leaves layers of {name} as they are: {told(left)}" if left else ""
            if stage.about.tried(stage) and not (searching and stage.searchable):
                stage.module.apply(copy.deepcopy(model), dataclasses.replace(stage, epochs=0.0), _untrained(data))
        except RuntimeError as problem:
            why = first_line(problem).removesuffix(".")
            refused.append(stage)
            rest = f"{name}: {why}" + (f"; {rest}" if rest else "")
            if all(chains.parse(recipe)[0] in refused for recipe in recipes):
                raise UsageError(f"{rest}.") from problem
            rest += "; its row will say so"
        if rest:
            yield rest


def told(left: Mapping[str, str]) -> str:
    """``a, b (why); c (why)``: the layers that a stage leaves, those with the same reason together."""
    reasons: dict[str, list[str]] = {}
    for layer, reason in left.items():
        reasons.setdefault(reason, []).append(layer)
    return "; ".join(f"{', '.join(layers)} ({reason})" for reason, layers in reasons.items())


def _untrained(data: Dataset) -> Retraining:
    """What a stage needs to be tried without any training."""

    def no_student() -> nn.Module:
        raise RuntimeError("a stage that trains a student is not tried")

    hyper = Hyperparameters("sgd", 0.0)
    return Retraining(data, 0, 0, 1, hyper, 0.0, teacher=None, temperature=1.0, teaching=0.0, student=no_student)


def smaller_than(network: str, shape: Sequence[int], classes: int, parameters: float) -> str:
    """The name of the network of the catalogue at the largest width with at most so many parameters; empty where there
    is none."""
    low, high, best = 0.0, 1.0, ""
    for _ in range(14):
        middle = (low + high) / 2
        name = at_width(network, middle)
        try:
            small = count(named.build(name, shape, classes, skeleton=True), shape).parameters <= parameters
        except ValueError:  # groups of convolutions do not divide these channels
            return best
        if small:
            low, best = middle, name
        else:
            high = middle
    return best
