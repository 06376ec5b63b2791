"""The options for a network and its training that experiments share, each written once, and their columns.

An experiment's spec takes the option types for its fields, its schema the columns. Where some experiments take one
value and others a list, the type stands behind the option: ``LearningRate[float]`` or
``LearningRate[tuple[float, ...]]``. Importing this module imports nothing heavy, so that the command line can.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Protocol, TypeVar

from typer import Option

from dnnlab import data as datasets
from dnnlab.errors import UsageError
from dnnlab.networks import initialisers, named, shape, weights
from dnnlab.networks.activations import ACTIVATIONS, per_layer
from dnnlab.report.columns import Column
from dnnlab.runner.device import DEVICES
from dnnlab.runner.experiment import Spec
from dnnlab.runner.options import Check, OneOf
from dnnlab.training.augmentation import AUGMENTATIONS
from dnnlab.training.optimisers import OPTIMISERS
from dnnlab.training.schedules import SCHEDULES

T = TypeVar("T")

NET, DATA, TRAIN, MEASURE = "Network", "Data and seeds", "Training", "Measuring"
"""The panels of an experiment's help."""


def _check_activation(pattern: str) -> None:
    # Only the syntax is checked here; the depth that it must add up to is another option's.
    if "+" not in pattern and "*" not in pattern:
        per_layer(pattern, 1)


def _check_data(name: str) -> None:
    datasets.source(name)


Act = Annotated[
    tuple[str, ...],
    Option(
        help=f"Activation: {', '.join(ACTIVATIONS)}, any of torch.nn, or a sequence such as relu*10+gelu*10.",
        rich_help_panel=NET,
    ),
    Check(_check_activation),
]
Init = Annotated[
    tuple[str, ...],
    Option(help=f"Initialiser: {', '.join(initialisers.INITIALISERS)}.", rich_help_panel=NET),
    Check(initialisers.check),
]
Norm = Annotated[
    tuple[str, ...],
    Option(help="Normalisation before the activation: none, batch or layer.", rich_help_panel=NET),
    OneOf(tuple(shape.NORMS)),
]
Skip = Annotated[
    tuple[str, ...],
    Option(help=f"Skip connections: {', '.join(shape.SKIPS)}.", rich_help_panel=NET),
    Check(shape.parse_skip),
]
Model = Annotated[
    str,
    Option(
        help="Your own network instead: package.module:factory (found from the current folder too), "
        "torchvision:NAME or timm:NAME.",
        rich_help_panel=NET,
    ),
]
Arch = Annotated[
    tuple[str, ...],
    Option(
        help="Published networks instead: of the catalogue (dnnlab compare-arch --list), with options as in "
        "resnet20:act=gelu,norm=none; or, as in compare-arch, your own and .toml files.",
        rich_help_panel=NET,
    ),
    Check(named.check),
]
Weights = Annotated[str, Option(help="Weights of --model, or of one --arch: a .safetensors file.", rich_help_panel=NET)]

Data = Annotated[
    tuple[str, ...],
    Option(help=f"{datasets.forms()}; see dnnlab data.", rich_help_panel=DATA),
    Check(_check_data),
]
TrainSize = Annotated[T, Option(help="Training examples; 0 takes all.", min=0, rich_help_panel=DATA)]
BatchSize = Annotated[T, Option(help="Examples in a batch.", min=2, max=65536, rich_help_panel=DATA)]
Seeds = Annotated[
    int, Option(help="How many seeds; under three there is no verdict.", min=1, max=10000, rich_help_panel=DATA)
]
Seed = Annotated[int, Option(help="Base of the seeds.", min=0, max=2**32 - 1, rich_help_panel=DATA)]

Every = Annotated[
    int, Option(help="Measure every so many steps; 0 means ten times in all.", min=0, rich_help_panel=TRAIN)
]
Optimizer = Annotated[T, Option(help=f"{', '.join(OPTIMISERS)}.", rich_help_panel=TRAIN), OneOf(OPTIMISERS)]
LearningRate = Annotated[T, Option(help="Learning rate.", min=0, max=1e6, rich_help_panel=TRAIN)]
WeightDecay = Annotated[T, Option(help="Weight decay.", min=0, max=1e3, rich_help_panel=TRAIN)]
Schedule = Annotated[
    T,
    Option(help=f"Course of the learning rate: {', '.join(SCHEDULES)}.", rich_help_panel=TRAIN),
    OneOf(SCHEDULES),
]
Augment = Annotated[
    T,
    Option(help=f"Change images at random: {', '.join(AUGMENTATIONS)}.", rich_help_panel=TRAIN),
    OneOf(AUGMENTATIONS),
]
Dropout = Annotated[
    tuple[float, ...], Option(help="Share of activations dropped.", min=0, max=0.99, rich_help_panel=TRAIN)
]
Clip = Annotated[
    tuple[float, ...],
    Option(help="Clip the global gradient norm at this; 0 does not.", min=0, max=1e9, rich_help_panel=TRAIN),
]
Device = Annotated[str, Option(help="auto, cpu, cuda or mps.", rich_help_panel=MEASURE), OneOf(DEVICES)]

