"""The summary: between which widths each seed's need lies, and how it grows with the number of inputs."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from dnnlab.compare_arch.shallow_deep import columns as c
from dnnlab.compare_arch.shallow_deep.theory import CLAIMED, CLAIMS, RATE, SLACK, fits_better, sufficient
from dnnlab.compare_arch.spec import Spec
from dnnlab.report.table import fit
from dnnlab.runner.summary import by_configuration, configurations, failed, geometric, measured
from dnnlab.statistics.censored import Line, censored_line
from dnnlab.statistics.intervals import ENOUGH, Interval

_NETWORK = ("task", "kind")
_LAWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"exponential": lambda n: n, "power": np.log2}
"""What log₂ units are a line over."""


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per task and kind of network."""
    needed = by_configuration(per_cell(cells, spec), _NETWORK)
    rows = [
        _row(network, group, needed.get(tuple(network.values()))) for network, group in configurations(cells, _NETWORK)
    ]
    return fit(pd.DataFrame(rows), c.SUMMARY)


def per_cell(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per task, kind, size and seed: the hidden units of the narrowest network that solved it, ``units``, which
    is infinite where none did; and between which bounds what it needs lies, in log₂ units, with all steps and with half
    of them. ``log2_units`` is the middle; nan where nothing bounds it above.
    """
    rows = []
    for sized, group in configurations(measured(cells), (*_NETWORK, "inputs", "seed")):
        depth = int(group["depth"].iloc[0])
        width, solved = group["width"].to_numpy(float), group["solved"].to_numpy(float) == 1
        early = solved & (group["steps"].to_numpy(float) <= group["most_steps"].to_numpy(float) / 2)
        (failing, enough), (half_failing, half_enough) = _bounds(width, solved), _bounds(width, early)
        low, high, half_low, half_high = _log2(depth * np.array([failing, enough, half_failing, half_enough]))
        middle = (low + high) / 2 if failing else high
        rows.append(
            sized
            | {"log2_units": middle if math.isfinite(middle) else math.nan, "units": depth * enough}
            | {"low": low, "high": high, "half_low": half_low, "half_high": half_high}
            | {"censored": math.isinf(enough), "late": enough < half_enough}
            | {"unended": bool((group["ended"].to_numpy(float)[width == failing] == 0).any())}
        )
    return pd.DataFrame(rows)


def _bounds(width: np.ndarray, solved: np.ndarray) -> tuple[float, float]:
    """The widest that failed below the narrowest that solved, 0 where there is none, and the narrowest that solved,
    infinite where there is none."""
    enough = float(width[solved].min(initial=math.inf))
    return float(width[width < enough].max(initial=0)), enough


def _log2(values: np.ndarray) -> list[float]:
    with np.errstate(divide="ignore"):
        return [float(x) for x in np.log2(values)]


def _row(network: dict[str, Any], cells: pd.DataFrame, needed: pd.DataFrame | None) -> dict[str, Any]:
    task, kind = network.values()
    depth = int(cells["depth"].iloc[0])
    row = network | {"depth": depth, "claim": CLAIMS[kind], "failed": failed(cells)}
    if needed is None:
        return row | {"seeds": 0, "training": c.UNDECIDED, "verdict": c.UNDECIDED, "censored": 0, "late": 0,
                      "unended": 0}  # fmt: skip
    laws = {name: _line(needed, x, "low", "high") for name, x in _LAWS.items()}
    halves = {name: _line(needed, x, "half_low", "half_high").slope.mean for name, x in _LAWS.items()}
    factor, exponent = laws["exponential"].slope, laws["power"].slope
    training = _training(factor, halves["exponential"], exponent, halves["power"])
    medians = needed.groupby("inputs")["units"].quantile(0.5, interpolation="higher")
    known = {int(str(n)): sufficient(task, int(str(n)), depth) for n in medians.index}
    widest = depth * int(cells["width"].max())
    better = fits_better(laws["exponential"].likelihood, laws["power"].likelihood)
    return row | {
        "seeds": needed["seed"].nunique(),
        "needed": _by_inputs({n: f"> {widest}" if math.isinf(units) else int(units) for n, units in medians.items()}),
        "sufficient": _by_inputs({n: units for n, units in known.items() if units}),
        **geometric(factor, lambda x: 2**x).named("factor"),
        **exponent.named("exponent"),
        "freedom": laws["exponential"].freedom or math.nan,
        **{f"{name}_likelihood": line.likelihood for name, line in laws.items()},
        "half_factor": 2 ** halves["exponential"],
        "half_exponent": halves["power"],
        "training": training,
        "late": int(needed["late"].sum()),
        "unended": int(needed["unended"].sum()),
        "censored": int(needed["censored"].sum()),
        "verdict": _verdict(kind, factor, exponent, better) if training == c.ENDED else c.UNDECIDED,
    }


def _line(needed: pd.DataFrame, of: Callable[[np.ndarray], np.ndarray], low: str, high: str) -> Line:
    """The line through what seeds need, in log₂ units, over a function of the number of inputs."""
    x = of(needed["inputs"].to_numpy(float))
    return censored_line(x, needed[low].to_numpy(float), needed[high].to_numpy(float), needed["seed"].nunique())


def _training(factor: Interval, half_factor: float, exponent: Interval, half_exponent: float) -> str:
    """Whether half of the steps give a factor and an exponent, in log₂, that lie inside the intervals."""
    if math.isnan(factor.low) or math.isnan(exponent.low):
        return c.UNDECIDED
    inside = factor.low <= half_factor <= factor.high and exponent.low <= half_exponent <= exponent.high
    return c.ENDED if inside else c.NOT_ENDED


def _by_inputs(units: dict[Any, Any]) -> str:
    return ", ".join(f"{n}: {count}" for n, count in units.items())


def _verdict(kind: str, factor: Interval, exponent: Interval, better: str | None) -> str:
    """Whether the whole interval of the claimed law, whose ``factor`` is in log₂, lies within `SLACK` of `RATE`, below
    or above; else undecided, as where it lies within and the other law fits ``better``."""
    interval = geometric(factor, lambda x: 2**x) if kind == "shallow" else exponent
    least, most = RATE * (1 - SLACK), RATE * (1 + SLACK)
    if interval.n < ENOUGH:
        return c.UNDECIDED
    if interval.high < least:
        return c.SLOWER
    if interval.low > most:
        return c.FASTER
    within = least <= interval.low and interval.high <= most
    return c.AS_CLAIMED if within and better in (None, CLAIMED[kind]) else c.UNDECIDED
