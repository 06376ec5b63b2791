"""The program, called as a user would, in this process; and what makes tests independent of the machine's speed."""

import os
import sys
import time
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings

from dnnlab.__main__ import _run

# Where the engine is left to choose, a run stays in its process: to start others takes longer than what tests measure.
# What is about processes asks for them.
os.environ["LOKY_MAX_CPU_COUNT"] = "1"
if "PYTEST_XDIST_WORKER" in os.environ:
    # Tests side by side have a thread each: several would wait for each other's cores. Before torch is imported.
    os.environ["OMP_NUM_THREADS"] = "1"

settings.register_profile("of any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("of any machine")


def pytest_collection_modifyitems(items):
    """The longest first, so that none of them is left to the end, when other cores have nothing to do."""
    items.sort(key=lambda item: item.path.name != "test_faults.py")


@dataclass
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def dnnlab(capsys, monkeypatch, tmp_path):
    """Runs ``dnnlab ARGUMENTS`` in ``tmp_path``; gives exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["dnnlab", *map(str, arguments)])
        capsys.readouterr()
        code = _run()
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def short_timings(monkeypatch):
    """Few and short timings of networks in this process, for tests that do not look at what they say."""
    from dnnlab.runner import speed

    monkeypatch.setattr(speed, "ROUNDS", 2)
    monkeypatch.setattr(speed, "_PRODUCT", 64)
    monkeypatch.setattr(speed, "_LONGEST_WARM_UP", 5)


@pytest.fixture
def until():
    """Waits until ``done()``, while ``process``, if it is given, still runs. The patience is for a machine that is
    busy: it only ends what would never end."""

    def wait(done, process=None, patience=600):
        started = time.monotonic()
        while not done():
            assert process is None or process.poll() is None or done(), "the process ended too soon"
            assert time.monotonic() - started < patience, "this never came"
            time.sleep(0.01)

    return wait
