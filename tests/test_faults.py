"""Killed at any moment, out of disk or beside another, a run loses nothing that was finished, and ends the same."""

import datetime
import functools
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from dnnlab.runner import journal
from dnnlab.runner import run as running
from dnnlab.runner.journal import Entry, Journal

SMALL = ("--quiet", "--width", "8", "--seeds", "3", "--steps", "20")
COMMANDS = {
    "gradient-flow": ("gradient-flow", "--act", "sigmoid,tanh,relu,gelu", "--depth", "3,4,5,6", "--norm",
                      "none,batch,layer", *SMALL),
    "dead-relu": ("dead-relu", "--remedies", "--depth", "3,4", "--norm", "none,batch", *SMALL),
    "compare-arch": ("compare-arch", "--preset", "shallow-deep", "--budget", "steps=3", "--seeds", "1", "--quiet",
                     "--engine", "processes:2"),
    "compress": ("compress", "--arch", "lenet300:width=0.1", "--chain", "prune:0.8@1 > share:3bit@1 > code", "--epochs",
                 "1", "--seeds", "3", "--quiet", "--engine", "processes:2"),
    "nas": ("nas", "--strategy", "evolution,rl", "--budget", "16", "--epochs", "1", "--finalists", "1", "--retrain",
            "1", "--seeds", "2", "--quiet", "--engine", "processes:2"),
}  # fmt: skip
FEW = {
    "gradient-flow": ("gradient-flow", "--act", "sigmoid,relu", "--depth", "3,4", "--norm", "none,batch", *SMALL[:-1],
                      "8"),
    "dead-relu": ("dead-relu", "--remedies", "--depth", "3,4", *SMALL[:-1], "8"),
    "compare-arch": ("compare-arch", "--preset", "shallow-deep", "--budget", "steps=3", "--seeds", "1", "--quiet"),
    "compress": ("compress", "--arch", "mlp1:width=0.1", "--chain", "prune:0.8@1 > code", "--epochs", "1", "--seeds",
                 "1", "--train-size", "300", "--quiet"),
    "nas": ("nas", "--strategy", "evolution,rl", "--budget", "8", "--epochs", "1", "--finalists", "1", "--retrain", "1",
            "--seeds", "2", "--train-size", "300", "--quiet"),
}  # fmt: skip
"""The same for a few kills, which need fewer stacks to fall between, and in one process."""
TIMES = re.compile("seconds|latency|speedup|noisy|memory")
"""Columns of what no two runs have alike."""


def run_folder(out):
    return next(out.glob("*/*/journal.jsonl")).parent


def lines(out):
    files = list(out.glob("*/*/journal.jsonl"))
    return files[0].read_bytes().count(b"\n") if files else 0


def tables(out):
    """Every digit of both tables, times aside."""
    found = (pd.read_csv(run_folder(out) / name, dtype=str) for name in ("cells.csv", "summary.csv"))
    return [table[[name for name in table if not TIMES.search(name)]].to_csv() for table in found]


FORKED = """
from matplotlib.figure import Figure
from dnnlab.__main__ import main
from dnnlab.report import figures
from dnnlab.instruments import speed
speed.ROUNDS, speed._PRODUCT, speed._LONGEST_WARM_UP = 2, 64, 5  # no table here has a time in it
save = figures.save
figures.save = lambda figure, stem: save(Figure(figsize=(1, 1)), stem)  # and no figure is looked at
main()
"""


