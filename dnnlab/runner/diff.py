"""Two runs side by side: which rows changed, with intervals."""

import math

import pandas as pd

from dnnlab.errors import DnnlabError, UsageError
from dnnlab.report.columns import Column, Schema
from dnnlab.report.table import show, to_json
from dnnlab.runner.result import Run
from dnnlab.statistics.intervals import ENOUGH, SIGNIFICANT, Comparison, by_seed, holm, paired, unpaired
from dnnlab.terminal import tell

MOVED, SAME, UNDECIDED = "moved", "same", "undecided"
TONES = {MOVED: "warn", SAME: "good", UNDECIDED: "muted"}

COLUMNS = (
    Column("row", str, "the configuration", screen="row"),
    Column("quantity", str, "what is compared", screen="quantity"),
    Column("before", float, "mean of the first run", screen="before"),
    Column("after", float, "mean of the second run", screen="after"),
    Column(
        "change", float, "after - before, seed by seed where both have the seed", screen="change", low="lo", high="hi"
    ),
    Column("lo", float, "lower end of its 95 % interval"),
    Column("hi", float, "upper end"),
    Column("n", int, "seeds, or pairs of them", screen="n"),
    Column("p", float, "p-value of no change, Holm-corrected for the number of rows", screen="p"),
    Column("verdict", str, "moved, same or undecided", screen="verdict"),
)


def compare(before: Run, after: Run) -> pd.DataFrame:
    """One row per configuration and quantity that both runs measured, with the columns of `COLUMNS`.

    Seeds are paired where the runs have the same base; otherwise the runs are compared as independent. A seed is one
    number: where more was measured of it than the configuration says, such as several sizes of a task, their mean.

    Raises:
        UsageError: the runs answer different questions, whose rows are not of one kind.
        DnnlabError: the runs have no configuration in common.
    """
    schema = before.schema
    if _kind(schema) != _kind(after.schema):
        raise UsageError(
            f"{before.path.name} and {after.path.name} answer different questions, so no row of one is a row of the "
            "other; give two runs of one question."
        )
    tables = [run.spec.question.summary.per_cell(run.cells, run.spec) for run in (before, after)]
    keys = list(schema.configuration)
    groups = [dict(list(table.groupby(keys, sort=False, dropna=False))) for table in tables]
    common = [key for key in groups[0] if key in groups[1]]
    if not common:
        raise DnnlabError(f"{before.path.name} and {after.path.name} share no configuration.")
    varying = [i for i, name in enumerate(keys) if len({key[i] for key in common}) > 1] or [min(1, len(keys) - 1)]
    together = before.spec.seed == after.spec.seed
    rows, comparisons = [], []
    for key in common:
        for quantity in schema.compared:
            a, b = (by_seed(group[key], quantity) for group in groups)
            if a.isna().all() and b.isna().all():
                continue
            comparison = paired(*map(list, a.align(b, join="inner"))) if together else unpaired(list(a), list(b))
            comparisons.append(comparison)
            rows.append(
                {
                    "row": ", ".join(str(key[i]) for i in varying),
                    "quantity": quantity,
                    "before": a.mean(),
                    "after": b.mean(),
                    "change": comparison.difference.mean,
                    "lo": comparison.difference.low,
                    "hi": comparison.difference.high,
                    "n": comparison.difference.n,
                }
            )
    table = pd.DataFrame(rows, columns=[c.name for c in COLUMNS if c.name not in ("p", "verdict")])
    table["p"] = holm([c.p for c in comparisons])
    table["verdict"] = [_verdict(c, p) for c, p in zip(comparisons, table["p"], strict=True)]
    return table


def _kind(schema: Schema) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(schema.configuration), tuple(schema.compared)


def _verdict(comparison: Comparison, p: float) -> str:
    if comparison.difference.n < ENOUGH or math.isnan(p):
        return UNDECIDED
    return MOVED if p < SIGNIFICANT else SAME


def show_diff(table: pd.DataFrame, as_json: bool) -> None:
    """Print the comparison."""
    if as_json:
        tell(to_json(table))
    else:
        show(table, COLUMNS, "which rows moved", TONES)
