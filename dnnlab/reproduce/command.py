"""``dnnlab reproduce``: run the recipes, write the ledger."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dnnlab.errors import DnnlabError, UsageError, counted, listing
from dnnlab.registry import find
from dnnlab.report.screen import show
from dnnlab.report.table import to_json
from dnnlab.reproduce import ledger, shipped
from dnnlab.reproduce.book import LEDGER_JSON, LEDGER_PAGE, Book
from dnnlab.reproduce.columns import FAILED, LEDGER, TONES
from dnnlab.reproduce.judge import HOLDS_IF, NOT_RUN
from dnnlab.runner import plan as planning
from dnnlab.runner import store
from dnnlab.runner.device import choose
from dnnlab.runner.progress import Heartbeat
from dnnlab.runner.recipe import PROFILES
from dnnlab.runner.store import PROVENANCE
from dnnlab.runner.streams import others_on_stderr
from dnnlab.terminal import say, tell, tell_sentences


def reproduce(
    paths: Sequence[Path], profile: str, seed: int | None, out: Path, quiet: bool
) -> tuple[list[dict[str, Any]], Path]:
    """Run the recipes in ``paths``, or all of the lecture's; gives the rows of the ledger, and the path of its page.

    Recipes of one's own have a ledger of their own, which keeps what it knew of others.

    Raises:
        UsageError: a recipe does not read, or there is none.
    """
    tasks = ledger.tasks(paths or [shipped.folder()], profile, seed)
    rows: list[dict[str, Any]] = []
    user_recipes = not all(shipped.is_shipped(task.recipe.path) for task in tasks)
    folder = (
        out.absolute() / f"ledger-{'own-' if user_recipes else ''}{profile}{'' if seed is None else f'-seed-{seed}'}"
    )
    book = Book(folder, "Claims of one's own" if user_recipes else "The lecture, claim by claim", profile, user_recipes)
    begun = time.monotonic()

    def doing() -> str:
        task = tasks[min(len(rows), len(tasks) - 1)]
        return f"[{len(rows)}/{len(tasks)}] {task.part}/{task.name}: {time.monotonic() - begun:.0f} s so far"

    try:
        book.begin(tasks, whole=not paths)
        with Heartbeat(doing, quiet) as beat:
            for task in tasks:
                begun = time.monotonic()
                with others_on_stderr():
                    row = ledger.run(task, out)
                book.enter(row)
                rows.append(row)
                message = f"{task.part}/{task.name}: {row['verdict']} ({time.monotonic() - begun:.1f} s)"
                beat.say(f"[{len(rows)}/{len(tasks)}] {message}")
                if row["verdict"] in (FAILED, NOT_RUN):
                    say(f"dnnlab: {task.name}: {row['circumstances']}")
    finally:  # the page is written also where the user stopped the command
        book.publish()
        if len(rows) < len(tasks):
            say(f"{len(tasks) - len(rows)} of {len(tasks)} claims were not run; the same command goes on with them")
    return rows, book.page


def foresee(paths: Sequence[Path], profile: str, seed: int | None, out: Path) -> None:
    """Print what `reproduce` would run, and what is finished.

    Raises:
        UsageError: a recipe does not read, or there is none.
    """
    seen, finished, lacking = set(), set(), 0
    tasks = ledger.tasks(paths or [shipped.folder()], profile, seed)
    for task in tasks:
        experiment = find(task.recipe.experiment)
        try:
            plan = planning.make(experiment, task.spec, choose(task.spec.device).name)
        except DnnlabError as problem:
            if not problem.lacking:
                raise
            tell(f"{task.part}/{task.name}: {experiment.name}, {NOT_RUN}: {problem}")
            lacking += 1
            continue
        name = store.name_for(out, experiment.name, plan.key, task.spec)
        folder = store.locate(out, experiment.name, name, plan.key, fresh=False)
        state = folder.read_provenance().get("state", "to be measured")
        shared = ", as another claim above" if plan.key in seen else ""
        seen.add(plan.key)
        finished |= {plan.key} if state == "finished" else set()
        tell(f"{task.part}/{task.name}: {experiment.name}, {counted(len(plan.cells), 'cell')}, {state}{shared}")
    missing = f"; {counted(lacking, 'claim')} cannot be run here" if lacking else ""
    on = f"{counted(len(tasks), 'claim')} on {counted(len(seen), 'run')}"
    tell(f"{on}, {len(finished)} of them finished{missing}")


def published(paths: Sequence[Path], profile: str, quiet: bool) -> tuple[list[dict[str, Any]], Path]:
    """The rows on the claims in ``paths``, or on all of the lecture's, of the ledger that came with dnnlab, and its
    file; prints where it was measured.

    Raises:
        UsageError: no ledger of ``profile`` was published, it has none of these claims, or a recipe does not read.
    """
    tasks = ledger.tasks(paths or [shipped.folder()], profile, None)
    folder = shipped.reference(profile)
    if folder is None:
        raise UsageError(f"no ledger of the profile {profile} was published; leave out --published to measure it.")
    file = folder / LEDGER_JSON
    known = {(row["part"], row["recipe"]): row for row in json.loads(file.read_bytes())}
    found = ((task, known.get((task.part, task.name))) for task in tasks)
    # A verdict is that of a recipe as it stands: whoever changes what is asked has to measure.
    rows = [row for task, row in found if row is not None and task.digest.startswith(row["digest"])]
    if not rows:
        raise UsageError("no verdict on these claims was published; leave out --published to measure them.")
    if len(rows) < len(tasks):
        lacking = f"{len(tasks) - len(rows)} of {len(tasks)} claims have no published verdict, or ask something else"
        first = PROFILES[0]
        alike = f"; those that ask the same as under {first} are in the ledger of {first}"
        say(f"dnnlab: {lacking}{'' if profile == first else alike}")
    record = json.loads((folder / PROVENANCE).read_bytes())
    versions = listing(f"{name} {record['versions'][name]}" for name in ("dnnlab", "torch"))
    say(f"measured before, with {versions} on {record['machine']['platform']}; nothing is run here", quiet)
    return rows, file


_MOST_REASONS = 12


def _reasons(rows: Sequence[dict[str, Any]]) -> list[str]:
    """When a claim holds that does not hold always, and why another is not decided: a sentence for each."""
    told = [
        f"{row['recipe']}{'' if row['verdict'] == HOLDS_IF else ' is ' + row['verdict']}: {row['circumstances']}"
        for row in rows
        if row["circumstances"]
    ]
    rest = len(told) - _MOST_REASONS
    return told[:_MOST_REASONS] + [f"When, or why, of {rest} more is in the ledger."] * (rest > 0)


def display(rows: Sequence[dict[str, Any]], file: Path, as_json: bool, quiet: bool) -> None:
    """Print the ledger to stdout, and the ``file`` that has it, such as its page, to stderr."""
    table = ledger.table(rows)
    if as_json:
        tell(json.dumps({"ledger": str(file.parent), "summary": json.loads(to_json(table))}, indent=2))
    else:
        everything = (
            f"{file.name} has everything" if file.name != LEDGER_PAGE else "the page and ledger.csv have everything"
        )
        show(table, LEDGER, "Claim by claim", TONES, ("recipe",), ("claim",), everything)
        if sys.stdout.isatty():  # elsewhere they stand in the table
            tell_sentences(_reasons(rows))
        tally = ledger.counts(rows, tuple(TONES))
        tell(", ".join(f"{count} {name}" for name, count in tally.items() if count))
        if chance := ledger.by_chance(table):
            tell(chance)
    sys.stdout.flush()
    say(f"{'page' if file.name == LEDGER_PAGE else 'ledger'}: {file}", quiet)
