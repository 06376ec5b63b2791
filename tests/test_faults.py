"""Killed at any moment, a run loses nothing that was finished, and ends in the same bytes."""

import random
import subprocess
import sys
import time

import pytest

from dnnlab.runner import journal
from dnnlab.runner.journal import Entry, Journal

SMALL = ("--quiet", "--width", "8", "--seeds", "3", "--steps", "20")
COMMANDS = {
    "gradient-flow": ("gradient-flow", "--act", "sigmoid,tanh,relu,gelu", "--depth", "3,4,5,6", "--norm",
                      "none,batch,layer", *SMALL),
    "dead-relu": ("dead-relu", "--remedies", "--depth", "3,4", "--norm", "none,batch", *SMALL),
}  # fmt: skip


def run_folder(out):
    return next(out.glob("*/*"))


def lines(out):
    files = list(out.glob("*/*/journal.jsonl"))
    return files[0].read_bytes().count(b"\n") if files else 0


def kill_and_finish(experiment, tmp_path, kills):
    """Kill one run after another of the same command at random moments until ``kills`` have hit it, then let it
    end; a run that ended by itself before its moment is followed by a new one in another folder."""
    command = (sys.executable, "-m", "dnnlab", *COMMANDS[experiment])
    unbroken = tmp_path / "unbroken"
    subprocess.run([*command, "--out", unbroken], check=True, capture_output=True)
    total = lines(unbroken)
    expected = {name: (run_folder(unbroken) / name).read_bytes() for name in ("cells.csv", "summary.csv")}
    rng, attempt = random.Random(7), 0
    while kills > 0:
        out, attempt = tmp_path / f"broken{attempt}", attempt + 1
        while kills > 0:
            held = lines(out)
            goal, patience = held + rng.randint(0, max(1, total // 6)), rng.random() * 0.1
            process = subprocess.Popen([*command, "--out", out], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while lines(out) < goal and process.poll() is None:
                time.sleep(0.002)
            time.sleep(patience)
            process.kill()
            if process.wait() == 0:
                break
            kills -= 1
            assert lines(out) >= held  # nothing finished is lost
        subprocess.run([*command, "--out", out], check=True, capture_output=True)
        for name, content in expected.items():
            assert (run_folder(out) / name).read_bytes() == content
        assert lines(out) == total  # and nothing is measured twice


@pytest.mark.parametrize("experiment", COMMANDS)
def test_a_few_kills(experiment, tmp_path):
    kill_and_finish(experiment, tmp_path, 3)


@pytest.mark.slow
@pytest.mark.parametrize("experiment", COMMANDS)
def test_thirty_kills(experiment, tmp_path):
    kill_and_finish(experiment, tmp_path, 30)


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


def test_a_torn_line_is_dropped_and_a_damaged_one_raises(tmp_path):
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
    with pytest.raises(journal.DnnlabError, match="damaged at line 1"):
        Journal(file).read()


def test_only_one_process_writes_a_run(tmp_path):
    with (
        Journal(tmp_path / "journal.jsonl").writing(),
        pytest.raises(journal.DnnlabError, match="another process"),
        Journal(tmp_path / "journal.jsonl").writing(),
    ):
        pass
