"""Writes ``docs/columns/``, a page for each experiment, from its schemas: ``python -m docs.make_columns``."""

from collections.abc import Sequence
from pathlib import Path

from dnnlab.registry import EXPERIMENTS
from dnnlab.report.columns import Column
from dnnlab.runner.experiment import Experiment

FOLDER = Path(__file__).with_name("columns")
_HEAD = """\
# Columns of {name}

Written from the program by `make docs`. What is measured, and how, is on the page of [{name}](../{name}.md).

`summary.csv` has one row for each configuration, and `cells.csv` one for each configuration and seed, or several where
steps, layers, stages or candidates have a row each.
"""


def pages() -> dict[Path, str]:
    """Every page by its path."""
    return {FOLDER / f"{name}.md": page(experiment) for name, experiment in EXPERIMENTS.items()}


def page(experiment: Experiment) -> str:
    """The page of an experiment. Questions whose columns are the same have one section."""
    sections: dict[tuple[tuple[Column, ...], tuple[Column, ...]], list[str]] = {}
    for question in experiment.spec.QUESTIONS:
        schema = question.schema
        asked = f"`{' '.join(filter(None, ('dnnlab', experiment.name, question.asked_by)))}`"
        sections.setdefault((tuple(schema.summary), tuple(schema.cells)), []).append(asked)
    parts = [_HEAD.format(name=experiment.name)]
    above: dict[tuple[Column, ...], str] = {}
    for files, asking in sections.items():
        title = " and ".join(asking)
        parts.append(f"## {title}\n")
        for file, columns in zip(("summary.csv", "cells.csv"), files, strict=True):
            table = f"The same columns as those of {above[columns]} above.\n" if columns in above else _table(columns)
            parts.append(f"### {file}\n\n{table}")
            above.setdefault(columns, title)
    return "\n".join(parts)


def _table(columns: Sequence[Column]) -> str:
    """Units have a column where there are any."""
    units = any(column.unit for column in columns)
    lines = [f"| column | type |{' unit |' * units} meaning |", f"|---|---|{'---|' * units}---|"]
    for column in columns:
        unit = f"{column.unit} | " if units else ""
        lines.append(f"| `{column.name}` | {column.dtype.__name__} | {unit}{column.help.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


def write() -> None:
    """Write all pages, and remove those of experiments that are no more."""
    FOLDER.mkdir(exist_ok=True)
    written = pages()
    for file in set(FOLDER.glob("*.md")) - set(written):
        file.unlink()
    for file, text in written.items():
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
