"""The options of ``dead-relu``."""

import os
from dataclasses import dataclass, replace
from typing import Annotated

from typer import Option

from dnnlab.dead_relu.questions import BORN, CENSUS, QUESTIONS, REMEDIES
from dnnlab.errors import UsageError
from dnnlab.runner import configuration as ask
from dnnlab.runner import experiment

__all__ = ["HELP", "QUESTIONS", "Spec"]

HELP = """Find dead units: who dies, when, why, and which cure works.

A unit is dead when it is zero on every input of a fixed set. Beside what is measured stands what chance alone
would leave dead at birth.

[bold]Examples[/bold]

Which learning rates kill: [cyan]dnnlab dead-relu --lr 0.01,0.1,1 --init he,xavier --seeds 10[/cyan]

Which cure works: [cyan]dnnlab dead-relu --lr 1 --remedies --seeds 10[/cyan]

Whole networks born dead, by width: [cyan]dnnlab dead-relu --born[/cyan]

Published networks at birth: [cyan]dnnlab dead-relu --arch alexnet,vgg11 --data gaussian:3x224x224[/cyan]

Your own trained network: [cyan]dnnlab dead-relu --model mypackage.nets:factory --weights net.safetensors --data
folder:images --prune-dead smaller.safetensors[/cyan]
"""

_BORN = "Networks born dead"


@dataclass(frozen=True)
class Spec(experiment.Spec):
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
    arch: ask.Arch = ()
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
    batch_size: ask.BatchSize[tuple[int, ...]] = (128,)
    seeds: ask.Seeds = 5
    seed: ask.Seed = 0
    steps: Annotated[
        int | None,
        Option(
            help="Training steps; 0 looks at the network as it is. 500 when not given, 0 with --arch or --model.",
            min=0,
            rich_help_panel=ask.TRAIN,
        ),
    ] = None
    every: ask.Every = 0
    optimizer: ask.Optimizer[tuple[str, ...]] = ("sgd",)
    lr: ask.LearningRate[tuple[float, ...]] = (0.01,)
    weight_decay: ask.WeightDecay[tuple[float, ...]] = (0.0,)
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
            help="Write the network with --weights here without its certified dead units: a .safetensors file.",
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
        """Check that the options fit each other.

        Raises:
            UsageError: they do not.
        """
        ask.check_networks(self.act, self.depths, self.init)
        ask.check_every(self.every, self.training_steps)
        super().validate()
        ask.check_model(self, ("act", "depth", "width", "init", "norm", "skip"))
        if self.prune_dead:
            self._validate_pruning()

    def _validate_pruning(self) -> None:
        if not self.weights:
            raise UsageError("--prune-dead writes a trained network; give --model or --arch and its --weights.")
        if self.training_steps:
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
        """The options, with the values that are meant by those that were left open."""
        if self.born:
            return replace(self, depth=self.depths, width=self.widths)
        if ask.networks(self):
            return replace(self, steps=self.training_steps)
        return replace(self, depth=self.depths, width=self.widths, steps=self.training_steps)

    @property
    def depths(self) -> tuple[int, ...]:
        return self.depth or ((9,) if self.born else (5,))

    @property
    def widths(self) -> tuple[int, ...]:
        return self.width or (tuple(range(2, 11)) if self.born else (64,))

    @property
    def training_steps(self) -> int:
        """The number of training steps."""
        return (0 if ask.networks(self) else 500) if self.steps is None else self.steps

    @property
    def question(self) -> experiment.Question:
        return BORN if self.born else REMEDIES if self.remedies else CENSUS

    def measured_steps(self) -> list[int]:
        """The training steps before which everything is measured, the last after the last step."""
        return ask.measured_steps(self.training_steps, self.every)
