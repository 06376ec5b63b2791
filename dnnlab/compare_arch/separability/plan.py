"""The cells: trainings whose layers are probed."""

from collections.abc import Mapping, Sequence
from typing import Any

from dnnlab import data as datasets
from dnnlab.compare_arch.trained_cell import TrainedCell, trainings
from dnnlab.errors import UsageError
from dnnlab.nets.named import own_digests


def plan(spec: Any) -> Sequence[TrainedCell]:
    """The product of the options' lists, seeds last."""
    return trainings(spec)


def validate(spec: Any) -> None:
    """Raise a `UsageError` where an option means nothing here."""
    if spec.cost_only:
        raise UsageError(f"--cost-only does not go with --preset {spec.preset}, which trains networks.")
    for name in ("weights", "freeze"):
        if name in spec.unlike_default():
            raise UsageError(f"--{name} does not go with --preset {spec.preset}, which starts from fresh networks.")


def content(spec: Any) -> Mapping[str, str]:
    """The data, and the user's own networks."""
    return datasets.digests(spec.settled.data) | own_digests(spec.settled.arch)
