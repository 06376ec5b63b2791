"""The measurement: each stage of a chain is trained, written, read back and measured, row by row."""

import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dnnlab.compress import chain as chains
from dnnlab.compress import controls, search
from dnnlab.compress.evaluator import CHAIN, Evaluator, Row
from dnnlab.compress.plan import Cell
from dnnlab.compress.spec import Spec
from dnnlab.errors import UsageError
from dnnlab.runner.journal import Rows
from dnnlab.runner.place import Place
from dnnlab.statistics.streams import stream
from dnnlab.training.batches import batch_order
from dnnlab.training.networks import NetworkTraining
from dnnlab.training.pace import seconds_a_step

_FILE = 3.0
"""Seconds that writing, reading back and timing a file takes, without trainings; more for large networks."""


def steps(cells: Sequence[Cell], spec: Spec, device: str, place: Place, past: Sequence[Rows]) -> Iterator[Rows]:
    """The rows of one network under one chain: one row per stage, then its controls. Rows in ``past`` are taken
    over."""
    evaluator = Evaluator(cells[0], spec, device, place)
    rows: list[Row] = []

    def makers() -> Iterator[Callable[[], Row]]:
        if not evaluator.cell.recipe:
            yield evaluator.baseline_row
            yield lambda: controls.zstd(evaluator, rows[0])
            return
        recipe = stages = chains.parse(evaluator.cell.recipe)
        if spec.searching:
            yield from search.trials(evaluator, recipe, rows)
            stages = search.best_chain(spec, recipe, rows)
        for number, stage in enumerate(recipe, 1):
            # Rows have the chain of the option: seeds with different amounts by the search are one row of the summary.
            yield functools.partial(evaluator.stage_row, stages[:number], CHAIN, str(stage))
        yield from controls.beside(evaluator, stages, rows)

    for make in makers():
        if len(rows) < len(past):
            row = {name: values[0] for name, values in past[len(rows)].items()}
        else:
            started = time.perf_counter()
            try:
                row = make()
            except UsageError as problem:  # options are checked before; it is this chain's network that cannot be used
                raise RuntimeError(str(problem)) from problem
            row["seconds"] = time.perf_counter() - started
            yield {"cell": [0], **{name: [value] for name, value in row.items()}}
        rows.append(row)


def foresee(cells: Sequence[Cell], spec: Spec, device: str) -> float:
    """About how many seconds the ``cells`` take, from some steps of training each network; every chain as it is asked,
    with its controls, and as often as a search tries it."""
    paces: dict[tuple[str, str], float] = {}
    total = 0.0
    for cell in cells:
        evaluator = Evaluator(cell, spec, device, Place(Path()))
        retraining = evaluator.retraining(first=True)
        if (cell.arch, cell.data) not in paces:
            model = evaluator.fresh()
            order = batch_order(len(evaluator.data.train), spec.batch_size, stream(0, 0, "rehearsal"))
            training = NetworkTraining(model, evaluator.data, order, retraining.hyper, stream(0, 0, "augmentation"))
            paces[cell.arch, cell.data] = seconds_a_step(training)
        an_epoch = paces[cell.arch, cell.data] * (len(evaluator.data.train) // spec.batch_size)
        if not cell.recipe:
            total += (0.0 if spec.weights else retraining.length(spec.epochs)) * an_epoch + _FILE
            continue
        stages = chains.parse(cell.recipe)
        epochs = dataclasses.replace(retraining, epochs=spec.recover).total(stages)
        # A teacher's forward pass is a third of a training step.
        chain = epochs * an_epoch * (4 / 3 if spec.teaching else 1) + _FILE * len(stages)
        total += chain * (1 + (spec.trials if spec.searching else 0) + (3 if spec.controls else 0))
    return total


def describe_part(rows: Rows) -> str:
    """The chain and the ratio of a part in words: ``chain prune:0.9, ratio 8.2``."""
    return f"{rows['role'][0]} {rows['method'][0]}, ratio {rows['ratio'][0]:.3g}"
