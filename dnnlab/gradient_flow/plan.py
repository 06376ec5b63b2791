"""The cells: configurations and seeds."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from dnnlab.gradient_flow.spec import Spec
from dnnlab.runner.configuration import combinations, content, networks
from dnnlab.runner.mlp_cell import MLPCell

__all__ = ["Cell", "content", "fit", "plan"]


@dataclass(frozen=True)
class Cell(MLPCell):
    """One configuration and one seed. Its fields are the first columns of ``cells.csv``."""

    model: str
    act: str
    init: str
    norm: str
    skip: str
    depth: int
    width: int
    data: str
    batch_size: int
    optimizer: str
    lr: float
    weight_decay: float
    dropout: float
    clip: float
    seed: int

    @property
    def together(self) -> Hashable:
        """Cells of one shape, data set and optimiser are one stack; they may differ in init, rates, dropout and
        clipping."""
        network = (self.model, self.act, self.norm, self.skip, self.depth, self.width)
        return (*network, self.data, self.batch_size, self.optimizer, self.seed if self.model else None)


def plan(spec: Spec) -> Sequence[Cell]:
    """One cell per combination of the options' lists and seed; seeds vary fastest."""
    return [Cell(**options, seed=seed) for options in combinations(spec, Cell) for seed in range(spec.seeds)]


def fit(spec: Spec) -> None:
    """Check that networks and data fit each other.

    Raises:
        UsageError: they do not.
    """
    from dnnlab.training import checks

    checks.check(spec.data, spec.batch_size, networks(spec), spec.weights)
