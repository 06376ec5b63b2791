"""The cells: searches in a table, whose seeds are one stack."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dnnlab.errors import UsageError
from dnnlab.nas import ledger, strategies
from dnnlab.nas.search.plan import Cell
from dnnlab.nas.spec import Spec


@dataclass(frozen=True)
class TableCell(Cell):
    """A search in a published table; all seeds of a strategy are one stack."""

    def __str__(self) -> str:
        return f"{self.strategy} in {self.data}"

    @property
    def together(self) -> Hashable:
        return self.strategy

    @property
    def macs(self) -> float:
        return 0.0


def plan(spec: Spec) -> Sequence[TableCell]:
    """One cell per search: strategies, then seeds."""
    name = Path(spec.table).name.removesuffix(".gz").removesuffix(".csv")
    budget = str(ledger.parse(spec.budget))
    return [
        TableCell(strategy, spec.space, name, budget, seed)
        for strategy in spec.strategies
        for seed in range(spec.seeds)
    ]


def content(spec: Spec) -> Mapping[str, str]:
    """The digest of the table, and versions of optional libraries."""
    return {"table": spec.opened.digest} | strategies.versions(spec.strategy)


def validate(spec: Spec) -> None:
    """Check that the options fit a table, which has cells and accuracies alone.

    Raises:
        UsageError: another space was asked for, a strategy that needs networks, or a budget that nothing here spends.
    """
    if spec.space != "cell":
        raise UsageError("a --table is of cells; say --space cell.")
    if ledger.parse(spec.budget).axis not in ("trainings", "epochs"):
        raise UsageError("a --table is searched with a budget of trainings or epochs, such as --budget 200.")
    for name in spec.strategy:
        strategy = strategies.find(name)
        strategies.require(name)
        if strategy.shared:
            raise UsageError(f"--strategy {name} trains a supernet, and a --table has none; take data instead.")
        if strategy.proxy:
            raise UsageError(f"--strategy {name} scores networks, and a --table has none; take data instead.")
