"""The plan of a run and its cost, without running it."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from dnnlab.errors import counted, no_quitting
from dnnlab.report.numbers import number
from dnnlab.runner import plan as planning
from dnnlab.runner import rehearsal, store
from dnnlab.runner.device import choose
from dnnlab.runner.engine import Work
from dnnlab.runner.experiment import Experiment, Spec
from dnnlab.runner.place import Place
from dnnlab.runner.progress import Heartbeat
from dnnlab.runner.run_options import RunOptions
from dnnlab.runner.tables import journal_of
from dnnlab.terminal import say

_LISTED = 20
"""The number of stacks that are listed by name."""


@dataclass(frozen=True)
class Outlook:
    """The plan of a run and its cost."""

    device: str
    cells: int
    stacks: list[dict[str, str | int]]
    """The name of each stack, and the number of its cells."""
    macs: float
    """Multiply–accumulates; nan where they are unknown, as for a user's own network."""
    seconds: float
    """About how many seconds the stacks that are not yet measured take on this machine."""
    folder: str
    exists: bool

    def __str__(self) -> str:
        more = len(self.stacks) - _LISTED
        known = not math.isnan(self.macs) and self.macs > 0
        time = f"{rehearsal.spoken(self.seconds)} on this machine" if self.seconds else "none; all is measured already"
        lines = [
            f"{counted(self.cells, 'cell')} in {counted(len(self.stacks), 'stack')} on {self.device}",
            *(f"  {stack['first']}: {counted(int(stack['cells']), 'cell')}" for stack in self.stacks[:_LISTED]),
            *([f"  and {more:,} stacks more"] if more > 0 else []),
            *([f"cost: {number(self.macs)} multiply–accumulates"] if known else []),
            f"time: {time}",
            f"folder: {self.folder}{' (there already)' if self.exists else ''}",
        ]
        return "\n".join(lines)

    def to_json(self) -> str:
        """The outlook as one JSON object; unknown ``macs`` are null."""
        macs = None if math.isnan(self.macs) else self.macs
        return json.dumps(asdict(self) | {"macs": macs}, indent=2, allow_nan=False)


def foresee(experiment: Experiment, spec: Spec, how: RunOptions, called: str = "") -> Outlook:
    """The plan and its cost; the machine is measured for a second or two. ``called`` is as for `run.tabulate`.

    Raises:
        UsageError: the parts of the spec do not fit together, data are missing, or the plan is too large.
    """
    device = choose(spec.device)
    plan = planning.make(experiment, spec, device.name, how.large)
    name = store.name_for(how.out, experiment.name, plan.key, spec, how.name, called)
    folder = store.locate(how.out, experiment.name, name, plan.key, how.fresh)
    work = Work(experiment, spec, device.name, Place(folder.path))
    missing = _missing_stacks(spec, folder, plan)
    with no_quitting(), Heartbeat(lambda: "measuring how long this will take", how.quiet):
        notes = spec.fit()
        seconds = rehearsal.seconds(work, plan, missing)
    for note in notes:
        say(f"note: {note}.", how.quiet)
    return Outlook(
        device.name,
        len(plan.cells),
        [
            {"first": name, "cells": len(stack.cells)}
            for name, stack in zip(planning.names(plan.stacks), plan.stacks, strict=True)
        ],
        sum(cell.macs for cell in plan.cells),
        seconds,
        str(how.out / experiment.name / folder.path.name),
        folder.path.exists(),
    )


def _missing_stacks(spec: Spec, folder: store.Folder, plan: planning.Plan) -> Sequence[planning.Stack]:
    """The stacks of the plan that are not in the run's journal."""
    done = journal_of(spec, folder, plan).read()
    return [stack for stack in plan.stacks if not stack.complete(done) or done[stack.key].error]
