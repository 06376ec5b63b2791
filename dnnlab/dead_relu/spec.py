"""What may be asked of ``dead-relu``."""

import itertools
import math
import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated, Any

from typer import Option

from dnnlab import data as datasets
from dnnlab.dead_relu.remedies import NO_REMEDY, remedies_for, treat
from dnnlab.errors import UsageError
from dnnlab.nets import shape
from dnnlab.nets.activations import activation
from dnnlab.training import configuration as ask

HELP = """Find dead units: who dies, when, why, and which cure works.

A unit is dead when it is zero on every input of a fixed set. Beside what is measured stands what chance alone
would leave dead at birth.

[bold]Examples[/bold]

Which learning rates kill: [cyan]dnnlab dead-relu --lr 0.01,0.1,1 --init he,xavier --seeds 10[/cyan]

Which cure works: [cyan]dnnlab dead-relu --lr 1 --remedies --seeds 10[/cyan]

Whole networks born dead, by width: [cyan]dnnlab dead-relu --born[/cyan]

Your own trained network: [cyan]dnnlab dead-relu --model mypackage.nets:factory --weights net.safetensors --data
folder:images --prune-dead smaller.safetensors[/cyan]
"""

_BORN = "Networks born dead"


@dataclass(frozen=True)
class Cell:
    """One configuration and one seed. Its fields are the first columns of ``cells.csv``.

    They describe the untreated network; `treated` is what the remedy makes of it.
    """

    remedy: str
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
    clip: float
    seed: int

    def __str__(self) -> str:
        if self.model:
            return f"{self.model} on {self.data}"
        return f"{self.act} depth {self.depth} width {self.width} norm {self.norm} skip {self.skip} on {self.data}"

    @property
    def together(self) -> Hashable:
        """A stack shares its shape, data and optimiser; init, rates and clipping are a member's own."""
        treated = self.treated
        network = (self.model, treated.act, treated.norm, treated.skip, self.depth, self.width)
        alone = (self.lr, self.weight_decay, self.clip, self.seed) if self.model else None
        return (*network, self.data, self.batch_size, self.optimizer, alone)

    @property
    def treated(self) -> "Cell":
        """The cell with its remedy applied."""
        return Cell(**treat(asdict(self), self.remedy))

    side_by_side = False

    @property
    def weight(self) -> float:
        """A stack is full at 64 members, or at some 2²⁷ numbers of activations and parameters."""
        layers = self.depth * (self.depth + 1) / 2 if self.skip == "dense" else self.depth
        return max(1 / 64, layers * self.width * (self.width + 4 * self.batch_size) / 2**27)

    @property
    def macs(self) -> float:
        """Of one training step: forward, and twice that backward. A user's own model is not counted."""
        return math.nan if self.model else 3.0 * self._shape.macs() * self.batch_size

    @property
    def bytes(self) -> float:
        """Memory of one step, at least. A user's own model is not counted."""
        return 0.0 if self.model else self._shape.bytes(self.batch_size)

    @property
    def _shape(self) -> shape.MLPShape:
        return shape.MLPShape.like(self.act, self.depth, self.width, self.norm, self.skip)


@dataclass(frozen=True)
class BornCell:
    """One point of the born-dead curve: so many networks of one shape."""

    width: int
    depth: int
    init: str
    nets: int

    def __str__(self) -> str:
        return f"{self.nets} nets of width {self.width}, depth {self.depth}, init {self.init}"

    @property
    def together(self) -> Hashable:
        """Each point is its own program."""
        return self

    side_by_side = False

    @property
    def weight(self) -> float:
        return 1.0

    @property
    def bytes(self) -> float:
        """Memory of a twentieth of the networks, which is drawn at once: a layer, and its activations, in float64."""
        return 8.0 * self.nets / 20 * (self.width**2 + 200 * self.width)

    @property
    def macs(self) -> float:
        """Of two inputs."""
        return 2.0 * self.nets * self.depth * self.width**2


