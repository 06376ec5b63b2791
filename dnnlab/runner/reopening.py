"""A run in its folder: whether it is as it was written, how it is repaired, and how it is shown.

The journal is the primary record. Tables, figures and page are made again from it wherever they are not what was
written; the provenance, which says what belongs to which cell, is made again from the options and the journal.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from dnnlab.code import digests
from dnnlab.errors import DnnlabError, UsageError, are, listing
from dnnlab.runner import plan as planning
from dnnlab.runner import recipe, store
from dnnlab.runner.device import choose
from dnnlab.runner.experiment import Experiment, Spec
from dnnlab.runner.journal import Journal
from dnnlab.runner.options import build, every
from dnnlab.runner.place import ARTIFACTS
from dnnlab.runner.result import Run
from dnnlab.runner.tables import journal_of, summary_of, write_tables
from dnnlab.terminal import say

RECOVERED = "the provenance was damaged, missing or another run's"
"""The beginning of the note of a run whose provenance was recovered."""
_UNKNOWN = "not known"


def record_of(
    folder: store.Folder, experiment: Experiment, spec: Spec, plan: planning.Plan, journal: Journal
) -> dict[str, Any]:
    """The provenance of the run of ``plan``; recovered from its journal where it is damaged, missing or another run's,
    which is said. Empty where nothing has been measured.

    Raises:
        DnnlabError: the folder holds another run.
    """
    try:
        record = folder.read_provenance()
    except DnnlabError:
        record = {}
    if record.get("key") == plan.key:
        return record
    entries, names = journal.read(), {stack.key for stack in plan.stacks}
    done = {name: entry for name, entry in entries.items() if name.partition(".")[0] in names}
    if not done and record and entries:
        raise DnnlabError(
            f"{folder.path} holds another run than its name says, of the key {record.get('key')}; give it its name "
            "back, or take another --name or --out."
        )
    if not done:
        return {}
    whole = all(stack.complete(done) for stack in plan.stacks)
    ended = "finished" if not any(entry.error for entry in done.values()) else "failed"
    record = {
        "experiment": experiment.name,
        "key": plan.key,
        "state": ended if whole else "running",
        "cells": len(plan.cells),
        "options": every(spec),
        "resolved": plan.resolved,
        "content": plan.content,
        "versions": {},
        "machine": {},
        "git": {},
        "sessions": [{"command": _UNKNOWN, "started": _UNKNOWN, "finished": _UNKNOWN}],
        "stacks": [[stack.key, list(stack.numbers)] for stack in plan.stacks],
        "notes": [
            f"{RECOVERED} and was made again from the journal, so the versions and the machine of what was measured "
            "before are not known"
        ],
    }
    say(f"{folder.path / store.PROVENANCE} was damaged, missing or another run's; it is made again from the journal.")
    folder.write_provenance(record)
    return record


def can_be_shown(record: dict[str, Any], changed: Sequence[str], plan: planning.Plan, journal: Journal) -> bool:
    """Whether a finished run, some of whose files ``changed``, can be shown without measuring: its tables are as they
    were written, or can be made again."""
    if record.get("files") and all(map(_is_artifact, changed)):
        return True
    done = journal.read()
    return all(stack.complete(done) for stack in plan.stacks)


def ended(record: dict[str, Any]) -> str:
    """The time when the last session of a run ended, as a sentence."""
    when = str(record["sessions"][-1]["finished"])
    return "a day that is not known" if when == _UNKNOWN else when


def reopen(experiment: Experiment, folder: store.Folder, changed: Sequence[str] | None = None) -> Run:
    """A run from its folder. Its tables are made again where a table, a figure or the page is not as it was written, or
    dnnlab has changed; `Run.draw` then makes the figures and the page again. ``changed`` are the files that are not as
    they were written, where that is known already.

    Raises:
        UsageError: the spec is no longer one.
        DnnlabError: nothing has been measured yet, or what is damaged cannot be made again.
    """
    spec, record, plan = _described(experiment, folder)
    write_spec(folder, experiment, record.get("options") or every(spec))
    changed = _without_artifacts(folder, folder.changed(record) if changed is None else changed)
    if record.get("files") and record.get("tables") == digests.bytes_of_all() and not changed:
        return Run(folder.path, experiment, spec)
    journal = journal_of(spec, folder, plan)
    if record["state"] == "running":
        say(f"{folder.path} is not finished; the same command goes on: {record['sessions'][0]['command']}")
    else:
        _require_whole(experiment, spec, journal, plan, folder)
    if changed and record["state"] != "running":
        say(f"{listing(changed)} of {folder.path} {are(len(changed))} not as written; made again from the journal.")
    run = write_tables(experiment, spec, folder, plan, journal)
    return run if record["state"] == "running" else sealed(run, folder, record)


def so_far(experiment: Experiment, folder: store.Folder) -> tuple[Spec, pd.DataFrame]:
    """The options of a run, also of one that is being measured, and the summary of what is in its journal. Nothing is
    written; the summary has no rows where nothing is measured yet.

    Raises:
        UsageError: the options are no longer ones.
        DnnlabError: nothing says what is measured, or no table can be made of it.
    """
    spec, _, plan = _described(experiment, folder)
    return spec, summary_of(spec, plan, journal_of(spec, folder, plan))


def _is_artifact(name: str) -> bool:
    return name.startswith(f"{ARTIFACTS}/")


def _without_artifacts(folder: store.Folder, changed: Sequence[str]) -> list[str]:
    """The changed files that can be made again from the journal; a message names the others."""
    lost = list(filter(_is_artifact, changed))
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        say(f"{folder.path / lost[0]}{more} is not as written; only measuring makes it again: --fresh does beside it.")
    return [name for name in changed if name not in lost]


def sealed(run: Run, folder: store.Folder, record: dict[str, Any]) -> Run:
    """``run`` with its provenance ``record``: now with the checksums of the tables, and after `Run.draw` with those of
    all files, and with the code that wrote them. Where figures were not drawn to the end, they are when the run is
    shown again, since no such code is noted."""
    record.pop("tables", None)
    _note_files(folder, record, drawn=False)  # what lies in the place of a page can be anything

    def draw() -> None:
        run.draw()
        record["tables"] = digests.bytes_of_all()
        _note_files(folder, record, drawn=True)

    return Run(run.path, run.experiment, run.spec, draw)


def _note_files(folder: store.Folder, record: dict[str, Any], drawn: bool) -> None:
    measured = {name: written for name, written in record.get("files", {}).items() if _is_artifact(name)}
    record["files"] = folder.checksums(drawn) | measured
    folder.write_provenance(record)


def write_spec(folder: store.Folder, experiment: Experiment, options: Mapping[str, Any]) -> None:
    """Write the options of the run as a recipe; a file of other content in its place is kept beside it."""
    aside = folder.write_spec(experiment.name, options)
    if aside:
        say(f"{folder.path / store.SPEC} was not what was measured; it is written again, and the other is {aside}.")


def experiment_of(folder: store.Folder) -> str:
    """The name of the experiment that a run is of.

    Raises:
        UsageError: neither provenance nor spec says.
    """
    record = _valid_record(folder)
    return str(record["experiment"]) if record else recipe.read(folder.path / store.SPEC).experiment


def _described(experiment: Experiment, folder: store.Folder) -> tuple[Spec, dict[str, Any], planning.Plan]:
    """The spec, the provenance and the plan of the run in ``folder``, as they were when it was measured.

    Raises:
        UsageError: the options are no longer ones.
        DnnlabError: nothing has been measured, or nothing says what was.
    """
    record = _valid_record(folder)
    options = record.get("options") or recipe.read(folder.path / store.SPEC).options
    spec = build(experiment.spec.Spec, options)
    if not record:
        return spec, *_recovered(experiment, folder, spec)
    spec, cells = _as_measured(experiment, folder, spec, record)
    if sorted(n for _, numbers in record["stacks"] for n in numbers) != list(range(len(cells))):
        raise DnnlabError(f"{folder.path / store.SPEC} is not what was measured; restore it, or measure anew.")
    # The stacks have the keys of the time when the run was measured, whatever the keys of the present code are.
    stacks = [planning.Stack(key, tuple(map(cells.__getitem__, ns)), tuple(ns)) for key, ns in record["stacks"]]
    resolved = record.get("resolved", {})
    return spec, record, planning.Plan(record["key"], cells, tuple(stacks), record["content"], {}, resolved)


def _as_measured(
    experiment: Experiment, folder: store.Folder, spec: Spec, record: Mapping[str, Any]
) -> tuple[Spec, tuple[Any, ...]]:
    """The spec with all options as they were meant when the run of ``record`` was measured, and its cells.

    Raises:
        DnnlabError: that cannot be told any more.
    """
    resolved = record.get("resolved")
    cells = tuple(spec.plan())
    if resolved is None or planning.means(spec, cells, resolved):  # the first versions recorded none
        return spec, cells
    try:
        spec = build(experiment.spec.Spec, resolved["options"])
        cells = tuple(spec.plan())
        same = planning.means(spec, cells, resolved)
    except UsageError:
        same = False
    if not same:
        raise DnnlabError(
            f"{folder.path} was measured when its options meant something else than in this version of dnnlab; its "
            "tables and its page stay as they are, and the same command measures anew beside it."
        )
    return spec, cells


def _valid_record(folder: store.Folder) -> dict[str, Any]:
    """The provenance in ``folder`` if it is whole and of the run that the folder's name says; else empty."""
    try:
        record = folder.read_provenance()
    except DnnlabError:
        return {}
    return record if re.search(rf"-{re.escape(record.get('key', '-'))}(-\d+)?$", folder.path.name) else {}


