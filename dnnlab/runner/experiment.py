"""The interface of an experiment: its options, and its questions, each a package of modules with agreed names.

A new experiment is a package with ``spec.py`` and one line in `dnnlab.registry`. A new question is a package with
``columns.py``, ``plan.py``, ``measure.py``, ``summary.py``, ``words.py`` and ``figures.py``, and one entry in
``QUESTIONS`` of its experiment's ``spec.py``.
"""

import dataclasses
import importlib
import importlib.util
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

from dnnlab import data as datasets
from dnnlab.errors import UsageError
from dnnlab.runner.journal import Rows

if TYPE_CHECKING:
    import pandas as pd

    from dnnlab.report.columns import Schema
    from dnnlab.report.figures import Picture


@dataclass(frozen=True)
class Spec:
    """The base of the options of an experiment: all options that together decide the numbers (`runner.options`)."""

    @property
    def device(self) -> str:
        """The device to measure on, as ``--device`` names it."""
        raise NotImplementedError

    @property
    def seed(self) -> int:
        """The base of the seeds."""
        raise NotImplementedError

    @property
    def question(self) -> "Question":
        """The question of the experiment that the options ask."""
        raise NotImplementedError

    @property
    def settled(self) -> Self:
        """The options, with the values that are meant by those that were left open."""
        return self

    def validate(self) -> None:
        """Check that the options fit each other.

        Raises:
            UsageError: they do not.
        """
        self.question.refuse_others(self)
        self._planned("validate")

    def plan(self) -> Sequence["Cell"]:
        """The cells, in the order of the tables."""
        return self.question.plan.plan(self.settled)

    def content(self) -> Mapping[str, str]:
        """Digests of everything outside dnnlab that can change the numbers: data, models, weights."""
        return self._planned("content") or {}

    def fit(self) -> Sequence[str]:
        """Check that the options fit the data and the user's network. It is called once, before anything is measured,
        and may take some seconds. What it gives are notes: what will be otherwise than one may expect.

        Raises:
            UsageError: they do not.
        """
        return self._planned("fit") or ()

    def _planned(self, name: str) -> Any:
        """The result of the function ``name`` of the question's ``plan.py``; None where it has none."""
        function = getattr(self.question.plan, name, None)
        if function is None:
            return None
        with datasets.read_once():
            return function(self.settled)


ALONE = "alone"
"""With all threads of the machine and nothing beside it: for what is timed, and for large products."""
PROCESSES = "processes"
"""Beside others in processes of their own, with a share of the machine's threads each."""
THREADS = "threads"
"""Beside others in threads of this process, with one thread each. For what draws nothing from PyTorch's own stream of
random numbers, reports progress at every step, and does not come in parts."""


class Cell(Protocol):
    """One configuration and one seed: a frozen dataclass whose fields are the first columns of ``cells.csv``."""

    @property
    def together(self) -> Hashable:
        """The key of a stack: cells for which it is equal can share one tensor program."""

    @property
    def weight(self) -> float:
        """The share of a stack that the cell takes; a stack is full at 1."""

    @property
    def macs(self) -> float:
        """Multiply–accumulates that it will take, roughly; nan where unknown."""

    # A cell whose network may be larger than the memory has ``bytes``: the least that one step of it takes.

    @property
    def beside(self) -> str:
        """Where its stack is measured on a CPU: `ALONE`, in `THREADS` or in `PROCESSES`."""


class SpecModule(Protocol):
    """``spec.py``, which imports nothing heavy. ``HELP`` is the command's help text, with examples."""

    Spec: type[Spec]
    HELP: str
    QUESTIONS: "Sequence[Question]"
    """All questions of the experiment, the default first."""


class PlanModule(Protocol):
    """``plan.py``: the cells of a question.

    It may also have ``validate``, ``content`` and ``fit``, which say what the methods of `Spec` of these names do; a
    question without ``content`` takes no data. All of them are given the settled spec.
    """

    def plan(self, spec: Spec) -> Sequence["Cell"]:
        """The cells, in the order of the tables."""


class ColumnsModule(Protocol):
    """``columns.py``: the typed, documented schema of the files, called ``SCHEMA``."""


class MeasureModule(Protocol):
    """``measure.py``: the measurement.

    ``steps(cells, spec, device, place, past) -> Iterator[Rows]``: the rows of the ``cells`` in parts, each in the
    journal before the next is asked for. ``past`` are the parts that an interrupted session left, in order: their
    content is taken instead of measured, and the parts after them are yielded. `runner.place.Place` says where
    files go. As such parts report no progress, there is ``foresee(cells, spec, device) -> float`` too: about how many
    seconds all ``cells`` take; and ``describe_part(rows) -> str``: the content of a part in words.
    """

    foresee: Callable[[Sequence[Any], Spec, str], float]
    describe_part: Callable[[Rows], str]

    def measure(self, cells: Sequence[Any], spec: Spec, device: str, progress: Callable[[float], None]) -> Rows:
        """The rows of the ``cells``, which are one stack; reports progress from 0 to 1."""


class SummaryModule(Protocol):
    """``summary.py``: from rows to a table."""

    def summarise(self, cells: "pd.DataFrame", spec: Spec) -> "pd.DataFrame":
        """One row per configuration, in the order of the plan, with intervals, theory and verdict."""

    def per_cell(self, cells: "pd.DataFrame", spec: Spec) -> "pd.DataFrame":
        """One row per cell: its configuration, its seed and the quantities by which runs are compared."""


