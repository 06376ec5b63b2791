"""Measures a spec into its folder, and continues a run that was interrupted."""

import contextlib
import datetime
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from dnnlab import data as datasets
from dnnlab.errors import UsageError, counted, no_quitting
from dnnlab.runner import plan as planning
from dnnlab.runner import provenance, reopening, store
from dnnlab.runner.device import Device, choose, keep_freed_memory
from dnnlab.runner.engine import Work, entries, place_of, side_by_side
from dnnlab.runner.experiment import PROCESSES, THREADS, Experiment, Spec
from dnnlab.runner.journal import Journal, Writer
from dnnlab.runner.options import every
from dnnlab.runner.place import Place
from dnnlab.runner.progress import Heartbeat, meter
from dnnlab.runner.result import Run
from dnnlab.runner.run_options import RunOptions
from dnnlab.runner.tables import journal_of, write_tables
from dnnlab.terminal import say


def execute(experiment: Experiment, spec: Spec, how: RunOptions, command: str, called: str = "") -> Run:
    """What `tabulate` gives, with figures and page.

    Raises:
        UsageError, DnnlabError: as `tabulate`.
    """
    run = tabulate(experiment, spec, how, command, called)
    run.draw()
    return run


def tabulate(experiment: Experiment, spec: Spec, how: RunOptions, command: str, called: str = "") -> Run:
    """The finished run of ``spec``: at once where it is there, else measured, from where it broke off; and the
    models that it asks for. Figures and page may be missing until `Run.draw`.

    ``command`` is what the user typed or called, for the record. A new run without a name is ``called`` so, as its
    recipe is; else after its options.

    Raises:
        UsageError: the parts of the spec do not fit together, data are missing, the folder cannot be made.
        DnnlabError: another process measures the same run, or its journal makes no tables.
    """
    run = _measured(experiment, spec, how, command, called)
    if experiment.artifacts is not None:
        with no_quitting():
            sentences = experiment.artifacts.write(spec)
        for sentence in sentences:
            say(sentence, how.quiet)
    return run


def _measured(experiment: Experiment, spec: Spec, how: RunOptions, command: str, called: str) -> Run:
    device = choose(spec.device)
    plan = planning.make(experiment, spec, device.name, how.large)
    name = store.name_for(how.out, experiment.name, plan.key, spec, how.name, called)
    folder = store.locate(how.out, experiment.name, name, plan.key, how.fresh)
    journal = journal_of(spec, folder, plan)
    record = reopening.record_of(folder, experiment, spec, plan, journal)
    if how.fresh and record.get("state") == "finished":  # its files were damaged, and are whole again
        folder = store.locate(how.out, experiment.name, name, plan.key, fresh=True)
        journal = journal_of(spec, folder, plan)
        record = {}
    if record.get("state") == "finished":
        changed = folder.changed(record)
        if reopening.can_be_shown(record, changed, plan, journal):
            say(f"finished on {reopening.ended(record)}: {folder.path} (--fresh measures anew)", how.quiet)
            return reopening.reopen(experiment, folder, changed)
        say(f"{folder.path} was finished, but some of what was measured is lost; that is measured again.", how.quiet)
    data = {name: value for name, value in plan.content.items() if name.startswith(datasets.PREFIX)}
    work = Work(experiment, spec, device.name, Place(folder.path), data)
    return _measure_into(folder, work, plan, device, how, command)


def _measure_into(
    folder: store.Folder, work: Work, plan: planning.Plan, device: Device, how: RunOptions, command: str
) -> Run:
    """The run of ``plan``, alone in its ``folder``."""
    if device.warning:
        say(f"warning: {device.warning}", how.quiet)
    with no_quitting(), Heartbeat(lambda: "checking the networks and the data", how.quiet):
        notes = work.spec.fit()
    for note in notes:
        say(f"note: {note}.", how.quiet)
    keep_freed_memory()
    folder.make()
    new = not folder.begun
    journal = journal_of(work.spec, folder, plan)
    with journal.writing() as writer:
        try:
            # The record is read again, now that nobody else writes it.
            record = reopening.record_of(folder, work.experiment, work.spec, plan, journal)
            return _measure(work, plan, folder, _begin(record, work, plan, command), journal, writer, how, notes)
        except UsageError:
            if new and not journal.read():
                writer.remove(folder.discard)
            raise


