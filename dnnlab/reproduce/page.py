"""The ledger as one page that opens offline: one square for each claim, then one line for each, by verdict, which
opens."""

import itertools
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from dnnlab import atomic
from dnnlab.errors import counted, listing
from dnnlab.report.numbers import number, power_of_ten
from dnnlab.report.page import template
from dnnlab.report.svg import Caption, themed
from dnnlab.reproduce import conditions
from dnnlab.reproduce.columns import FAILED, TONES
from dnnlab.reproduce.conditions import Tested
from dnnlab.reproduce.judge import HOLDS, HOLDS_IF, NOT_DECIDED, NOT_RUN, REFUTED, REPORTED
from dnnlab.reproduce.ledger import by_chance, counts, groups, table
from dnnlab.runner import store

_LARGEST = 100_000
"""The most bytes of a figure on this page; a larger one is on the run's own page."""
_MOST = 1_400_000
"""The most bytes of all figures together; the page itself takes half a million for a hundred claims."""
_SOME = 0.1
"""Seconds from which on a duration is shown."""

MEANINGS = {
    REFUTED: "A condition is contradicted.",
    HOLDS_IF: "Some conditions are met, the others are contradicted or open.",
    NOT_DECIDED: "The numbers leave it open, or a control does not show what it must.",
    REPORTED: "It rests on numbers that others published, which decide nothing by themselves.",
    HOLDS: "All conditions are met.",
    NOT_RUN: "It has no verdict yet, or what it needs is not on this machine.",
    FAILED: "Its experiment failed.",
}
"""The verdicts in the order of the page, each with what it says."""
_OPEN = (NOT_DECIDED, REPORTED)


@dataclass(frozen=True)
class Entry:
    """A row of the ledger as the page shows it."""

    row: Mapping[str, Any]
    id: str
    part: int
    """The number of its part."""
    tested: tuple[Tested, ...]
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
    def circumstances(self) -> str:
        """When it holds, or why it is not decided; where it has no verdict the text of an error, as it is."""
        said = str(self.row["circumstances"])
        return said if self.row["verdict"] in (NOT_RUN, FAILED) else typeset(said)

    @property
    def said(self) -> list[str]:
        """What was measured, number by number; a ledger of an earlier version has it in one text."""
        if self.tested:
            return list(dict.fromkeys(each.said for each in self.tested))
        return [said for said in (self.row.get("measured") or "").split("; ") if said]

    @property
    def telling(self) -> Tested | None:
        """The condition that stands for the others on the claim's line: one that speaks for the verdict, if possible
        one with a picture."""
        verdict = self.row["verdict"]
        met = {REFUTED: False, NOT_DECIDED: None}.get(verdict, True)
        # A control that is not met keeps a claim from being decided, whatever the conditions say.
        unmet = [each for each in self.tested if each.control and each.met is not True and verdict == NOT_DECIDED]
        speaking = [each for each in self.tested if not each.control and each.met is met]
        return min(unmet or speaking or self.tested, key=lambda each: each.picture is None, default=None)

    @property
    def p(self) -> str:
        """The p-value, empty where there is none."""
        p = self.row.get("p")
        return "" if p is None or math.isnan(p) else number(p)

    @property
    def time(self) -> str:
        seconds = float(self.row.get("seconds") or 0)
        return f"{number(seconds)} s" if seconds >= _SOME else ""


@dataclass
class _Figures:
    """The figures of the page. That of a run stands in the file once, however many claims rest on the run."""

    left: int
    """The bytes that are left for figures."""
    drawn: dict[Path, str | None] = field(default_factory=dict)
    """The figure of each run, without words."""

    def of(self, run: Path, caption: Caption) -> Markup | None:
        """The first figure of ``run`` that is small enough; None where there is none, or no room is left."""
        if run in self.drawn:
            known = self.drawn[run]
            return None if known is None else _again(known, caption)
        self.drawn[run] = None
        small = (svg for svg in sorted((run / store.FIGURES).glob("*.svg")) if svg.stat().st_size <= _LARGEST)
        if (file := next(small, None)) is None:
            return None
        root = ET.fromstring(themed(file.read_text("utf-8"), Caption(caption.name, "", "", "")))
        for place, child in enumerate(root):
            if child.tag == "g" and "id" not in child.attrib:
                child.set("id", f"{caption.name}-part{place}")
        bare = ET.tostring(root, encoding="unicode")
        if len(bare.encode()) > self.left:
            return None
        self.left -= len(bare.encode())
        self.drawn[run] = bare
        return _captioned(root, caption)


def _again(drawn: str, caption: Caption) -> Markup:
    """A figure that the page has already, under another ``caption``: it refers to what is drawn there."""
    root = ET.fromstring(drawn)
    parts = [child.attrib["id"] for child in root if child.tag == "g"]
    for child in list(root):
        if child.tag not in ("title", "desc"):
            root.remove(child)
    for part in parts:
        ET.SubElement(root, "use", href=f"#{part}")
    return _captioned(root, caption)


