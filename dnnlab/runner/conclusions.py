"""The result of a run in sentences."""

from typing import TYPE_CHECKING

from dnnlab import data as datasets
from dnnlab.data.kinds import KINDS
from dnnlab.errors import listing
from dnnlab.runner.experiment import Spec
from dnnlab.statistics.intervals import ENOUGH

if TYPE_CHECKING:
    import pandas as pd


def conclusions(summary: "pd.DataFrame", spec: Spec) -> list[str]:
    """The experiment's own conclusions from the rows in which something was measured, and whether an accuracy among
    them is one of random labels."""
    measured = summary[spec.question.schema.count] > 0
    known = summary[measured | (summary["failed"] == 0)]
    if known.empty:
        return ["Nothing was measured: every cell failed."]
    return [*spec.question.words.conclusions(known, spec), *_too_few_seeds(known, spec), *_random_labels(known, spec)]


def _too_few_seeds(summary: "pd.DataFrame", spec: Spec) -> list[str]:
    """What is missing for a verdict, where it is seeds."""
    schema = spec.question.schema
    if schema.count != "seeds" or not spec.question.belongs("seeds"):
        return []
    few = summary[(summary["seeds"] > 0) & (summary["seeds"] < ENOUGH)]
    return [f"A verdict takes at least {ENOUGH} seeds that measure something: --seeds {ENOUGH}."] if len(few) else []


def _random_labels(summary: "pd.DataFrame", spec: Spec) -> list[str]:
    """A warning about data sets whose labels are random, where a quantity with an interval is made of accuracies."""
    columns = [c.name for c in spec.question.schema.summary if c.low and "accuracy" in c.name + c.help]
    if "data" not in summary or not columns:
        return []
    told = summary["data"][summary[columns].notna().any(axis=1)].unique()
    # What is no data set is a table of results, such as a benchmark's.
    known = [name for name in told if name and name.partition(":")[0] in KINDS]
    names = [name for name in known if datasets.source(name).kind.random_labels]
    if not names:
        return []
    return [
        f"The labels of {listing(names)} are random: accuracies there are those of guessing, and only the fit to the "
        "training examples means something."
    ]
