"""The cells: trainings whose layers are probed."""

from collections.abc import Mapping, Sequence
from typing import Any

from dnnlab import data as datasets
from dnnlab.compare_arch.trained_cell import TrainedCell, trainings
from dnnlab.networks.named import own_digests


def plan(spec: Any) -> Sequence[TrainedCell]:
    """The product of the options' lists, seeds last."""
    return trainings(spec)


def validate(spec: Any) -> None:
    """Any network can be probed."""


def content(spec: Any) -> Mapping[str, str]:
    """The data, and the user's own networks."""
    return datasets.digests(spec.settled.data) | own_digests(spec.settled.arch)
