"""From a spec to stacks of cells, each with a key made of everything that can change its numbers."""

import dataclasses
import hashlib
import itertools
import math
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from dnnlab import memory
from dnnlab.code import digests
from dnnlab.errors import UsageError
from dnnlab.runner.experiment import Cell, Experiment, Spec
from dnnlab.runner.journal import Entry, Rows
from dnnlab.runner.options import every, fields
from dnnlab.runner.provenance import digest

KEY_LENGTH = 10
MOST = 1_000_000
"""The most cells of a plan that needs no consent."""
_BYTES = 1500
"""Bytes of memory that one cell of a plan takes until its rows are written."""


@dataclasses.dataclass(frozen=True)
class Stack:
    """Cells that are measured together, and their numbers in the plan."""

    key: str
    cells: tuple[Any, ...]
    numbers: tuple[int, ...]

    def part(self, number: int) -> str:
        """The key of its part with this number, where it comes in parts."""
        return f"{self.key}.{number}"

    def part_names(self, entries: Container[str]) -> list[str]:
        """The keys of its parts that are among the ``entries``, in order."""
        return list(itertools.takewhile(entries.__contains__, map(self.part, itertools.count())))

    def complete(self, entries: Mapping[str, Entry]) -> bool:
        """Whether all of it is among the ``entries``: measured, or failed with the error in the entry."""
        end = entries.get(self.key)
        if end is None or end.error:
            return end is not None
        least = 0 if end.rows else 1  # an entry without rows of its own ends a stack that came in parts
        return len(self.part_names(entries)) >= max(least, end.parts)

    def parts(self, entries: Mapping[str, Entry]) -> list[Rows]:
        """The entries of its parts among ``entries``, in order."""
        return [entries[name].rows for name in self.part_names(entries)]


def names(stacks: Sequence[Stack]) -> list[str]:
    """The name of each of the ``stacks``: its first cell in words, and what differs from others of the same words."""
    first = [stack.cells[0] for stack in stacks]
    words = [str(cell) for cell in first]
    alike: dict[str, list[Any]] = {}
    for word, cell in zip(words, first, strict=True):
        alike.setdefault(word, []).append(cell)
    differ = {word: _differing(cells) for word, cells in alike.items()}
    return [word + _apart(cell, differ[word]) for word, cell in zip(words, first, strict=True)]


def _differing(alike: Sequence[Any]) -> list[str] | None:
    """The fields in which cells with the same words differ; None where there is one such cell."""
    if len(alike) == 1:
        return None
    return [name for name in alike[0].__dataclass_fields__ if len({getattr(other, name) for other in alike}) > 1]


