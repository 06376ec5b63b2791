"""A table on the screen."""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from dnnlab.report.columns import Column
from dnnlab.report.table import cells, fold
from dnnlab.terminal import one_line, tell

_STYLES = {"good": "green", "bad": "bold red", "warn": "yellow", "muted": "dim"}
ALL = "--all shows everything"
_GAP = 2
"""Spaces between two columns."""
_FEW = 6
"""The most columns that a terminal gets that has no room for all of them, if more are not needed to tell rows apart."""


@dataclass(frozen=True)
class _Part:
    """A column as it is written: its heading, then its cells."""

    column: Column
    texts: list[str]

    @property
    def width(self) -> int:
        return max(map(cell_len, self.texts))


def render(frame: pd.DataFrame, columns: Sequence[Column], title: str, tones: Mapping[str, str]) -> Table:
    """The table for the screen: the columns with a ``screen`` heading, what all rows share in the caption.

    ``tones`` gives words in text cells a tone, "good", "bad", "warn" or "muted". The words stay: colour is
    never the only signal.
    """
    shown, same = fold(frame, [column for column in columns if column.screen])
    return _table(_parts(frame, shown), title, one_line(same), tones)


def show(
    frame: pd.DataFrame,
    columns: Sequence[Column],
    title: str,
    tones: Mapping[str, str],
    names: Sequence[str] = (),
    first: Sequence[str] = (),
    rest: str = ALL,
) -> None:
    """Print the table to stdout: in full and uncoloured where that is no terminal, else as wide as the terminal.

    Args:
        frame: The rows.
        columns: The columns; those with a heading for the screen are shown.
        title: What stands above the table.
        tones: The tones of words, as for `render`.
        names: The columns that tell the rows apart.
        first: The columns that stay first where there is no room for all of them. Those that go are named below the
            table. Without any, all columns stay, and their cells are wrapped.
        rest: What shows those that go, as a sentence.
    """
    piped = not sys.stdout.isatty()
    console = Console(file=sys.stdout)
    kept, notes = _chosen(frame, columns, names, first, math.inf if piped else console.width, rest)
    if piped:
        for line in _laid_out(kept, title, notes, tones):
            tell(line.plain)
    elif _room(kept) <= console.width:
        for line in _laid_out(kept, title, notes, tones):
            console.print(line)
    else:
        table = _table(kept, title, "\n".join(notes), tones)
        if _fit(table, console):
            console.print(table)
        else:
            _print_upright(table, console)


def lines(
    frame: pd.DataFrame,
    columns: Sequence[Column],
    title: str,
    tones: Mapping[str, str],
    names: Sequence[str],
    first: Sequence[str],
    room: int,
) -> list[Text]:
    """The lines of the table that `show` would print on a terminal of ``room`` characters; nothing is wrapped."""
    kept, notes = _chosen(frame, columns, names, first, room, ALL)
    return list(_laid_out(kept, title, notes, tones))


def _chosen(
    frame: pd.DataFrame, columns: Sequence[Column], names: Sequence[str], first: Sequence[str], room: float, rest: str
) -> tuple[list[_Part], list[str]]:
    """The columns that are shown where there are ``room`` characters, and the notes below the table: what all rows
    share, and which columns there was no room for."""
    shown, same = fold(frame, [column for column in columns if column.screen])
    parts = _parts(frame, shown)
    if not first or _room(parts) <= room:
        return parts, [one_line(same)] if same else []
    if len(frame) == 1:  # nothing tells it from others
        same = " · ".join(" ".join(part.texts) for part in parts if part.column.name in names)
        parts = [part for part in parts if part.column.name not in names]
    kept = _most_telling(parts, names, first, room)
    gone = ", ".join(part.column.heading for part in parts if part not in kept)
    said = [one_line(same), f"also there: {gone} ({rest})" if gone else ""]
    return kept, [note for note in said if note]


def _parts(frame: pd.DataFrame, columns: Sequence[Column]) -> list[_Part]:
    return [_Part(column, [one_line(text) for text in (column.heading, *cells(frame, column))]) for column in columns]


