"""The search for a chain's strength, by bisection, on validation data alone."""

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
    """The rows of the chains that are tried, one after another; each result decides the next strength."""
    low, high = 0.0, 1.0
    for _ in range(evaluator.spec.trials):
        middle = (low + high) / 2
        yield functools.partial(_trial, evaluator, chains.at_strength(stages, middle), middle)
        if _gentle_enough(evaluator.spec, rows[-1]):
            low = middle
        else:
            high = middle


def best_chain(spec: Spec, stages: tuple[Stage, ...], rows: Sequence[Row]) -> tuple[Stage, ...]:
    """The best of the chains that were tried: the strongest that loses little enough, or the gentlest that reaches the
    ratio. Where none did, the gentlest or the strongest that was tried, and its row has its loss or ratio.
    """
    tried = [row for row in rows if row["role"] == TRIAL]
    gentle = [row["strength"] for row in tried if _gentle_enough(spec, row)]
    strong = {row["strength"]: row["ratio"] for row in tried if not _gentle_enough(spec, row)}
    reached = [strength for strength, ratio in strong.items() if math.isfinite(ratio)]
    if spec.target and reached:  # it may be stronger as long as it is not small enough
        return chains.at_strength(stages, min(reached))
    return chains.at_strength(stages, max(gentle) if gentle else min(strong))


def _gentle_enough(spec: Spec, row: Row) -> bool:
    """Whether the chain may be stronger: by its loss on validation data, or by the ratio that is the target."""
    if spec.target:
        return bool(row["ratio"] < float(spec.target[:-1]))
    return bool(row["validation_drop"] * 100 < spec.max_drop)


def _trial(evaluator: Evaluator, stages: tuple[Stage, ...], strength: float) -> Row:
    """The row of a chain on validation data; nothing is measured on test data. A chain that leaves no network has lost
    everything."""
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
    with tempfile.TemporaryDirectory() as folder:  # a network that the search does not choose is no artefact
        artefact = evaluator.write(model, stages, Path(folder) / TRIAL)
        return tried | evaluator.without_test(model, artefact)
