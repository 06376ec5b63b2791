"""The search for a chain's strength: by halving, on validation data alone."""

import functools
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dnnlab.compress import chain as chains
from dnnlab.compress.evaluator import TRIAL, Evaluator, Row
from dnnlab.compress.spec import Spec
from dnnlab.compress.stages import Stage, TooMuch


def trials(evaluator: Evaluator, stages: tuple[Stage, ...], rows: Sequence[Row]) -> Iterator[Callable[[], Row]]:
    """One chain after another, each where the one before sends it."""
    low, high = 0.0, 1.0
    for _ in range(evaluator.spec.trials):
        middle = (low + high) / 2
        yield functools.partial(_trial, evaluator, chains.at_strength(stages, middle), middle)
        if _gentle_enough(evaluator.spec, rows[-1]):
            low = middle
        else:
            high = middle


def chosen(spec: Spec, stages: tuple[Stage, ...], rows: Sequence[Row]) -> tuple[Stage, ...]:
    """The chain that the trials found: the strongest that loses little enough, or the gentlest of the wanted ratio.

    Where none did, the gentlest or the strongest that was tried, and its row says what it lost or weighs.
    """
    tried = [row for row in rows if row["role"] == TRIAL]
    gentle = [row["strength"] for row in tried if _gentle_enough(spec, row)]
    strong = {row["strength"]: row["ratio"] for row in tried if not _gentle_enough(spec, row)}
    reached = [strength for strength, ratio in strong.items() if math.isfinite(ratio)]
    if spec.target and reached:  # gentle enough means not yet small enough
        return chains.at_strength(stages, min(reached))
    return chains.at_strength(stages, max(gentle) if gentle else min(strong))


def _gentle_enough(spec: Spec, row: Row) -> bool:
    """Whether there is room for more strength: by the drop on validation data, or by the ratio aimed at."""
    if spec.target:
        return bool(row["ratio"] < float(spec.target[:-1]))
    return bool(row["validation_drop"] * 100 < spec.max_drop)


def _trial(evaluator: Evaluator, stages: tuple[Stage, ...], strength: float) -> Row:
    """A chain on validation data; nothing of it is measured on test. What no network is left of has lost everything."""
    tried = {
        "role": TRIAL,
        "stage": len(stages),
        "method": TRIAL,
        "chain": chains.text(stages),
        "form": chains.form(stages),
        "strength": strength,
        "accuracy": math.nan,
    }
    try:
        model = evaluator.restored(stages, evaluator.state(stages))
    except TooMuch:
        return tried | {"ratio": math.inf, "validation_drop": math.inf}
    with tempfile.TemporaryDirectory() as folder:  # what the search does not choose is nobody's artefact
        artefact = evaluator.write(model, stages, Path(folder) / TRIAL)
        return tried | evaluator.without_test(model, artefact)