def _measure(
    work: Work,
    plan: planning.Plan,
    folder: store.Folder,
    record: dict[str, Any],
    journal: Journal,
    writer: Writer,
    how: RunOptions,
    told: Sequence[str],
) -> Run:
    """The run of ``plan``, whose provenance is ``record``; stacks in its journal are not measured again. The notes
    ``told`` have been said."""
    done = journal.read()
    missing = [stack for stack in plan.stacks if not stack.complete(done) or done[stack.key].error]
    there = len(plan.cells) - sum(len(stack.cells) for stack in missing)
    reopening.write_spec(folder, work.experiment, every(work.spec))
    record["sessions"][-1]["there"] = there
    folder.write_provenance(record)
    say(f"measuring {counted(len(plan.cells), 'cell')} on {record['machine']['device']}, into {folder.path}", how.quiet)
    if there:
        say(f"{there} of them are there already", how.quiet)
    for damage in journal.damage() if missing else ():
        say(f"line {damage.line} of {journal.path} is damaged ({damage.why}); what it held is measured again")
    if not missing:  # a session that measures nothing adds nothing of its own to the numbers
        for name in ("versions", "machine"):
            del record["sessions"][-1][name]
    changes = provenance.changes(record["sessions"])
    for change in changes:
        say(f"warning: {change}.", how.quiet)
    if how.engine == "auto":
        for place in (THREADS, PROCESSES):
            count = sum(place_of(stack.cells[0], work.device) == place for stack in missing)
            if count > 1 and (workers := side_by_side(plan, work.device, place)).count > 1:
                each = counted(workers.threads or 1, "thread")
                say(f"{min(count, workers.count)} stacks side by side, {each} each", how.quiet)
    names = dict(zip((stack.key for stack in missing), planning.names(missing), strict=True))
    with meter(len(plan.cells), there, list(names.values()), how.quiet) as progress:
        past = {stack.key: stack.parts(done) for stack in missing}
        seconds: Counter[str] = Counter()
        measured = entries(work, plan, missing, past, progress.fraction, how.engine)
        with contextlib.closing(measured):  # a stop ends what it has under way, threads too
            for stack, entry in measured:
                writer.append(entry)
                seconds[stack.key] += entry.seconds  # type: ignore[assignment] # a Counter adds up floats as well
                if entry.stack == stack.key:
                    progress.finished(len(stack.cells), names[stack.key], seconds[stack.key])
                else:
                    progress.part(names[stack.key], work.spec.question.measure.describe_part(entry.rows))
    notes = datasets.notes(name.removeprefix(datasets.PREFIX) for name in work.data)
    record["notes"] = [*record.get("notes", []), *notes]
    for note in record["notes"]:
        say(f"note: {note}.", how.quiet)
    record["notes"] += [*changes, *told]
    folder.write_provenance(record)
    run = write_tables(work.experiment, work.spec, folder, plan, journal)
    record["sessions"][-1]["finished"] = now()
    record["state"] = "failed" if run.failed else "finished"
    return reopening.sealed(run, folder, record)


def _begin(record: dict[str, Any], work: Work, plan: planning.Plan, command: str) -> dict[str, Any]:
    """The provenance of a run that begins or continues; versions and machine are those of its first session, and each
    session has its own entry."""
    question = work.spec.question
    machine = provenance.machine(work.device, question.autocasts, question.without_torch)
    here = {"versions": {**provenance.versions(), **plan.versions}, "machine": machine}
    first = {name: record.get(name) or value for name, value in here.items()}
    sessions = record.get("sessions", [])
    if sessions and "versions" not in sessions[0]:  # written by earlier versions of dnnlab
        sessions = [{**sessions[0], **{name: record.get(name, {}) for name in here}}, *sessions[1:]]
    return {
        "experiment": work.experiment.name,
        "key": plan.key,
        "state": "running",
        "cells": len(plan.cells),
        "options": every(work.spec),
        "cwd": os.getcwd(),
        "content": plan.content,
        "resolved": plan.resolved,
        **first,
        "git": provenance.git(),
        "sessions": [*sessions, {"command": command, "started": now(), "finished": None, **here}],
        "stacks": [[stack.key, list(stack.numbers)] for stack in plan.stacks],
        "notes": [note for note in record.get("notes", []) if note.startswith(reopening.RECOVERED)],
    }


def now() -> str:
    """The time, with its zone, to the second."""
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")
