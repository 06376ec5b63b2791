"""The ledger as one page that opens offline: contents, filters by verdict, one figure per claim."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from dnnlab import atomic
from dnnlab.report.numbers import number
from dnnlab.report.page import template
from dnnlab.report.svg import Caption, themed
from dnnlab.reproduce.columns import TONES
from dnnlab.reproduce.ledger import by_chance, counts, groups, table
from dnnlab.runner import store

_LARGEST = 100_000
"""The most bytes of a figure on this page; a larger one is on the run's own page."""


_SOME = 0.1
"""Seconds from which on a duration is shown."""


@dataclass(frozen=True)
class Entry:
    """A row of the ledger as the page shows it."""

    row: Mapping[str, Any]
    figure: Markup | None
    link: str
    """The path of the run's own page, relative to this one."""

    @property
    def tone(self) -> str:
        return TONES[self.row["verdict"]]

    @property
    def slug(self) -> str:
        return slug(self.row["verdict"])

    @property
    def p(self) -> str:
        """The p-value, empty where there is none."""
        p = self.row.get("p")
        return "" if p is None or math.isnan(p) else number(p)

    @property
    def time(self) -> str:
        seconds = float(self.row.get("seconds") or 0)
        return f"{number(seconds)} s" if seconds >= _SOME else ""


def slug(text: str) -> str:
    """``text`` in a form for an HTML id."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def title(part: str) -> str:
    """A folder's name as a heading: ``2-activation-functions`` is "2 Activation functions"."""
    digits, _, name = part.partition("-")
    return f"{digits} {name.replace('-', ' ').capitalize()}" if digits.isdigit() and name else part


def write(
    file: Path, heading: str, rows: Sequence[dict[str, Any]], profile: str, provenance: Mapping[str, str]
) -> None:
    """Write the page of ``rows``, with one figure of each from the folder of its run.

    The page lies in a folder beside those of the experiments.
    """
    root = file.parent.parent
    parts = [(slug(part), title(part), [_entry(row, root) for row in group]) for part, group in groups(rows)]
    verdicts = [(slug(name), name, TONES[name], count) for name, count in counts(rows, tuple(TONES)).items() if count]
    page = template("reproduce/ledger").render(
        heading=heading,
        parts=parts,
        verdicts=verdicts,
        count=len(rows),
        chance=by_chance(table(rows)),
        profile=profile,
        provenance=provenance,
    )
    atomic.write(file, page.encode("utf-8", "backslashreplace"))


def _entry(row: dict[str, Any], root: Path) -> Entry:
    if not row.get("run"):
        return Entry(row, None, "")
    run = root / row["run"]
    pictures = sorted((run / store.FIGURES).glob("*.svg"))
    figure = next((svg for svg in pictures if svg.stat().st_size <= _LARGEST), None)
    drawn = None
    if figure is not None:
        caption = Caption(f"f-{slug(row['part'])}-{slug(row['recipe'])}", row["claim"], "", row.get("measured", ""))
        drawn = Markup(themed(figure.read_text("utf-8"), caption))
    link = f"../{row['run']}/{store.PAGE}" if (run / store.PAGE).exists() else ""
    return Entry(row, drawn, link)
