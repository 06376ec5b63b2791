"""What may be asked of ``gradient-flow``."""

import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from typer import Option

from dnnlab import data as datasets
from dnnlab.errors import UsageError
from dnnlab.networks import shape
from dnnlab.runner import configuration as ask
from dnnlab.runner.experiment import Question

HELP = """Measure how gradients travel through a deep network, beside what theory predicts.

Every option that takes a list (TEXT,… INT,…) takes several values; several lists mean all combinations.

[bold]Examples[/bold]

Vanishing, and three cures: [cyan]dnnlab gradient-flow --act sigmoid --depth 20[/cyan], then with
[cyan]--norm batch[/cyan], [cyan]--skip residual[/cyan] or [cyan]--init critical[/cyan].

A table of activations on MNIST: [cyan]dnnlab gradient-flow --act sigmoid,tanh,relu,gelu --depth 5,20,50
--data mnist --seeds 10[/cyan]

Along training: [cyan]dnnlab gradient-flow --act relu --depth 20 --steps 500 --optimizer adam --lr 0.001[/cyan]

Your own network and images: [cyan]dnnlab gradient-flow --model mypackage.nets:factory --data folder:images[/cyan]
"""


QUESTIONS = (Question("dnnlab.gradient_flow"),)


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

    side_by_side = False

    @property
    def weight(self) -> float:
        """A stack is full at 64 members, or at some 2⁲⁷ numbers of activations and parameters."""
        # Dense skips read all earlier layers, so what they hold grows with the depth squared.
        layers = self.depth * (self.depth + 1) / 2 if self.skip == "dense" else self.depth
        return max(1 / 64, layers * self.width * (self.width + 4 * self.batch_size) / 2**27)

    @property
    def macs(self) -> float:
        """Of one measured pass: forward, and twice that backward. A user's own model is not counted."""
        return math.nan if self.model else 3.0 * self._shape.macs() * self.batch_size

    @property
    def bytes(self) -> float:
        """Memory of one step, at least. A user's own model is not counted."""
        return 0.0 if self.model else self._shape.bytes(self.batch_size)

    @property
    def _shape(self) -> shape.MLPShape:
        return shape.MLPShape.like(self.act, self.depth, self.width, self.norm, self.skip)


@dataclass(frozen=True)
class Spec:
    """The options of ``gradient-flow``; together with data and code they decide every number."""

    act: ask.Act = ("relu",)
    depth: Annotated[tuple[int, ...], Option(help="Hidden layers.", min=2, max=2000, rich_help_panel=ask.NET)] = (20,)
    width: Annotated[
        tuple[int, ...], Option(help="Units in each hidden layer.", min=1, max=16384, rich_help_panel=ask.NET)
    ] = (64,)
    init: ask.Init = ("torch",)
    norm: ask.Norm = ("none",)
    skip: ask.Skip = ("none",)
    model: ask.Model = ""
    weights: ask.Weights = ""
    data: ask.Data = ("digits",)
    batch_size: ask.BatchSize = (128,)
    seeds: ask.Seeds = 5
    seed: ask.Seed = 0
    steps: Annotated[
        int, Option(help="Training steps; 0 measures at initialisation only.", min=0, rich_help_panel=ask.TRAIN)
    ] = 0
    every: ask.Every = 0
    optimizer: ask.Optimizer = ("sgd",)
    lr: ask.LearningRate = (0.01,)
    weight_decay: ask.WeightDecay = (0.0,)
    dropout: ask.Dropout = (0.0,)
    clip: ask.Clip = (0.0,)
    jacobian: Annotated[
        bool,
        Option("--jacobian", help="Singular values of the input–output Jacobian.", rich_help_panel=ask.MEASURE),
    ] = False
    device: ask.Device = "auto"

    @property
    def question(self) -> Question:
        return QUESTIONS[0]

    def validate(self) -> None:
        """Options that must fit each other.

        Raises:
            UsageError: they do not.
        """
        ask.check_networks(self.act, self.depth, self.init)
        if self.every > self.steps:
            raise UsageError(f"--every {self.every} is more than the --steps {self.steps}; make it at most that.")
        if self.weights and not self.model:
            raise UsageError("--weights belong to a --model; give both.")
        if self.model:
            own = ("act", "depth", "width", "init", "norm", "skip", "dropout", "jacobian")
            ask.refuse_with_model(self, own)

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
        digests = datasets.digests(self.data)
        if self.model:
            from dnnlab.networks.own import digest

            digests["model"] = digest(self.model, self.weights)
        return digests

    def fit(self) -> None:
        """Networks and data must fit each other.

        Raises:
            UsageError: they do not.
        """
        from dnnlab.training import checks

        checks.check(self.data, self.batch_size, self.model, self.weights)

    def notes(self) -> Sequence[str]:
        """What was done to the data that their owner may not expect."""
        return datasets.notes(self.data)

    def measured_steps(self) -> list[int]:
        """The training steps before which everything is measured, the last after the last step."""
        return ask.measured_steps(self.steps, self.every)
