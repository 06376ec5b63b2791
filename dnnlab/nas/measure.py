"""What happens on the device: searches that train, searches of a table, or cheap scores beside trainings."""

import functools
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from dnnlab.nas.spec import Spec
from dnnlab.runner.journal import Rows
from dnnlab.runner.place import Place

SMALL = 16 * 16
"""Numbers in an input up to which a second thread waits longer than it works."""


def steps(cells: Sequence[Any], spec: Spec, device: str, place: Place, past: Sequence[Rows]) -> Iterator[Rows]:
    """The rows of one stack, in parts."""
    if spec.table:
        from dnnlab.nas import tabular

        yield from tabular.steps(cells, spec, place, past)
        return
    import torch

    from dnnlab.data import load
    from dnnlab.nas import correlations, searching

    if load(cells[0].data).features <= SMALL:
        torch.set_num_threads(1)  # whoever called sets it back
    question = correlations.steps if spec.proxies else searching.steps
    yield from question(cells, spec, device, place, past)


_LOOKED_AT = 4
"""Architectures whose training tells how long a training takes."""
_STEPS = 4
_SHORT = 1.0
"""Epochs of the short training that proxies are compared with, at least."""


def foresee(cells: Sequence[Any], spec: Spec, device: str) -> float:
    """About how many seconds the ``cells`` take, from some steps of training a few architectures drawn at random; of
    a table from the search of one cell."""
    if spec.table:
        from dnnlab.nas import tabular

        started = time.perf_counter()
        for _ in tabular.steps(cells[:1], spec, Place(Path()), ()):
            pass
        return (time.perf_counter() - started) * len(cells)
    return sum(_trainings(cell.data, spec, device, cell) for cell in cells)


def _trainings(data: str, spec: Spec, device: str, cell: Any) -> float:
    """Seconds of what one cell trains."""
    from dnnlab.nas.ledger import parse
    from dnnlab.nas.strategies import AVERAGE

    step, fixed, macs, batches = _pace(data, spec, device)
    budget = parse(spec.budget)
    a_training = fixed + spec.epochs * batches * step
    if spec.proxies:
        return budget.amount * (a_training + fixed + max(_SHORT, spec.epochs // 9) * batches * step)
    if cell.strategy == AVERAGE:
        return spec.finalists * spec.retrain * a_training
    share = a_training / (spec.epochs * batches * step)
    seconds = {"trainings": a_training, "epochs": share * batches * step, "macs": share * step / macs, "seconds": 1.0}
    return budget.amount * seconds[budget.axis]


@functools.cache
def _pace(data: str, spec: Spec, device: str) -> tuple[float, float, float, int]:
    """Seconds of a training step, and of what a training takes beside its steps; multiply–accumulates of a step; and
    the batches of an epoch. The mean of some architectures, trained together where their space can do that."""
    from dnnlab.nas.lab import Lab, Training

    lab = Lab(spec, data, 0, device, Place(Path()))
    batches = len(lab.data.train) // spec.batch_size
    rng = Random(0)
    codes = [tuple(rng.randrange(size) for size in lab.space.sizes) for _ in range(_LOOKED_AT)]

    def spent(steps: int) -> float:
        started = time.perf_counter()
        for bucket in lab.buckets([Training(code, steps / batches) for code in codes]):
            lab.train(bucket)
        return time.perf_counter() - started

    spent(1)  # the first step warms up
    one = spent(1) / _LOOKED_AT
    step = max(spent(1 + _STEPS) / _LOOKED_AT - one, 1e-6) / _STEPS
    macs = sum(lab.network(code).training_macs for code in codes) / _LOOKED_AT * spec.batch_size
    return step, max(one - step, 0.0), max(macs, 1.0), batches


def told(rows: Rows) -> str:
    """What a part was about: ``12 search, 3 retrain, best validation accuracy 0.97``."""
    counted = Counter(rows["phase"] if "phase" in rows else rows["score"])
    known = [value for value in rows["validation"] if value is not None and not math.isnan(value)]
    best = [f"best validation accuracy {max(known):.3g}"] if known else []
    return ", ".join([*(f"{count} {name}" for name, count in counted.items()), *best])
