"""The cells: configurations, each under every remedy with ``--remedies``, and seeds."""

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass

from dnnlab.dead_relu.remedy import NO_REMEDY, remedies_for, treat
from dnnlab.dead_relu.spec import Spec
from dnnlab.errors import UsageError
from dnnlab.networks.activations import activation
from dnnlab.runner.configuration import combinations, content, networks
from dnnlab.runner.mlp_cell import MLPCell

__all__ = ["Cell", "content", "fit", "plan", "validate"]


@dataclass(frozen=True)
class Cell(MLPCell):
    """One configuration and one seed. Its fields are the first columns of ``cells.csv``.

    They describe the untreated network; `treated` is what the remedy makes of it.
    """

    remedy: str
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
    clip: float
    seed: int

    @property
    def together(self) -> Hashable:
        """Cells of one shape, data set and optimiser are one stack; they may differ in init, rates and clipping."""
        treated = self.treated
        network = (self.model, treated.act, treated.norm, treated.skip, self.depth, self.width)
        alone = (self.lr, self.weight_decay, self.clip, self.seed) if self.model else None
        return (*network, self.data, self.batch_size, self.optimizer, alone)

    @property
    def treated(self) -> "Cell":
        """The cell with its remedy applied."""
        return Cell(**treat(asdict(self), self.remedy))


def plan(spec: Spec) -> Sequence[Cell]:
    """One cell per combination of the options' lists, remedy and seed; seeds vary fastest."""
    cells = []
    for configuration in combinations(spec, Cell):
        for remedy in remedies_for(configuration) if spec.remedies else (NO_REMEDY,):
            cells += [Cell(remedy=remedy, **configuration, seed=seed) for seed in range(spec.seeds)]
    return cells


def fit(spec: Spec) -> None:
    """Check that networks and data fit each other.

    Raises:
        UsageError: they do not.
    """
    from dnnlab.data import load
    from dnnlab.dead_relu.census.hooked import census
    from dnnlab.training import checks

    batch_sizes = spec.batch_size if spec.training_steps else ()
    checks.check(
        spec.data, batch_sizes, networks(spec), spec.weights, lambda model, data: census(model, data, data.train[:2])
    )
    if spec.prune_dead and load(spec.data[0]).tokens:
        raise UsageError(
            "--prune-dead proves units dead on a range of numbers, which tokens have not; take other --data."
        )


def _can_die(pattern: str) -> bool:
    return any(activation(part.partition("*")[0].strip()).can_die for part in pattern.split("+"))


def validate(spec: Spec) -> None:
    """Check that the units of the networks can die, where remedies are compared.

    Raises:
        UsageError: these cannot.
    """
    if spec.remedies and not all(_can_die(act) for act in spec.act):
        raise UsageError("--remedies treat networks whose units can die; take --act relu.")
