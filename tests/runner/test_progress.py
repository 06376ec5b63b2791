"""What a run says while it measures, off a terminal."""

import time
from dataclasses import dataclass

import pytest

from dnnlab.runner import progress
from dnnlab.runner.plan import Stack, names


@dataclass(frozen=True)
class Cell:
    act: str
    lr: float
    seed: int

    def __str__(self):
        return f"{self.act} on digits"


def test_stacks_of_the_same_words_are_told_apart():
    cells = [Cell("relu", 0.1, 0), Cell("relu", 0.2, 0), Cell("tanh", 0.1, 0)]
    assert names([Stack(str(i), (cell,), (i,)) for i, cell in enumerate(cells)]) == [
        "relu on digits (lr 0.1)",
        "relu on digits (lr 0.2)",
        "tanh on digits",
    ]


def test_a_long_measurement_says_what_it_is_doing(monkeypatch, capsys):
    monkeypatch.setattr(progress, "QUIET", 0.01)
    said = ""
    with progress.meter(6, 2, ["first", "second"], quiet=False) as meter:
        meter.finished(2, "first", 1.5)
        meter.fraction(0.25, 2)
        while "so far" not in said:  # the thread comes when it comes
            time.sleep(0.01)
            said += capsys.readouterr().err
    assert said.splitlines()[0] == "[4/6] first: 2 cells in 1.5 s"
    assert "[4/6] second: 25% of it, " in said
    capsys.readouterr()
    time.sleep(0.05)
    assert capsys.readouterr().err == ""  # and is silent afterwards


def test_where_several_are_measured_at_once_it_says_how_many(monkeypatch, capsys):
    monkeypatch.setattr(progress, "QUIET", 0.01)
    said = ""
    with progress.meter(6, 0, ["first", "second"], quiet=False) as meter:
        meter.fraction(0.5, 4, 2)
        while "so far" not in said:
            time.sleep(0.01)
            said += capsys.readouterr().err
    assert "[0/6] 2 stacks: 50% of them, " in said


@pytest.mark.parametrize("waiting", [[], ["first"]])
def test_quiet_is_quiet_and_so_is_what_has_nothing_to_measure(waiting, monkeypatch, capsys):
    monkeypatch.setattr(progress, "QUIET", 0.0)
    with progress.meter(2, 0, waiting, quiet=bool(waiting)) as meter:
        meter.finished(2, "first", 1.0)
        time.sleep(0.05)
    assert capsys.readouterr().err == ""