class WordsModule(Protocol):
    """``words.py``: from a table to sentences, without torch.

    A question whose runs show what helps also has ``advice(cells, summary, spec, folder) -> Advice | None``: the best
    that was measured in the run in ``folder``, which the page shows first; None where nothing is shown to help. Calling
    ``cells`` reads the measurements.
    """

    def headline(self, summary: "pd.DataFrame", spec: Spec) -> str:
        """The finding in a few words, without a full stop: the title of the page and of the table on the screen."""

    def conclusions(self, summary: "pd.DataFrame", spec: Spec) -> Sequence[str]:
        """The result in sentences, which stand at the top of the page and below the table on the screen."""


class FiguresModule(Protocol):
    """``figures.py``: from a table to figures."""

    def draw(self, cells: "pd.DataFrame", summary: "pd.DataFrame", spec: Spec) -> Sequence["Picture"]:
        """The figures, in the order of the page."""


class ArtifactsModule(Protocol):
    """``artifacts.py``: writes models to a place that the user names, in experiments that can do so."""

    def write(self, spec: Spec) -> Sequence[str]:
        """Write the files that the options ask for, also for a run that is finished, and give one sentence about
        each."""


class CatalogueModule(Protocol):
    """``catalogue.py``: lists things by name that a user may want to see first, in experiments that have such."""

    def is_requested(self, spec: Spec) -> bool:
        """Whether the options ask for the list, so that nothing is measured."""

    def show(self, as_json: bool) -> None:
        """Print the list to stdout."""


@dataclass(frozen=True)
class Question:
    """One of an experiment's questions: a package, whose modules are imported when they are needed."""

    package: str
    asked_by: str = ""
    """The option that asks it, such as ``--born``; empty for the default question."""
    takes: frozenset[str] | None = None
    """The names of the options that belong to it; all options where it is None."""
    leaves: frozenset[str] = frozenset()
    """The names of the options that do not belong to it."""
    because: str = ""
    """Why no other options belong to it, as part of a sentence: ``whose blocks and sizes are fixed``."""
    like: str = ""
    """The package from which it takes the modules that it lacks."""
    autocasts: bool = False
    """Whether it trains in mixed precision on CUDA, with products in bfloat16. Never where results are compared with
    theory."""
    without_torch: bool = False
    """Whether cells can be measured without PyTorch. Where all are, it is never imported, which takes a second."""

    def module_name(self, name: str) -> str:
        """The name of the package's module ``name``, or of the one that takes its place."""
        module = f"{self.package}.{name}"
        return module if not self.like or importlib.util.find_spec(module) else f"{self.like}.{name}"

    def _module(self, name: str) -> Any:
        return importlib.import_module(self.module_name(name))

    @property
    def schema(self) -> "Schema":
        """The columns of its two files."""
        return cast("Schema", self._module("columns").SCHEMA)

    @property
    def plan(self) -> PlanModule:
        return cast("PlanModule", self._module("plan"))

    @property
    def measure(self) -> MeasureModule:
        return cast("MeasureModule", self._module("measure"))

    @property
    def summary(self) -> SummaryModule:
        return cast("SummaryModule", self._module("summary"))

    @property
    def words(self) -> WordsModule:
        return cast("WordsModule", self._module("words"))

    @property
    def figures(self) -> FiguresModule:
        return cast("FiguresModule", self._module("figures"))

    def belongs(self, option: str) -> bool:
        """Whether the option of this name belongs to it."""
        return (self.takes is None or option in self.takes) and option not in self.leaves

    def refuse_others(self, spec: Spec) -> None:
        """Check that ``spec`` sets no option that belongs to another question.

        Raises:
            UsageError: it does.
        """
        for field in dataclasses.fields(spec):
            if not self.belongs(field.name) and getattr(spec, field.name) != field.default:
                why = f", {self.because}" if self.because else ""
                subject = self.asked_by or "what is asked"
                raise UsageError(f"--{field.name.replace('_', '-')} does not go with {subject}{why}.")


@dataclass(frozen=True)
class Experiment:
    """An experiment by name; its modules are imported when they are needed."""

    name: str
    package: str

    def _module(self, name: str) -> Any:
        return importlib.import_module(f"{self.package}.{name}")

    @property
    def spec(self) -> SpecModule:
        return cast("SpecModule", self._module("spec"))

    @property
    def artifacts(self) -> ArtifactsModule | None:
        return cast("ArtifactsModule", self._module("artifacts")) if self._has("artifacts") else None

    @property
    def catalogue(self) -> CatalogueModule | None:
        return cast("CatalogueModule", self._module("catalogue")) if self._has("catalogue") else None

    def goes_with(self, option: str) -> str:
        """The questions with which an option goes, in one sentence; empty where it goes with all of them."""
        questions = self.spec.QUESTIONS
        those = [question for question in questions if question.belongs(option)]
        others = [question.asked_by for question in questions if question not in those]
        if not others or option not in {field.name for field in dataclasses.fields(cast("Any", self.spec.Spec))}:
            return ""
        if len(those) == 1 and those[0].asked_by:
            return f"With {those[0].asked_by} alone."
        return f"Not with {', '.join(others)}."

    def _has(self, name: str) -> bool:
        return importlib.util.find_spec(f"{self.package}.{name}") is not None
