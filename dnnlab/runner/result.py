"""A finished run: its tables and figures, shown in a terminal and in a notebook."""

import base64
import csv
import html
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import pandas as pd
from rich.table import Table

from dnnlab.errors import DnnlabError, counted
from dnnlab.report.columns import Column
from dnnlab.report.screen import render, show
from dnnlab.report.table import read_csv, to_records
from dnnlab.runner import store
from dnnlab.runner.conclusions import advice, conclusions, headline
from dnnlab.runner.experiment import Experiment, Spec
from dnnlab.runner.journal import Journal
from dnnlab.runner.summary import has_error
from dnnlab.terminal import tell_sentences


class Run:
    """A run's folder with its tables read on demand."""

    def __init__(self, path: Path, experiment: Experiment, spec: Spec, draw: Callable[[], None] = lambda: None) -> None:
        self.path, self.experiment, self.spec = path, experiment, spec
        self.schema = spec.question.schema
        self.draw = draw
        """Draws the figures and writes the page, where they are not there yet."""

    @cached_property
    def summary(self) -> pd.DataFrame:
        """The summary with one row per configuration, in full precision; the screen shows part of it."""
        return _read(self.path / store.SUMMARY, self.schema.summary)

    @cached_property
    def cells(self) -> pd.DataFrame:
        """The measurements, with one row per cell and layer, step or stage."""
        return _read(self.path / store.CELLS, self.schema.cells)

    @cached_property
    def seeds(self) -> pd.DataFrame:
        """One row per cell, with the quantities by which configurations and runs are compared."""
        return self.spec.question.summary.per_cell(self.cells, self.spec)

    @property
    def figures(self) -> list[Path]:
        """The figures as SVG files; a PNG lies beside each."""
        return sorted((self.path / store.FIGURES).glob("*.svg"))

    @property
    def page(self) -> Path:
        """The path of the HTML page."""
        return self.path / store.PAGE

    @property
    def failed(self) -> int:
        """The number of cells that failed."""
        # A cell of several rows of the summary has failed in each of them.
        return int(has_error(self.cells).sum()) if self.summary["failed"].sum() else 0

    @property
    def seconds(self) -> float:
        """Seconds that measuring took, from the journal."""
        return sum(entry.seconds for entry in Journal(self.path / store.JOURNAL).read().values())

    @property
    def failure(self) -> str:
        """The number of cells that failed and the first reason, in one sentence."""
        errors = self.cells["error"]
        where = self.path / store.CELLS
        return f"{counted(self.failed, 'cell')} failed ({where} says which): {errors[has_error(self.cells)].iloc[0]}"

    @property
    def title(self) -> str:
        return f"{self.experiment.name} · {self.path.name}"

    @property
    def headline(self) -> str:
        """The finding in a few words."""
        return headline(self.summary, self.spec)

    def show(self, everything: bool = False) -> None:
        """Print the table to stdout, with ``everything`` all of its columns, then the conclusions in sentences."""
        columns, first = self.schema.summary, self.schema.first
        if everything:
            ends = {end for column in columns for end in (column.low, column.high)}
            columns = [replace(c, screen=c.screen or c.name) for c in columns if c.name not in ends]
            first = ()
        names = self.schema.configuration
        show(self.summary, columns, self.headline, self.schema.tones, names, first, about=self.title)
        said = conclusions(self.summary, self.spec)
        tell_sentences([*said, *self._advised(said)])

    def _advised(self, said: Sequence[str]) -> list[str]:
        """What to do, unless the sentences ``said`` have the same command."""
        told = advice(lambda: self.cells, self.summary, self.spec, self.path)
        if told is None or any(told.command in sentence for sentence in said):
            return []
        return [f"Do this: {told.what}", *([f"{told.then} `{told.command}`".strip()] if told.command else [])]

    def written(self, form: str) -> str:
        """The table in one of `run_options.FORMS`."""
        from dnnlab.report.written import WRITTEN

        return WRITTEN[form](self.summary, self.schema.summary, self.schema.configuration)

    def to_json(self) -> str:
        """The summary as strict JSON: ``{"run": PATH, "summary": [rows]}``."""
        return json.dumps({"run": str(self.path), "summary": to_records(self.summary)}, indent=2, allow_nan=False)

    def __rich__(self) -> Table:
        return render(self.summary, self.schema.summary, self.title, self.schema.tones)

    def __repr__(self) -> str:
        head = f"<{self.title}: {len(self.summary)} rows in {self.path}>"
        return "\n".join([head, *conclusions(self.summary, self.spec)])

    def _repr_html_(self) -> str:
        from dnnlab.report.page import html_table

        said = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in conclusions(self.summary, self.spec))
        table = html_table(self.summary, self.schema.summary, self.schema.tones)
        pictures = (base64.b64encode(figure.with_suffix(".png").read_bytes()).decode() for figure in self.figures)
        return said + table + "".join(f'<img alt="" src="data:image/png;base64,{picture}">' for picture in pictures)


def _read(file: Path, columns: Sequence[Column]) -> pd.DataFrame:
    """The table in ``file``.

    Raises:
        DnnlabError: the file was damaged.
    """
    try:
        return read_csv(file, columns)
    except (ValueError, csv.Error):
        raise DnnlabError(f"{file} is damaged; remove it, and it is made again from the journal.") from None
