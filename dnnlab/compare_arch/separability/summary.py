"""The summary: each layer against the inputs, seed by seed."""

from typing import Any

import pandas as pd

from dnnlab.compare_arch.separability import columns as c
from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import CONFIGURATION
from dnnlab.report.table import fit
from dnnlab.runner.summary import against, configurations, decided, failed, measured
from dnnlab.statistics.samples import sample


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per network and layer."""
    rows: list[dict[str, Any]] = []
    for configuration, group in configurations(cells, CONFIGURATION):
        rows += _rows(configuration, group)
    return fit(pd.DataFrame(rows), c.SUMMARY)


def per_cell(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per cell and layer."""
    return measured(cells)


def _rows(configuration: dict[str, Any], cells: pd.DataFrame) -> list[dict[str, Any]]:
    layers = dict(list(measured(cells).groupby("layer")))
    if not layers:
        return [configuration | {"layer": 0, "seeds": 0, "verdict": c.UNDECIDED, "failed": failed(cells)}]
    rows: list[dict[str, Any]] = []
    for (layer, each), gain in zip(layers.items(), against(list(layers.values()), c.QUANTITIES[0]), strict=True):
        row = configuration | {"layer": layer, "name": each["name"].iloc[0], "features": int(each["features"].iloc[0])}
        row |= {"seeds": each["seed"].nunique(), "failed": 0 if rows else failed(cells)}
        for quantity in c.QUANTITIES:
            row |= sample(each, quantity).interval.named(quantity.name)
        verdict = _VERDICTS[decided(gain)] if layer else c.INPUTS
        told = {"visible": gain.visible, "p": gain.p, "verdict": verdict}
        rows.append(row | gain.difference.named("gain") | told)
    return rows


_VERDICTS = {None: c.UNDECIDED, 0: c.SAME, 1: c.MORE, -1: c.LESS}