def started(*arguments):
    """Starts ``dnnlab ARGUMENTS`` in a process of its own."""
    command = [sys.executable, "-m", "dnnlab", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_and_finish(dnnlab, start, command, tmp_path, kills):
    """Kill one run after another of the same command at random moments until ``kills`` have hit it, then let it
    end; a run that ended by itself before its moment is followed by a new one in another folder."""
    unbroken = tmp_path / "unbroken"
    assert dnnlab(*command, "--out", unbroken).code == 0
    total, expected = lines(unbroken), tables(unbroken)
    rng, attempt = random.Random(7), 0
    while kills > 0:
        out, attempt = tmp_path / f"broken{attempt}", attempt + 1
        while kills > 0:
            held = lines(out)
            goal, patience = held + rng.randint(0, max(1, total // 6)), rng.random() * 0.1
            process = start(*command, "--out", out)
            while lines(out) < goal and process.poll() is None:
                time.sleep(0.002)
            time.sleep(patience)
            process.kill()
            if process.wait() == 0:
                break
            kills -= 1
            assert lines(out) >= held  # nothing finished is lost
        assert start(*command, "--out", out).wait() == 0
        assert tables(out) == expected
        assert lines(out) == total  # and nothing is measured twice


@pytest.mark.parametrize("experiment", COMMANDS)
def test_a_few_kills(experiment, dnnlab, forked, short_timings, blank_figures, tmp_path):
    pytest.importorskip("constriction", reason="needs the extra: pip install 'dnnlab-experiments[compress]'")
    start = functools.partial(forked, code=FORKED)
    kill_and_finish(dnnlab, start, FEW[experiment], tmp_path, 3 if experiment in ("gradient-flow", "dead-relu") else 1)


@pytest.mark.slow
@pytest.mark.parametrize("experiment", COMMANDS)
def test_a_hundred_kills_in_all(experiment, dnnlab, tmp_path):
    kill_and_finish(dnnlab, started, COMMANDS[experiment], tmp_path, 20)


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own; gives its folder and a way to mount it anew with other options."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        return subprocess.run(command, capture_output=True, check=False).returncode

    if mount("size=1m"):
        pytest.skip("no right to mount a disk here")
    yield place, lambda options: mount(f"remount,{options}")
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.filterwarnings("default:.*cut short")
def test_a_disk_that_fills_up_in_the_middle_of_a_run_loses_nothing(disk, dnnlab, blank_figures, tmp_path):
    place, remount = disk
    command = FEW["dead-relu"]
    unbroken = tmp_path / "unbroken"
    assert dnnlab(*command, "--out", unbroken).code == 0
    size = (run_folder(unbroken) / "journal.jsonl").stat().st_size
    assert remount(f"size={size // 2 // 4096 * 4}k") == 0
    full = dnnlab(*command, "--out", place)
    assert full.code == 1
    assert full.err.splitlines()[-1] == "dnnlab: the system refused: No space left on device."
    assert 0 < (held := lines(place)) < lines(unbroken)
    assert dnnlab(*command, "--out", place).code == 1  # still full, and nothing is lost by trying
    assert lines(place) >= held
    assert remount("size=64m") == 0
    assert dnnlab(*command, "--out", place).code == 0
    assert tables(place) == tables(unbroken)
    assert lines(place) == lines(unbroken)


def test_a_disk_that_cannot_be_written_to_is_said_and_still_read(disk, dnnlab):
    place, remount = disk
    remount("size=64m")
    command = ("gradient-flow", "--depth", "3", *SMALL)
    assert dnnlab(*command, "--out", place).code == 0
    assert remount("ro") == 0
    shown = dnnlab(*command, "--out", place)
    assert shown.code == 0, shown.err
    other = dnnlab(*command, "--seed", "1", "--out", place)
    assert other.code == 2
    assert "Read-only file system" in other.err
    assert "Traceback" not in other.err
    assert dnnlab("runs", "--out", place).code == 0


STOPS = """
import os, signal
from matplotlib.figure import Figure
from dnnlab.__main__ import main
from dnnlab.report import figures
from dnnlab.runner.journal import Writer
save = figures.save
figures.save = lambda figure, stem: save(Figure(figsize=(1, 1)), stem)
append = Writer.append
def once(writer, entry):
    Writer.append = append
    append(writer, entry)
    os.kill(os.getpid(), signal.SIGSTOP)
Writer.append = once
main()
"""
"""The program, which stops itself as soon as it has measured something, and whose figures are blank."""


def test_the_same_command_twice_at_once_measures_once(dnnlab, forked, until, tmp_path):
    command = (*FEW["gradient-flow"], "--out", str(tmp_path))
    first = forked(*command, code=STOPS)
    until(lambda: Path(f"/proc/{first.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", first)
    assert lines(tmp_path) == 1
    second = dnnlab(*command)
    first.send_signal(signal.SIGCONT)
    assert first.wait() == 0
    assert second.code == 1
    assert re.fullmatch("dnnlab: another process is measuring .*; wait for it, or .*\n", second.err)
    stacks = [entry.stack for entry in Journal(run_folder(tmp_path) / "journal.jsonl").entries()]
    assert len(stacks) == len(set(stacks))


def test_a_clock_that_goes_back_changes_nothing(dnnlab, blank_figures, monkeypatch, tmp_path):
    arguments = ("gradient-flow", "--act", "tanh,relu,sigmoid", "--width", 8, "--depth", 5, "--seeds", 3)
    assert dnnlab(*arguments, "--out", "unbroken").code == 0
    append, now, calls = journal.Writer.append, running.now, []

    def stopped(writer, entry):
        calls.append(entry)
        if len(calls) == 2:
            raise KeyboardInterrupt
        append(writer, entry)

    def tomorrow():
        return (datetime.datetime.fromisoformat(now()) + datetime.timedelta(days=1)).isoformat()

    with monkeypatch.context() as patch:
        patch.setattr(journal.Writer, "append", stopped)
        patch.setattr(running, "now", tomorrow)
        assert dnnlab(*arguments).code == 130
    again = dnnlab(*arguments)
    assert again.code == 0
    assert "3 of them are there already" in again.err
    assert tables(tmp_path / "results") == tables(tmp_path / "unbroken")
    assert dnnlab("runs").code == 0
    assert "finished on" in dnnlab(*arguments).err


def test_a_full_disk_is_one_sentence_and_loses_nothing(dnnlab, monkeypatch, tmp_path):
    arguments = ("gradient-flow", "--act", "tanh,relu,sigmoid", "--width", 8, "--depth", 5, "--seeds", 3)
    append, calls = journal.Writer.append, []

    def full(writer, entry):
        calls.append(entry)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        append(writer, entry)

    monkeypatch.setattr(journal.Writer, "append", full)
    done = dnnlab(*arguments)
    assert done.code == 1
    assert done.err.splitlines()[-1] == "dnnlab: the system refused: No space left on device."
    assert lines(tmp_path / "results") == 1
    again = dnnlab(*arguments)
    assert again.code == 0
    assert "3 of them are there already" in again.err


def test_a_torn_line_is_dropped_and_a_damaged_one_is_passed_over(tmp_path):
    file = tmp_path / "journal.jsonl"
    with Journal(file).writing() as writer:
        for name in ("a", "b"):
            writer.append(Entry(name, {"cell": [0], "x": [float("inf")]}, 1.0))
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:20])
    with pytest.warns(UserWarning, match="cut short"):
        assert list(Journal(file).read()) == ["a", "b"]
    with pytest.warns(UserWarning, match="cut short"), Journal(file).writing() as writer:
        writer.append(Entry("c", {"cell": [0], "x": [float("nan")]}, 1.0))
    assert list(Journal(file).read()) == ["a", "b", "c"]
    file.write_bytes(b"{" + file.read_bytes())
    assert list(Journal(file).read()) == ["b", "c"]
    assert [damage.line for damage in Journal(file).damage()] == [1]


def test_only_one_process_writes_a_run(tmp_path):
    with (
        Journal(tmp_path / "journal.jsonl").writing(),
        pytest.raises(journal.DnnlabError, match="another process"),
        Journal(tmp_path / "journal.jsonl").writing(),
    ):
        pass
