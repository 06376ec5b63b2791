"""What may be asked of ``gradient-flow``."""

import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from typer import Option

from dnnlab import data as datasets
from dnnlab.errors import UsageError
from dnnlab.nets import initialisers, shape
from dnnlab.nets.activations import ACTIVATIONS, per_layer
from dnnlab.runner.device import DEVICES
from dnnlab.runner.options import Check, OneOf
from dnnlab.training.optimisers import OPTIMISERS

HELP = """Measure how gradients travel through a deep network, beside what theory predicts.

Every option that takes a list (TEXT,… INT,…) takes several values, and several lists mean their product.

[bold]Examples[/bold]

Vanishing, and three cures: [cyan]dnnlab gradient-flow --act sigmoid --depth 20[/cyan], then with
[cyan]--norm batch[/cyan], [cyan]--skip residual[/cyan] or [cyan]--init critical[/cyan].

A table of activations on MNIST: [cyan]dnnlab gradient-flow --act sigmoid,tanh,relu,gelu --depth 5,20,50
--data mnist --seeds 10[/cyan]

Along training: [cyan]dnnlab gradient-flow --act relu --depth 20 --steps 500 --optimizer adam --lr 0.001[/cyan]

Your own network and images: [cyan]dnnlab gradient-flow --model mypackage.nets:factory --data folder:images[/cyan]
"""

MEASURED_BY = (
    "gradient_flow/measure.py",
    "gradient_flow/hooked.py",
    "nets",
    "data",
    "training",
    "runner/seeds.py",
)

_NET, _DATA, _TRAIN, _MEASURE = "Network", "Data and seeds", "Training", "Measuring"


@dataclass(frozen=True)
class Cell:
    """One configuration and one seed. Its fields are the first columns of ``cells.csv``."""

    model: str
    act: str
    init: str
    norm: str
    skip: str
    depth: int
    width: int
    data: str
    batch_size: int
    optimizer: str
    lr: float
    weight_decay: float
    dropout: float
    clip: float
    seed: int

    def __str__(self) -> str:
        if self.model:
            return f"{self.model} on {self.data}"
        return f"{self.act} depth {self.depth} width {self.width} norm {self.norm} skip {self.skip} on {self.data}"

    @property
    def together(self) -> Hashable:
        """A stack shares its shape, data and optimiser; init, rates, dropout and clipping are a member's own."""
        network = (self.model, self.act, self.norm, self.skip, self.depth, self.width)
        return (*network, self.data, self.batch_size, self.optimizer, self.seed if self.model else None)

    @property
    def weight(self) -> float:
        """A stack is full at 64 members, or at some 2⁲⁷ numbers of activations and parameters."""
        # Dense skips read all earlier layers, so what they hold grows with the depth squared.
        layers = self.depth * (self.depth + 1) / 2 if self.skip == "dense" else self.depth
        return max(1 / 64, layers * self.width * (self.width + 4 * self.batch_size) / 2**27)

    @property
    def macs(self) -> float:
        """Of one measured pass: forward, and twice that backward. A user's own model is not counted."""
        if self.model:
            return math.nan
        acts = per_layer(self.act, self.depth)
        like = shape.MLPShape(self.width, 10, self.depth, self.width, acts, self.norm, shape.parse_skip(self.skip))
        return 3.0 * like.macs() * self.batch_size


def _check_activation(pattern: str) -> None:
    # Here only that it reads; the depth that it must add up to is another option's.
    if "+" not in pattern and "*" not in pattern:
        per_layer(pattern, 1)


def _check_data(name: str) -> None:
    datasets.source(name)


