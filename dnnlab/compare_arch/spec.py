"""The options of ``compare-arch``."""

import dataclasses
import functools
from dataclasses import dataclass
from typing import Annotated, Any

from typer import Option

from dnnlab import data as datasets
from dnnlab.compare_arch.presets import PRESETS
from dnnlab.compare_arch.questions import BLOCKS, EQUAL_BUDGET, QUESTIONS
from dnnlab.compare_arch.trained_cell import BODY, FRESH, TUNABLE
from dnnlab.data.drawn import shape_of
from dnnlab.errors import UsageError
from dnnlab.networks import named
from dnnlab.networks import weights as weight_files
from dnnlab.runner import configuration as ask
from dnnlab.runner import experiment
from dnnlab.runner.options import Check, Help, OneOf
from dnnlab.training import budget as budgets

__all__ = ["HELP", "QUESTIONS", "Spec"]

HELP = """Compare architectures: what they cost, and how well they do at an equal budget, in one table.

The first network, with the first training options, is what the others are compared with, seed by seed.

[bold]Examples[/bold]

Depth with and without shortcuts: [cyan]dnnlab compare-arch --arch plain20,resnet20,plain56,resnet56 --data cifar10
--budget epochs=10 --seeds 5[/cyan]

Each at its own best learning rate: [cyan]dnnlab compare-arch --arch plain20,resnet20 --lr 0.03,0.1,0.3 --tune
lr[/cyan]

Does the order change with what is equal? [cyan]dnnlab compare-arch --arch resnet20,mobilenet_v2 --budget
epochs=5,macs=1e12,seconds=60[/cyan]

With options, and a network of your own: [cyan]dnnlab compare-arch --arch
resnet20,resnet20:act=gelu,norm=none,mypackage.nets:factory --data folder:images[/cyan]

Costs without training, at the published inputs: [cyan]dnnlab compare-arch --arch resnet50,vit_b_16 --cost-only[/cyan];
at those of data or at others with [cyan]--data cifar10[/cyan] or [cyan]--input 3x64x64[/cyan]. They are counted and
predicted in seconds; with [cyan]--measure-costs[/cyan] times and memory are measured, too.

What the catalogue holds: [cyan]dnnlab compare-arch --list[/cyan]. Building blocks side by side:
[cyan]dnnlab compare-arch --block[/cyan]

The lecture's own comparisons: [cyan]dnnlab compare-arch --preset depth --data cifar10[/cyan]
"""


_WHAT = "What to compare"


def _check_weights(text: str) -> None:
    if text != FRESH:
        weight_files.check(text)


def _check_input(text: str) -> None:
    try:
        if text:
            shape_of(text)
    except ValueError:
        raise UsageError(
            f"--input {text!r} does not read; write the shape of one input, such as 3x224x224, or 64 for a table."
        ) from None


