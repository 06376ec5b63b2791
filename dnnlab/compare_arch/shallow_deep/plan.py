"""The cells: a search for the width that a task of one size needs, for each seed, shallow and deep."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from dnnlab import data as datasets
from dnnlab.compare_arch.spec import Spec
from dnnlab.errors import UsageError
from dnnlab.runner.experiment import PROCESSES
from dnnlab.training import budget

SIZES = {"parity": (2, 4, 6, 8, 10, 12), "compositional": (2, 4, 8)}
"""Numbers of inputs of each task. Of a compositional function of 16 inputs no training ended in minutes: three layers
of 32 units came to 88 to 90 % in 8,000 steps, and a single layer needs many times as many units."""
DEPTHS = {"shallow": 1, "deep": 3}
"""Hidden layers; three as in the lecture's example."""
WIDEST = {"shallow": 4096, "deep": 256}
"""The widest layers that are tried; of the deep networks they have about as many weights as of the shallow ones at 12
inputs."""
BATCH = 256
"""Examples per step, where there are as many."""
EXAMPLES = 81_920
"""Of a compositional function. A tenth is set aside to judge by, and those of the training are far more than a network
can learn by heart: what is found is what the function takes, not what its examples take."""
LONGER = {"parity": 1, "compositional": 2}
"""How many times the steps of the budget each task may take. A single layer learns the function of 8 inputs slowly, and
with more steps fewer units are enough."""
_USUAL = 64
"""The width at which most searches have ended, for an estimate of their cost."""


@dataclass(frozen=True)
class UnitsCell:
    """The search for the width that one seed needs on one task."""

    task: str
    inputs: int
    kind: str
    depth: int
    most_steps: int
    seed: int

    beside = PROCESSES
    weight = 1 / 64

    def __str__(self) -> str:
        return f"{self.task} of {self.inputs}, {self.kind}"

    @property
    def together(self) -> Hashable:
        """Cells that differ only in the seed are one stack."""
        return (self.task, self.inputs, self.depth)

    @property
    def macs(self) -> float:
        """Multiply–accumulates of the trainings at 2, 4, 8, … units up to a usual width, with all of their steps."""
        examples = min(BATCH, 2**self.inputs) if self.task == "parity" else BATCH
        widths = [2**i for i in range(1, _USUAL.bit_length())]
        products = sum(self.inputs * width + (self.depth - 1) * width**2 for width in widths)
        return 3.0 * self.most_steps * examples * products

    @property
    def data(self) -> str:
        return data_of(self.task, self.inputs)


def data_of(task: str, inputs: int) -> str:
    """The name of the data of a task."""
    return f"{task}:{inputs}" if task == "parity" else f"{task}:{inputs}:examples={EXAMPLES}"


def plan(spec: Spec) -> Sequence[UnitsCell]:
    """One cell per task, size, kind of network and seed."""
    steps = int(budget.parse(spec.budget[0]).amount)
    return [
        UnitsCell(task, inputs, kind, depth, LONGER[task] * steps, seed)
        for task, sizes in SIZES.items()
        for inputs in sizes
        for kind, depth in DEPTHS.items()
        for seed in range(spec.seeds)
    ]


def validate(spec: Spec) -> None:
    """Check that there is one budget and that it is in steps.

    Raises:
        UsageError: it is not, or there are several.
    """
    for name in ("budget", "lr", "optimizer"):
        if len(getattr(spec, name)) > 1:
            raise UsageError(f"--preset shallow-deep takes one --{name}.")
    if budget.parse(spec.budget[0]).axis != "steps":
        raise UsageError("--preset shallow-deep counts its budget in steps, such as --budget steps=2000.")


def content(spec: Spec) -> Mapping[str, str]:
    """Digests of the tasks' data."""
    return datasets.digests([data_of(task, inputs) for task, sizes in SIZES.items() for inputs in sizes])
