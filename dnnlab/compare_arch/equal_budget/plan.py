"""The cells: what each network costs, and every training."""

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnnlab import data as datasets
from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import CHOOSING, FRESH, TrainedCell, check, trainings
from dnnlab.data.drawn import shape_of
from dnnlab.errors import UsageError
from dnnlab.networks import named, spaces
from dnnlab.networks import weights as weight_files
from dnnlab.runner.configuration import combinations
from dnnlab.runner.experiment import ALONE

if TYPE_CHECKING:
    from dnnlab.compare_arch.fitting import Input


@dataclass(frozen=True)
class CostCell:
    """What one network costs on inputs of one data set, or of one shape."""

    arch: str
    data: str
    """The data set; empty where there is none."""
    shape: str
    """Without a data set, the shape of one input, such as ``3x224x224``."""
    batch_size: int
    optimizer: str

    part = "cost"
    seed = 0
    beside = ALONE

    def __str__(self) -> str:
        return f"cost of networks on {self.data}" if self.data else "cost of networks without data"

    @property
    def together(self) -> Hashable:
        """All networks of a data set are one stack: times are only comparable when they are taken in turns."""
        return (self.part, self.data, self.batch_size, self.optimizer)

    weight = 1 / 1000

    @property
    def on(self) -> "Input":
        """What the network is counted on."""
        from dnnlab.compare_arch.fitting import Input, input_of

        if self.data:
            return input_of(self.arch, self.data)
        return Input.published(self.arch, shape_of(self.shape))

    @property
    def macs(self) -> float:
        return 0.0


def plan(spec: Spec) -> Sequence[CostCell | TrainedCell]:
    """The costs of all networks, then the product of the lists, seeds last."""
    if not spec.data:
        shaped = dataclasses.replace(spec, data=("",))
        return [
            CostCell(shape=spec.input or named.published_input(own["arch"]), **own)
            for own in combinations(shaped, CostCell)
        ]
    costs = [CostCell(shape="", **own) for own in combinations(spec, CostCell)]
    if spec.cost_only:
        return costs
    return [*costs, *trainings(spec)]


def validate(spec: Spec) -> None:
    """Check that no weights are given where networks are only counted, that it is not asked for what is measured
    anyway, and that there is something to choose from where options are tuned.

    Raises:
        UsageError: they were given, it is, or there is not.
    """
    for option in spec.tune:
        if len(set(getattr(spec, option))) < 2:
            flag = f"--{option.replace('_', '-')}"
            raise UsageError(f"--tune {option} chooses among several values of {flag}; give a list, as in {flag} A,B.")
    if spec.tune and spec.cost_only:
        raise UsageError("--tune is about training; leave out --cost-only.")
    if spec.tune and spec.seeds <= CHOOSING:
        more = f"give more, such as --seeds {CHOOSING + 5}"
        raise UsageError(f"--tune takes {CHOOSING} seeds to choose and others to judge; {more}.")
    if spec.measure_costs and not spec.cost_only:
        raise UsageError(
            "--measure-costs belongs to --cost-only; where networks are trained, their costs are measured anyway."
        )
    if spec.input and not spec.cost_only:
        raise UsageError(
            "--input says at which input networks are counted, with --cost-only; where they are trained, the data say "
            f"it, such as --data gaussian:{spec.input}."
        )
    if spec.input and spec.data:
        raise UsageError("--input and --data both say at which input networks are counted; give one of them.")
    if not spec.data:
        for arch in spec.arch:
            _require_input(arch, spec.input)
    if spec.cost_only and (spec.weights, spec.freeze) != ((FRESH,), ("none",)):
        raise UsageError("--weights and --freeze are about training; leave out --cost-only.")


def _require_input(arch: str, given: str) -> None:
    if spaces.is_file(arch):
        raise UsageError(f"{arch} says neither its input nor its classes; give --data, such as --data digits.")
    if named.is_users(arch) and not given:
        raise UsageError(
            f"{arch} has no published input; give --input, such as --input 3x224x224, or --data, such as --data digits."
        )


def content(spec: Spec) -> Mapping[str, str]:
    """Digests of the data sets, of the user's own networks, and of files of weights."""
    parents = {file: weight_files.digest(file) for file in spec.weights if file != FRESH}
    return datasets.digests(spec.data) | named.user_digests(spec.arch) | parents


def fit(spec: Spec) -> None:
    """Check that networks, batches, budgets and data fit each other.

    Raises:
        UsageError: they do not.
    """
    check(plan(spec), counted_only=spec.cost_only and not spec.measure_costs)
