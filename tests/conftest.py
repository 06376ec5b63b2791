"""The program, called as a user would, in this process or in one of its own; and what makes tests independent of the
machine's speed."""

import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from hypothesis import HealthCheck, settings

from dnnlab.__main__ import _run
from dnnlab.registry import EXPERIMENTS

# Where the engine is left to choose, a run stays in its process: to start others takes longer than what tests measure.
# What is about processes asks for them.
os.environ["LOKY_MAX_CPU_COUNT"] = "1"
# The user's own cache stays as it is. What takes long to make anew comes from there.
_CACHE = platformdirs.user_cache_path()
os.environ.setdefault("MPLCONFIGDIR", str(_CACHE / "matplotlib"))
_tests_own = tempfile.TemporaryDirectory()
os.environ["XDG_CACHE_HOME"] = _tests_own.name
if (code := _CACHE / "dnnlab" / "code.json").is_file():
    (Path(_tests_own.name) / "dnnlab").mkdir()
    shutil.copy(code, Path(_tests_own.name) / "dnnlab")

if "PYTEST_XDIST_WORKER" in os.environ:
    # Tests side by side have a thread each: several would wait for each other's cores. Before torch is imported.
    os.environ["OMP_NUM_THREADS"] = "1"

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # As a shell's & and nohup leave it. The program would leave Ctrl-C ignored, too, and tests of it would wait.
    signal.signal(signal.SIGINT, signal.default_int_handler)

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


HAS_FORKS = "forkserver" in multiprocessing.get_all_start_methods()
FORKED = multiprocessing.get_context("forkserver" if HAS_FORKS else None)
"""Its processes are copies of one that has imported everything: they start at once, and end as any process does."""
PRELOADED = [
    "dnnlab.cli",
    "dnnlab.runner.run",
    # What PyTorch's first optimiser loads, and its first export.
    "torch._dynamo",
    "torch.export._trace",
    "torch.onnx._internal.exporter._core",
    "onnxscript.function_libs.torch_lib.ops",
    *(
        question.module_name(module)
        for experiment in EXPERIMENTS.values()
        for question in experiment.spec.QUESTIONS
        for module in ("measure", "summary", "figures", "words")
    ),
]
if HAS_FORKS:
    FORKED.set_forkserver_preload(PRELOADED)
INSIDE = """
import os, sys
os.chdir(folder)
os.environ.clear()
os.environ.update(environment)
for stream, file in ((sys.stdout, out), (sys.stderr, err)):
    os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream.fileno())
sys.path.insert(0, folder)
sys.argv = arguments
exec(code, {"__name__": "__main__"})
"""


class Forked:
    """A process of its own that runs ``code`` in ``folder``, with ``arguments`` as those of the command line."""

    def __init__(self, code, arguments, folder, stem):
        self._out, self._err = (stem.with_name(f"{stem.name}.{end}") for end in ("out", "err"))
        names = {
            "code": code,
            "arguments": ["dnnlab", *map(str, arguments)],
            "folder": str(folder),
            "environment": dict(os.environ),
            "out": str(self._out),
            "err": str(self._err),
        }
        self._process = FORKED.Process(target=exec, args=(INSIDE, names))
        self._process.start()
        self.pid = self._process.pid

    @property
    def out(self):
        """What it has written to stdout so far."""
        return self._out.read_text() if self._out.exists() else ""

    @property
    def err(self):
        """What it has written to stderr so far."""
        return self._err.read_text() if self._err.exists() else ""

    def poll(self):
        """Its exit code, the negative number of the signal that ended it, or None while it runs."""
        return self._process.exitcode

    def wait(self):
        """Its exit code, once it has ended."""
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


@pytest.fixture
def forked(tmp_path_factory, tmp_path):
    """Starts ``dnnlab ARGUMENTS`` in ``tmp_path`` as a process of its own, or other ``code``; ends it with the test."""
    if not HAS_FORKS:
        pytest.skip("this system makes no copies of processes, nor sends them signals")
    stem, processes = tmp_path_factory.mktemp("forked"), []

    def start(*arguments, code="from dnnlab.__main__ import main; main()"):
        processes.append(Forked(code, arguments, tmp_path, stem / str(len(processes))))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def short_timings(monkeypatch):
    """Few and short timings of networks, for tests that do not look at what they say."""
    from dnnlab.instruments import speed

    monkeypatch.setattr(speed, "ROUNDS", 2)
    monkeypatch.setattr(speed, "PROCESSES", 2)
    monkeypatch.setattr(speed, "ROUNDS_OF_MANY", 2)
    monkeypatch.setattr(speed, "_PRODUCT", 64)
    monkeypatch.setattr(speed, "_LONGEST_WARM_UP", 5)


@pytest.fixture
def blank_figures(monkeypatch):
    """Figures are drawn as ever, and each is saved as an empty one, for tests that do not look at them: their layout
    takes most of the time of a small run."""
    from matplotlib.figure import Figure

    from dnnlab.report import figures

    save = figures.save
    monkeypatch.setattr(figures, "save", lambda figure, stem: save(Figure(figsize=(1, 1)), stem))


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


@pytest.fixture(scope="session")
def cifar_files():
    """A small CIFAR-10, 5 × 1,010 to train on and 30 to test on, as the six published files."""
    draw = np.random.default_rng(1)
    files = {}
    for name in (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"):
        count = 30 if name == "test_batch.bin" else 1010
        labels = draw.integers(10, size=(count, 1), dtype=np.uint8)
        planes = draw.integers(256, size=(count, 3072), dtype=np.uint8)
        files[name] = np.hstack([labels, planes]).tobytes()
    return files


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty place for data, which DNNLAB_DATA names."""
    folder = tmp_path / "data root"
    monkeypatch.setenv("DNNLAB_DATA", str(folder))
    return folder


@pytest.fixture
def put():
    """Writes files into a folder, which is made."""

    def write(folder, files):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return folder

    return write
