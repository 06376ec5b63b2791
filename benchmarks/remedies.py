"""Whether the remedies that gradient-flow recommends heal: each recommended command is run on other seeds.

python -m benchmarks.remedies [NETWORKS]

Unhealthy networks are drawn by chance, a hundred if not told otherwise. A network is healthy where the whole interval
of its rate lies within limits, and on other seeds the interval is another. So beside the number of networks that are
not healthy on the other seeds stands the number that chance leads to expect. The exit code is 1 where chance gives as
many with a probability under 1 in 1000.
"""

import math
import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import typer

from dnnlab.cli import app
from dnnlab.gradient_flow.columns import DEAD, EXPLODING, HEALTHY, VANISHING
from dnnlab.gradient_flow.spec import Spec
from dnnlab.gradient_flow.summary import UNHEALTHY
from dnnlab.registry import EXPERIMENTS
from dnnlab.report.table import estimate
from dnnlab.runner.options import CommandLineList, build, fields
from dnnlab.runner.run import tabulate
from dnnlab.runner.run_options import RunOptions

BASES: dict[str, list[Any]] = {
    "act": ["sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "selu", "swish", "gelu", "relu*5+tanh*5"],
    "init": ["torch", "xavier", "he", "lecun", "orthogonal", "normal:0.05", "normal:0.2"],
    "norm": ["none", "none", "layer", "batch"],
    "skip": ["none", "none", "residual", "highway", "dense"],
    "depth": [10, 20, 30, 50],
    "width": [16, 32, 64, 128],
    "data": ["digits", "gaussian"],
    "batch_size": [32, 128],
    "dropout": [0.0, 0.0, 0.0, 0.2],
    "seeds": [3, 5, 10],
}
"""What a network is drawn from, option by option."""


def networks(rng: np.random.Generator) -> Iterator[Spec]:
    """Networks without end; a sequence of activations has the depth that it is written for."""
    while True:
        options = {name: values[rng.integers(len(values))] for name, values in BASES.items()}
        if "+" in options["act"]:
            options["depth"] = 10
        yield build(Spec, options)


def measured(spec: Spec) -> pd.Series:
    """The only row of a run's summary."""
    with tempfile.TemporaryDirectory() as folder:
        how = RunOptions(out=Path(folder), quiet=True, engine="inline")
        return tabulate(EXPERIMENTS["gradient-flow"], spec, how, "dnnlab gradient-flow").summary.iloc[0]


def parsed(command: str) -> Spec:
    """The options of a command, as the command line reads them."""
    program, name, *arguments = shlex.split(command)
    assert (program, name) == ("dnnlab", "gradient-flow")
    reader = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    known = {field.name for field in fields(Spec)}
    given = reader.make_context(name, arguments).params
    return build(Spec, {k: CommandLineList(v) if isinstance(v, list) else v for k, v in given.items() if k in known})


def chance_of_another_verdict(row: pd.Series, rng: np.random.Generator, draws: int = 4000) -> float:
    """The probability that so many other seeds give an interval that is not within the limits, if seeds are normal.

    The mean and the variance of the seeds are not known but estimated from ``row``, which is part of the chance.
    """
    from scipy.stats import t

    n, limit = int(row["seeds"]), UNHEALTHY / (row["depth"] - 1)
    middle, low, high = (math.log(row[name]) for name in ("rate", "rate_lo", "rate_hi"))
    quantile = t.ppf(0.975, n - 1)
    error = (high - low) / 2 / quantile
    variance = error**2 * (n - 1) / rng.chisquare(n - 1, draws)
    mean = middle + np.sqrt(2 * variance) * rng.standard_normal(draws)
    half = quantile * np.sqrt(variance * rng.chisquare(n - 1, draws) / (n - 1))
    return float(np.mean(np.abs(mean) + half > limit))


def main(wanted: int) -> int:
    """Print a line for each recommended remedy that fails on other seeds, and their number."""
    rng = np.random.default_rng(0)
    ill = tried = lines = 0
    failures: list[str] = []
    chances: list[float] = []
    for spec in networks(rng):
        if ill == wanted:
            break
        tried += 1
        row = measured(spec)
        if row["verdict"] not in (VANISHING, EXPLODING, DEAD):
            continue
        ill += 1
        for command in filter(None, row["remedy_command"].split("; ")):
            other = parsed(command)
            again, fresh = measured(other), measured(replace(other, seed=1))
            assert again["verdict"] == HEALTHY, command  # on the same seeds it is what was printed
            lines += 1
            chances.append(chance_of_another_verdict(again, rng))
            if fresh["verdict"] != HEALTHY:
                failures.append(command)
                rates = [estimate(each["rate"], each["rate_lo"], each["rate_hi"]) for each in (again, fresh)]
                print(f"{fresh['verdict']}: rate {rates[0]}, then {rates[1]}: {command}", flush=True)
    draws = (rng.random((20_000, len(chances))) < np.array(chances)).sum(1)
    p = float(np.mean(draws >= len(failures)))
    print(
        f"{ill} unhealthy of {tried} networks; {lines} recommended commands, {lines - len(failures)} of them healthy "
        f"on other seeds and {len(failures)} not, where chance leads to expect {sum(chances):.1f} (p {p:.3g})"
    )
    return int(p < 0.001)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
