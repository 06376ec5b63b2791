"""What the cells of every question that trains networks have in common."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dnnlab.networks.named import short
from dnnlab.report.columns import Column
from dnnlab.report.numbers import exactly
from dnnlab.runner import configuration
from dnnlab.runner.experiment import PROCESSES

if TYPE_CHECKING:
    import pandas as pd

    from dnnlab.compare_arch.fitting import Input
    from dnnlab.compare_arch.spec import Spec

FRESH, BODY = "fresh", "body"
"""Values of ``--weights`` and of ``--freeze``."""
TUNABLE = ("batch_size", "optimizer", "lr", "weight_decay", "schedule", "label_smoothing", "augment", "ema")
"""The options that can be chosen for each network, with ``--tune``."""
CHOOSING = 2
"""How many seeds choose them, the first ones; the others are judged."""


@dataclass(frozen=True)
class TrainedCell:
    """One network trained once. Its fields are the first columns of ``cells.csv``."""

    arch: str
    weights: str
    freeze: str
    data: str
    train_size: int
    budget: str
    batch_size: int
    optimizer: str
    lr: float
    weight_decay: float
    schedule: str
    label_smoothing: float
    augment: str
    ema: float
    seed: int

    part = "training"
    beside = PROCESSES
    weight = 1.0

    def __str__(self) -> str:
        return f"{self.arch} on {self.data}, {self.budget}, seed {self.seed}"

    @property
    def together(self) -> Hashable:
        """Each network is a stack by itself."""
        return self

    @property
    def on(self) -> "Input":
        """What its network gets."""
        from dnnlab.compare_arch.fitting import input_of

        return input_of(self.arch, self.data)

    @property
    def macs(self) -> float:
        """Multiply–accumulates of all its steps; nan where the budget is in seconds."""
        from dnnlab.compare_arch.fitting import training_macs

        return training_macs(self)


CONFIGURATION = (
    *("arch", "weights", "freeze", "data", "train_size", "budget", "batch_size", "optimizer", "lr", "weight_decay"),
    *("schedule", "label_smoothing", "augment", "ema"),
)


_PLAIN = ("data", "budget", "optimizer", "schedule")
"""Options whose values need no name beside them."""


def name(row: Any, rows: "pd.DataFrame") -> str:
    """The network of a row, with the options in which it differs from others of the table ``rows``."""
    words = [_option(option, row[option]) for option in CONFIGURATION[1:] if rows[option].nunique() > 1]
    return short(str(row["arch"])) + (f" ({', '.join(words)})" if words else "")


def _option(option: str, value: Any) -> str:
    shown = exactly(value) if isinstance(value, float) else str(value)
    return shown if option in _PLAIN else f"{option.replace('_', ' ')} {shown}"


_COLUMNS = {
    column.name: column
    for column in (
        Column("arch", str, "network, with its options", screen="arch"),
        Column("weights", str, "what the weights start as: fresh, or a file", screen="weights"),
        Column("freeze", str, "what is not trained: none of it, or the body, all but the head", screen="freeze"),
        Column("train_size", int, "training examples asked for; 0 for all", screen="train size"),
        Column("budget", str, "what is equal for all", screen="budget"),
        Column("schedule", str, "course of the learning rate", screen="schedule"),
        Column("label_smoothing", float, "share of a label spread over all classes", screen="smoothing"),
        Column("augment", str, "how images are changed at random", screen="augment"),
        Column("ema", float, "decay of the average of weights that is judged; 0 for none", screen="ema"),
    )
}


def columns(names: Sequence[str]) -> tuple[Column, ...]:
    """The columns of the options called ``names``."""
    return tuple(_COLUMNS[name] if name in _COLUMNS else configuration.columns([name])[0] for name in names)


def trainings(spec: "Spec") -> Sequence[TrainedCell]:
    """One cell per combination of the options' lists and seed; seeds vary fastest."""
    return [
        TrainedCell(**options, seed=seed)
        for options in configuration.combinations(spec, TrainedCell)
        for seed in range(spec.seeds)
    ]


def check(cells: Iterable[Any], counted_only: bool = False) -> None:
    """Check that the networks of ``cells`` take the data, and that batches, budgets and weights fit those that are
    trained. Where they are ``counted_only``, no memory is needed for them.

    Raises:
        UsageError: they do not.
    """
    from dnnlab.compare_arch import fitting

    for cell in cells:
        if cell.seed == 0:
            fitting.counted(cell.arch, cell.on)
            if not counted_only:
                fitting.check_memory(cell.arch, cell.on)
            if isinstance(cell, TrainedCell):
                fitting.check_training(cell)
