"""Writes the figures and the page of a run from its tables and provenance."""

import json
from typing import Any

import pandas as pd

from dnnlab.report.page import Page
from dnnlab.report.page import write_page as write_html
from dnnlab.runner import store
from dnnlab.runner.conclusions import conclusions, headline
from dnnlab.runner.experiment import Experiment, Spec


def write_page(
    experiment: Experiment, spec: Spec, folder: store.Folder, cells: pd.DataFrame, summary: pd.DataFrame
) -> None:
    """Draw and save the figures under ``figures/``, and the page that holds them as ``report.html``."""
    pictures = spec.question.figures.draw(cells, summary, spec)
    (folder.path / store.FIGURES).mkdir(exist_ok=True)  # it seems to be missing without figures
    saved = []
    if pictures:
        from dnnlab.report.figures import save  # imports matplotlib, which takes longer than many a run

        saved = [(picture, save(picture.figure, folder.path / store.FIGURES / picture.name)[0]) for picture in pictures]
    record = folder.read_provenance()
    schema = spec.question.schema
    failed = int((cells["error"].fillna("") != "").sum())
    page = Page(
        title=headline(summary, spec),
        about=f"{experiment.name} · {folder.path.name} · {record['sessions'][0]['started'][:10]}",
        sentences=conclusions(summary, spec),
        command=record["sessions"][0]["command"],
        frame=summary,
        columns=schema.summary,
        tones=schema.tones,
        names=schema.configuration,
        first=schema.first,
        pictures=saved,
        provenance=_flat(record),
        notes=[*record.get("notes", ()), *([f"{failed} cells failed; cells.csv says why."] if failed else [])],
    )
    write_html(folder.path / store.PAGE, page)


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
