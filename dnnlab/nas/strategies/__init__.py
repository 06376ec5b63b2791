"""The strategies by name: one small module each.

Importing this package does not import torch.
"""

import functools
import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from dnnlab import installation
from dnnlab.errors import UsageError, unknown
from dnnlab.nas.problem import Problem, Search
from dnnlab.nas.proxy_names import PROXIES

RANDOM, AVERAGE = "random", "average"
"""Random search, and the average architecture: those that random search draws, without selection."""


@dataclass(frozen=True)
class Strategy:
    """A strategy: its module under ``dnnlab.nas.strategies``, and the function there."""

    module: str
    function: str = "search"
    about: str = ""
    several: bool = False
    """Whether it can pursue several objectives."""
    shared: bool = False
    """Whether it trains a supernet; it then needs a space that has one, and data."""
    shorter: bool = False
    """Whether it uses shorter trainings first."""
    optional: str = ""
    """The optional library that it needs; empty where it needs none."""
    proxy: str = ""
    """The zero-cost proxy that is passed to the function beside the problem."""
    epochs: int = 0
    """Epochs of a supernet, passed to the function beside the problem; 0 leaves it to the function."""

    @property
    def search(self) -> Callable[[Problem], Search]:
        """The generator function of the strategy."""
        function: Callable[..., Search] = getattr(
            importlib.import_module(f"dnnlab.nas.strategies.{self.module}"), self.function
        )
        arguments = {name: value for name in ("proxy", "epochs") if (value := getattr(self, name))}
        return functools.partial(function, **arguments) if arguments else function


STRATEGIES: Mapping[str, Strategy] = {
    RANDOM: Strategy("random", about="random search", several=True),
    "evolution": Strategy("evolution", about="regularised evolution (AmoebaNet)", several=True),
    "rl": Strategy("rl", about="a REINFORCE controller (NASNet)"),
    "local": Strategy("local", about="local search with restarts"),
    "darts": Strategy("darts", about="gradients through a supernet (DARTS)", shared=True),
    "oneshot": Strategy("oneshot", about="shared weights, one path at a time", shared=True),
    "halving": Strategy("halving", about="successive halving over epochs", shorter=True),
    "hyperband": Strategy("halving", "hyperband", about="halving that hedges its first epochs", shorter=True),
    "tpe": Strategy("optuna", "tpe", about="tree-structured Parzen estimator", several=True, optional="optuna"),
    "nsga2": Strategy("optuna", "nsga2", about="NSGA-II", several=True, optional="optuna"),
}
PREFILTER, LONGER = "proxy:", "darts:"


def find(name: str) -> Strategy:
    """The strategy called ``name``; ``proxy:NAME`` for random search that a zero-cost proxy prefilters, and
    ``darts:EPOCHS`` for DARTS whose supernets are trained for so many.

    Raises:
        UsageError: there is none.
    """
    if name.startswith(LONGER):
        if not ((epochs := name.removeprefix(LONGER)).isdecimal() and int(epochs)):
            raise UsageError(f"--strategy {name}: epochs are a whole number from 1, such as {LONGER}100.")
        return replace(STRATEGIES["darts"], epochs=int(epochs))
    if name.startswith(PREFILTER):
        if (proxy := name.removeprefix(PREFILTER)) not in PROXIES:
            raise unknown("proxy", proxy, PROXIES)
        return Strategy("prefilter", about=f"random search behind {proxy}", proxy=proxy)
    if name not in STRATEGIES:
        raise unknown("strategy", name, [*STRATEGIES, f"{PREFILTER}NAME", f"{LONGER}EPOCHS"])
    return STRATEGIES[name]


def require(name: str) -> None:
    """Check that the library of an optional strategy is installed.

    Raises:
        UsageError: it is not.
    """
    library = find(name).optional
    if library and importlib.util.find_spec(library) is None:
        raise UsageError(f"--strategy {name} needs {library}; {installation.command_for('nas')}.")


def versions(names: Iterable[str]) -> dict[str, str]:
    """The versions of the optional libraries whose code decides numbers."""
    libraries = {find(name).optional for name in names} - {""}
    return {library: importlib.metadata.version(library) for library in sorted(libraries)}
