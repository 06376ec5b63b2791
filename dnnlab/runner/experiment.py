"""What the runner asks of an experiment: a package of rooms, each a module of agreed names.

A new experiment is such a package and one line in `dnnlab.registry`.
"""

import importlib
import importlib.util
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from dnnlab.runner.journal import Rows

if TYPE_CHECKING:
    import pandas as pd

    from dnnlab.report.columns import Schema
    from dnnlab.report.figures import Picture


class Spec(Protocol):
    """What may be asked: a frozen dataclass of options that together decide the numbers (`runner.options`)."""

    device: str

    def plan(self) -> Sequence["Cell"]:
        """The cells, in the order of the tables."""

    def content(self) -> Mapping[str, str]:
        """Digests of everything outside dnnlab that can change the numbers: data, models, weights."""

    def fit(self) -> None:
        """Raise a `UsageError` where the options do not fit the data or the user's network. Asked once, before
        anything is measured; may take its time."""

    def notes(self) -> Sequence[str]:
        """What was done to the data that their owner may not expect, a sentence each."""


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
    def side_by_side(self) -> bool:
        """Whether its stack, on a CPU, is measured beside others, a thread each, rather than with all threads."""


class SpecRoom(Protocol):
    """``spec.py``, which imports nothing heavy. ``HELP`` is the command's help text, with examples."""

    Spec: type[Spec]
    HELP: str


class ColumnsRoom(Protocol):
    """``columns.py``: the typed, documented schema of the files; one for each kind of question."""

    SCHEMAS: Mapping[str, "Schema"]
    """All of them, each by what asks for it: nothing, or an option such as ``--born``."""

    def schema(self, spec: Any) -> "Schema":
        """The one that answers ``spec``."""


class MeasureRoom(Protocol):
    """``measure.py``: what happens on the device. A chain or a search, which cannot be planned ahead, has instead

    ``steps(cells, spec, device, place, past) -> Iterator[Rows]``: the rows of the ``cells`` in parts, each in the
    journal before the next is asked for. ``past`` are the parts that an interrupted session left, in order: their
    content is taken instead of measured, and the parts after them are yielded. `runner.place.Place` says where
    files go. As such parts report no progress, there is ``foresee(cells, spec, device) -> float`` too: about how many
    seconds all ``cells`` take; and ``told(rows) -> str``: what a part was about, in words.
    """

    foresee: Callable[[Sequence[Any], Any, str], float]
    told: Callable[[Rows], str]

    def measure(self, cells: Sequence[Any], spec: Any, device: str, progress: Callable[[float], None]) -> Rows:
        """Rows of the ``cells``, which are one stack; reports progress from 0 to 1."""


class SummaryRoom(Protocol):
    """``summary.py``: rows to table."""

    def summarise(self, cells: "pd.DataFrame", spec: Any) -> "pd.DataFrame":
        """One row a configuration, in the order of the plan, with intervals, theory and verdict."""

    def per_cell(self, cells: "pd.DataFrame", spec: Any) -> "pd.DataFrame":
        """One row a cell: its configuration, seed and the quantities that runs are compared by."""


class WordsRoom(Protocol):
    """``words.py``: table to sentences, without torch."""

    def conclusions(self, summary: "pd.DataFrame", spec: Any) -> Sequence[str]:
        """What came out, in sentences; all of them open the page and follow the table on the screen."""


class FiguresRoom(Protocol):
    """``figures.py``: table to pictures."""

    def draw(self, cells: "pd.DataFrame", summary: "pd.DataFrame", spec: Any) -> Sequence["Picture"]:
        """The figures, in the order of the page."""


class ArtifactsRoom(Protocol):
    """``artifacts.py``, where an experiment can write models: what it makes lies where the user wants it."""

    def write(self, spec: Any) -> Sequence[str]:
        """Write the files that the spec asks for, also beside a run that is finished; a sentence about each."""


class CatalogueRoom(Protocol):
    """``catalogue.py``, where an experiment has things by name that a user may want to see first."""

    def wanted(self, spec: Any) -> bool:
        """Whether the list is asked for, and nothing measured."""

    def show(self, as_json: bool) -> None:
        """Print it to stdout."""


@dataclass(frozen=True)
class Experiment:
    """An experiment by name; its rooms are imported when they are entered."""

    name: str
    package: str

    def _room(self, name: str) -> Any:
        return importlib.import_module(f"{self.package}.{name}")

    @property
    def spec(self) -> SpecRoom:
        return cast(SpecRoom, self._room("spec"))

    @property
    def columns(self) -> ColumnsRoom:
        return cast(ColumnsRoom, self._room("columns"))

    @property
    def measure(self) -> MeasureRoom:
        return cast(MeasureRoom, self._room("measure"))

    @property
    def summary(self) -> SummaryRoom:
        return cast(SummaryRoom, self._room("summary"))

    @property
    def words(self) -> WordsRoom:
        return cast(WordsRoom, self._room("words"))

    @property
    def figures(self) -> FiguresRoom:
        return cast(FiguresRoom, self._room("figures"))

    @property
    def artifacts(self) -> ArtifactsRoom | None:
        return cast(ArtifactsRoom, self._room("artifacts")) if self._has("artifacts") else None

    @property
    def catalogue(self) -> CatalogueRoom | None:
        return cast(CatalogueRoom, self._room("catalogue")) if self._has("catalogue") else None

    def _has(self, name: str) -> bool:
        return importlib.util.find_spec(f"{self.package}.{name}") is not None
