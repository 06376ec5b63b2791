"""The cells: networks, chains and seeds."""

import importlib.util
import itertools
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from dnnlab import installation
from dnnlab.compress.spec import NEEDED, Spec
from dnnlab.errors import UsageError
from dnnlab.runner.experiment import PROCESSES


@dataclass(frozen=True)
class Cell:
    """One network, one chain and one seed; an empty chain is the network itself. Its fields are the first columns of
    ``cells.csv``."""

    arch: str
    data: str
    recipe: str
    """The chain as the option gives it."""
    seed: int

    beside = PROCESSES
    weight = 1.0

    def __str__(self) -> str:
        return f"{self.arch} on {self.data}: {self.recipe or 'as it is'}, seed {self.seed}"

    @property
    def together(self) -> Hashable:
        """Each network is a stack by itself."""
        return self

    @property
    def macs(self) -> float:
        """Multiply–accumulates of training the network; how often a chain trains is not known here."""
        return math.nan


def plan(spec: Spec) -> Sequence[Cell]:
    """The cells: the networks without a chain, then every chain."""
    cells = []
    for network, data in itertools.product(spec.networks, spec.data):
        recipes = ["", *spec.recipes[network, data]]
        cells += [Cell(network, data, recipe, seed) for recipe in recipes for seed in range(spec.seeds)]
    return cells


def fit(spec: Spec) -> Sequence[str]:
    """Check that the optional libraries are installed, and that networks, students, weights, batches and methods fit
    each other and the data. What it gives are notes on what a method leaves as it is.

    Raises:
        UsageError: it is not, or they do not.
    """
    for package in NEEDED:
        if importlib.util.find_spec(package) is None:
            raise UsageError(f"compress needs {package}; {installation.command_for('compress')}.")
    for stage in spec.stages:
        for package, (what, instead) in stage.needs.items():
            if importlib.util.find_spec(package) is None:
                raise UsageError(f"{what} needs {package}; {installation.command(package)}, or take {instead}.")
    from dnnlab.compress.networks import check_fit

    return check_fit(spec)
