"""The result of a run in sentences."""

from pathlib import Path
from typing import TYPE_CHECKING

from dnnlab import data as datasets
from dnnlab.data.kinds import KINDS
from dnnlab.errors import listing
from dnnlab.report.advice import Advice
from dnnlab.runner.experiment import Spec
from dnnlab.statistics.intervals import ENOUGH

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd


def headline(summary: "pd.DataFrame", spec: Spec) -> str:
    """The finding in a few words, and of how many rows nothing was measured."""
    known = _known(summary, spec)
    if known.empty:
        return "Nothing was measured"
    lost = len(summary) - len(known)
    said: str = spec.question.words.headline(known, spec)
    return f"{said}; {lost} of {len(summary)} rows failed" if lost else said


def conclusions(summary: "pd.DataFrame", spec: Spec) -> list[str]:
    """The experiment's own conclusions from the rows in which something was measured, and whether an accuracy among
    them is one of random labels."""
    known = _known(summary, spec)
    if known.empty:
        return ["Nothing was measured: every cell failed."]
    return [*spec.question.words.conclusions(known, spec), *_too_few_seeds(spec), *_random_labels(known, spec)]


def advice(cells: "Callable[[], pd.DataFrame]", summary: "pd.DataFrame", spec: Spec, folder: Path) -> Advice | None:
    """What to do, of a question that has such advice and if what was measured says so; ``folder`` is that of the run.
    ``cells`` gives its measurements, which are read only where they are asked for: there may be millions of rows."""
    known = _known(summary, spec)
    function = getattr(spec.question.words, "advice", None)
    return None if known.empty or function is None else function(cells, known, spec, folder)


def _known(summary: "pd.DataFrame", spec: Spec) -> "pd.DataFrame":
    """The rows in which something was measured."""
    measured = summary[spec.question.schema.count] > 0
    return summary[measured | (summary["failed"] == 0)]


def _too_few_seeds(spec: Spec) -> list[str]:
    """What is missing for a verdict, where it is seeds."""
    schema = spec.question.schema
    asked = getattr(spec, "seeds", ENOUGH) if schema.count == "seeds" and spec.question.belongs("seeds") else ENOUGH
    return [f"A verdict takes at least {ENOUGH} seeds: --seeds {ENOUGH}."] if asked < ENOUGH else []


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
