"""A run seen while it is measured."""

import datetime
import io
import json
import re
import signal
import subprocess
import sys

import pandas as pd
import pytest

from dnnlab.registry import find
from dnnlab.runner import following, reopening, store
from dnnlab.runner.journal import Journal

CELLS = ["gradient-flow", "--act", "relu,tanh", "--width", "8", "--depth", "5", "--seeds", "3"]


def record(minutes, there, cells=40):
    begun = datetime.datetime.now().astimezone() - datetime.timedelta(minutes=minutes)
    return {"cells": cells, "sessions": [{}, {"started": begun.isoformat(), "there": there}]}


def test_the_time_left_is_that_of_this_session():
    assert following.progress(record(10, there=20), 30) == "30 of 40 cells, about 10 min left"
    assert following.progress(record(10, there=30), 30) == "30 of 40 cells"


def test_a_run_of_an_earlier_version_has_no_time():
    old = record(10, there=20)
    del old["sessions"][-1]["there"]
    assert following.progress(old, 30) == "30 of 40 cells"


@pytest.fixture
def half(dnnlab, blank_figures, tmp_path):
    """A finished run, and a copy of it as it was when the first of its stacks was measured."""
    whole = json.loads(dnnlab(*CELLS, "--engine", "inline", "--json").out)["run"]
    folder = store.Folder(store.Path(whole))
    lines = (folder.path / store.JOURNAL).read_bytes().splitlines(keepends=True)
    assert len(lines) > 1
    (folder.path / store.JOURNAL).write_bytes(lines[0])
    kept = folder.read_provenance()
    folder.write_provenance({**kept, "state": "running"})
    return folder, lines


def test_what_is_there_is_summarised_and_nothing_is_written(half):
    folder, _ = half
    before = {file: file.read_bytes() for file in folder.path.rglob("*") if file.is_file()}
    spec, summary = reopening.so_far(find("gradient-flow"), folder)
    whole = pd.read_csv(folder.path / "summary.csv")
    assert 0 < len(summary) < len(whole)
    row = summary.iloc[0]
    same = whole[whole["act"] == row["act"]].iloc[0]
    assert row["rate"] == same["rate"]
    assert {file: file.read_bytes() for file in folder.path.rglob("*") if file.is_file()} == before
    assert spec.seeds == 3


def test_a_follower_sees_a_run_to_its_end(half, tmp_path):
    """It prints what is done, and again when more is; when nobody measures any more it shows the run."""
    folder, lines = half
    journal = Journal(folder.path / store.JOURNAL)
    with journal.writing():
        follower = subprocess.Popen(
            [sys.executable, "-m", "dnnlab", "show", folder.path.name, "--follow"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        )  # fmt: skip
        first = follower.stdout.readline()
        with journal.path.open("ab") as file:
            file.writelines(lines[1:])
        second = follower.stdout.readline()
        folder.write_provenance({**folder.read_provenance(), "state": "finished"})
    rest, err = follower.communicate(timeout=600)
    assert re.fullmatch(r"[1-5] of 6 cells(, about \d+ \w+ left)?\n", first)
    assert second.startswith("6 of 6 cells")
    assert "gradient-flow" in rest
    assert follower.returncode == 0, err


def test_who_stops_following_is_told_that_the_run_goes_on(half, tmp_path):
    folder, _ = half
    with Journal(folder.path / store.JOURNAL).writing():
        follower = subprocess.Popen(
            [sys.executable, "-m", "dnnlab", "show", folder.path.name, "--follow"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        )  # fmt: skip
        follower.stdout.readline()
        follower.send_signal(signal.SIGTERM)
        _, err = follower.communicate(timeout=600)
    assert (follower.returncode, err) == (143, "no longer followed; the run itself goes on.\n")


def test_the_picture_on_a_terminal_is_the_table_so_far(half):
    from rich.console import Console

    folder, _ = half
    console = Console(file=io.StringIO(), width=80)
    console.print(following._picture(find("gradient-flow"), folder, "3 of 6 cells", 80))
    lines = console.file.getvalue().splitlines()
    assert "3 of 6 cells" in lines[0]
    assert "so far" in lines[1]
    assert any(line.startswith(("relu", "tanh")) or "act relu" in line or "act tanh" in line for line in lines)
    assert max(map(len, lines)) <= 80
