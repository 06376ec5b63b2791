import importlib.util

import pytest

from dnnlab.compress.spec import NEEDED

missing = [package for package in NEEDED if importlib.util.find_spec(package) is None]


def pytest_collection_modifyitems(items):
    """Without the extra these tests say why they do not run."""
    if missing:
        mark = pytest.mark.skip(reason=f"needs {missing[0]}: pip install 'dnnlab[compress]'")
        for item in items:
            if "tests/compress" in str(item.path):
                item.add_marker(mark)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """One process, and few and short timings: what they say is not tested here."""
    import joblib

    from dnnlab.runner import speed

    monkeypatch.setattr(joblib, "cpu_count", lambda *a, **k: 1)
    monkeypatch.setattr(speed, "ROUNDS", 2)
    monkeypatch.setattr(speed, "_PRODUCT", 64)
    monkeypatch.setattr(speed, "_LONGEST_WARM_UP", 5)