_COLUMNS = {
    column.name: column
    for column in (
        Column("model", str, "the network of --arch or --model; empty for fully connected ones", screen="model"),
        Column("act", str, "activation, or one per layer", screen="act"),
        Column("init", str, "initialiser", screen="init"),
        Column("norm", str, "normalisation before the activation", screen="norm"),
        Column("skip", str, "skip connection", screen="skip"),
        Column("depth", int, "hidden layers", screen="depth"),
        Column("width", int, "units a hidden layer; 0 for a network of one's own", screen="width", blank=0),
        Column("data", str, "data set", screen="data"),
        Column("batch_size", int, "examples in a batch", screen="batch"),
        Column("optimizer", str, "optimiser of the training", screen="optimizer"),
        Column("lr", float, "learning rate", screen="lr"),
        Column("weight_decay", float, "weight decay", screen="decay"),
        Column("dropout", float, "share of activations dropped", screen="dropout"),
        Column("clip", float, "threshold of gradient clipping; 0 where there is none", screen="clip"),
    )
}


def columns(names: Iterable[str]) -> tuple[Column, ...]:
    """The columns of the options called ``names``."""
    return tuple(_COLUMNS[name] for name in names)


def check_networks(acts: Iterable[str], depths: Iterable[int], inits: Iterable[str]) -> None:
    """Check that every activation pattern fits every depth, and every initialiser every activation.

    Raises:
        UsageError: one does not.
    """
    for pattern, depth in itertools.product(acts, depths):
        names = dict.fromkeys(per_layer(pattern, depth))
        for name in names if "critical" in inits else ():
            initialisers.variances("critical", 1, 1, name, name)


def check_every(every: int, steps: int) -> None:
    """Check that something is measured at least once within ``steps``, where it is measured every so many steps.

    Raises:
        UsageError: it is not.
    """
    if every > steps:
        raise UsageError(f"--every {every} is more than the --steps {steps}; make it at most that.")


def measured_steps(steps: int, every: int) -> list[int]:
    """The training steps before which everything is measured, the last after the last step."""
    every = every or max(1, -(-steps // 10))
    return [*range(0, steps, every), steps]


class TakesModel(Protocol):
    """A spec that asks about fully connected networks, or about published ones or one of the user's own in their
    place."""

    @property
    def data(self) -> tuple[str, ...]: ...
    @property
    def arch(self) -> tuple[str, ...]: ...
    @property
    def model(self) -> str: ...
    @property
    def weights(self) -> str: ...


def networks(spec: TakesModel) -> tuple[str, ...]:
    """The networks of ``--model`` or ``--arch``, as `networks.named.build` reads them; empty where fully connected ones
    are meant."""
    return (spec.model,) if spec.model else spec.arch


def check_model(spec: TakesModel, describes: Iterable[str] = ()) -> None:
    """Check that ``--model`` and ``--arch`` are not both given, that weights are given with one network, and that no
    option describes fully connected networks beside it.

    Raises:
        UsageError: there is no such network, or one of the options that ``describes`` names was given beside it.
    """
    if spec.model and spec.arch:
        raise UsageError("--model is your own network in the place of --arch; give one of them.")
    if spec.weights and len(networks(spec)) != 1:
        raise UsageError("--weights belong to one network; give --model, or one --arch.")
    for name in describes if networks(spec) else ():
        if getattr(spec, name) != getattr(type(spec)(), name):
            raise UsageError(
                f"--{name.replace('_', '-')} describes fully connected networks; it does not go with "
                f"{'--model' if spec.model else '--arch'}."
            )


def content(spec: TakesModel) -> dict[str, str]:
    """Digests of the data sets, of the code and the weights of the user's own networks, and of files of networks."""
    digests = datasets.digests(spec.data)
    if spec.model:
        from dnnlab.networks.user_network import digest

        digests["model"] = digest(spec.model, spec.weights)
    elif spec.weights:
        digests["weights"] = weights.digest(spec.weights)
    return digests | named.user_digests(spec.arch)


_BLANK = {"act": "", "init": "", "norm": "", "skip": "", "depth": 0, "width": 0}
"""The value of a cell for options of fully connected networks, where it has another."""


def combinations(spec: Spec, cell: type) -> Iterator[dict[str, Any]]:
    """The product of the lists among the options of ``spec``, in the order of the fields of ``cell``, a dataclass: each
    as keyword arguments for it."""
    options = {field.name: getattr(spec, field.name, None) for field in dataclasses.fields(cell)}
    lists: dict[str, tuple[Any, ...]] = {name: value for name, value in options.items() if isinstance(value, tuple)}
    if "model" in options:
        others = networks(spec)  # type: ignore[arg-type] # a spec whose cells have a model takes one
        lists = {"model": others or ("",)} | lists
        if others:
            lists |= {name: (blank,) for name, blank in _BLANK.items() if name in lists}
    for values in itertools.product(*lists.values()):
        yield dict(zip(lists, values, strict=True))
