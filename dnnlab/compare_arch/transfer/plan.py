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
        """Of all these trainings; nan where the clock decides."""
        from dnnlab.compare_arch.transfer.measure import macs

        return macs(self)


def plan(spec: Spec) -> Sequence[TransferCell]:
    """The product of the options' lists, seeds last."""
    return [TransferCell(**vars(cell)) for cell in trainings(spec)]
