"""The options of ``gradient-flow``."""

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from dnnlab.runner import configuration as ask
from dnnlab.runner import experiment

HELP = """Measure how gradients travel through a deep network, beside what theory predicts.

Every option that takes a list (TEXT,… INT,…) takes several values; several lists mean all combinations.

[bold]Examples[/bold]

Vanishing, and three cures: [cyan]dnnlab gradient-flow --act sigmoid --depth 20[/cyan], then with
[cyan]--norm batch[/cyan], [cyan]--skip residual[/cyan] or [cyan]--init critical[/cyan].

A table of activations on MNIST: [cyan]dnnlab gradient-flow --act sigmoid,tanh,relu,gelu --depth 5,20,50
--data mnist --seeds 10[/cyan]

Along training: [cyan]dnnlab gradient-flow --act relu --depth 20 --steps 500 --optimizer adam --lr 0.001[/cyan]

Published networks: [cyan]dnnlab gradient-flow --arch plain56,resnet56 --data cifar10[/cyan], and on inputs by chance of
ImageNet's size: [cyan]dnnlab gradient-flow --arch vgg11,resnet18 --data gaussian:3x224x224[/cyan]

Your own network and images: [cyan]dnnlab gradient-flow --model mypackage.nets:factory --data folder:images[/cyan]
"""

QUESTIONS = (experiment.Question("dnnlab.gradient_flow"),)


@dataclass(frozen=True)
class Spec(experiment.Spec):
    """The options of ``gradient-flow``; together with data and code they decide every number."""

    act: ask.Act = ("relu",)
    depth: Annotated[tuple[int, ...], Option(help="Hidden layers.", min=2, max=2000, rich_help_panel=ask.NET)] = (20,)
    width: Annotated[
        tuple[int, ...], Option(help="Units in each hidden layer.", min=1, max=16384, rich_help_panel=ask.NET)
    ] = (64,)
    init: ask.Init = ("torch",)
    norm: ask.Norm = ("none",)
    skip: ask.Skip = ("none",)
    arch: ask.Arch = ()
    model: ask.Model = ""
    weights: ask.Weights = ""
    data: ask.Data = ("digits",)
    batch_size: ask.BatchSize[tuple[int, ...]] = (128,)
    seeds: ask.Seeds = 5
    seed: ask.Seed = 0
    steps: Annotated[
        int, Option(help="Training steps; 0 measures at initialisation only.", min=0, rich_help_panel=ask.TRAIN)
    ] = 0
    every: ask.Every = 0
    optimizer: ask.Optimizer[tuple[str, ...]] = ("sgd",)
    lr: ask.LearningRate[tuple[float, ...]] = (0.01,)
    weight_decay: ask.WeightDecay[tuple[float, ...]] = (0.0,)
    dropout: ask.Dropout = (0.0,)
    clip: ask.Clip = (0.0,)
    jacobian: Annotated[
        bool,
        Option("--jacobian", help="Singular values of the input–output Jacobian.", rich_help_panel=ask.MEASURE),
    ] = False
    device: ask.Device = "auto"

    question = QUESTIONS[0]

    def validate(self) -> None:
        """Check that the options fit each other.

        Raises:
            UsageError: they do not.
        """
        ask.check_networks(self.act, self.depth, self.init)
        ask.check_every(self.every, self.steps)
        ask.check_model(self, ("act", "depth", "width", "init", "norm", "skip", "dropout", "jacobian"))

    def measured_steps(self) -> list[int]:
        """The training steps before which everything is measured, the last after the last step."""
        return ask.measured_steps(self.steps, self.every)
