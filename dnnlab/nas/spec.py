"""The options of ``nas``."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from dnnlab import data as datasets
from dnnlab.errors import UsageError
from dnnlab.nas import ledger, questions, strategies
from dnnlab.nas.proxy_names import PROXIES
from dnnlab.nas.strategies import AVERAGE, LONGER, PREFILTER, RANDOM, STRATEGIES
from dnnlab.nas.tables.file import Table, read
from dnnlab.networks import spaces
from dnnlab.runner import configuration as ask
from dnnlab.runner import experiment
from dnnlab.runner.options import Check, Help, OneOf

HELP = """Search for an architecture: every strategy of the lecture on one budget, with random search beside it.

Proxies, supernets, failures and retraining count. The best few are trained anew from fresh weights, and the test is
read once.

[bold]Examples[/bold]

Four strategies on real digits: [cyan]dnnlab nas --strategy random,evolution,rl,darts --budget 64 --seeds 5[/cyan]

The same cells that others search, from a published table: [cyan]dnnlab nas --space cell --table
nasbench201-cifar10.csv.gz --budget 200 --seeds 500[/cyan]

Accurate and small: [cyan]dnnlab nas --objectives accuracy,parameters --strategy evolution,nsga2[/cyan]

Which cheap scores can be trusted on these data: [cyan]dnnlab nas --proxies --budget 100 --seeds 1[/cyan]

A space of your own: [cyan]dnnlab nas --space mypackage.spaces:space --data folder:images[/cyan]
"""

QUESTIONS = questions.QUESTIONS
OBJECTIVES = ("accuracy", "parameters", "macs", "bytes", "latency")
_WHAT, _COST = "What is searched, and how", "Budget"


@dataclass(frozen=True)
class Spec(experiment.Spec):
    """The options of ``nas``; together with data and code they decide every number."""

    strategy: Annotated[
        tuple[str, ...],
        Option(
            help="; ".join(f"{name}: {s.about}" for name, s in STRATEGIES.items())
            + f"; {LONGER}EPOCHS: supernets of so many epochs, or of as many as the budget pays for; {PREFILTER}NAME: "
            "random search behind a zero-cost proxy. Random search always runs beside them.",
            rich_help_panel=_WHAT,
        ),
        Check(strategies.find),
    ] = (RANDOM, "evolution", "rl", "local")
    space: Annotated[
        str,
        Option(
            help="mlp: layers, widths, activations; conv: stages of blocks; cell: the NAS-Bench-201 cell; or your own "
            "as package.module:space.",
            rich_help_panel=_WHAT,
        ),
    ] = "mlp"
    table: Annotated[
        str,
        Option(
            help="Search this published table of the cell space instead of training: a CSV file with the columns cell, "
            "val_accuracy_EPOCHS, test_accuracy_EPOCHS, here or in $DNNLAB_DATA.",
            rich_help_panel=_WHAT,
        ),
    ] = ""
    objectives: Annotated[
        tuple[str, ...],
        Option(help=f"What is pursued at once, accuracy first: {', '.join(OBJECTIVES)}.", rich_help_panel=_WHAT),
        OneOf(OBJECTIVES),
    ] = ("accuracy",)
    proxies: Annotated[
        bool,
        Option(
            "--proxies",
            help="Do not search: train --budget random architectures, and correlate with cheap scores of them: "
            f"{', '.join(PROXIES)}, parameters, MACs, a short training, shared weights.",
            rich_help_panel=_WHAT,
        ),
    ] = False
    budget: Annotated[
        str,
        Option(
            help="What each search may spend in all: a number of trainings, or epochs=N, macs=N, seconds=N.",
            rich_help_panel=_COST,
        ),
        Check(ledger.parse),
    ] = "64"
    finalists: Annotated[
        int, Option(help="How many of the best of a search are trained anew.", min=1, max=100, rich_help_panel=_COST)
    ] = 3
    retrain: Annotated[
        int,
        Option(help="How often each of these is trained from fresh weights.", min=1, max=100, rich_help_panel=_COST),
    ] = 3
    fidelity: Annotated[
        tuple[int, ...],
        Option(
            help="Epochs of the short trainings that halving and hyperband look at first; a ninth and a third of "
            "--epochs when not given.",
            min=1,
            max=100000,
            rich_help_panel=_COST,
        ),
    ] = ()
    data: ask.Data = ("digits",)
    train_size: ask.TrainSize[int] = 0
    seeds: ask.Seeds = 5
    seed: ask.Seed = 0
    epochs: Annotated[int, Option(help="Epochs of a full training.", min=1, max=100000, rich_help_panel=ask.TRAIN)] = 10
    batch_size: ask.BatchSize[int] = 64
    optimizer: ask.Optimizer[str] = "adam"
    lr: Annotated[ask.LearningRate[float], Help("Learning rate, which falls as a cosine.")] = 0.003
    weight_decay: ask.WeightDecay[float] = 0.0
    augment: ask.Augment[str] = "none"
    device: ask.Device = "auto"

    def validate(self) -> None:
        """Check that the options fit each other.

        Raises:
            UsageError: they do not.
        """
        spaces.find(self.space)
        super().validate()

    @property
    def question(self) -> experiment.Question:
        if self.table:
            return questions.TABLE
        if self.proxies:
            return questions.PROXIES
        return questions.OBJECTIVES if self.several else questions.SEARCH

    @property
    def several(self) -> bool:
        """Whether there are several objectives."""
        return len(self.objectives) > 1

    @property
    def strategies(self) -> tuple[str, ...]:
        """The names of the strategies that run, baselines first."""
        return tuple(dict.fromkeys((AVERAGE, RANDOM, *self.strategy)))

    @property
    def fidelities(self) -> tuple[float, ...]:
        """Ascending epochs of trainings, the last of a full training."""
        if self.table:
            return tuple(float(e) for e in sorted({*(self.fidelity or self.opened.validation), self.opened.epochs}))
        shorter = self.fidelity or (max(1, self.epochs // 9), max(1, self.epochs // 3))
        return tuple(float(epochs) for epochs in sorted({*shorter, self.epochs}))

    @functools.cached_property
    def opened(self) -> Table:
        """The table, read from its file.

        Raises:
            UsageError: it cannot be read, or does not hold the epochs of ``--fidelity``.
        """
        downloaded = datasets.data_root() / self.table
        table = read(self.table if Path(self.table).exists() or not downloaded.exists() else str(downloaded))
        if strange := [epochs for epochs in self.fidelity if epochs not in table.validation]:
            raise UsageError(
                f"--fidelity {strange[0]}: the table holds {', '.join(map(str, table.validation))} epochs."
            )
        return table
