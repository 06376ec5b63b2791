"""The places where a measurement may write files: its artefacts, and checkpoints that other runs can start from."""

from dataclasses import dataclass
from pathlib import Path

from dnnlab import atomic

ARTIFACTS, CHECKPOINTS = "artifacts", "checkpoints"
USED = "checkpoints.txt"
_LARGEST = 2**20
"""The most bytes of the list of checkpoints; a run uses some hundreds of them at most."""


@dataclass(frozen=True)
class Place:
    """The folder of a run, ``ROOT/EXPERIMENT/NAME-KEY``, as the measurement uses it."""

    run: Path

    @property
    def artifacts(self) -> Path:
        """The folder of the models that the run writes."""
        return self.run / ARTIFACTS

    @property
    def checkpoints(self) -> Path:
        """The folder of trained networks, by the digest of their identity, which all runs under the root share."""
        return self.run.parents[1] / CHECKPOINTS

    def uses(self, checkpoint: Path) -> None:
        """Note that this run starts from ``checkpoint``, so that nobody removes it while the run is there.

        Workers note at the same time: each adds a line, and what is noted twice counts once.
        """
        self.run.mkdir(parents=True, exist_ok=True)
        if checkpoint.name not in used(self.run):
            with (self.run / USED).open("a", encoding="utf-8") as file:
                file.write(f"{checkpoint.name}\n")


def used(run: Path) -> set[str]:
    """The names of the checkpoints that the run in the folder ``run`` starts from."""
    try:
        return set(atomic.read(run / USED, _LARGEST).decode(errors="replace").split())
    except (OSError, ValueError):  # there is no such file, or something else is in its place
        return set()
