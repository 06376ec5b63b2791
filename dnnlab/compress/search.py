"""The search for a chain's strength: by halving, on validation data alone."""

import functools
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dnnlab.compress import chain as chains
from dnnlab.compress import files, judge
from dnnlab.compress.chain import Stage, TooMuch
from dnnlab.compress.spec import searchable

Row = dict[str, Any]
_DENSEST, _SPAREST = 0.5, 0.002
_LEAST, _MOST = 1.2, 10.0


def at_strength(stages: tuple[Stage, ...], strength: float) -> tuple[Stage, ...]:
    """The chain with every amount that can be searched set by ``strength`` from 0, gentle, to 1."""
    for place in searchable(stages):
        if stages[place].kind == "prune":
            amount = f"{1 - _DENSEST * (_SPAREST / _DENSEST) ** strength:.4f}".lstrip("0")
        else:
            amount = f"{_LEAST * (_MOST / _LEAST) ** strength:.2f}x"
        stages = chains.with_amount(stages, place, amount)
    return stages


def trials(bench: Any, stages: tuple[Stage, ...], rows: Sequence[Row]) -> Iterator[Callable[[], Row]]:
    """One chain after another, each where the one before sends it."""
    low, high = 0.0, 1.0
    for _ in range(bench.spec.trials):
        middle = (low + high) / 2
        yield functools.partial(_trial, bench, at_strength(stages, middle), middle)
        if _gentle_enough(bench.spec, rows[-1]):
            low = middle
        else:
            high = middle


def chosen(bench: Any, stages: tuple[Stage, ...], rows: Sequence[Row]) -> tuple[Stage, ...]:
    """The chain that the trials found: the strongest that loses little enough, or the gentlest of the wanted ratio.

    Where none did, the gentlest or the strongest that was tried, and its row says what it lost or weighs.
    """
    tried = [row for row in rows if row["role"] == "trial"]
    gentle = [row["strength"] for row in tried if _gentle_enough(bench.spec, row)]
    strong = {row["strength"]: row["ratio"] for row in tried if not _gentle_enough(bench.spec, row)}
    reached = [strength for strength, ratio in strong.items() if math.isfinite(ratio)]
    if bench.spec.target and reached:  # gentle enough means not yet small enough
        return at_strength(stages, min(reached))
    return at_strength(stages, max(gentle) if gentle else min(strong))


def _gentle_enough(spec: Any, row: Row) -> bool:
    """Whether there is room for more strength: by the drop on validation data, or by the ratio aimed at."""
    if spec.target:
        return bool(row["ratio"] < float(spec.target[:-1]))
    return bool(row["validation_drop"] * 100 < spec.max_drop)


def _trial(bench: Any, stages: tuple[Stage, ...], strength: float) -> Row:
    """A chain on validation data; nothing of it is measured on test. What no network is left of has lost everything."""
    tried = {
        "role": "trial",
        "stage": len(stages),
        "method": "trial",
        "chain": chains.text(stages),
        "form": chains.form(stages),
        "strength": strength,
        "accuracy": math.nan,
    }
    try:
        model = bench.restored(stages, bench.state(stages))
    except TooMuch:
        return tried | {"ratio": math.inf, "validation_drop": math.inf}
    with tempfile.TemporaryDirectory() as folder:  # what the search does not choose is nobody's artefact
        artefact = files.write(model, stages, bench.desk(lambda: bench.empty(stages)), Path(folder) / "trial")
    right, base = (
        judge.right(predict, bench.host, bench.host.validation).mean()
        for predict in (artefact.predict, bench.base_file.predict)
    )
    parameters = sum(p.numel() for p in bench.baseline.parameters())
    nonzeros = sum(int((p != 0).sum()) for p in model.parameters())
    return tried | {
        "params": sum(p.numel() for p in model.parameters()),
        "nonzeros": nonzeros,
        "bytes": artefact.size,
        "ratio": 4 * parameters / artefact.size,
        "validation_accuracy": float(right),
        "validation_drop": float(base - right),
    }
