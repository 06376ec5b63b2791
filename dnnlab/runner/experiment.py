"""What the runner asks of an experiment: its options, and its questions, each a package of modules of agreed names.

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

from dnnlab.errors import UsageError
from dnnlab.runner.journal import Rows

if TYPE_CHECKING:
    import pandas as pd

    from dnnlab.report.columns import Schema
    from dnnlab.report.figures import Picture


@dataclass(frozen=True)
class Spec:
    """What may be asked: an experiment's spec extends this by the options that together decide the numbers
    (`runner.options`). What they ask for is in ``plan.py`` of the question."""

    @property
    def device(self) -> str:
        """Where it is measured, as ``--device`` names it."""
        raise NotImplementedError

    @property
    def seed(self) -> int:
        """The base of the seeds."""
        raise NotImplementedError

    @property
    def question(self) -> "Question":
        """Which of the experiment's questions is asked."""
        raise NotImplementedError

    @property
    def settled(self) -> Self:
        """The options with those that were left open as they are meant."""
        return self

    def validate(self) -> None:
        """Options that must fit each other.

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

    def fit(self) -> None:
        """The options must fit the data and the user's network. Asked once, before anything is measured; may take its
        time.

        Raises:
            UsageError: they do not.
        """
        self._planned("fit")

    def _planned(self, name: str) -> Any:
        """What the function ``name`` of the question's ``plan.py`` says of the spec; None where there is none."""
        function = getattr(self.question.plan, name, None)
        return None if function is None else function(self.settled)


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
        """Cells that agree in this can share one tensor program."""

    @property
    def weight(self) -> float:
        """Its share of a stack; a stack is full at 1."""

    @property
    def macs(self) -> float:
        """Multiply–accumulates it will take, roughly; nan where unknown."""

    # A cell whose network may be larger than the memory says so in ``bytes``: what one step of it holds at least.

    @property
    def beside(self) -> str:
        """Where its stack is measured on a CPU: `ALONE`, in `THREADS` or in `PROCESSES`."""


class SpecModule(Protocol):
    """``spec.py``, which imports nothing heavy. ``HELP`` is the command's help text, with examples."""

    Spec: type[Spec]
    HELP: str
    QUESTIONS: "Sequence[Question]"
    """All of them, the usual one first."""


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
    """``measure.py``: what happens on the device. A chain or a search, which cannot be planned ahead, has instead

    ``steps(cells, spec, device, place, past) -> Iterator[Rows]``: the rows of the ``cells`` in parts, each in the
    journal before the next is asked for. ``past`` are the parts that an interrupted session left, in order: their
    content is taken instead of measured, and the parts after them are yielded. `runner.place.Place` says where
    files go. As such parts report no progress, there is ``foresee(cells, spec, device) -> float`` too: about how many
    seconds all ``cells`` take; and ``told(rows) -> str``: what a part was about, in words.
    """

    foresee: Callable[[Sequence[Any], Spec, str], float]
    told: Callable[[Rows], str]

    def measure(self, cells: Sequence[Any], spec: Spec, device: str, progress: Callable[[float], None]) -> Rows:
        """Rows of the ``cells``, which are one stack; reports progress from 0 to 1."""


class SummaryModule(Protocol):
    """``summary.py``: rows to table."""

    def summarise(self, cells: "pd.DataFrame", spec: Spec) -> "pd.DataFrame":
        """One row a configuration, in the order of the plan, with intervals, theory and verdict."""

    def per_cell(self, cells: "pd.DataFrame", spec: Spec) -> "pd.DataFrame":
        """One row a cell: its configuration, seed and the quantities that runs are compared by."""


class WordsModule(Protocol):
    """``words.py``: table to sentences, without torch."""

    def conclusions(self, summary: "pd.DataFrame", spec: Spec) -> Sequence[str]:
        """What came out, in sentences; all of them open the page and follow the table on the screen."""


class FiguresModule(Protocol):
    """``figures.py``: table to pictures."""

    def draw(self, cells: "pd.DataFrame", summary: "pd.DataFrame", spec: Spec) -> Sequence["Picture"]:
        """The figures, in the order of the page."""


class ArtifactsModule(Protocol):
    """``artifacts.py``, where an experiment can write models: what it makes lies where the user wants it."""

    def write(self, spec: Spec) -> Sequence[str]:
        """Write the files that the spec asks for, also beside a run that is finished; a sentence about each."""


class CatalogueModule(Protocol):
    """``catalogue.py``, where an experiment has things by name that a user may want to see first."""

    def wanted(self, spec: Spec) -> bool:
        """Whether the list is asked for, and nothing measured."""

    def show(self, as_json: bool) -> None:
        """Print it to stdout."""


@dataclass(frozen=True)
class Question:
    """One of an experiment's questions: a package, whose modules are imported when they are needed."""

    package: str
    asked_by: str = ""
    """What asks it, such as ``--born``; nothing asks the usual one."""
    takes: frozenset[str] | None = None
    """The names of the options that belong to it; all of them, where none are given."""
    leaves: frozenset[str] = frozenset()
    """The names of those that do not."""
    because: str = ""
    """Why no others do: ``whose blocks and sizes are fixed``."""
    like: str = ""
    """The package whose modules it takes where it has none of its own."""
    autocasts: bool = False
    """On CUDA it trains in mixed precision: products are taken in bfloat16. Never where theory is compared with."""

    def module_name(self, name: str) -> str:
        """Where its module ``name`` lies."""
        own = f"{self.package}.{name}"
        return own if not self.like or importlib.util.find_spec(own) else f"{self.like}.{name}"

    def _module(self, name: str) -> Any:
        return importlib.import_module(self.module_name(name))

    @property
    def schema(self) -> "Schema":
        """The columns of its files."""
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
        """See that ``spec`` sets no option that belongs to another question.

        Raises:
            UsageError: it does.
        """
        for field in dataclasses.fields(spec):
            if not self.belongs(field.name) and getattr(spec, field.name) != field.default:
                why = f", {self.because}" if self.because else ""
                asked = self.asked_by or "what is asked"
                raise UsageError(f"--{field.name.replace('_', '-')} does not go with {asked}{why}.")


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
        """In a sentence with which of its questions an option goes, where it does not go with all of them."""
        questions = self.spec.QUESTIONS
        own = [question for question in questions if question.belongs(option)]
        others = [question.asked_by for question in questions if question not in own]
        if not others or option not in {field.name for field in dataclasses.fields(cast("Any", self.spec.Spec))}:
            return ""
        if len(own) == 1 and own[0].asked_by:
            return f"With {own[0].asked_by} alone."
        return f"Not with {', '.join(others)}."

    def _has(self, name: str) -> bool:
        return importlib.util.find_spec(f"{self.package}.{name}") is not None