@dataclass(frozen=True)
class Spec(experiment.Spec):
    """The options of ``compare-arch``; together with data and code they decide every number."""

    arch: Annotated[
        tuple[str, ...],
        Option(
            help="Networks: of the catalogue (--list), with options as in resnet20:act=gelu,norm=none; your own as "
            "package.module:factory; torchvision:NAME or timm:NAME; a .toml file that dnnlab nas wrote.",
            rich_help_panel=_WHAT,
        ),
        Check(named.check),
    ] = ()
    preset: Annotated[
        str,
        Option(
            help="A comparison of the lecture; options given beside it win where they differ from the usual defaults. "
            + "; ".join(f"{name}: {preset.help}" for name, preset in PRESETS.items())
            + ".",
            rich_help_panel=_WHAT,
        ),
        OneOf(("", *PRESETS)),
    ] = ""
    block: Annotated[
        bool,
        Option("--block", help="Building blocks side by side: parameters, MACs and time.", rich_help_panel=_WHAT),
    ] = False
    list: Annotated[
        bool, Option("--list", help="Print the catalogue with its costs, and leave.", rich_help_panel=_WHAT)
    ] = False
    weights: Annotated[
        tuple[str, ...],
        Option(
            help="What weights start as: fresh, or a .safetensors file, whose head is left out where its classes are "
            "others. Several are compared.",
            rich_help_panel=_WHAT,
        ),
        Check(_check_weights),
    ] = (FRESH,)
    freeze: Annotated[
        tuple[str, ...],
        Option(help="What is not trained: none, or body, which is all but the head.", rich_help_panel=_WHAT),
        OneOf(("none", BODY)),
    ] = ("none",)
    cost_only: Annotated[
        bool,
        Option(
            "--cost-only",
            help="Costs alone: networks are counted and their memory is predicted; nothing is run.",
            rich_help_panel=_WHAT,
        ),
    ] = False
    measure_costs: Annotated[
        bool,
        Option(
            "--measure-costs",
            help="With --cost-only: run the networks as well, to measure their times and the memory of their training. "
            "Where networks are trained, both are measured anyway.",
            rich_help_panel=_WHAT,
        ),
    ] = False
    input: Annotated[
        str,
        Option(
            help="With --cost-only and without --data: the shape of the input at which networks are counted, such as "
            "3x224x224. When not given, the published one of each network of the catalogue.",
            rich_help_panel=_WHAT,
        ),
        Check(_check_input),
    ] = ""
    data: Annotated[
        ask.Data,
        Help(
            f"{datasets.forms()}; see dnnlab data. When not given digits, but with --cost-only networks are counted at "
            "their published inputs."
        ),
    ] = ()
    train_size: ask.TrainSize[tuple[int, ...]] = (0,)
    test_size: Annotated[int, Option(help="Test examples; 0 takes all.", min=0, rich_help_panel=ask.DATA)] = 0
    seeds: ask.Seeds = 5
    seed: ask.Seed = 0
    budget: Annotated[
        tuple[str, ...],
        Option(
            help="What is equal for all: epochs=N, steps=N, macs=N or seconds=N of training. Several are compared.",
            rich_help_panel=ask.TRAIN,
        ),
        Check(budgets.parse),
    ] = ("epochs=10",)
    batch_size: ask.BatchSize[tuple[int, ...]] = (128,)
    optimizer: ask.Optimizer[tuple[str, ...]] = ("momentum",)
    lr: ask.LearningRate[tuple[float, ...]] = (0.1,)
    weight_decay: ask.WeightDecay[tuple[float, ...]] = (1e-4,)
    schedule: ask.Schedule[tuple[str, ...]] = ("cosine",)
    label_smoothing: Annotated[
        tuple[float, ...],
        Option(help="Share of a label spread over all classes.", min=0, max=0.99, rich_help_panel=ask.TRAIN),
    ] = (0.0,)
    augment: ask.Augment[tuple[str, ...]] = ("none",)
    tune: Annotated[
        tuple[str, ...],
        Option(
            help="Compare each network at its own best values of these options, of the lists that they have: "
            f"{', '.join(TUNABLE)}. The first two seeds choose, by validation accuracy; the others are judged.",
            rich_help_panel=ask.TRAIN,
        ),
        OneOf(TUNABLE),
    ] = ()
    ema: Annotated[
        tuple[float, ...],
        Option(
            help="Judge the average of the weights that decays by this a step; 0 judges the weights themselves.",
            min=0,
            max=0.99999,
            rich_help_panel=ask.TRAIN,
        ),
    ] = (0.0,)
    device: ask.Device = "auto"

    def validate(self) -> None:
        """Check that the options fit each other.

        Raises:
            UsageError: they do not.
        """
        questions = [name for name in ("arch", "preset", "block", "list") if getattr(self, name)]
        if not questions:
            raise UsageError(
                "nothing to compare; give --arch, such as --arch plain20,resnet20, or --preset or --block."
            )
        super().validate()

    @functools.cached_property
    def settled(self) -> "Spec":
        """The options, with the preset's values for those that were left open, and the data."""
        defaults = {field.name: field.default for field in dataclasses.fields(Spec)}
        meant: dict[str, Any] = {} if self.cost_only else {"data": ("digits",)}
        meant |= PRESETS[self.preset].options if self.preset else {}
        open_ = {k: v for k, v in meant.items() if getattr(self, k) == defaults[k]}
        return dataclasses.replace(self, **open_) if open_ else self

    @property
    def question(self) -> experiment.Question:
        return BLOCKS if self.block else PRESETS[self.preset].question if self.preset else EQUAL_BUDGET
