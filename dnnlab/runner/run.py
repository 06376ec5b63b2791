"""Measure a spec into its folder, go on where a run broke off, and make every table from the journal."""

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
import pandas as pd

from dnnlab.errors import DnnlabError, UsageError, no_quitting
from dnnlab.report.columns import Column
from dnnlab.report.table import fit, to_csv
from dnnlab.runner import plan as planning
from dnnlab.runner import provenance, recipe, store
from dnnlab.runner.device import choose, keep_freed_memory
from dnnlab.runner.engine import Work, entries, side_by_side
from dnnlab.runner.experiment import Experiment, Spec
from dnnlab.runner.how import HowToRun
from dnnlab.runner.journal import Entry, Journal, Rows, Writer
from dnnlab.runner.options import build, chosen, every
from dnnlab.runner.place import Place
from dnnlab.runner.progress import meter, say
from dnnlab.runner.result import Run


def execute(experiment: Experiment, spec: Spec, how: HowToRun, command: str) -> Run:
    """The finished run of ``spec``: at once where it is there, else measured, from where it broke off; and the
    models that it asks for.

    ``command`` is what the user typed or called, for the record.

    Raises:
        UsageError: the parts of the spec do not fit together, data are missing, the folder cannot be made.
        DnnlabError: another process measures the same run, or its journal is damaged.
    """
    run = _measured(experiment, spec, how, command)
    if experiment.artifacts is not None:
        with no_quitting():
            sentences = experiment.artifacts.write(spec)
        for sentence in sentences:
            say(sentence, how.quiet)
    return run


def _measured(experiment: Experiment, spec: Spec, how: HowToRun, command: str) -> Run:
    device = choose(spec.device)
    plan = planning.make(experiment, spec, device.name)
    name = how.name or store.slug(chosen(spec))
    folder = store.locate(how.out, experiment.name, name, plan.key, how.fresh)
    journal = Journal(folder.path / store.JOURNAL)
    record = folder.read_provenance()
    if record.get("state") == "finished":
        if folder.has_tables or journal.read().keys() >= {stack.key for stack in plan.stacks}:
            say(f"finished on {record['sessions'][-1]['finished']}: {folder.path} (--fresh measures anew)", how.quiet)
            folder.write_spec(experiment.name, every(spec))
            return reopen(experiment, folder)
        say(f"{folder.path} was finished, but what was measured is gone; it is measured again.", how.quiet)
    if device.warning:
        say(f"warning: {device.warning}", how.quiet)
    with no_quitting():
        spec.fit()
    keep_freed_memory()
    folder.make()
    new = not folder.begun
    work = Work(experiment, spec, device.name, Place(folder.path))
    with journal.writing() as writer:
        try:
            # The record is read again, now that nobody else writes it.
            return _measure(work, plan, folder, _begin(folder.read_provenance(), work, plan, command), writer, how)
        except UsageError:
            if new and not journal.read():
                folder.discard()
            raise


def _measure(
    work: Work, plan: planning.Plan, folder: store.Folder, record: dict[str, Any], writer: Writer, how: HowToRun
) -> Run:
    """The run of ``plan``, whose provenance is ``record``; what is in its journal is not measured again."""
    journal = Journal(folder.path / store.JOURNAL)
    done = journal.read()
    missing = [stack for stack in plan.stacks if stack.key not in done or done[stack.key].error]
    there = len(plan.cells) - sum(len(stack.cells) for stack in missing)
    folder.write_spec(work.experiment.name, every(work.spec))
    folder.write_provenance(record)
    say(f"measuring {len(plan.cells)} cells on {record['machine']['device']}, into {folder.path}", how.quiet)
    if there:
        say(f"{there} of them are there already", how.quiet)
    workers, threads = side_by_side(plan, work.device)
    if workers > 1 and missing and how.engine == "auto":
        say(f"{workers} stacks side by side, {threads} {'thread' if threads == 1 else 'threads'} each", how.quiet)
    with meter(len(plan.cells), there, how.quiet) as progress:
        past = {stack.key: stack.parts(done) for stack in missing}
        seconds: Counter[str] = Counter()
        for stack, entry in entries(work, plan, missing, past, progress.fraction, how.engine):
            writer.append(entry)
            seconds[stack.key] += entry.seconds  # type: ignore[assignment] # a Counter adds up floats as well
            if entry.stack == stack.key:
                progress.finished(len(stack.cells), str(stack.cells[0]), seconds[stack.key])
            else:
                progress.part(str(stack.cells[0]))
    record["notes"] = list(work.spec.notes())
    for note in record["notes"]:
        say(f"note: {note}.", how.quiet)
    folder.write_provenance(record)
    run = write_tables(work.experiment, work.spec, folder, plan, journal)
    record["sessions"][-1]["finished"] = _now()
    record["state"] = "failed" if run.failed else "finished"
    record["tables"] = provenance.code_digest(["."])
    folder.write_provenance(record)
    return run


