"""Recipes: TOML files that say which experiment runs with which options, and what claim it decides.

A run's own ``spec.toml`` is one without a claim.
"""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dnnlab import toml
from dnnlab.errors import UsageError, listing, unknown

PROFILES = ("quick", "full")
"""The profiles of a recipe: for two cores within minutes, and for as long as the claim takes, or for a GPU."""
_RELATIONS = ("below", "above", "within", "is")
_CONDITION_KEYS = ("metric", "where", *_RELATIONS, "times", "when")
_CLAIM_KEYS = ("text", "slide", "holds", "control", "published", "note")
_KEYS = ("experiment", "options", "claim", *PROFILES)

Row = Mapping[str, Any]
"""The values of the columns that name a row of the summary."""


@dataclass(frozen=True)
class Condition:
    """A condition on the summary: it must be true in all of its rows ``where`` for the claim to hold."""

    metric: str
    """The column of the summary that is compared."""
    relation: str
    """``below``, ``above``, ``within`` or ``is``."""
    level: Any
    """The level: a number, two numbers, a word, or a `Row` to compare with, seed by seed where the metric has seeds."""
    where: Row = field(default_factory=dict)
    times: float = 1.0
    """The factor on the other row's value."""
    when: str = ""
    """The circumstances under which this condition is tested, in words, for a verdict *holds if …*."""


@dataclass(frozen=True)
class Claim:
    """A claim of the lecture, and the conditions that decide it."""

    text: str
    slide: str
    holds: tuple[Condition, ...]
    control: tuple[Condition, ...] = ()
    """What must be seen besides, for the conditions to test the claim at all: that a network learns without what is
    said to spoil it, or is ill without its cure."""
    published: str = ""
    """The published result, with its source."""
    note: str = ""
    """A note that a reader needs to judge the verdict."""


@dataclass(frozen=True)
class Recipe:
    """An experiment and its options, which a profile may override."""

    path: Path
    experiment: str
    options: Mapping[str, Any]
    claim: Claim | None = None
    profiles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    claims: Mapping[str, Claim] = field(default_factory=dict)
    """The claims by profile: a profile's own table ``claim`` replaces some keys of the claim, such as ``holds``."""

    def options_for(self, profile: str) -> dict[str, Any]:
        """The options under ``profile``."""
        return {**self.options, **self.profiles.get(profile, {})}

    def claim_for(self, profile: str) -> Claim | None:
        """The claim and its conditions under ``profile``."""
        return self.claims.get(profile, self.claim)


def read(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        UsageError: the file is missing, is no TOML, or has keys that do not belong or a claim that does not read; the
            line is named.
    """
    what = f"the recipe {path}"
    text = toml.text(path, what)
    return _Reader(path, text).recipe(toml.parse(text, what))


@contextmanager
def located(recipe: Recipe) -> Iterator[None]:
    """Let a `UsageError` about the options of ``recipe`` name the file, and the line of the option that it names."""
    try:
        yield
    except UsageError as problem:
        reader = _Reader(recipe.path, toml.text(recipe.path, f"the recipe {recipe.path}"))
        names = [n for table in (recipe.options, *recipe.profiles.values()) for n in table]
        told = [n for n in names if f"--{n.replace('_', '-')} " in f"{problem} " or repr(n) in str(problem)]
        place = reader.where(told[0]) if told else str(recipe.path)
        raise UsageError(f"{place}: {problem}") from None


class _Reader:
    """Reads one file, and knows the line of each key."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.lines = path, text.splitlines()

    def where(self, key: str) -> str:
        """The place of a key as ``file.toml:7``: the first line on which it is set or opens a table; without a line
        where there is none."""
        name = rf"[\"']?{re.escape(key)}[\"']?\s*"
        pattern = re.compile(rf"^\s*(\[+\s*([\w-]+\.)*)?{name}(=|\.|\])|[{{,]\s*{name}=")
        for number, line in enumerate(self.lines, 1):
            if pattern.search(line):
                return f"{self.path}:{number}"
        return str(self.path)

    def refuse(self, key: str, requirement: str) -> UsageError:
        return UsageError(f"{self.where(key)}: {key} must be {requirement}.")

    def refuse_unknown(self, table: Mapping[str, Any], keys: tuple[str, ...], name: str) -> None:
        for key in table:
            if key not in keys:
                raise unknown(f"key in {name}, {self.where(key)},", key, keys)

    def recipe(self, content: dict[str, Any]) -> Recipe:
        self.refuse_unknown(content, _KEYS, "the recipe")
        experiment, options = content.get("experiment"), content.get("options", {})
        if not isinstance(experiment, str) or not isinstance(options, dict):
            raise UsageError(f'the recipe {self.path} needs experiment = "NAME" and may have a table [options].')
        profiles = {name: dict(self.table(content, name)) for name in PROFILES}
        claim = self.claim(self.table(content, "claim")) if "claim" in content else None
        claims = {
            name: self.claim({**content.get("claim", {}), **self.table(table, "claim")}, f"{name}.claim")
            for name, table in profiles.items()
            if "claim" in table
        }
        for table in profiles.values():
            table.pop("claim", None)
        return Recipe(self.path, experiment, options, claim, profiles, claims)

    def table(self, content: dict[str, Any], key: str) -> dict[str, Any]:
        value = content.get(key, {})
        if not isinstance(value, dict):
            raise self.refuse(key, f"a table: [{key}]")
        return value

    def text(self, table: Mapping[str, Any], key: str, needed: bool = False) -> str:
        value = table.get(key, "")
        if not isinstance(value, str) or (needed and not value.strip()):
            raise self.refuse(key, "text")
        return value

    def claim(self, table: dict[str, Any], name: str = "claim") -> Claim:
        self.refuse_unknown(table, _CLAIM_KEYS, f"[{name}]")
        return Claim(
            self.text(table, "text", needed=True),
            self.text(table, "slide", needed=True),
            self.conditions(table.get("holds"), "holds", name),
            self.conditions(table["control"], "control", name) if "control" in table else (),
            self.text(table, "published"),
            self.text(table, "note"),
        )

    def conditions(self, tables: Any, key: str, name: str) -> tuple[Condition, ...]:
        if not isinstance(tables, list) or not tables or not all(isinstance(each, dict) for each in tables):
            raise self.refuse(key, f"one or more tables: [[{name}.{key}]]")
        return tuple(self.condition(each, key, f"[[{name}.{key}]]") for each in tables)

    def condition(self, table: dict[str, Any], key: str, name: str) -> Condition:
        self.refuse_unknown(table, _CONDITION_KEYS, name)
        given = [relation for relation in _RELATIONS if relation in table]
        if len(given) != 1:
            raise UsageError(f"{self.where(key)}: each {name} has one of {listing(_RELATIONS)}.")
        (relation,) = given
        level, times = table[relation], table.get("times", 1.0)
        if relation in ("below", "above") and not _is_number(level) and not isinstance(level, dict):
            raise self.refuse(relation, 'a number, or a row to compare with such as { act = "relu" }')
        if relation == "within" and not (isinstance(level, list) and len(level) == 2 and all(map(_is_number, level))):
            raise self.refuse("within", "two numbers: [low, high]")
        if relation == "is" and not isinstance(level, str):
            raise self.refuse("is", "a word, such as a verdict")
        if not _is_number(times):
            raise self.refuse("times", "a number")
        where = self.table(table, "where")
        return Condition(
            self.text(table, "metric", needed=True), relation, level, where, float(times), self.text(table, "when")
        )


def _is_number(value: object) -> bool:
    """Whether a value can be compared with a measured one: TOML also has integers of any size, infinities and nan."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False
