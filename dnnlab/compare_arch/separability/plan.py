"""The cells: trainings whose layers are probed."""

from collections.abc import Mapping, Sequence

from dnnlab import data as datasets
from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import TrainedCell, check, trainings
from dnnlab.networks.named import user_digests


def plan(spec: Spec) -> Sequence[TrainedCell]:
    """One cell per network, its options and seed; seeds vary fastest."""
    return trainings(spec)


def content(spec: Spec) -> Mapping[str, str]:
    """Digests of the data sets and of the user's own networks."""
    return datasets.digests(spec.data) | user_digests(spec.arch)


def fit(spec: Spec) -> None:
    """Check that networks, batches, budgets and data fit each other.

    Raises:
        UsageError: they do not.
    """
    check(trainings(spec))
