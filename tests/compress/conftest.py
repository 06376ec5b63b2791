import functools
import importlib.util

import pytest

from dnnlab.compress.spec import NEEDED

missing = [package for package in NEEDED if importlib.util.find_spec(package) is None]


def pytest_collection_modifyitems(items):
    """Without the extra these tests say why they do not run."""
    if missing:
        mark = pytest.mark.skip(reason=f"needs {missing[0]}: pip install 'dnnlab-experiments[compress]'")
        for item in items:
            if "tests/compress" in str(item.path):
                item.add_marker(mark)


@pytest.fixture(autouse=True)
def quick(monkeypatch, short_timings):
    """One process, and few and short timings: what they say is not tested here."""
    import joblib

    monkeypatch.setattr(joblib, "cpu_count", lambda *a, **k: 1)


@pytest.fixture(autouse=True, scope="session")
def one_library():
    """PyTorch's exporter reads ONNX's library of operators at each export, half of its time; here it does so once."""
    if missing:
        yield
        return
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(functools.cache(ONNXRegistry.from_torchlib)))
        yield
