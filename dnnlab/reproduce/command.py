"""``dnnlab reproduce``: run the recipes, write the ledger."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dnnlab.registry import find
from dnnlab.report import atomic
from dnnlab.report.table import read_csv, show, to_csv, to_json
from dnnlab.reproduce import ledger, page, shipped
from dnnlab.reproduce.columns import FAILED, LEDGER, TONES
from dnnlab.runner import plan as planning
from dnnlab.runner import provenance, store
from dnnlab.runner.device import choose
from dnnlab.runner.options import chosen
from dnnlab.runner.progress import say
from dnnlab.runner.streams import others_on_stderr

LEDGER_CSV, LEDGER_JSON, LEDGER_PAGE = "ledger.csv", "ledger.json", "ledger.html"


def reproduce(
    paths: Sequence[Path], profile: str, seed: int | None, out: Path, quiet: bool
) -> tuple[list[dict[str, Any]], Path]:
    """Run the recipes in ``paths``, or all of the lecture's; the rows of the ledger, and the folder it lies in.

    Recipes of one's own have a ledger of their own, which keeps what it knew of others.

    Raises:
        UsageError: a recipe does not read, or there is none.
    """
    asked = ledger.tasks(paths or [shipped.folder()], profile, seed)
    rows: list[dict[str, Any]] = []
    own = "" if all(shipped.is_shipped(task.recipe.path) for task in asked) else "own-"
    folder = out.absolute() / f"ledger-{own}{profile}{'' if seed is None else f'-seed-{seed}'}"
    try:
        for number, task in enumerate(asked, 1):
            started = time.perf_counter()
            with others_on_stderr():
                row = ledger.run(task, out)
            rows.append(row)
            took = time.perf_counter() - started
            say(f"[{number}/{len(asked)}] {task.part}/{task.name}: {row['verdict']} ({took:.1f} s)", quiet)
            if row["verdict"] == FAILED:
                say(f"dnnlab: {task.name}: {row['circumstances']}")
    finally:  # also of a ledger that the user stopped
        if rows:
            all_there = not paths and len(rows) == len(asked)
            title = "Claims of one's own" if own else "The lecture, claim by claim"
            _write(folder, title, rows if all_there else [*_kept(folder / LEDGER_CSV, rows), *rows], profile)
    return rows, folder


def foresee(paths: Sequence[Path], profile: str, seed: int | None, out: Path) -> None:
    """Print what `reproduce` would run, and what is finished already.

    Raises:
        UsageError: a recipe does not read, there is none, or its data are missing.
    """
    seen, finished = set(), set()
    asked = ledger.tasks(paths or [shipped.folder()], profile, seed)
    for task in asked:
        experiment = find(task.recipe.experiment)
        plan = planning.make(experiment, task.spec, choose(task.spec.device).name)
        folder = store.locate(out, experiment.name, store.slug(chosen(task.spec)), plan.key, fresh=False)
        state = folder.read_provenance().get("state", "to be measured")
        shared = ", as another claim above" if plan.key in seen else ""
        seen.add(plan.key)
        finished |= {plan.key} if state == "finished" else set()
        print(f"{task.part}/{task.name}: {experiment.name}, {len(plan.cells)} cells, {state}{shared}")
    print(f"{len(asked)} claims on {len(seen)} runs, {len(finished)} of them finished")


def _kept(file: Path, new: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of an earlier ledger the claims that were not decided again this time."""
    if not file.exists():
        return []
    again = {(row["part"], row["recipe"]) for row in new}
    try:
        rows: list[dict[Any, Any]] = read_csv(file, LEDGER).to_dict("records")
    except ValueError:  # of another dnnlab, or damaged; what it says can be had again
        say(f"{file} does not read and is written anew.")
        return []
    return [row for row in rows if (row["part"], row["recipe"]) not in again]


def _write(folder: Path, title: str, rows: Sequence[dict[str, Any]], profile: str) -> None:
    rows = sorted(rows, key=lambda row: (row["part"], row["recipe"]))  # whatever was decided last
    table = ledger.table(rows)
    to_csv(table, LEDGER, folder / LEDGER_CSV)
    atomic.write(folder / LEDGER_JSON, f"{to_json(table)}\n".encode())
    record = {**provenance.versions(), **_flat(provenance.machine(choose("auto").name)), **_flat(provenance.git())}
    page.write(folder / LEDGER_PAGE, title, rows, profile, record)


def _flat(record: dict[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in record.items()}


def display(rows: Sequence[dict[str, Any]], folder: Path, as_json: bool, quiet: bool) -> None:
    """Print the ledger to stdout, and where its page is to stderr."""
    table = ledger.table(rows)
    if as_json:
        print(json.dumps({"ledger": str(folder), "summary": json.loads(to_json(table))}, indent=2))
    else:
        show(table, LEDGER, "Claim by claim", TONES)
        tally = ledger.counts(rows, tuple(TONES))
        print(", ".join(f"{count} {name}" for name, count in tally.items() if count) + ".")
    sys.stdout.flush()
    say(f"page: {folder / LEDGER_PAGE}", quiet)
