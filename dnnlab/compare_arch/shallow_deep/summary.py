"""Rows to table: the units each seed needs, and how they grow with the number of inputs."""

from typing import Any

import numpy as np
import pandas as pd

from dnnlab.compare_arch.shallow_deep import columns as c
from dnnlab.compare_arch.shallow_deep.plan import WIDTHS
from dnnlab.compare_arch.shallow_deep.theory import CLAIMS, sufficient
from dnnlab.report.table import fit
from dnnlab.statistics.intervals import ENOUGH, Interval, mean_interval


def summarise(cells: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """One row a task and kind of network."""
    units = per_cell(cells, spec)
    rows = []
    for (task, kind), own in cells.groupby(["task", "kind"], sort=False):
        needed = units[(units["task"] == task) & (units["kind"] == kind)]
        rows.append(_row(str(task), str(kind), own, needed))
    return fit(pd.DataFrame(rows), c.SUMMARY)


def per_cell(cells: pd.DataFrame, spec: Any) -> pd.DataFrame:
    """One row a task, kind, size and seed: the hidden units of the narrowest network that solved it.

    Where none did, twice those of the widest.
    """
    rows = []
    measured = cells[cells["error"] == ""]
    for (task, kind, inputs, seed), own in measured.groupby(["task", "kind", "inputs", "seed"], sort=False):
        solved = own.loc[own["solved"] == 1, "width"]
        width = int(solved.min()) if len(solved) else 2 * WIDTHS[-1]
        units = width * int(own["depth"].iloc[0])
        rows.append({"task": task, "kind": kind, "inputs": inputs, "seed": seed, "log2_units": float(np.log2(units)),
                     "units": units, "censored": not len(solved)})  # fmt: skip
    return pd.DataFrame(rows)


def _row(task: str, kind: str, cells: pd.DataFrame, needed: pd.DataFrame) -> dict[str, Any]:
    failed = int((cells["error"] != "").sum())
    row = {"task": task, "kind": kind, "depth": int(cells["depth"].iloc[0]), "claim": CLAIMS[kind], "failed": failed}
    if needed.empty:
        return row | {"seeds": 0, "censored": 0, "verdict": c.UNDECIDED}
    exponential, power = _fits(needed, lambda n: n), _fits(needed, np.log2)
    factor = mean_interval([slope for slope, _ in exponential])
    exponent = mean_interval([slope for slope, _ in power])
    medians = needed.groupby("inputs")["units"].quantile(0.5, interpolation="higher")
    known = {int(str(n)): sufficient(task, kind, int(str(n))) for n in medians.index}
    row |= {
        "seeds": needed["seed"].nunique(),
        "needed": _by_inputs(dict(medians)),
        "sufficient": _by_inputs({n: units for n, units in known.items() if units}),
        "factor": 2**factor.mean,
        "factor_lo": 2**factor.low,
        "factor_hi": 2**factor.high,
        "exponent": exponent.mean,
        "exponent_lo": exponent.low,
        "exponent_hi": exponent.high,
        "exponential_error": float(np.mean([error for _, error in exponential])),
        "power_error": float(np.mean([error for _, error in power])),
        "censored": int(needed["censored"].sum()),
        "verdict": _verdict(kind, factor, exponent),
    }
    return row


def _fits(needed: pd.DataFrame, of: Any) -> list[tuple[float, float]]:
    """Of each seed: slope and mean square error of log₂ units over a function of the number of inputs."""
    found = []
    for _, own in needed.groupby("seed"):
        x, y = of(own["inputs"].to_numpy(float)), own["log2_units"].to_numpy()
        slope, start = np.polyfit(x, y, 1)
        found.append((float(slope), float(np.mean((y - slope * x - start) ** 2))))
    return found


def _by_inputs(units: dict[Any, Any]) -> str:
    return ", ".join(f"{n}: {int(count)}" for n, count in units.items())


def _verdict(kind: str, factor: Interval, exponent: Interval) -> str:
    """Whether the interval of the claimed law holds the claimed rate: 2 a bit, in log₂ one; or n²."""
    interval, claimed = (factor, 1.0) if kind == "shallow" else (exponent, 2.0)
    if interval.n < ENOUGH:
        return c.UNDECIDED
    if interval.high < claimed:
        return c.SLOWER
    return c.FASTER if interval.low > claimed else c.AS_CLAIMED
