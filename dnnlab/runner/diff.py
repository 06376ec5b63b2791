"""Two runs side by side: which rows changed, with intervals."""

import numpy as np
import pandas as pd

from dnnlab.errors import DnnlabError, UsageError
from dnnlab.report.columns import Column, Schema
from dnnlab.report.screen import show
from dnnlab.report.table import to_json
from dnnlab.runner.result import Run
from dnnlab.runner.summary import corrected, decided, factor
from dnnlab.statistics.samples import Sample, compare_independent, sample
from dnnlab.statistics.samples import compare as compare_paired
from dnnlab.terminal import tell

MOVED, SAME, NOT_SHOWN, UNDECIDED = "moved", "same", "no change shown", "undecided"
TONES = {MOVED: "warn", SAME: "good", NOT_SHOWN: "muted", UNDECIDED: "muted"}

COLUMNS = (
    Column("row", str, "the configuration", screen="row"),
    Column("quantity", str, "what is compared", screen="quantity"),
    Column(
        "before",
        float,
        "mean of the first run, over the seeds that learned, and did not collapse; over all where none did",
        screen="before",
    ),
    Column("after", float, "mean of the second run, likewise", screen="after"),
    Column(
        "learned",
        str,
        "where not all seeds of both learned, stayed alive or are above zero: how many, before and after; p is also of "
        "these",
        screen="learned",
    ),
    Column(
        "change",
        float,
        "after - before, seed by seed where both have the seed; after / before of what multiplies, such as a rate",
        screen="change",
        low="lo",
        high="hi",
    ),
    Column("lo", float, "lower end of its 95 % interval"),
    Column("hi", float, "upper end"),
    Column("n", int, "seeds, or pairs of them", screen="n"),
    Column("p", float, "p-value of no change, Holm-corrected for the number of rows", screen="p"),
    Column("visible", float, "the smallest change that so many seeds would have shown with probability .8"),
    Column(
        "verdict",
        str,
        "moved; same, where both have the same numbers; no change shown; or undecided, where fewer than three seeds "
        "can be compared, or where the number and how many seeds learned do not agree",
        screen="verdict",
    ),
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
    tables = [run.seeds for run in (before, after)]
    keys = list(schema.configuration)
    groups = [dict(list(table.groupby(keys, sort=False, dropna=False))) for table in tables]
    common = [key for key in groups[0] if key in groups[1]]
    if not common:
        raise DnnlabError(f"{before.path.name} and {after.path.name} share no configuration.")
    varying = [i for i, name in enumerate(keys) if len({key[i] for key in common}) > 1] or [min(1, len(keys) - 1)]
    together = before.spec.seed == after.spec.seed
    rows, comparisons, equal, scales = [], [], [], []
    for key in common:
        for quantity in schema.compared:
            if not all(quantity.name in group[key] for group in groups):
                continue
            a, b = (sample(group[key], quantity) for group in groups)
            if np.isnan(a.known).all() and np.isnan(b.known).all():
                continue
            comparison = compare_paired(a, b) if together else compare_independent(a, b)
            comparisons.append(comparison)
            equal.append(_equal(a, b))
            difference, told = comparison.difference, factor if quantity.log else float
            scales.append(told)
            rows.append(
                {
                    "row": ", ".join(str(key[i]) for i in varying),
                    "quantity": f"{quantity.name}, as a factor" if quantity.log else quantity.name,
                    "before": told(a.interval.mean),
                    "after": told(b.interval.mean),
                    "learned": "" if a.succeeded.all() and b.succeeded.all() else f"{_learned(a)} → {_learned(b)}",
                    "change": told(difference.mean),
                    "lo": told(difference.low),
                    "hi": told(difference.high),
                    "n": difference.n,
                }
            )
    table = pd.DataFrame(rows, columns=[c.name for c in COLUMNS if c.name not in _OF_ALL])
    comparisons = corrected(comparisons)
    table["p"] = [comparison.p for comparison in comparisons]
    table["visible"] = [told(each.visible) for told, each in zip(scales, comparisons, strict=True)]
    table["verdict"] = [
        SAME if same else _VERDICTS[decided(comparison)] for comparison, same in zip(comparisons, equal, strict=True)
    ]
    return table


def _learned(of: Sample) -> str:
    return f"{int(of.succeeded.sum())} of {len(of)}"


def _equal(a: Sample, b: Sample) -> bool:
    """Whether two samples have the same numbers, seed by seed, or one number for all seeds of both."""
    same = np.array_equal(a.seeds, b.seeds) and np.array_equal(a.known, b.known, equal_nan=True)
    return same or len({*a.known.tolist(), *b.known.tolist()}) == 1


def _kind(schema: Schema) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(schema.configuration), tuple(quantity.name for quantity in schema.compared)


_VERDICTS = {None: UNDECIDED, 0: NOT_SHOWN, 1: MOVED, -1: MOVED}
_OF_ALL = ("p", "visible", "verdict")
"""The columns that need all rows."""


def show_diff(table: pd.DataFrame, as_json: bool) -> None:
    """Print the comparison."""
    if as_json:
        tell(to_json(table))
    else:
        show(table, COLUMNS, "which rows moved", TONES, ("row", "quantity"), ("change", "p"), "--json has everything")