def _captioned(root: ET.Element, caption: Caption) -> Markup:
    """A figure whose title and description are those of ``caption``."""
    words = {"title": caption.title, "desc": caption.alt}
    for child in root:
        if child.tag in words:
            child.text, child.attrib["id"] = words[child.tag], f"{caption.name}-{child.tag}"
    root.attrib |= {"aria-labelledby": f"{caption.name}-title", "aria-describedby": f"{caption.name}-desc"}
    return Markup(ET.tostring(root, encoding="unicode"))


def slug(text: str) -> str:
    """``text`` in a form for an HTML id."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def title(part: str) -> str:
    """A folder's name as a heading: ``2-activation-functions`` is "2 Activation functions"."""
    digits, _, name = part.partition("-")
    return f"{digits} {name.replace('-', ' ').capitalize()}" if digits.isdigit() and name else part


def finding(tally: Mapping[str, int]) -> str:
    """How many claims there are and how many of them hold, in a few words: the title of the page."""
    open_ = sum(tally[verdict] for verdict in _OPEN)
    told = [
        (tally[HOLDS], "holds", "hold"),
        (tally[HOLDS_IF], HOLDS_IF, HOLDS_IF.replace("holds", "hold")),
        (tally[REFUTED], "is refuted", "are refuted"),
        (open_, "is open", "are open"),
        (tally[NOT_RUN], "was not run", "were not run"),
        (tally[FAILED], "failed", "failed"),
    ]
    said = [f"{count} {one if count == 1 else several}" for count, one, several in told if count]
    words = f"{counted(sum(tally.values()), 'claim')}: {listing(said or ['none was asked for'])}"
    return words.replace(" …", "\N{NO-BREAK SPACE}…")  # the dots of "hold if …" begin no line


_POWER = re.compile(r"(?<![\w.])(-?\d+(?:\.\d+)?)e([+-]?\d+)(?![\w.])")
_NEGATIVE = re.compile(r"(?<![\w.)\]-])-(?=\d)")


def typeset(text: str) -> str:
    """``text`` with its numbers as people write them: 6.72·10⁻¹⁷ for ``6.72e-17``, −0.5 for ``-0.5``, and a zero
    without spread without an interval."""
    powers = _POWER.sub(lambda found: f"{found[1]}·{power_of_ten(int(found[2]))}", text)
    return _NEGATIVE.sub("−", powers).replace(" 0 [0, 0]", " 0")


_JOINT = re.compile(r"(?<=[:,=/_.])(?=[A-Za-z'])")


def breakable(text: str) -> Markup:
    """``text`` that a browser may also break inside names such as ``mlp3:width=0.25,act=relu``, between their parts."""
    return Markup("<wbr>").join(_JOINT.split(text))


def write(
    file: Path, heading: str, rows: Sequence[dict[str, Any]], profile: str, provenance: Mapping[str, str]
) -> None:
    """Write the page of ``rows``, with one figure of each from the folder of its run, as far as there is room.

    The page lies in a folder beside those of the experiments.
    """
    parts = [part for part, _ in groups(rows)]
    tally = counts(rows, tuple(MEANINGS))
    entries = list(_entries(rows, parts, file.parent.parent))
    page = template("reproduce/ledger").render(
        heading=heading,
        finding=finding(tally),
        groups=[
            (slug(name), name, TONES[name], meaning, [entry for entry in entries if entry.row["verdict"] == name])
            for name, meaning in MEANINGS.items()
            if tally[name]
        ],
        parts=[(title(part), sum(row["part"] == part for row in rows)) for part in parts],
        empty=[
            (slug(name), part)
            for name, part in itertools.product(MEANINGS, range(len(parts)))
            if tally[name] and not any(entry.row["verdict"] == name and entry.part == part for entry in entries)
        ],
        count=len(rows),
        chance=typeset(by_chance(table(rows))),
        profile=profile,
        provenance=provenance,
        example=Tested("", True, "", False, 0.4, 0.3, 0.5, None, 0.6).picture,
        typeset=typeset,
        breakable=breakable,
        size=(conditions.WIDTH, conditions.HEIGHT),
    )
    atomic.write(file, page.encode("utf-8", "backslashreplace"))


def _entries(rows: Sequence[dict[str, Any]], parts: Sequence[str], root: Path) -> Iterable[Entry]:
    """The rows in the order of the page, by verdict."""
    figures, ids, order = _Figures(_MOST), set[str](), list(MEANINGS)
    for row in sorted(rows, key=lambda row: order.index(row["verdict"])):
        # Recipes of two folders may have the same name, and any characters in it.
        name = f"c-{slug(row['part'])}-{slug(row['recipe'])}"
        id_ = next(each for n in itertools.count(1) if (each := name if n == 1 else f"{name}-{n}") not in ids)
        ids.add(id_)
        run = root / row["run"] if row.get("run") else None
        there = run is not None and (run / store.PAGE).exists()
        caption = Caption(f"f{len(ids)}", row["claim"], "", typeset(row.get("measured") or ""))
        yield Entry(
            row,
            id_,
            parts.index(row["part"]),
            conditions.read(row.get("conditions") or ""),
            None if run is None else figures.of(run, caption),
            f"../{quote(row['run'], safe='/+,=')}/{store.PAGE}" if there else "",
        )
