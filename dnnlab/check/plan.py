"""The cells: statements."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from dnnlab.check import language
from dnnlab.check.names import HELP as FUNCTIONS
from dnnlab.check.spec import Spec
from dnnlab.runner.experiment import ALONE


@dataclass(frozen=True)
class Cell:
    """One statement."""

    statement: str

    seed = 0
    beside = ALONE
    weight = 1.0
    macs = 0.0

    def __str__(self) -> str:
        return self.statement

    @property
    def together(self) -> Hashable:
        """Each by itself."""
        return self


def plan(spec: Spec) -> Sequence[Cell]:
    """A cell a statement."""
    return [Cell(text) for text in spec.statement]


def fit(spec: Spec) -> None:
    """Functions must take their arguments.

    Raises:
        UsageError: one does not.
    """
    from dnnlab.check.quantities import QUANTITIES

    for text in spec.statement:
        asked = language.parse(text, FUNCTIONS)
        for side in (asked.left, asked.right):
            language.require_number(side, language.value(side, QUANTITIES))
