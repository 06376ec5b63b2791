"""A process that is killed while it measures, and two that share the device."""

STACKS = ("gradient-flow", "--act", "sigmoid,relu", "--depth", "3,4", "--norm", "none,batch", "--width", 16, "--seeds",
          3, "--steps", 8, "--dropout", 0.2, "--quiet")  # fmt: skip
KILLED = """
import os, signal
from dnnlab.__main__ import main
from dnnlab.training.stacked import StackedTraining
step, taken = StackedTraining.step, []
def last(training):
    taken.append(step(training))
    if len(taken) == 20:
        os.kill(os.getpid(), signal.SIGKILL)
    return taken[-1]
StackedTraining.step = last
main()
"""
"""The program, which dies in the fourth step of its third stack."""


def journal(out):
    (file,) = out.glob("*/*/journal.jsonl")
    return file.read_bytes()


def test_a_run_that_was_killed_goes_on_to_the_same_bits(run, apart, device, tmp_path):
    unbroken = run(*STACKS, "--out", "unbroken")
    assert apart(*map(str, STACKS), "--device", device, "--out", "broken", code=KILLED).wait() == -9
    held = journal(tmp_path / "broken")
    assert held.count(b"\n") == 2
    goes_on = run(*STACKS, "--out", "broken")
    assert goes_on.digits() == unbroken.digits()
    assert goes_on.digits("summary") == unbroken.digits("summary")
    assert journal(tmp_path / "broken").startswith(held)
    assert journal(tmp_path / "broken").count(b"\n") == journal(tmp_path / "unbroken").count(b"\n") == 8


def test_two_processes_on_one_device_measure_what_one_does(run, monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")  # as many threads each, whoever measures
    command = ("compare-arch", "--arch", "mlp1,nin:width=0.1", "--budget", "steps=3", "--seeds", 2, "--test-size", 64)
    one, two = (run(*command, "--engine", engine, "--out", engine[:6]) for engine in ("inline", "processes:2"))
    assert one.digits() == two.digits()
