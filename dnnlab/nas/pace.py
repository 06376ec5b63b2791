"""Estimates how long trainings take here, from some steps of a few architectures; and describes a part of a search."""

import functools
import math
import time
from collections import Counter
from pathlib import Path
from random import Random

from dnnlab.nas.evaluator import Evaluator, Training
from dnnlab.nas.spec import Spec
from dnnlab.runner.journal import Rows
from dnnlab.runner.place import Place

_LOOKED_AT = 4
"""The number of architectures whose training is timed."""
_STEPS = 4


@functools.cache
def pace(data: str, spec: Spec, device: str) -> tuple[float, float, float, int]:
    """Seconds of a training step, seconds that a training takes beside its steps, multiply–accumulates of a step, and
    batches per epoch."""
    evaluator = Evaluator(spec, data, 0, device, Place(Path()))
    batches = len(evaluator.data.train) // spec.batch_size
    rng = Random(0)
    codes = [tuple(rng.randrange(size) for size in evaluator.space.sizes) for _ in range(_LOOKED_AT)]

    def spent(steps: int) -> float:
        started = time.perf_counter()
        for bucket in evaluator.buckets([Training(code, steps / batches) for code in codes]):
            evaluator.train(bucket)
        return time.perf_counter() - started

    spent(1)  # the first step includes warming up
    one = spent(1) / _LOOKED_AT
    step = max(spent(1 + _STEPS) / _LOOKED_AT - one, 1e-6) / _STEPS
    macs = sum(evaluator.network(code).training_macs for code in codes) / _LOOKED_AT * spec.batch_size
    return step, max(one - step, 0.0), max(macs, 1.0), batches


def describe_part(rows: Rows) -> str:
    """The requests of a part in words: ``12 search, 3 retrain, best validation accuracy 0.97``."""
    counted = Counter(rows["phase"] if "phase" in rows else rows["score"])
    known = [value for value in rows["validation"] if value is not None and not math.isnan(value)]
    best = [f"best validation accuracy {max(known):.3g}"] if known else []
    return ", ".join([*(f"{count} {name}" for name, count in counted.items()), *best])
