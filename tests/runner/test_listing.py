"""The list of runs: what each is called, its verdicts, and how long ago it was."""

import datetime
import io
import json
import os
import sys

import pytest

from dnnlab.errors import UsageError
from dnnlab.runner.listing import ago, show_runs

from .test_store import run

KEY = "0123456789"


def session(minutes, ended=True):
    now = datetime.datetime.now().astimezone()
    then = (now - datetime.timedelta(minutes=minutes, seconds=20)).isoformat(timespec="seconds")
    return [{"command": "dnnlab", "started": then, "finished": then if ended else None}]


@pytest.fixture
def out(tmp_path):
    first = run(tmp_path, f"demo-{KEY}", sessions=session(8), options={"act": ["relu", "tanh"], "depth": [5]})
    (first / "summary.csv").write_text("act,verdict\nrelu,healthy\ntanh,vanishing\n" + "relu,healthy\n" * 2)
    second = run(tmp_path, f"stopped-{KEY}", state="running", sessions=session(90, False), options={"act": ["relu"]})
    (second / "journal.jsonl").write_text("")
    for age, file in enumerate((first / "provenance.json", second / "journal.jsonl")):
        os.utime(file, (10**9 - age, 10**9 - age))
    (second / "summary.csv").write_bytes(b"\xff\x00verdict\n")
    damaged = run(tmp_path, "damaged")
    (damaged / "provenance.json").write_text(json.dumps({"state": "x"}))
    os.utime(damaged / "provenance.json", (10**8, 10**8))
    return tmp_path


def listed(capsys):
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_a_list_has_verdicts_what_is_done_and_ages(out, capsys):
    """A program gets the names of folders and the times; a person is told how long ago that was."""
    show_runs(out)
    times = [json.loads((folder / "provenance.json").read_text())["sessions"][0]["started"]
             for folder in (out / "gradient-flow" / f"{name}-{KEY}" for name in ("demo", "stopped"))]  # fmt: skip
    heading, *rows = listed(capsys)
    assert heading == ["experiment", "run", "state", "cells", "when"]
    assert [" ".join(row) for row in rows] == [
        f"gradient-flow demo-{KEY} 3 healthy, 1 vanishing 2 {times[0]}",
        f"gradient-flow stopped-{KEY} interrupted 0/2 {times[1]}",
        "gradient-flow damaged damaged",
    ]


def test_a_terminal_gets_names_without_keys_where_they_are_clear(out, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    run(out, f"demo-{KEY}-2", sessions=session(1), options={})
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", "120")
    show_runs(out)
    text = sys.stdout.getvalue()
    assert f"demo-{KEY}-2" in text
    assert "stopped" in text
    assert "8 min ago" in text
    assert f"stopped-{KEY}" not in text


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (["act=relu"], ["demo", "stopped"]),
        (["depth=5.0"], ["demo"]),
        (["act=RELU", "depth=5"], ["demo"]),
        (["act=tanh"], ["demo"]),
        (["act=relu", "state=interrupted"], ["stopped"]),
        (["verdict=vanishing"], ["demo"]),
        (["experiment=gradient-flow", "depth=5"], ["demo"]),
    ],
)
def test_runs_are_found_by_options_state_and_verdict(out, capsys, where, names):
    show_runs(out, where)
    assert [row[1].split("-")[0] for row in listed(capsys)[1:]] == names


def test_what_no_run_has_is_said(out, capsys):
    show_runs(out, ["act=gelu"])
    printed = capsys.readouterr()
    assert not printed.out
    assert "has act=gelu" in printed.err
    with pytest.raises(UsageError, match="must be OPTION=VALUE"):
        show_runs(out, ["relu"])
    with pytest.raises(UsageError, match="did you mean act"):
        show_runs(out, ["atc=relu"])


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (70, "1 min ago"),
        (1830, "30 min ago"),
        (7300, "2 h ago"),
        (90000, "1 day ago"),
        (200000, "2 days ago"),
    ],
)
def test_ages_are_in_their_largest_unit(seconds, said):
    then = datetime.datetime.now().astimezone() - datetime.timedelta(seconds=seconds)
    assert ago(then.isoformat()) == said


def test_a_time_that_is_not_known_stays_as_it_is():
    assert ago("not known") == "not known"
    assert ago("2026-01-01") == "2026-01-01"  # without a zone
