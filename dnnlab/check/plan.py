"""The cells: one per statement."""

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
        """Each statement is a stack by itself."""
        return self


def plan(spec: Spec) -> Sequence[Cell]:
    """One cell per statement."""
    return [Cell(text) for text in spec.statement]


def fit(spec: Spec) -> None:
    """Check that the functions take their arguments.

    Raises:
        UsageError: one does not.
    """
    from dnnlab.check.quantities import QUANTITIES

    for text in spec.statement:
        statement = language.parse(text, FUNCTIONS)
        for side in (statement.left, statement.right):
            language.require_number(side, language.value(side, QUANTITIES))
