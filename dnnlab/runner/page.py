"""Writes the figures and the page of a run from its tables and provenance."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pandas as pd

from dnnlab.errors import counted
from dnnlab.report.page import Drawing, Page
from dnnlab.report.page import write_page as write_html
from dnnlab.report.page import write_together as write_html_together
from dnnlab.runner import store
from dnnlab.runner.conclusions import advice, conclusions, headline
from dnnlab.runner.experiment import Experiment, Spec
from dnnlab.runner.summary import has_error

if TYPE_CHECKING:
    from dnnlab.report.figures import Picture
    from dnnlab.runner.result import Run


def write_page(
    experiment: Experiment, spec: Spec, folder: store.Folder, cells: pd.DataFrame, summary: pd.DataFrame
) -> None:
    """Draw and save the figures under ``figures/``, and the page that holds them as ``report.html``."""
    pictures = spec.question.figures.draw(cells, summary, spec)
    (folder.path / store.FIGURES).mkdir(exist_ok=True)  # it seems to be missing without figures
    # Drawing imports matplotlib, which takes longer than many a run.
    drawings = [_saved(picture, folder.path / store.FIGURES) for picture in pictures]
    write_html(folder.path / store.PAGE, _page(experiment, spec, folder, cells, summary, drawings))


def write_together(path: Path, runs: Sequence["Run"]) -> None:
    """Write what matters most of several ``runs`` to ``path`` as one page, which has links to theirs.

    Raises:
        OSError: it cannot be written.
    """
    from dnnlab.report.figures import svg

    pages = []
    for run in runs:
        pictures = run.spec.question.figures.draw(run.cells, run.summary, run.spec)
        drawings = [_drawing(picture, svg(picture.figure).decode()) for picture in pictures[:1]]
        link = quote(os.path.relpath(run.page, path.parent))
        pages.append((link, _page(run.experiment, run.spec, store.Folder(run.path), run.cells, run.summary, drawings)))
    write_html_together(path, pages)


def _page(
    experiment: Experiment,
    spec: Spec,
    folder: store.Folder,
    cells: pd.DataFrame,
    summary: pd.DataFrame,
    drawings: Sequence[Drawing],
) -> Page:
    """All that the page of a run shows."""
    record = folder.read_provenance()
    schema = spec.question.schema
    failed = int(has_error(cells).sum())
    lost = [f"{counted(failed, 'cell')} failed; cells.csv says why."] if failed else []
    return Page(
        title=headline(summary, spec),
        about=_about(experiment, spec, folder, record["sessions"][0]["started"][:10]),
        sentences=conclusions(summary, spec),
        advice=advice(lambda: cells, summary, spec, folder.path),
        command=record["sessions"][0]["command"],
        frame=summary,
        columns=schema.summary,
        tones=schema.tones,
        names=schema.configuration,
        first=schema.first,
        drawings=drawings,
        files={path: what for path, what in _FILES.items() if (folder.path / path).exists()},
        provenance=_flat(record),
        notes=[*record.get("notes", ()), *lost],
    )


_FILES = {
    store.SUMMARY: "the table, with all columns in full precision",
    store.CELLS: "every measurement",
    store.SPEC: "the options, as a recipe that dnnlab run takes",
    f"{store.FIGURES}/": "the figures as SVG and PNG",
    "artifacts/": "the networks that came out",
}


def _about(experiment: Experiment, spec: Spec, folder: store.Folder, day: str) -> str:
    """The experiment, the name of the run, on how many seeds, and when."""
    seeds = getattr(spec, "seeds", None)
    meant = spec.question.belongs("seeds") and spec.question.schema.count == "seeds"
    count = [counted(seeds, "seed")] if isinstance(seeds, int) and meant else []
    return " · ".join([experiment.name, folder.path.name, *count, day])


def _saved(picture: "Picture", folder: Path) -> Drawing:
    """Write the files of a figure, and give it as the page shows it."""
    from dnnlab.report.figures import save

    file, _ = save(picture.figure, folder / picture.name)
    return _drawing(picture, file.read_text("utf-8"))


def _drawing(picture: "Picture", text: str) -> Drawing:
    """A figure, whose SVG is ``text``, as a page shows it."""
    from dnnlab.report.figures import svg
    from dnnlab.report.points import points

    along = picture.along
    narrow = None
    if picture.narrow is not None:
        narrow = Drawing(picture, svg(picture.narrow).decode(), points(picture.narrow, along))
    moments = (along.what, list(along.y), along.drawn) if along else None
    live = (picture.live.script, picture.live.known) if picture.live else None
    return Drawing(picture, text, points(picture.figure, along), narrow, moments, live)


def _flat(record: dict[str, Any]) -> dict[str, str]:
    """The provenance as names and texts, without the entries that only programs need."""
    apart = ("stacks", "tables", "files", "options", "resolved", "cwd", "state", "sessions", "notes")
    shown = {name: value for name, value in record.items() if name not in apart}
    flat: dict[str, str] = {}
    for name, value in shown.items():
        if isinstance(value, dict):
            flat |= {
                f"{name}: {key}": item if isinstance(item, str) else json.dumps(item) for key, item in value.items()
            }
        else:
            flat[name] = str(value)
    flat["started"] = record["sessions"][0]["started"]
    return flat
