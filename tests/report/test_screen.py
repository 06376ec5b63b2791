"""What a terminal gets that has no room for the whole table."""

import io
import re
import sys

import pandas as pd
import pytest

from dnnlab.report.columns import Column, estimate
from dnnlab.report.screen import show

COLUMNS = (
    Column("act", str, "", screen="act"),
    Column("lr", float, "", screen="lr"),
    Column("expected", float, "", screen="expected"),
    *estimate("dead", "", "dead"),
    *estimate("revived", "", "revived"),
    Column("steps", int, "", screen="steps"),
    *estimate("accuracy", "", "accuracy"),
    Column("verdict", str, "", screen="verdict"),
    Column("hidden", float, ""),
)
NAMES, FIRST = ("act", "lr"), ("accuracy", "dead")


def frame(acts):
    rows = []
    for number, act in enumerate(acts):
        row = {
            "act": act,
            "lr": 0.01,
            "expected": 0.1 + number,
            "steps": 10 * number,
            "verdict": "dying",
            "hidden": 1.0,
        }
        for name in ("dead", "revived", "accuracy"):
            row |= {name: 0.5, f"{name}_lo": 0.4, f"{name}_hi": 0.6}
        rows.append(row)
    return pd.DataFrame(rows)


@pytest.fixture
def lines(monkeypatch):
    """What is printed on a terminal of so many columns, line by line."""

    def shown(rows, width, first=FIRST):
        class Terminal(io.StringIO):
            def isatty(self):
                return bool(width)

        monkeypatch.setattr(sys, "stdout", Terminal())
        monkeypatch.setenv("COLUMNS", str(width or 40))
        monkeypatch.setenv("TERM", "xterm")
        show(rows, COLUMNS, "A title", {}, NAMES, first)
        return re.sub(r"\x1b\[[\d;]*m", "", sys.stdout.getvalue()).splitlines()

    return shown


def test_what_tells_rows_apart_the_verdict_and_what_is_first_stay(lines):
    wide, narrow = lines(frame(["relu", "tanh"]), 120), lines(frame(["relu", "tanh"]), 60)
    assert wide[1].split() == ["act", "expected", "dead", "revived", "steps", "accuracy", "verdict"]
    assert narrow[1].split() == ["act", "dead", "accuracy", "verdict"]  # in the order of the file
    assert max(map(len, narrow)) <= 60
    assert narrow[5] == "lr 0.01"
    assert " ".join(map(str.strip, narrow[6:])) == "also there: expected, revived, steps (--all shows everything)"
    assert [row.split()[0] for row in narrow[3:5]] == ["relu", "tanh"]


def test_smaller_columns_take_what_room_is_left(lines):
    assert lines(frame(["relu", "tanh"]), 70)[1].split() == ["act", "expected", "dead", "accuracy", "verdict"]


def test_names_of_rows_stay_also_where_they_leave_no_room(lines):
    text = " ".join(lines(frame(["a" * 30, "b" * 30]), 40))
    assert "a" * 30 in text
    assert "accuracy" in text  # the first, at least
    assert "also there: expected, dead, revived, steps" in re.sub(r"\s+", " ", text)


def test_one_row_has_its_configuration_below(lines):
    narrow = lines(frame(["relu"]), 50)
    assert "act relu · lr 0.01" in narrow
    assert narrow[1].split() == ["expected", "steps", "accuracy", "verdict"]


def test_a_pipe_and_who_names_no_first_columns_get_everything(lines):
    piped = lines(frame(["relu", "tanh"]), 0)
    assert piped[1].split() == ["act", "expected", "dead", "revived", "steps", "accuracy", "verdict"]
    assert not any("also there" in line for line in [*piped, *lines(frame(["relu", "tanh"]), 60, first=())])
