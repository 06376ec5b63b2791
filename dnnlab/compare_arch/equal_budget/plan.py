"""The cells: what each network costs, and every training."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from dnnlab import data as datasets
from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import FRESH, TrainedCell, check, trainings
from dnnlab.errors import UsageError
from dnnlab.networks import named
from dnnlab.networks import weights as weight_files
from dnnlab.runner.configuration import combinations
from dnnlab.runner.experiment import ALONE


@dataclass(frozen=True)
class CostCell:
    """What one network costs on inputs of one data set."""

    arch: str
    data: str
    batch_size: int
    optimizer: str

    part = "cost"
    seed = 0
    beside = ALONE

    def __str__(self) -> str:
        return f"cost of networks on {self.data}"

    @property
    def together(self) -> Hashable:
        """All networks of a data set are one stack: times are only comparable when they are taken in turns."""
        return (self.part, self.data, self.batch_size, self.optimizer)

    weight = 1 / 1000

    @property
    def macs(self) -> float:
        return 0.0


def plan(spec: Spec) -> Sequence[CostCell | TrainedCell]:
    """The costs of all networks, then the product of the lists, seeds last."""
    costs = [CostCell(**own) for own in combinations(spec, CostCell)]
    if spec.cost_only:
        return costs
    return [*costs, *trainings(spec)]


def validate(spec: Spec) -> None:
    """Check that no weights are given where networks are only counted, and that it is not asked for what is measured
    anyway.

    Raises:
        UsageError: they were given, or it is.
    """
    if spec.measure_costs and not spec.cost_only:
        raise UsageError(
            "--measure-costs belongs to --cost-only; where networks are trained, their costs are measured anyway."
        )
    if spec.cost_only and (spec.weights, spec.freeze) != ((FRESH,), ("none",)):
        raise UsageError("--weights and --freeze are about training; leave out --cost-only.")


def content(spec: Spec) -> Mapping[str, str]:
    """Digests of the data sets, of the user's own networks, and of files of weights."""
    parents = {file: weight_files.digest(file) for file in spec.weights if file != FRESH}
    return datasets.digests(spec.data) | named.user_digests(spec.arch) | parents


def fit(spec: Spec) -> None:
    """Check that networks, batches, budgets and data fit each other.

    Raises:
        UsageError: they do not.
    """
    check(plan(spec))
