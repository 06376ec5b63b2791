"""What happens on the device: each stage of a chain trained, written, read back and measured, a row at a time."""

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
from dnnlab.runner.journal import Rows
from dnnlab.runner.place import Place
from dnnlab.statistics.streams import stream
from dnnlab.training.batches import batch_order
from dnnlab.training.networks import NetworkTraining
from dnnlab.training.pace import seconds_a_step

_FILE = 3.0
"""Seconds that writing, reading back and timing a file takes, beside the trainings; more for large networks."""


def steps(cells: Sequence[Cell], spec: Spec, device: str, place: Place, past: Sequence[Rows]) -> Iterator[Rows]:
    """The rows of one network under one chain: a row a stage, then its controls; those of ``past`` are taken over."""
    evaluator = Evaluator(cells[0], spec, device, place)
    rows: list[Row] = []

    def made() -> Iterator[Callable[[], Row]]:
        if not evaluator.cell.recipe:
            yield evaluator.baseline_row
            yield lambda: controls.zstd(evaluator, rows[0])
            return
        asked = found = chains.parse(evaluator.cell.recipe)
        if spec.searching:
            yield from search.trials(evaluator, asked, rows)
            found = search.chosen(spec, asked, rows)
        for number, stage in enumerate(asked, 1):
            # By the name that was asked for: seeds that find different amounts are one row of the summary.
            yield functools.partial(evaluator.stage_row, found[:number], CHAIN, str(stage))
        yield from controls.beside(evaluator, found, rows)

    for make in made():
        if len(rows) < len(past):
            row = {name: values[0] for name, values in past[len(rows)].items()}
        else:
            started = time.perf_counter()
            row = make()
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


def told(rows: Rows) -> str:
    """What a part was about: ``chain prune:0.9, ratio 8.2``."""
    return f"{rows['role'][0]} {rows['method'][0]}, ratio {rows['ratio'][0]:.3g}"
