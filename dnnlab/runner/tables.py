"""What a run's journal must hold, and the tables, figures and page that are made from it alone."""

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np
import pandas as pd

from dnnlab.errors import DnnlabError, in_short
from dnnlab.report.columns import Column
from dnnlab.report.table import fit, to_csv
from dnnlab.runner import plan as planning
from dnnlab.runner import store
from dnnlab.runner.experiment import Experiment, Spec
from dnnlab.runner.journal import Entry, Fault, Journal, Rows
from dnnlab.runner.result import Run


def journal_of(spec: Spec, folder: store.Folder, plan: planning.Plan) -> Journal:
    """The journal of the run of ``plan``, which knows what its entries hold."""
    return Journal(folder.path / store.JOURNAL, _fault(plan, spec.question.schema.cells))


def write_tables(
    experiment: Experiment, spec: Spec, folder: store.Folder, plan: planning.Plan, journal: Journal
) -> Run:
    """The run with its tables, from its journal alone. `Run.draw` adds the figures and the page.

    Raises:
        DnnlabError: nothing has been measured yet, or what the journal holds makes no tables.
    """
    schema = spec.question.schema
    with _explained(journal):
        cells = cells_table(schema.cells, plan, journal.entries())
        if cells.empty:
            raise DnnlabError(f"nothing of {folder.path} has been measured yet; run its command again.")
        folder.make_way()
        summary = spec.question.summary.summarise(cells, spec)
        to_csv(cells, schema.cells, folder.path / store.CELLS)
        to_csv(summary, schema.summary, folder.path / store.SUMMARY)

    def draw() -> None:
        from dnnlab.runner.page import write_page  # imports what pages are made with

        with _explained(journal):
            write_page(experiment, spec, folder, cells, summary)

    return Run(folder.path, experiment, spec, draw)


def summary_of(spec: Spec, plan: planning.Plan, journal: Journal) -> pd.DataFrame:
    """The summary of what is in ``journal`` so far; nothing is written.

    Raises:
        DnnlabError: what the journal holds makes no table.
    """
    schema = spec.question.schema
    with _explained(journal):
        cells = cells_table(schema.cells, plan, journal.entries())
        return fit(pd.DataFrame(), schema.summary) if cells.empty else spec.question.summary.summarise(cells, spec)


@contextlib.contextmanager
def _explained(journal: Journal) -> Iterator[None]:
    """What goes wrong where tables, figures and page are made of ``journal``, in one sentence."""
    try:
        yield
    except (DnnlabError, OSError):
        raise
    except Exception as problem:
        raise DnnlabError(
            f"no table can be made of {journal.path} ({in_short(problem)}); restore that file if somebody changed it, "
            "or measure anew beside it with --fresh. If nobody did, this is a fault of dnnlab: please report it."
        ) from problem


def cells_table(columns: Sequence[Column], plan: planning.Plan, entries: Iterable[Entry]) -> pd.DataFrame:
    """The tidy table in the plan's order: the fields of each cell, then its measurements."""
    sizes = {stack.key: len(stack.cells) for stack in plan.stacks}
    floats = {column.name for column in columns if column.dtype is float}
    measured = {entry.stack: _typed(entry, sizes, floats) for entry in entries}
    parts = []
    for stack in plan.stacks:
        numbers = np.array(stack.numbers)
        for name in (*stack.part_names(measured), stack.key):
            if name in measured:
                rows = measured.pop(name)
                parts.append(rows | {"cell": numbers[rows["cell"].astype(int)]})
    if not parts:
        return fit(pd.DataFrame(), columns)
    cell = np.concatenate([part["cell"] for part in parts])
    order = np.argsort(cell, kind="stable")
    rows = {}
    for name in dict.fromkeys(name for part in parts for name in part if name != "cell"):
        # Some stacks may lack a column, such as those that failed.
        kind = float if name in floats else object
        values = [part[name] if name in part else np.full(len(part["cell"]), math.nan, kind) for part in parts]
        rows[name] = np.concatenate(values)[order]
    fields = pd.DataFrame([_fields(each) for each in plan.cells]).take(cell[order]).reset_index(drop=True)
    return fit(fields.join(pd.DataFrame(rows, copy=False)), columns)


def _typed(entry: Entry, sizes: Mapping[str, int], floats: Set[str]) -> dict[str, np.ndarray]:
    """The rows of an entry as arrays. A failed stack has one row per cell, with nothing measured and the reason."""
    failed = {"cell": list(range(sizes.get(entry.stack, 0)))}
    rows: Rows = failed if entry.error else entry.rows or {"cell": []}
    # The column has a known type: pandas would look at every value of a million rows to find one.
    typed = {name: np.array(values, float if name in floats else object) for name, values in rows.items()}
    return {"error": np.full(len(typed["cell"]), entry.error, dtype=object), **typed}


def _fields(cell: Any) -> dict[str, Any]:
    return {name: getattr(cell, name) for name in cell.__dataclass_fields__}


def _fault(plan: planning.Plan, columns: Sequence[Column]) -> Fault:
    """What is wrong with an entry of ``plan`` beside the schema of its table: somebody who changes a journal can mend
    its checksums too, and a table must not be made of cells that do not exist and of text in the place of numbers."""
    sizes = {stack.key: len(stack.cells) for stack in plan.stacks}
    types = {column.name: column.dtype for column in columns}
    known = {"error"}.union(*(cell.__dataclass_fields__ for cell in {type(cell): cell for cell in plan.cells}.values()))

    def fault(entry: Entry) -> str:
        whole, _, part = entry.stack.partition(".")
        if entry.error or not entry.rows or whole not in sizes:
            return ""
        if len({len(values) for values in entry.rows.values()}) > 1:
            return "its columns are of unequal length"
        cells = entry.rows.get("cell")
        if cells is None or any(type(cell) is not int or not 0 <= cell < sizes[whole] for cell in cells):
            return f"its column cell does not number the {sizes[whole]} cells of the stack"
        if not part and len(set(cells)) < sizes[whole]:
            return "it lacks cells of its stack"
        if told := sorted(known & entry.rows.keys()):
            return f"its column {told[0]} is not one that is measured"
        strange = [name for name, values in entry.rows.items() if not _holds(values, types.get(name))]
        return f"its column {strange[0]} holds something else than it should" if strange else ""

    return fault


_LARGEST = {int: 2**63 - 1, float: 2**1023}
"""The largest whole number that a column can hold."""


def _holds(values: Sequence[Any], dtype: type | None) -> bool:
    """Whether a column of ``dtype`` can hold the ``values``; one of no known type holds any text, number or truth."""
    kinds = set(map(type, values)) - {type(None)}
    if dtype is None:
        return kinds <= {str, int, float, bool}
    if dtype is str:
        return kinds <= {str} or all(value is None or type(value) is str or value != value for value in values)
    if dtype is bool:
        return kinds <= {bool} or all(value is None or type(value) is bool or value != value for value in values)
    if not kinds <= {int, float, bool}:
        return False
    if int in kinds and any(abs(value) > _LARGEST[dtype] for value in values if type(value) is int):
        return False
    return dtype is float or all(_is_whole(value) for value in values if type(value) is float)


def _is_whole(value: float) -> bool:
    return math.isnan(value) or (value.is_integer() and abs(value) <= _LARGEST[int])
