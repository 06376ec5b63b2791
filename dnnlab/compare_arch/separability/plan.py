"""The cells: trainings whose layers are probed."""

from collections.abc import Mapping, Sequence

from dnnlab import data as datasets
from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import TrainedCell, check, trainings
from dnnlab.networks.named import own_digests


def plan(spec: Spec) -> Sequence[TrainedCell]:
    """The product of the options' lists, seeds last."""
    return trainings(spec)


def content(spec: Spec) -> Mapping[str, str]:
    """The data, and the user's own networks."""
    return datasets.digests(spec.data) | own_digests(spec.arch)


def fit(spec: Spec) -> None:
    """Networks, batches, budgets and data must fit each other.

    Raises:
        UsageError: they do not.
    """
    check(trainings(spec))
