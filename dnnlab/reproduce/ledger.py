"""Runs recipes and writes down the verdict on each claim."""

import math
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dnnlab.errors import DnnlabError, UsageError, in_short
from dnnlab.registry import find
from dnnlab.report.columns import Column
from dnnlab.report.numbers import number
from dnnlab.report.table import fit
from dnnlab.reproduce import conditions, shipped
from dnnlab.reproduce.bases import Bases
from dnnlab.reproduce.columns import FAILED, LEDGER
from dnnlab.reproduce.judge import COMPUTED, HOLDS, HOLDS_IF, NOT_DECIDED, NOT_RUN, REFUTED, check, judge
from dnnlab.runner import recipe as recipes
from dnnlab.runner.journal import BusyError
from dnnlab.runner.options import build
from dnnlab.runner.plan import require_size
from dnnlab.runner.recipe import Claim, Recipe
from dnnlab.runner.result import Run
from dnnlab.runner.run_options import RunOptions
from dnnlab.statistics.comparisons import false_discovery

DECIDED = (HOLDS, HOLDS_IF, REFUTED)
_SHOWN = 16
"""The digits of a digest that the ledger has."""
_FEW = 0.01
"""The number of false verdicts below which it is not told."""
_PAUSE = 1.0
"""Seconds between two checks whether another process has ended."""


@dataclass(frozen=True)
class Task:
    """A recipe with a claim, ready to run under a profile."""

    recipe: Recipe
    claim: Claim
    spec: Any
    profile: str
    digest: str
    """The digest of what is asked and when it holds, of which the base of the seeds is made (`bases.Bases`)."""
    seed: int | None
    """What was mixed into it for other seeds; else ``None``."""

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
    bases = Bases(profile, seed)
    every = [_task(recipes.read(file), bases) for path in paths for file in shipped.recipes_of(path)]
    claims = [task for task in every if task is not None]
    if not claims:
        raise UsageError(f"no recipe in {', '.join(map(str, paths))} states a claim; see docs/recipes.md.")
    return claims


def _task(recipe: Recipe, bases: Bases) -> Task | None:
    claim = recipe.claim_for(bases.profile)
    if claim is None:
        return None
    options = recipe.options_for(bases.profile)
    experiment = find(recipe.experiment)
    with recipes.located(recipe):
        spec = build(experiment.spec.Spec, options)
        require_size(spec)
        check(claim, spec.question.schema.summary)
        if "seed" in options:
            raise UsageError(
                "--seed is not an option of a recipe with a claim: the base of its seeds is a digest of what it asks; "
                "leave it out."
            )
        if _draws(spec):
            spec = build(experiment.spec.Spec, {**options, "seed": bases.base(recipe)})
    return Task(recipe, claim, spec, bases.profile, bases.digest(recipe), bases.seed)


def _draws(spec: Any) -> bool:
    """Whether seeds change anything, as they do not in arithmetic and in times of blocks."""
    return "seed" in spec.__dataclass_fields__ and spec.question.belongs("seed")


def run(task: Task, out: Path) -> dict[str, Any]:
    """The row of the ledger for one task; a failure is a row too, and so is a claim whose data are missing."""
    from dnnlab.runner.run import execute

    row = not_run(task)
    # It is called after its options, not the recipe, so that claims about the same run share it, also those of two
    # commands at once.
    how = RunOptions(out=out, quiet=True)
    try:
        done = _when_free(lambda: execute(find(task.recipe.experiment), task.spec, how, task.command))
        row |= {"seconds": done.seconds, "run": done.path.relative_to(out.absolute()).as_posix()}
        if done.failed:
            return row | {"verdict": FAILED, "circumstances": done.failure}
        judgement = judge(done, task.claim)
    except DnnlabError as problem:
        # What needs data or a device that are not there was not tested; that is no failure.
        return row | {"verdict": NOT_RUN if problem.lacking else FAILED, "circumstances": str(problem)}
    except Exception as problem:  # noqa: BLE001 - the ledger goes on past a recipe that fails
        return row | {"verdict": FAILED, "circumstances": in_short(problem)}
    telling = judgement.telling.reading.interval
    return row | {
        "verdict": judgement.verdict,
        "circumstances": judgement.circumstances,
        "source": judgement.sources,
        "measured": judgement.measured,
        "value": telling.mean,
        "low": telling.low,
        "high": telling.high,
        "n": telling.n,
        "p": judgement.p,
        "conditions": conditions.written(judgement),
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
        "source": "",
        "measured": "",
        "n": 0,
        "published": claim.published,
        "note": claim.note,
        "digest": task.digest[:_SHOWN],
        "command": task.command,
        "run": "",
    }


def table(rows: Sequence[dict[str, Any]], columns: Sequence[Column] = LEDGER) -> pd.DataFrame:
    """The rows of the ledger as a table, with the share of false verdicts that chance lets one expect."""
    # What is not decided makes no false verdict, but it was asked.
    ps = [row.get("p", math.nan) if row["verdict"] in DECIDED else _asked(row) for row in rows]
    shares = false_discovery([math.nan if p is None else p for p in ps])
    decided = [row["verdict"] in DECIDED for row in rows]
    told = [share if counts else math.nan for share, counts in zip(shares, decided, strict=True)]
    return fit(pd.DataFrame(rows).assign(false_discovery=told), columns)


def _asked(row: dict[str, Any]) -> float:
    """The p-value of a claim that was measured and not decided; nan where nothing was measured."""
    return math.nan if row["verdict"] != NOT_DECIDED or row.get("source") == COMPUTED else 1.0


def by_chance(table: pd.DataFrame) -> str:
    """How many verdicts of a ledger would be wrong by chance, in a sentence; empty where none has a p-value."""
    known = table["false_discovery"].dropna()
    if known.empty:
        return ""
    expected = float(known.max()) * len(known)
    how_many = f"at most about {number(expected)}" if expected >= _FEW else f"less than {_FEW}"
    if len(known) == 1:
        return f"The one claim decided by a p-value would be wrong by chance with a probability of {how_many}."
    return f"Of the {len(known)} claims decided by p-values {how_many} would be wrong by chance at this level."


def groups(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The rows by part of the lecture, in their order."""
    for part in dict.fromkeys(row["part"] for row in rows):
        yield part, [row for row in rows if row["part"] == part]


def counts(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, int]:
    """The number of rows with each verdict."""
    return {name: sum(row["verdict"] == name for row in rows) for name in names}