def reopen(experiment: Experiment, folder: store.Folder) -> Run:
    """A run from its folder. Tables and figures are made again where one is missing or dnnlab has changed.

    Raises:
        UsageError: the spec is no longer one.
        DnnlabError: nothing has been measured yet, or a file is damaged.
    """
    spec: Any = build(experiment.spec.Spec, recipe.read(folder.path / store.SPEC).options)
    record = folder.read_provenance()
    if record.get("tables") == provenance.code_digest(["."]) and folder.has_tables:
        return Run(folder.path, experiment, spec)
    if not record:
        raise DnnlabError(f"{folder.path} holds no run yet; run the command again.")
    cells = tuple(spec.plan())
    if sorted(n for _, numbers in record["stacks"] for n in numbers) != list(range(len(cells))):
        raise DnnlabError(f"{folder.path / store.SPEC} is not what was measured; restore it, or measure anew.")
    if record["state"] == "running":
        say(f"{folder.path} is not finished; the same command goes on: {record['sessions'][0]['command']}")
    # The stacks as they were planned when the run was measured, whatever the code's keys are by now.
    stacks = [planning.Stack(key, tuple(map(cells.__getitem__, ns)), tuple(ns)) for key, ns in record["stacks"]]
    plan = planning.Plan(record["key"], cells, tuple(stacks), record["content"])
    run = write_tables(experiment, spec, folder, plan, Journal(folder.path / store.JOURNAL))
    if record["state"] != "running":
        record["tables"] = provenance.code_digest(["."])
        folder.write_provenance(record)
    return run


def _begin(record: dict[str, Any], work: Work, plan: planning.Plan, command: str) -> dict[str, Any]:
    """The provenance of a run that now begins or goes on."""
    return {
        "experiment": work.experiment.name,
        "key": plan.key,
        "state": "running",
        "cells": len(plan.cells),
        "content": plan.content,
        "versions": provenance.versions(),
        "machine": provenance.machine(work.device),
        "git": provenance.git(),
        "sessions": [*record.get("sessions", []), {"command": command, "started": _now(), "finished": None}],
        "stacks": [[stack.key, stack.numbers] for stack in plan.stacks],
    }


def _now() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def write_tables(
    experiment: Experiment, spec: Spec, folder: store.Folder, plan: planning.Plan, journal: Journal
) -> Run:
    """Everything that a run shows, from its journal alone."""
    from dnnlab.runner.page import write_page

    schema = experiment.columns.schema(spec)
    cells = cells_table(schema.cells, plan, journal.entries())
    if cells.empty:
        raise DnnlabError(f"nothing of {folder.path} has been measured yet; run its command again.")
    summary = experiment.summary.summarise(cells, spec)
    to_csv(cells, schema.cells, folder.path / store.CELLS)
    to_csv(summary, schema.summary, folder.path / store.SUMMARY)
    write_page(experiment, spec, folder, cells, summary)
    return Run(folder.path, experiment, spec)


def cells_table(columns: Sequence[Column], plan: planning.Plan, entries: Iterable[Entry]) -> pd.DataFrame:
    """The tidy table in the plan's order: the fields of each cell, then what was measured of it."""
    sizes = {stack.key: len(stack.cells) for stack in plan.stacks}
    floats = {column.name for column in columns if column.dtype is float}
    measured = {entry.stack: _frame(entry, sizes, floats) for entry in entries}
    parts = []
    for stack in plan.stacks:
        names = [*stack.part_names(measured), *([stack.key] if stack.key in measured else [])]
        if not names:
            continue
        rows = pd.concat([measured.pop(name) for name in names], ignore_index=True)
        parts.append(rows.assign(cell=np.array(stack.numbers)[rows["cell"].to_numpy(int)]))
    if not parts:
        return fit(pd.DataFrame(), columns)
    rows = pd.concat(parts, ignore_index=True).sort_values("cell", kind="stable", ignore_index=True)
    fields = pd.DataFrame([_fields(cell) for cell in plan.cells])
    fields = fields.take(rows.pop("cell").to_numpy(int)).reset_index(drop=True)
    return fit(fields.join(rows), columns)


def _frame(entry: Entry, sizes: Mapping[str, int], floats: Set[str]) -> pd.DataFrame:
    """The rows of an entry; of a failed stack one a cell, with nothing measured and the reason."""
    failed = {"cell": list(range(sizes.get(entry.stack, 0)))}
    rows: Rows = failed if entry.error else entry.rows or {"cell": []}
    # Of a known type: pandas would look at every value of a million rows to find it.
    typed = {name: np.array(values, float if name in floats else object) for name, values in rows.items()}
    error = np.full(len(typed["cell"]), entry.error, dtype=object)
    return pd.DataFrame({"error": error, **typed}, copy=False)


def _fields(cell: Any) -> dict[str, Any]:
    return {name: getattr(cell, name) for name in cell.__dataclass_fields__}