@dataclass(frozen=True)
class Spec:
    """The options of ``gradient-flow``; together with data and code they decide every number."""

    act: Annotated[
        tuple[str, ...],
        Option(
            help=f"Activation: {', '.join(ACTIVATIONS)}, any of torch.nn, or a sequence such as relu*10+gelu*10.",
            rich_help_panel=_NET,
        ),
        Check(_check_activation),
    ] = ("relu",)
    depth: Annotated[tuple[int, ...], Option(help="Hidden layers.", min=2, max=2000, rich_help_panel=_NET)] = (20,)
    width: Annotated[tuple[int, ...], Option(help="Units a hidden layer.", min=1, max=16384, rich_help_panel=_NET)] = (
        64,
    )
    init: Annotated[
        tuple[str, ...],
        Option(help=f"Initialiser: {', '.join(initialisers.INITIALISERS)}.", rich_help_panel=_NET),
        Check(initialisers.check),
    ] = ("torch",)
    norm: Annotated[
        tuple[str, ...],
        Option(help="Normalisation before the activation: none, batch or layer.", rich_help_panel=_NET),
        OneOf(tuple(shape.NORMS)),
    ] = ("none",)
    skip: Annotated[
        tuple[str, ...],
        Option(help=f"Skip connections: {', '.join(shape.SKIPS)}.", rich_help_panel=_NET),
        Check(shape.parse_skip),
    ] = ("none",)
    model: Annotated[
        str,
        Option(
            help="Your own network instead: package.module:factory (found from the current folder too), "
            "torchvision:NAME or timm:NAME.",
            rich_help_panel=_NET,
        ),
    ] = ""
    weights: Annotated[str, Option(help="Weights of --model: a .safetensors file.", rich_help_panel=_NET)] = ""
    data: Annotated[
        tuple[str, ...],
        Option(
            help="digits, mnist, fashion-mnist, cifar10, folder:PATH, csv:PATH:TARGET, gaussian, parity:BITS or "
            "compositional:INPUTS; see dnnlab data.",
            rich_help_panel=_DATA,
        ),
        Check(_check_data),
    ] = ("digits",)
    batch_size: Annotated[
        tuple[int, ...], Option(help="Examples a batch.", min=2, max=65536, rich_help_panel=_DATA)
    ] = (128,)
    seeds: Annotated[
        int,
        Option(help="How many seeds; under three there is no verdict.", min=1, max=10000, rich_help_panel=_DATA),
    ] = 5
    seed: Annotated[int, Option(help="Base of the seeds.", min=0, max=2**32 - 1, rich_help_panel=_DATA)] = 0
    steps: Annotated[
        int, Option(help="Training steps; 0 measures at initialisation only.", min=0, rich_help_panel=_TRAIN)
    ] = 0
    every: Annotated[
        int,
        Option(help="Measure every so many steps; 0 means ten times in all.", min=0, rich_help_panel=_TRAIN),
    ] = 0
    optimizer: Annotated[
        tuple[str, ...],
        Option(help=f"{', '.join(OPTIMISERS)}.", rich_help_panel=_TRAIN),
        OneOf(OPTIMISERS),
    ] = ("sgd",)
    lr: Annotated[tuple[float, ...], Option(help="Learning rate.", min=0, max=1e6, rich_help_panel=_TRAIN)] = (0.01,)
    weight_decay: Annotated[tuple[float, ...], Option(help="Weight decay.", min=0, max=1e3, rich_help_panel=_TRAIN)] = (
        0.0,
    )
    dropout: Annotated[
        tuple[float, ...],
        Option(help="Share of activations dropped.", min=0, max=0.99, rich_help_panel=_TRAIN),
    ] = (0.0,)
    clip: Annotated[
        tuple[float, ...],
        Option(help="Clip the global gradient norm at this; 0 does not.", min=0, max=1e9, rich_help_panel=_TRAIN),
    ] = (0.0,)
    jacobian: Annotated[
        bool,
        Option("--jacobian", help="Singular values of the input–output Jacobian.", rich_help_panel=_MEASURE),
    ] = False
    device: Annotated[str, Option(help="auto, cpu, cuda or mps.", rich_help_panel=_MEASURE), OneOf(DEVICES)] = "auto"

    def validate(self) -> None:
        """Options that must fit each other.

        Raises:
            UsageError: they do not.
        """
        for pattern, depth in itertools.product(self.act, self.depth):
            per_layer(pattern, depth)
        if self.every > self.steps:
            raise UsageError(f"--every {self.every} is more than the --steps {self.steps}; make it at most that.")
        if self.weights and not self.model:
            raise UsageError("--weights belong to a --model; give both.")
        if self.model:
            self._validate_model()
        for act, init in itertools.product(self.act, self.init):
            if init == "critical":
                for name in dict.fromkeys(per_layer(act, self.depth[0])):
                    initialisers.variances(init, 1, 1, name, name)

    def _validate_model(self) -> None:
        defaults = Spec()
        for name in ("act", "depth", "width", "init", "norm", "skip", "dropout"):
            if getattr(self, name) != getattr(defaults, name):
                raise UsageError(f"--{name} describes dnnlab's own networks; it does not go with --model.")
        if self.jacobian:
            raise UsageError("--jacobian measures dnnlab's own networks; it does not go with --model.")

    def plan(self) -> Sequence[Cell]:
        """The product of the lists, seeds last."""
        own = bool(self.model)
        lists: tuple[Sequence[Any], ...] = (
            ("",) if own else self.act,
            ("",) if own else self.init,
            ("",) if own else self.norm,
            ("",) if own else self.skip,
            (0,) if own else self.depth,
            (0,) if own else self.width,
            self.data,
            self.batch_size,
            self.optimizer,
            self.lr,
            self.weight_decay,
            self.dropout,
            self.clip,
            range(self.seeds),
        )
        return [Cell(self.model, *values) for values in itertools.product(*lists)]

    def content(self) -> Mapping[str, str]:
        """Digests of the data sets, and of the model's code and weights."""
        digests = {f"data {name}": datasets.source(name).digest() for name in self.data}
        if self.model:
            from dnnlab.nets.own import digest

            digests["model"] = digest(self.model, self.weights)
        return digests

    def measured_steps(self) -> list[int]:
        """The training steps before which everything is measured, the last after the last step."""
        every = self.every or max(1, math.ceil(self.steps / 10))
        return [*range(0, self.steps, every), self.steps]
