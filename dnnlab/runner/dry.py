"""What a run would do, without doing it."""

import json
import math
from dataclasses import asdict, dataclass

from dnnlab.errors import no_quitting
from dnnlab.runner import plan as planning
from dnnlab.runner import store
from dnnlab.runner.device import choose
from dnnlab.runner.experiment import Experiment, Spec
from dnnlab.runner.how import HowToRun
from dnnlab.runner.options import chosen


@dataclass(frozen=True)
class Outlook:
    """The plan of a run and its cost."""

    device: str
    cells: int
    stacks: list[dict[str, str | int]]
    """Each its first cell in words, and the number of its cells."""
    macs: float
    """Multiply–accumulates; nan where a network of one's own makes them unknown."""
    folder: str
    exists: bool

    def __str__(self) -> str:
        known = not math.isnan(self.macs)
        lines = [
            f"{self.cells} cells in {len(self.stacks)} stacks on {self.device}",
            *(f"  {stack['first']}: {stack['cells']} cells" for stack in self.stacks),
            f"cost: {self.macs:.3g} multiply–accumulates" if known else "cost: not known beforehand",
            f"folder: {self.folder}{' (there already)' if self.exists else ''}",
        ]
        return "\n".join(lines)

    def to_json(self) -> str:
        """The same as one JSON object; unknown ``macs`` are null."""
        macs = None if math.isnan(self.macs) else self.macs
        return json.dumps(asdict(self) | {"macs": macs}, indent=2, allow_nan=False)


def foresee(experiment: Experiment, spec: Spec, how: HowToRun) -> Outlook:
    """The plan and its cost.

    Raises:
        UsageError: the parts of the spec do not fit together, or data are missing.
    """
    device = choose(spec.device)
    with no_quitting():
        spec.fit()
    plan = planning.make(experiment, spec, device.name)
    folder = store.path_of(how.out, experiment.name, how.name or store.slug(chosen(spec)), plan.key)
    return Outlook(
        device.name,
        len(plan.cells),
        [{"first": str(stack.cells[0]), "cells": len(stack.cells)} for stack in plan.stacks],
        sum(cell.macs for cell in plan.cells),
        str(folder),
        folder.exists(),
    )
