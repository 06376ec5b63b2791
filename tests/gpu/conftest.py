"""The device that a test is about: the CPU every day, which rehearses it, and with ``pytest -m gpu`` a CUDA device."""

import functools
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

import dnnlab
from dnnlab.compress.spec import NEEDED

ROOT = str(Path(dnnlab.__file__).parents[1])
TIMES = re.compile(
    "seconds|latency|speedup|noisy|throughput|_ms|peak_share|machine|warm_up|time_over_macs|measured_peak|^memory_bytes"
)
"""Columns of what no two runs have alike: times, and memory that a process or a library takes."""
CNN = '''
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.act, self.pool, self.drop = nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Dropout(0.1)
        self.between, self.head = nn.Conv2d(6, 8, 3, padding=1), nn.Linear(128, 10)

    def forward(self, x):
        x = self.pool(self.act(self.norm(self.conv(x))))
        return self.head(self.drop(self.between(x).tanh().flatten(1)))

def smooth():
    """Without chance, and without a kink that rounding could fall on either side of."""
    net = Net()
    net.act, net.pool, net.drop = nn.Tanh(), nn.AvgPool2d(2), nn.Identity()
    return net
'''


def pytest_collection_modifyitems(items):
    """What CUDA's libraries warn of is listed, and fails no test."""
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return request.param


@pytest.fixture
def cnn(tmp_path, monkeypatch):
    """A user's own small network, as ``--model`` takes it."""
    (tmp_path / "net_on_a_device.py").write_text(CNN)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return "net_on_a_device:Net"


class Measured:
    """A finished run."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def __getattr__(self, name):
        """``cells`` and ``summary``, as they stand in their files."""
        return pd.read_csv(self.folder / f"{name}.csv", keep_default_na=False, na_values=["", "nan"])

    def digits(self, name="cells"):
        """Every digit of a table, times aside."""
        table = pd.read_csv(self.folder / f"{name}.csv", dtype=str, keep_default_na=False)
        return table[[column for column in table if not TIMES.search(column)]].to_csv()

    @property
    def machine(self):
        return json.loads((self.folder / "provenance.json").read_text())["machine"]


@pytest.fixture
def run(dnnlab, device, short_timings, blank_figures):
    """Runs ``dnnlab ARGUMENTS`` on the device; gives what it measured, all of which must have worked."""

    def call(*arguments, on=device):
        if arguments[0] == "compress" and (missing := [name for name in NEEDED if not importlib.util.find_spec(name)]):
            pytest.skip(f"needs {missing[0]}: pip install 'dnnlab-experiments[compress]'")
        done = dnnlab(*arguments, "--device", on, "--json")
        assert done.code == 0, done.err
        measured = Measured(json.loads(done.out)["run"])
        assert not measured.summary["failed"].any(), done.err
        return measured

    return call


@pytest.fixture(autouse=True, scope="session")
def one_library():
    """PyTorch's exporter reads ONNX's library of operators at each export, half of its time; here it does so once."""
    if importlib.util.find_spec("onnxscript") is None:
        yield
        return
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(functools.cache(ONNXRegistry.from_torchlib)))
        yield


@pytest.fixture
def without_onnx_of_searches(monkeypatch):
    """What a search found is not written as ONNX, which takes longer than a small search."""
    monkeypatch.setattr("dnnlab.nas.export._write_onnx", lambda *args: None)


@pytest.fixture
def apart(device, forked, tmp_path):
    """Starts ``code`` with arguments in a process of its own. For CUDA that is a fresh one: no fork of a process that
    has looked for devices may use them."""
    if device == "cpu":
        yield forked
        return
    processes = []

    def start(*arguments, code):
        command = [sys.executable, "-c", code, *map(str, arguments)]
        processes.append(
            subprocess.Popen(
                command,
                cwd=tmp_path,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join([ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]),
                },
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()
