"""docs/adding-an-experiment.md, followed in a copy of the checkout."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/adding-an-experiment.md").read_text()
STEPS = re.findall(r"^`([\w/]+\.(?:py|md))`\n\n```(python|diff)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
"""Each file, whether it is new or changed, and how."""


def apply(diff, text):
    """``text`` after a hunk, whose lines must be there and once."""
    lines = diff.splitlines()
    before = "\n".join(line[1:] for line in lines if line[0] in " -")
    after = "\n".join(line[1:] for line in lines if line[0] in " +")
    assert text.count(before) == 1, f"the page changes lines that are not there: {before}"
    return text.replace(before, after)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The checkout, after all steps of the page."""
    folder = tmp_path_factory.mktemp("followed")
    for name in ("dnnlab", "docs", "experiments", "tests", "benchmarks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "images"))
    for name in ("ARCHITECTURE.md", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    for name, kind, content in STEPS:
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(content if kind == "python" else apply(content, file.read_text()))
    return folder


def python(folder, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_page_has_every_step():
    assert len(STEPS) == 8 + 4


def test_the_experiment_runs_resumes_and_is_right(copy):
    command = ("-m", "dnnlab", "spectrum", "--width", "16,64", "--seeds", "5", "--device", "cpu", "--json")
    done = python(copy, *command)
    assert done.returncode == 0, done.stderr
    folder = copy / json.loads(done.stdout)["run"]
    cells, summary = (pd.read_csv(folder / f"{name}.csv") for name in ("cells", "summary"))
    assert len(cells) == 10
    from dnnlab.statistics.streams import stream

    for row in cells.to_dict("records"):
        matrix = stream(0, row["seed"], "matrix").normal(size=(row["width"], row["width"])) / np.sqrt(row["width"])
        assert row["largest"] == pytest.approx(np.linalg.norm(matrix, 2))
    rng = np.random.default_rng(0)
    for row in summary.to_dict("records"):
        n = row["width"]
        drawn = [np.linalg.norm(rng.normal(size=(n, n)) / np.sqrt(n), 2) for _ in range(1000)]
        assert row["theory"] == pytest.approx(np.mean(drawn), abs=0.02)
    assert (folder / "report.html").exists()
    assert (folder / "figures/largest.svg").exists()
    assert "finished on" in python(copy, *command).stderr


def test_python_and_help_know_it(copy):
    code = "import dnnlab; print('spectrum' in dir(dnnlab), dnnlab.spectrum.__name__)"
    assert python(copy, "-c", code).stdout == "True dnnlab.spectrum\n"
    assert "Rows and columns of the matrix." in python(copy, "-m", "dnnlab", "spectrum", "--help").stdout


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("dnnlab/__init__.py", "an experiment stands in dnnlab/registry.py and not in dnnlab/__init__.py"),
        ("dnnlab/registry.py", "an experiment stands in dnnlab/registry.py and not in dnnlab/__init__.py"),
        ("tests/test_house.py", "dnnlab/spectrum has no place in LAYERS of tests/test_house.py"),
        ("ARCHITECTURE.md", "ARCHITECTURE.md says nothing of dnnlab/spectrum/"),
    ],
)
@pytest.mark.slow
def test_a_place_that_is_forgotten_is_named(copy, name, sentence):
    followed = (copy / name).read_text()
    (copy / name).write_text((ROOT / name).read_text())
    try:
        told = python(copy, "-m", "pytest", "tests/test_house.py", "-q", "-p", "no:cacheprovider").stdout
    finally:
        (copy / name).write_text(followed)
    assert sentence in told


@pytest.mark.slow
def test_the_house_stands_and_the_docs_are_written(copy):
    for module in ("docs.make_cli", "docs.make_columns", "docs.make_stub"):
        assert python(copy, "-m", module).returncode == 0
    assert "dnnlab spectrum" in (copy / "docs/cli.md").read_text()
    assert "| `largest` | float | largest singular value" in (copy / "docs/columns/spectrum.md").read_text()
    done = python(copy, "-m", "pytest", "tests/test_house.py", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