def _recovered(experiment: Experiment, folder: store.Folder, spec: Spec) -> tuple[dict[str, Any], planning.Plan]:
    plan = planning.make(experiment, spec, choose(spec.device).name)
    if not re.search(rf"-{plan.key}(-\d+)?$", folder.path.name):
        raise DnnlabError(
            f"{folder.path / store.PROVENANCE} is damaged, missing or another run's, and spec.toml or dnnlab has "
            "changed since, so what belongs to which row is not known; restore that file and the folder's name, or run "
            "the command again, which measures nothing twice that the journal holds."
        )
    record = record_of(folder, experiment, spec, plan, journal_of(spec, folder, plan))
    if not record:
        raise DnnlabError(f"{folder.path} holds no run yet; run the command again.")
    return record, plan


def _require_whole(
    experiment: Experiment, spec: Spec, journal: Journal, plan: planning.Plan, folder: store.Folder
) -> None:
    """Check that the journal of a run that has ended still holds all of it.

    Raises:
        DnnlabError: it does not.
    """
    done = journal.read()
    if all(stack.complete(done) for stack in plan.stacks):
        return
    lines = ", ".join(f"line {damage.line}: {damage.why}" for damage in journal.damage()) or "lines are missing"
    raise DnnlabError(f"{journal.path} is damaged ({lines}); {_remedy(experiment, spec, plan, folder)}.")


def _remedy(experiment: Experiment, spec: Spec, plan: planning.Plan, folder: store.Folder) -> str:
    """The advice for a journal that lost lines, such that as little as possible is measured again."""
    root, name = folder.path.absolute().parents[1], folder.path.name.rpartition(f"-{plan.key}")[0]
    command = ["dnnlab", "run", str(folder.path / store.SPEC), "--out", str(root), "--name", name]
    try:
        unchanged = planning.make(experiment, spec, choose(spec.device).name).key == plan.key
    except DnnlabError:  # its data or its network no longer exist
        unchanged = False
    newest = store.locate(root, experiment.name, name, plan.key, fresh=False).path == folder.path.absolute()
    if unchanged and newest:
        return f"{shlex.join(command)} measures what is lost again, and nothing else"
    why = "dnnlab, the data or the network have changed since" if newest else "there is a newer run of the same"
    return f"restore it from a copy; {why}, so that its command would not measure into this folder"
