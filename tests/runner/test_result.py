"""A finished run, of which some cells failed."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from dnnlab.runner.result import Run


def test_a_cell_of_several_rows_fails_once():
    """The chain of one seed is one cell, and a row of the summary for each of its three stages."""
    question = SimpleNamespace(schema=None)
    run = Run(Path("results/run"), SimpleNamespace(name="compress"), SimpleNamespace(question=question))
    run.__dict__["summary"] = pd.DataFrame({"failed": [0, 1, 1, 1]})
    run.__dict__["cells"] = pd.DataFrame({"error": ["", "", "", "no memory left"]})
    assert run.failed == 1
    assert run.failure == "1 cell failed (results/run/cells.csv says which): no memory left"
