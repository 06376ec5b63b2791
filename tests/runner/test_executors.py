"""Whoever measures, the numbers are the same to the byte; a node that is lost costs nothing that was finished."""

import subprocess
import sys
from pathlib import Path

import pytest

from dnnlab.errors import UsageError
from dnnlab.runner import executors
from dnnlab.runner.journal import Journal

COMMAND = (
    *("compare-arch", "--preset", "shallow-deep", "--budget", "steps=3", "--seeds", "1", "--quiet"),
    *("--device", "cpu"),
)


@pytest.mark.parametrize(
    ("text", "message"),
    [("proceses", "did you mean processes"), ("processes:", "after the colon"), ("processes:0", "whole number from 1"),
     ("processes:x", "whole number"), ("inline:2", "takes nothing"), ("auto:2", "takes nothing"), ("", "unknown")],
)  # fmt: skip
def test_an_engine_that_is_none_is_refused(text, message):
    with pytest.raises(UsageError, match=message):
        executors.parse(text)


def run(engine, out, *more):
    command = [sys.executable, "-m", "dnnlab", *COMMAND, "--engine", engine, "--out", str(out), *more]
    subprocess.run(command, check=True, capture_output=True)
    return results(out)


def results(out):
    """The bytes of both tables of the only run in ``out``, and its folder."""
    (folder,) = out.glob("*/*")
    return [(folder / name).read_bytes() for name in ("cells.csv", "summary.csv")], folder


def test_processes_give_the_bytes_of_this_process(dnnlab, blank_figures, tmp_path):
    found = []
    for engine, out in (("inline", tmp_path / "inline"), ("processes:2", tmp_path / "processes")):
        assert dnnlab(*COMMAND, "--engine", engine, "--out", out).code == 0
        found.append(results(out)[0])
    assert found[0] == found[1]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for children under /proc")
def test_workers_end_with_a_parent_that_is_killed(until, tmp_path):
    command = [
        sys.executable,
        "-m",
        "dnnlab",
        *COMMAND[:2],
        "separability",
        "--budget",
        "steps=1000000",
        "--seeds",
        "2",
    ]
    process = subprocess.Popen([*command, "--engine", "processes:2", "--out", str(tmp_path)], stderr=subprocess.DEVNULL)

    def workers():
        pids = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        return [int(pid) for pid in pids.read_text().split()] if pids.exists() else []

    until(lambda: len(workers()) >= 2, process)
    children = workers()
    process.kill()
    process.wait()
    until(lambda: not any(alive(pid) for pid in children))


def alive(pid):
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def cluster():
    """Ray's own cluster of two nodes with a core each, on this machine."""
    ray = pytest.importorskip("ray", reason="Ray is an optional extra")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.node = made.add_node(num_cpus=1)
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.mark.slow
def test_a_cluster_of_two_nodes_gives_the_bytes_of_this_process(tmp_path, cluster):
    inline, _ = run("inline", tmp_path / "inline")
    there, _ = run(f"ray:{cluster.address}", tmp_path / "ray")
    assert inline == there


@pytest.mark.slow
def test_a_node_may_stop_and_another_join_in_the_middle_of_a_run(until, tmp_path, cluster):
    inline, folder = run("inline", tmp_path / "inline")
    out = tmp_path / "ray"
    command = [sys.executable, "-m", "dnnlab", *COMMAND, "--engine", f"ray:{cluster.address}", "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    total = len(Journal(folder / "journal.jsonl").read())

    def finished():
        files = list(out.glob("*/*/journal.jsonl"))
        return files[0].read_bytes().count(b"\n") if files else 0

    until(lambda: finished() > total // 4, process)
    cluster.remove_node(cluster.node)
    cluster.add_node(num_cpus=1)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    (there,) = out.glob("*/*")
    assert [(there / name).read_bytes() for name in ("cells.csv", "summary.csv")] == inline
    assert finished() == total  # nothing is measured twice


@pytest.mark.slow
def test_a_scheduler_gives_the_bytes_of_this_process(tmp_path, monkeypatch):
    pytest.importorskip("submitit", reason="submitit is an optional extra")
    monkeypatch.chdir(tmp_path)
    options = ("--depth", "3,4", "--width", "8", "--seeds", "3", "--quiet")
    command = (sys.executable, "-m", "dnnlab", "gradient-flow", *options)
    found = []
    for engine in ("inline", "submitit"):
        subprocess.run([*command, "--engine", engine, "--out", tmp_path / engine], check=True, capture_output=True)
        (folder,) = (tmp_path / engine).glob("*/*")
        found.append([(folder / name).read_bytes() for name in ("cells.csv", "summary.csv")])
    assert found[0] == found[1]
