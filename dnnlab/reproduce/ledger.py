"""Runs recipes and writes down the verdict on each claim."""

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dnnlab.errors import DnnlabError, UsageError, in_short
from dnnlab.registry import find
from dnnlab.report.table import fit
from dnnlab.reproduce import shipped
from dnnlab.reproduce.columns import FAILED, LEDGER
from dnnlab.reproduce.judge import NOT_RUN, check, judge
from dnnlab.runner import recipe as recipes
from dnnlab.runner.journal import BusyError
from dnnlab.runner.options import build
from dnnlab.runner.plan import require_size
from dnnlab.runner.recipe import Claim, Recipe
from dnnlab.runner.result import Run
from dnnlab.runner.run_options import RunOptions

_PAUSE = 1.0
"""Seconds between two checks whether another process has ended."""


@dataclass(frozen=True)
class Task:
    """A recipe with a claim, ready to run under a profile."""

    recipe: Recipe
    claim: Claim
    spec: Any
    profile: str
    seed: int | None
    """The base of the seeds, where it differs from the recipe's; else ``None``."""

    @property
    def part(self) -> str:
        return self.recipe.path.absolute().parent.name

    @property
    def name(self) -> str:
        return self.recipe.path.stem

    @property
    def command(self) -> str:
        """The command that tests the claim again; it names a recipe of the user's by a path that holds in every
        folder."""
        path = self.recipe.path if shipped.is_shipped(self.recipe.path) else self.recipe.path.absolute()
        base = [] if self.seed is None else ["--seed", str(self.seed)]
        return shlex.join(["dnnlab", "reproduce", str(path), "--profile", self.profile, *base])


def tasks(paths: Sequence[Path], profile: str, seed: int | None) -> list[Task]:
    """The recipes in ``paths``, files or folders, in the order of their names; what states no claim is left out.

    Raises:
        UsageError: a recipe does not read, its options are not its experiment's, its claim looks at columns that are
            not there, or there is none.
    """
    every = [_task(recipes.read(file), profile, seed) for path in paths for file in shipped.recipes_of(path)]
    claims = [task for task in every if task is not None]
    if not claims:
        raise UsageError(f"no recipe in {', '.join(map(str, paths))} states a claim; see docs/recipes.md.")
    return claims


def _task(recipe: Recipe, profile: str, seed: int | None) -> Task | None:
    claim = recipe.claim_for(profile)
    if claim is None:
        return None
    options = recipe.options_for(profile)
    experiment = find(recipe.experiment)
    with recipes.located(recipe):
        spec = build(experiment.spec.Spec, options)
        require_size(spec)
        check(claim, spec.question.schema.summary)
        if seed is not None and _draws(spec):
            spec = build(experiment.spec.Spec, {**options, "seed": seed})
    return Task(recipe, claim, spec, profile, seed)


def _draws(spec: Any) -> bool:
    """Whether seeds change anything, as they do not in arithmetic and in times of blocks."""
    return any("seed" in cell.__dataclass_fields__ for cell in spec.plan())


def run(task: Task, out: Path) -> dict[str, Any]:
    """The row of the ledger for one task; a failure is a row too."""
    from dnnlab.runner.run import execute

    row = not_run(task)
    how = RunOptions(out=out, quiet=True)  # no name, so that claims about the same run share it
    try:
        done = _when_free(lambda: execute(find(task.recipe.experiment), task.spec, how, task.command))
        row |= {"seconds": done.seconds, "run": done.path.relative_to(out.absolute()).as_posix()}
        if done.failed:
            return row | {"verdict": FAILED, "circumstances": done.failure}
        judgement = judge(done, task.claim)
    except DnnlabError as problem:
        return row | {"verdict": FAILED, "circumstances": str(problem)}
    except Exception as problem:  # noqa: BLE001 - the ledger goes on past a recipe that fails
        return row | {"verdict": FAILED, "circumstances": in_short(problem)}
    telling = judgement.telling
    return row | {
        "verdict": judgement.verdict,
        "circumstances": judgement.circumstances,
        "measured": "; ".join(dict.fromkeys(finding.measured for finding in judgement.findings)),
        "value": telling.value,
        "low": telling.low,
        "high": telling.high,
        "n": telling.n,
    }


def _when_free(measure: Callable[[], Run]) -> Run:
    """The result of ``measure``; waits while another process measures the same run."""
    while True:
        try:
            return measure()
        except BusyError:
            time.sleep(_PAUSE)


def not_run(task: Task) -> dict[str, Any]:
    """The row of a claim that has no verdict yet."""
    claim = task.claim
    return {
        "part": task.part,
        "recipe": task.name,
        "slide": claim.slide,
        "claim": claim.text,
        "verdict": NOT_RUN,
        "circumstances": "",
        "measured": "",
        "n": 0,
        "published": claim.published,
        "note": claim.note,
        "command": task.command,
        "run": "",
    }


def table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The rows of the ledger as a table."""
    return fit(pd.DataFrame(rows), LEDGER)


def groups(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The rows by part of the lecture, in their order."""
    for part in dict.fromkeys(row["part"] for row in rows):
        yield part, [row for row in rows if row["part"] == part]


def counts(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, int]:
    """The number of rows with each verdict."""
    return {name: sum(row["verdict"] == name for row in rows) for name in names}
