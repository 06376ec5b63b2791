"""kill -9 in the middle of a search, as the system does it."""

import random
import subprocess
import sys
import time

import pandas as pd
import pytest

COMMAND = (sys.executable, "-m", "dnnlab", "nas", "--strategy", "evolution,rl", "--budget", "16", "--epochs", "1",
           "--finalists", "1", "--retrain", "1", "--seeds", "2", "--quiet", "--out")  # fmt: skip


def lines(out):
    files = list(out.glob("nas/*/journal.jsonl"))
    return files[0].read_bytes().count(b"\n") if files else 0


def tables(out):
    (folder,) = out.glob("nas/*")
    return [pd.read_csv(folder / f"{name}.csv").drop(columns="seconds") for name in ("cells", "summary")]


@pytest.mark.parametrize("kills", [1, pytest.param(12, marks=pytest.mark.slow)])
def test_a_killed_search_has_the_same_history(kills, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run([*COMMAND, whole], check=True, capture_output=True)
    rng = random.Random(3)
    for _ in range(kills):
        held = lines(broken)
        goal = held + rng.randint(1, max(1, lines(whole) // kills))
        process = subprocess.Popen([*COMMAND, broken], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while lines(broken) < goal and process.poll() is None:
            time.sleep(0.01)
        process.kill()
        process.wait()
        assert lines(broken) >= held
    subprocess.run([*COMMAND, broken], check=True, capture_output=True)
    for one, other in zip(tables(whole), tables(broken), strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert lines(broken) == lines(whole)
