"""The cells: one network per task, size and width, shallow and deep."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from dnnlab import data as datasets
from dnnlab.compare_arch.spec import Spec
from dnnlab.errors import UsageError
from dnnlab.runner.experiment import PROCESSES
from dnnlab.training import budget

SIZES = {"parity": (2, 3, 4, 5, 6, 7, 8), "compositional": (2, 4, 8)}
"""Numbers of inputs of each task. Parity is learned from all its 2ⁿ patterns, of which 256 make one batch."""
DEPTHS = {"shallow": 1, "deep": 3}
"""Hidden layers; three as in the lecture's example."""
BATCH = 256
"""Examples per step, where there are as many."""
WIDTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128)


@dataclass(frozen=True)
class UnitsCell:
    """One network of one width on one task."""

    task: str
    inputs: int
    kind: str
    depth: int
    width: int
    most_steps: int
    seed: int

    beside = PROCESSES
    weight = 1 / 64

    def __str__(self) -> str:
        return f"{self.task} of {self.inputs}, {self.kind}, width {self.width}"

    @property
    def together(self) -> Hashable:
        """Cells that differ only in the seed are one stack."""
        return (self.task, self.inputs, self.depth, self.width)

    @property
    def macs(self) -> float:
        """Multiply–accumulates of all its steps; it takes fewer where it solves the task before the end."""
        examples = min(BATCH, 2**self.inputs) if self.task == "parity" else BATCH
        return 3.0 * self.most_steps * examples * (self.inputs * self.width + (self.depth - 1) * self.width**2)

    @property
    def data(self) -> str:
        return f"{self.task}:{self.inputs}"


def plan(spec: Spec) -> Sequence[UnitsCell]:
    """One cell per network and seed, narrow networks first."""
    steps = int(budget.parse(spec.budget[0]).amount)
    return [
        UnitsCell(task, inputs, kind, depth, width, steps, seed)
        for task, sizes in SIZES.items()
        for inputs in sizes
        for kind, depth in DEPTHS.items()
        for width in WIDTHS
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
    return datasets.digests([f"{task}:{inputs}" for task, sizes in SIZES.items() for inputs in sizes])
