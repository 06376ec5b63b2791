"""The cells: trainings on one half of the classes, carried over to the other."""

from collections.abc import Sequence
from dataclasses import dataclass

from dnnlab.compare_arch.separability.plan import content, fit
from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import TrainedCell, trainings

__all__ = ["TransferCell", "content", "fit", "plan"]


@dataclass(frozen=True)
class TransferCell(TrainedCell):
    """One network trained on the first half, then once for each treatment on the second."""

    @property
    def macs(self) -> float:
        """Multiply–accumulates of all these trainings; nan where the budget is in seconds."""
        from dnnlab.compare_arch.transfer.measure import macs

        return macs(self)


def plan(spec: Spec) -> Sequence[TransferCell]:
    """One cell per network, its options and seed; seeds vary fastest."""
    return [TransferCell(**vars(cell)) for cell in trainings(spec)]
