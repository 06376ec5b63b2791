"""The summary: each treatment against training from scratch, seed by seed."""

from typing import Any

import pandas as pd

from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import CONFIGURATION
from dnnlab.compare_arch.transfer import columns as c
from dnnlab.report.table import fit
from dnnlab.runner.summary import against, configurations, decided, failed, learned, measured
from dnnlab.statistics.quantity import ACCURACY
from dnnlab.statistics.samples import sample


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per network and treatment."""
    rows: list[dict[str, Any]] = []
    for configuration, group in configurations(cells, CONFIGURATION):
        rows += _rows(configuration, group)
    return fit(pd.DataFrame(rows), c.SUMMARY)


def per_cell(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per cell and treatment."""
    return measured(cells)


def _rows(configuration: dict[str, Any], cells: pd.DataFrame) -> list[dict[str, Any]]:
    treatments = dict(list(measured(cells).groupby("treatment", sort=False)))
    if not treatments:
        return [
            configuration
            | {"treatment": c.SCRATCH, "seeds": 0, "learned": 0, "verdict": c.UNDECIDED, "failed": failed(cells)}
        ]
    rows: list[dict[str, Any]] = []
    for (treatment, group), gain in zip(treatments.items(), against(list(treatments.values()), ACCURACY), strict=True):
        accuracies = sample(group, ACCURACY)
        row = configuration | {
            "treatment": treatment,
            "trained_parameters": int(group["trained_parameters"].iloc[0]),
            "seeds": len(group),
            "source_accuracy": float(group["source_accuracy"].mean()),
            **learned(accuracies),
            **accuracies.interval.named("accuracy"),
            **gain.difference.named("difference"),
            "visible": gain.visible,
            "p": gain.p,
            "verdict": c.REFERENCE if treatment == c.SCRATCH else _VERDICTS[decided(gain)],
            "failed": 0 if rows else failed(cells),
        }
        rows.append(row)
    return rows


_VERDICTS = {None: c.UNDECIDED, 0: c.SAME, 1: c.BETTER, -1: c.WORSE}