def _room(parts: Sequence[_Part]) -> int:
    """The characters that columns take side by side."""
    return sum(part.width + _GAP for part in parts) - _GAP


def _most_telling(parts: Sequence[_Part], names: Sequence[str], first: Sequence[str], room: float) -> list[_Part]:
    """A few columns, in their order: those that tell the rows apart, the verdict, and of the others those ``first``
    ones that fit; one of them even where its cells must be wrapped."""
    kept = [part for part in parts if part.column.name in names or part.column.name == "verdict"]
    others = [part for part in parts if part not in kept]
    others.sort(key=lambda part: first.index(part.column.name) if part.column.name in first else len(first))
    for part in others:
        is_first = part is others[0]
        if is_first or (len(kept) < _FEW and _room([*kept, part]) <= room):
            kept.append(part)
    return [part for part in parts if part in kept]


def _style(column: Column, text: str, tones: Mapping[str, str]) -> str:
    return _STYLES[tones[text]] if column.dtype is str and text in tones else ""


def _table(parts: Sequence[_Part], title: str, caption: str, tones: Mapping[str, str]) -> Table:
    table = Table(
        title=Text(one_line(title), style="bold"),
        title_justify="left",
        caption=Text(caption, style="dim") if caption else None,
        caption_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for part in parts:
        heading, column = part.texts[0], part.column
        table.add_column(Text(heading), justify="left" if column.dtype is str else "right", overflow="fold")
    for row in zip(*(part.texts[1:] for part in parts), strict=True):
        table.add_row(*(Text(text, _style(part.column, text, tones)) for part, text in zip(parts, row, strict=True)))
    return table


def _laid_out(parts: Sequence[_Part], title: str, notes: Sequence[str], tones: Mapping[str, str]) -> Iterator[Text]:
    """The lines of a table that there is room for. Rich would lay out each cell by itself, which takes a millisecond a
    row."""
    yield Text(one_line(title), style="bold")
    for number, row in enumerate(zip(*(part.texts for part in parts), strict=True)):
        line = Text(style="" if number else "bold")
        for part, text in zip(parts, row, strict=True):
            room = " " * (part.width - cell_len(text))
            line.append(" " * _GAP if line else "")
            is_text = part.column.dtype is str
            line.append(
                f"{text}{room}" if is_text else f"{room}{text}", _style(part.column, text, tones) * bool(number)
            )
        yield line
        if not number:
            yield Text("─" * line.cell_len)
    for note in notes:
        yield Text(note, style="dim")


def _print_upright(table: Table, console: Console) -> None:
    """Print one block per row with one line per column, for a terminal that is too narrow for the table."""
    console.print(table.title)
    for row in zip(*(column.cells for column in table.columns), strict=True):
        block = Table.grid(padding=(0, 2))
        block.add_column()
        block.add_column(overflow="fold")
        for column, cell in zip(table.columns, row, strict=True):
            block.add_row(column.header, cell)
        console.print()
        console.print(block)
    if table.caption is not None:
        console.print()
        console.print(table.caption)
    console.print()


def _fit(table: Table, console: Console) -> bool:
    """Set widths such that cells wrap between words, narrow columns last; whether the words fit at all.

    Rich would narrow the widest column first, and break its words while others could still wrap.
    """
    ranges = []
    for column in table.columns:
        parts = [Measurement.get(console, console.options, part) for part in (column.header, *column.cells)]
        ranges.append((max(part.minimum for part in parts), max(part.maximum for part in parts), column))
    ranges.sort(key=lambda each: each[1] - each[0])
    gaps = _GAP * (len(ranges) - 1)
    spare = console.width - gaps - sum(least for least, _, _ in ranges)
    if spare < 0:
        return False
    for position, (least, most, column) in enumerate(ranges):
        extra = min(most - least, spare // (len(ranges) - position))
        column.width = least + extra
        spare -= extra
    return True
