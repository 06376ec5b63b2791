"""The summary: the units that each seed needs, and how they grow with the number of inputs."""

import math
from typing import Any

import numpy as np
import pandas as pd

from dnnlab.compare_arch.shallow_deep import columns as c
from dnnlab.compare_arch.shallow_deep.plan import WIDTHS
from dnnlab.compare_arch.shallow_deep.theory import CLAIMS, sufficient
from dnnlab.compare_arch.spec import Spec
from dnnlab.report.table import fit
from dnnlab.runner.summary import by_configuration, configurations, failed, geometric, measured
from dnnlab.statistics.intervals import ENOUGH, Interval, mean_interval

_NETWORK = ("task", "kind")


def summarise(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per task and kind of network."""
    needed = by_configuration(per_cell(cells, spec), _NETWORK)
    rows = [
        _row(network, group, needed.get(tuple(network.values()))) for network, group in configurations(cells, _NETWORK)
    ]
    return fit(pd.DataFrame(rows), c.SUMMARY)


def per_cell(cells: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """One row per task, kind, size and seed: the hidden units of the narrowest network that solved it. Where none did,
    twice those of the widest.
    """
    rows = []
    for sized, group in configurations(measured(cells), (*_NETWORK, "inputs", "seed")):
        solved = group.loc[group["solved"] == 1, "width"]
        width = int(solved.min()) if len(solved) else 2 * WIDTHS[-1]
        units = width * int(group["depth"].iloc[0])
        rows.append(sized | {"log2_units": float(np.log2(units)), "units": units, "censored": not len(solved)})
    return pd.DataFrame(rows)


def _row(network: dict[str, Any], cells: pd.DataFrame, needed: pd.DataFrame | None) -> dict[str, Any]:
    task, kind = network.values()
    row = network | {"depth": int(cells["depth"].iloc[0]), "claim": CLAIMS[kind], "failed": failed(cells)}
    if needed is None:
        return row | {"seeds": 0, "censored": 0, "verdict": c.UNDECIDED}
    exponential, power = _fits(needed, lambda n: n), _fits(needed, np.log2)
    sizes = np.unique(needed["inputs"].to_numpy(float))
    factor = mean_interval([slope for slope, _ in exponential], _step(sizes))
    exponent = mean_interval([slope for slope, _ in power], _step(np.log2(sizes)))
    medians = needed.groupby("inputs")["units"].quantile(0.5, interpolation="higher")
    known = {int(str(n)): sufficient(task, kind, int(str(n))) for n in medians.index}
    row |= {
        "seeds": needed["seed"].nunique(),
        "needed": _by_inputs(dict(medians)),
        "sufficient": _by_inputs({n: units for n, units in known.items() if units}),
        **geometric(factor, lambda x: 2**x).named("factor"),
        **exponent.named("exponent"),
        "exponential_error": float(np.mean([error for _, error in exponential])),
        "power_error": float(np.mean([error for _, error in power])),
        "censored": int(needed["censored"].sum()),
        "verdict": _verdict(kind, factor, exponent),
    }
    return row


def _fits(needed: pd.DataFrame, of: Any) -> list[tuple[float, float]]:
    """For each seed, the slope and the mean square error of a line through log₂ units over a function of the number of
    inputs."""
    fits = []
    for _, group in needed.groupby("seed"):
        x, y = of(group["inputs"].to_numpy(float)), group["log2_units"].to_numpy()
        slope, start = np.polyfit(x, y, 1)
        fits.append((float(slope), float(np.mean((y - slope * x - start) ** 2))))
    return fits


def _step(x: np.ndarray) -> float:
    """The step in which the slope of a line over ``x`` moves, as the widths that are tried are so far apart."""
    apart = float(np.log2(WIDTHS[-1] / WIDTHS[0])) / (len(WIDTHS) - 1)
    return apart / math.sqrt(float(((x - x.mean()) ** 2).sum()))


def _by_inputs(units: dict[Any, Any]) -> str:
    return ", ".join(f"{n}: {int(count)}" for n, count in units.items())


def _verdict(kind: str, factor: Interval, exponent: Interval) -> str:
    """Whether the interval of the claimed law contains the claimed rate: units double with each bit (in log₂ one), or
    grow as n²."""
    interval, claimed = (factor, 1.0) if kind == "shallow" else (exponent, 2.0)
    if interval.n < ENOUGH:
        return c.UNDECIDED
    if interval.high < claimed:
        return c.SLOWER
    return c.FASTER if interval.low > claimed else c.AS_CLAIMED
