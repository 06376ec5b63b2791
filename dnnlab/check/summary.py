"""Makes the summary of statements, each with its verdict."""

import pandas as pd

from dnnlab.check import columns as c
from dnnlab.check import language
from dnnlab.check.names import HELP, PUBLISHED
from dnnlab.check.spec import Spec
from dnnlab.report.table import fit
from dnnlab.runner.summary import has_error

_VERDICTS = {1.0: c.HOLDS, 0.0: c.REFUTED}


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per statement, with its verdict."""
    failed = has_error(cells)
    verdicts = [_VERDICTS.get(true, c.UNDECIDED) for true in cells["true"]]
    sources = [_source(statement) for statement in cells["statement"]]
    table = cells.assign(n=(~failed).astype(int), failed=failed.astype(int), verdict=verdicts, source=sources)
    return fit(table, c.SUMMARY)


def _source(statement: str) -> str:
    """Whether a statement is arithmetic or rests on what others reported."""
    return c.REPORTED if language.parse(statement, HELP).functions & PUBLISHED else c.COMPUTED


def per_cell(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """The statements that were decided; there are no seeds to compare by."""
    return cells[cells["left"].notna()].assign(seed=0)