@dataclass(frozen=True)
class Spec:
    """The options of ``dead-relu``; together with data and code they decide every number."""

    act: ask.Act = ("relu",)
    depth: Annotated[
        tuple[int, ...],
        Option(help="Hidden layers; 5 when not given, 9 with --born.", min=1, max=2000, rich_help_panel=ask.NET),
    ] = ()
    width: Annotated[
        tuple[int, ...],
        Option(
            help="Units in each hidden layer; 64 when not given, 2 to 10 with --born.",
            min=1,
            max=16384,
            rich_help_panel=ask.NET,
        ),
    ] = ()
    init: ask.Init = ("he",)
    norm: ask.Norm = ("none",)
    skip: ask.Skip = ("none",)
    model: ask.Model = ""
    weights: ask.Weights = ""
    data: ask.Data = ("digits",)
    inputs: Annotated[
        int,
        Option(
            help="Training examples that a unit must be zero on to be dead; 0 takes all.",
            min=0,
            rich_help_panel=ask.DATA,
        ),
    ] = 1024
    batch_size: ask.BatchSize = (128,)
    seeds: ask.Seeds = 5
    seed: ask.Seed = 0
    steps: Annotated[
        int | None,
        Option(
            help="Training steps; 0 looks at the network as it is. 500 when not given, 0 with --model.",
            min=0,
            rich_help_panel=ask.TRAIN,
        ),
    ] = None
    every: ask.Every = 0
    optimizer: ask.Optimizer = ("sgd",)
    lr: ask.LearningRate = (0.01,)
    weight_decay: ask.WeightDecay = (0.0,)
    clip: ask.Clip = (0.0,)
    remedies: Annotated[
        bool,
        Option(
            "--remedies",
            help="Repeat everything under each cure, on the same seeds and batches, and compare.",
            rich_help_panel=ask.MEASURE,
        ),
    ] = False
    prune_dead: Annotated[
        str,
        Option(
            help="Write --model with --weights here without its certified dead units: a .safetensors file.",
            rich_help_panel=ask.MEASURE,
        ),
    ] = ""
    device: ask.Device = "auto"
    born: Annotated[
        bool,
        Option(
            "--born",
            help="How often a whole narrow, deep net of one input is constant from birth, by Monte Carlo.",
            rich_help_panel=_BORN,
        ),
    ] = False
    nets: Annotated[
        int,
        Option(help="Networks drawn for each width, depth and init.", min=100, max=10**7, rich_help_panel=_BORN),
    ] = 20_000

    def validate(self) -> None:
        """Options that must fit each other.

        Raises:
            UsageError: they do not.
        """
        ask.check_networks(self.act, self.depths, self.init)
        if self.every > self.taken_steps:
            raise UsageError(f"--every {self.every} is more than the --steps {self.taken_steps}; make it at most that.")
        if self.weights and not self.model:
            raise UsageError("--weights belong to a --model; give both.")
        if self.born:
            self._validate_born()
        if self.model:
            ask.refuse_with_model(self, ("act", "depth", "width", "init", "norm", "skip", "remedies"))
        if self.remedies and not all(zero_somewhere(act) for act in self.act):
            raise UsageError("--remedies treat networks whose units can die; take --act relu.")
        if self.prune_dead:
            self._validate_pruning()

    def _validate_born(self) -> None:
        if self.act != ("relu",):
            raise UsageError("--born is about ReLU networks, born dead by their signs; leave out --act.")
        ours = ("depth", "width", "init", "seed", "device", "born", "nets")
        for field in fields(self):
            if field.name not in ours and getattr(self, field.name) != field.default:
                name = field.name.replace("_", "-")
                raise UsageError(f"--{name} does not go with --born, which draws plain networks of one input.")

    def _validate_pruning(self) -> None:
        if not self.weights:
            raise UsageError("--prune-dead writes a trained network; give --model and its --weights.")
        if self.taken_steps:
            raise UsageError("--prune-dead takes the --weights as they are; leave out --steps.")
        if not self.prune_dead.endswith(".safetensors"):
            raise UsageError(f"--prune-dead {self.prune_dead} must be a .safetensors file.")
        if os.path.isdir(self.prune_dead):
            raise UsageError(f"--prune-dead {self.prune_dead} is a folder; give a file.")
        if os.path.realpath(self.prune_dead) == os.path.realpath(self.weights):
            raise UsageError("--prune-dead would overwrite --weights; take another file.")
        if len(self.data) > 1:
            raise UsageError("--prune-dead proves units dead on one data set; give one --data.")

    @property
    def settled(self) -> "Spec":
        """The options with those that were left open as they are meant."""
        if self.born:
            return replace(self, depth=self.depths, width=self.widths)
        if self.model:
            return replace(self, steps=self.taken_steps)
        return replace(self, depth=self.depths, width=self.widths, steps=self.taken_steps)

    @property
    def depths(self) -> tuple[int, ...]:
        return self.depth or ((9,) if self.born else (5,))

    @property
    def widths(self) -> tuple[int, ...]:
        return self.width or (tuple(range(2, 11)) if self.born else (64,))

    @property
    def taken_steps(self) -> int:
        """How many training steps are taken."""
        return (0 if self.model else 500) if self.steps is None else self.steps

    def plan(self) -> Sequence[Cell | BornCell]:
        """The product of the lists, then the remedies, seeds last."""
        if self.born:
            points = itertools.product(self.init, self.depths, self.widths)
            return [BornCell(width, depth, init, self.nets) for init, depth, width in points]
        own = bool(self.model)
        lists: dict[str, Sequence[Any]] = {
            "act": ("",) if own else self.act,
            "init": ("",) if own else self.init,
            "norm": ("",) if own else self.norm,
            "skip": ("",) if own else self.skip,
            "depth": (0,) if own else self.depths,
            "width": (0,) if own else self.widths,
            "data": self.data,
            "batch_size": self.batch_size,
            "optimizer": self.optimizer,
            "lr": self.lr,
            "weight_decay": self.weight_decay,
            "clip": self.clip,
        }
        cells = []
        for values in itertools.product(*lists.values()):
            configuration = dict(zip(lists, values, strict=True))
            for remedy in remedies_for(configuration) if self.remedies else (NO_REMEDY,):
                cells += [Cell(remedy, self.model, **configuration, seed=seed) for seed in range(self.seeds)]
        return cells

    def content(self) -> Mapping[str, str]:
        """Digests of the data sets, and of the model's code and weights."""
        if self.born:
            return {}
        digests = datasets.digests(self.data)
        if self.model:
            from dnnlab.nets.own import digest

            digests["model"] = digest(self.model, self.weights)
        return digests

    def fit(self) -> None:
        """Networks and data must fit each other.

        Raises:
            UsageError: they do not.
        """
        from dnnlab.training import fit

        if not self.born:
            fit.check(self.data, self.batch_size if self.taken_steps else (), self.model, self.weights)

    def notes(self) -> Sequence[str]:
        """What was done to the data that their owner may not expect."""
        return [] if self.born else datasets.notes(self.data)

    def measured_steps(self) -> list[int]:
        """The training steps before which everything is measured, the last after the last step."""
        return ask.measured_steps(self.taken_steps, self.every)


def zero_somewhere(pattern: str) -> bool:
    """Whether an activation of the pattern is zero on a whole half-line, so that its units can die."""
    return any(activation(part.partition("*")[0].strip()).zero_up_to is not None for part in pattern.split("+"))
