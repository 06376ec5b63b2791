"""The measurement of searches that train."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from dnnlab.data import load
from dnnlab.nas.ledger import parse
from dnnlab.nas.pace import describe_part, pace
from dnnlab.nas.search import rounds
from dnnlab.nas.search.plan import Cell
from dnnlab.nas.spec import Spec
from dnnlab.nas.strategies import AVERAGE
from dnnlab.runner.journal import Rows
from dnnlab.runner.place import Place

__all__ = ["describe_part", "foresee", "steps"]

SMALL = 16 * 16
"""The most values in an input for which a second thread waits longer than it works."""


def steps(cells: Sequence[Cell], spec: Spec, device: str, place: Place, past: Sequence[Rows]) -> Iterator[Rows]:
    """The rows of one stack, part by part."""
    if load(cells[0].data).features <= SMALL:
        torch.set_num_threads(1)  # the caller sets it back
    yield from rounds.steps(cells, spec, device, place, past)


def foresee(cells: Sequence[Any], spec: Spec, device: str) -> float:
    """About how many seconds the ``cells`` take, from some steps of training a few architectures drawn at random."""
    return sum(_seconds(cell, spec, device) for cell in cells)


def _seconds(cell: Cell, spec: Spec, device: str) -> float:
    step, fixed, macs, batches = pace(cell.data, spec, device)
    budget = parse(spec.budget)
    a_training = fixed + spec.epochs * batches * step
    if cell.strategy == AVERAGE:
        return spec.finalists * spec.retrain * a_training
    share = a_training / (spec.epochs * batches * step)
    seconds = {"trainings": a_training, "epochs": share * batches * step, "macs": share * step / macs, "seconds": 1.0}
    return budget.amount * seconds[budget.axis]
