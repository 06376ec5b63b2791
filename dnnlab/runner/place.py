"""Where a measurement may leave files: what it made, and trained networks that other runs can start from."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """The folder of a run, ``ROOT/EXPERIMENT/NAME-KEY``, seen from the measurement."""

    run: Path

    @property
    def artifacts(self) -> Path:
        """The models that come out of this run."""
        return self.run / "artifacts"

    @property
    def checkpoints(self) -> Path:
        """Trained networks by their content, shared by all runs under the root."""
        return self.run.parents[1] / "checkpoints"