def _apart(cell: Any, differ: Sequence[str] | None) -> str:
    """The ``differ``ing fields of ``cell`` in words."""
    if differ is None:
        return ""
    told = (f"{name.replace('_', ' ')} {getattr(cell, name)}" for name in differ)
    return f" ({', '.join(told)})"


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that one run will measure."""

    key: str
    cells: tuple[Any, ...]
    stacks: tuple[Stack, ...]
    content: dict[str, str]
    """Digests of data and models."""
    versions: Mapping[str, str]
    """Versions of the libraries that the measuring code imports."""
    resolved: Mapping[str, Any]
    """The meaning of the options, see `resolution`."""


_DRIVES = (
    *("dnnlab.runner.engine:measure", "dnnlab.runner.engine:side_by_side", "dnnlab.runner.engine:limited_threads"),
    "dnnlab.runner.place:Place",
)
"""The code that calls the measuring code, and the code of its arguments."""


def size(spec: Spec) -> int:
    """About how many cells the plan of ``spec`` has, without making it: the product of its lists and seeds."""
    meant = spec.settled
    lists = (getattr(meant, field.name) for field in fields(type(meant)) if field.many)
    return getattr(meant, "seeds", 1) * math.prod(max(1, len(values)) for values in lists)


def require_size(spec: Spec, consent: bool = False) -> None:
    """Refuse a plan that is too large, before anything of it is made.

    Raises:
        UsageError: it has more than `MOST` cells without ``consent``, or more than the memory can hold.
    """
    cells = size(spec)
    if cells > MOST and not consent:
        raise UsageError(
            f"this plan has some {cells:,} cells; give shorter lists or fewer seeds, or --large to measure more than "
            f"{MOST:,} cells."
        )
    if cells > MOST:
        memory.require(cells * _BYTES, f"a plan of some {cells:,} cells")


def make(experiment: Experiment, spec: Spec, device: str, consent: bool = False) -> Plan:
    """Unfold ``spec`` into stacks for ``device``.

    Raises:
        UsageError: the spec's parts do not fit together, its data are not there, or it is too large: see
            `require_size`, which takes ``consent``, and no network may need more memory than there is.
    """
    require_size(spec, consent)
    cells = tuple(spec.plan())
    largest = max(cells, key=lambda cell: getattr(cell, "bytes", 0.0))
    if device == "cpu":
        memory.require(getattr(largest, "bytes", 0.0), f"one training step of {largest}")
    content = dict(spec.content())
    code = digests.of(roots(spec, cells))
    numbers = list(_shared_out(cells, device))
    digests_of_stacks = [digest([dataclasses.asdict(cells[i]) for i in group]) for group in numbers]  # type: ignore[call-overload]
    resolved = resolution(spec, cells)
    run_key = digest(
        {
            "experiment": experiment.name,
            "spec": every(spec),
            "resolved": resolved,
            "stacks": digests_of_stacks,
            "content": content,
            "code": code.identity,
            "device": device,
        }
    )
    stacks = tuple(
        Stack(digest([run_key, group_digest])[: 2 * KEY_LENGTH], tuple(map(cells.__getitem__, group)), group)
        for group, group_digest in zip(numbers, digests_of_stacks, strict=True)
    )
    return Plan(run_key[:KEY_LENGTH], cells, stacks, content, code.versions, resolved)


def resolution(spec: Spec, cells: Sequence[Cell], names: Sequence[str] = ()) -> dict[str, Any]:
    """The meaning of ``spec``, which unfolds into ``cells``: two runs of the same options may differ in it, when a
    default changed between them."""
    names = names or sorted({field.name for kind in set(map(type, cells)) for field in dataclasses.fields(kind)})
    total = hashlib.sha256()
    for cell in cells:
        total.update(repr([getattr(cell, name, None) for name in names]).encode())
    return {"options": every(spec.settled), "fields": list(names), "cells": total.hexdigest()}


def means(spec: Spec, cells: Sequence[Cell], recorded: Mapping[str, Any]) -> bool:
    """Whether ``spec`` still means what was ``recorded``; new options and fields do not count."""
    now = resolution(spec, cells, recorded["fields"])
    same = all(now["options"].get(name) == value for name, value in recorded["options"].items())
    return same and now["cells"] == recorded["cells"]


def roots(spec: Spec, cells: Sequence[Cell]) -> tuple[str, ...]:
    """The roots of the measuring code: the functions that are called, and the classes of their arguments."""
    given = {*type(spec).__mro__, *(base for kind in set(map(type, cells)) for base in kind.__mro__)}
    classes = sorted(
        f"{cls.__module__}:{cls.__qualname__}" for cls in given if cls.__module__.partition(".")[0] == "dnnlab"
    )
    return (spec.question.module_name("measure"), *classes, *_DRIVES)


def _shared_out(cells: Sequence[Cell], device: str) -> Iterator[tuple[int, ...]]:
    """The numbers of the cells of each stack: cells that can share a program, in the plan's order, in as few stacks of
    one size as hold them.

    Stacks depend on the plan alone, never on what is already measured: a resumed run then repeats the very
    tensor programs of an unbroken one, and its bits.
    """
    groups: dict[Any, list[int]] = {}
    for number, cell in enumerate(cells):
        groups.setdefault(cell.together, []).append(number)
    for numbers in groups.values():
        first = cells[numbers[0]]
        size = max(1, int(1 / first.weight))
        if device == "cpu":
            size = min(size, getattr(first, "most_on_cpu", size))
        size = math.ceil(len(numbers) / math.ceil(len(numbers) / size))
        for start in range(0, len(numbers), size):
            yield tuple(numbers[start : start + size])
