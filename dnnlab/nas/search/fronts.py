"""Several objectives: the front of each search, and the share of the box around all results that it covers."""

from typing import Any

import numpy as np
import pandas as pd

from dnnlab.nas.pareto import front, hypervolume
from dnnlab.nas.search import columns as c
from dnnlab.nas.spec import Spec

_COLUMN = {"accuracy": "validation", "parameters": "parameters", "macs": "net_macs", "bytes": "bytes"}
_COLUMN["latency"] = "latency"


def points(rows: pd.DataFrame, spec: Spec) -> np.ndarray:
    """The objectives of trainings ``[row, objective]``, all to be maximised."""
    return np.column_stack(
        [rows[_COLUMN[name]].to_numpy(float) * (1 if name == "accuracy" else -1) for name in spec.objectives]
    )


def scaled(rows: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """The trainings of the searches with columns ``x0``, ``x1``, …: 0 is the worst that anybody found on the data set
    in an objective, and 1 the best."""
    trained = rows[(rows["phase"] == "search") & rows["validation"].notna()].copy()
    values = points(trained, spec)
    for i in range(values.shape[1]):
        trained[f"x{i}"] = values[:, i]
        by_data = trained.groupby("data")[f"x{i}"]
        low, high = by_data.transform("min"), by_data.transform("max")
        trained[f"x{i}"] = ((trained[f"x{i}"] - low) / (high - low)).where(high > low, 1.0)
    return trained


def volumes(search: pd.DataFrame, spec: Spec) -> list[float]:
    """The hypervolume after each training of one search, in the order of its evaluations."""
    values = search.sort_values("evaluation")[[f"x{i}" for i in range(len(spec.objectives))]].to_numpy()
    return [hypervolume(values[: i + 1].tolist(), [0.0] * values.shape[1]) for i in range(len(values))]


def front_rows(rows: pd.DataFrame, spec: Spec) -> dict[Any, dict[str, float]]:
    """The hypervolume and the size of the front of each search."""
    result: dict[Any, dict[str, float]] = {}
    for key, search in scaled(rows, spec).groupby([*c.CONFIGURATION, "seed"], sort=False):
        values = search[[f"x{i}" for i in range(len(spec.objectives))]].to_numpy().tolist()
        volume = hypervolume(values, [0.0] * len(spec.objectives))
        result[key] = {"hypervolume": volume, "front": float(len(front(values)))}
    return result
