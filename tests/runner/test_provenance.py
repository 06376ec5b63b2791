"""Where numbers come from: digests that change with content, and the machine as it is."""

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dnnlab.registry import EXPERIMENTS
from dnnlab.runner import provenance
from dnnlab.runner.provenance import code_digest, digest

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(plain, plain)
def test_a_digest_is_of_the_content(a, b):
    same = json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)
    assert (digest(a) == digest(b)) == same


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_a_dictionary_does_not_count(content):
    assert digest(content) == digest(dict(reversed(content.items())))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two parts in the place of dnnlab."""
    for name in ("nets/a.py", "nets/deep/b.py", "alone.py", "other.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    monkeypatch.setattr(provenance, "_PACKAGE", tmp_path)
    return tmp_path


PARTS = ("nets", "alone.py")


@pytest.mark.parametrize("file", ["nets/a.py", "nets/deep/b.py", "alone.py", "nets/new.py"])
def test_code_that_measures_counts(package, file):
    before = code_digest(PARTS)
    (package / file).write_text("x = 2\n")
    assert code_digest(PARTS) != before


def test_other_code_and_other_files_do_not_count(package):
    before = code_digest(PARTS)
    (package / "other.py").write_text("x = 2\n")
    (package / "nets" / "notes.txt").write_text("x")
    (package / "nets" / "a.pyc").write_bytes(b"x")
    assert code_digest(PARTS) == before
    assert code_digest(("nets", "other.py")) != before


def test_a_renamed_file_counts(package):
    before = code_digest(PARTS)
    (package / "nets" / "a.py").rename(package / "nets" / "c.py")
    assert code_digest(PARTS) != before


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=lambda e: e.name)
def test_an_experiment_names_all_that_measures(experiment):
    """Whatever is imported to measure is part of the key, unless it only runs, shows or asks."""
    code = (
        f"import sys, {experiment.package}.measure\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('dnnlab.') and m.__file__))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    parts = experiment.spec.MEASURED_BY
    named = {f for part in parts for f in [provenance._PACKAGE / part, *(provenance._PACKAGE / part).rglob("*.py")]}
    aside = (
        "atomic.py",
        "errors.py",
        "memory.py",
        "terminal.py",
        "toml.py",
        "registry.py",
        "spec.py",
        "training/configuration.py",
    )
    for file in map(Path, done.stdout.split()):
        place = file.relative_to(provenance._PACKAGE).as_posix()
        shows = place.startswith(("runner/", "report/")) or place.endswith(aside) or file.name == "__init__.py"
        assert shows or file in named, place
    for part in parts:
        assert (provenance._PACKAGE / part).exists()
        assert code_digest([part]) != code_digest([])


def test_versions_and_machine_are_those_of_this_process():
    versions, machine = provenance.versions(), provenance.machine("cpu")
    assert versions["python"] == platform.python_version()
    assert versions["torch"].partition("+")[0] == torch.__version__.partition("+")[0]  # wheels may leave out "+cu124"
    assert machine["threads"] == torch.get_num_threads()
    assert machine["precision"] == "float32"
    assert json.loads(json.dumps([versions, machine])) == [versions, machine]


def test_a_folder_without_git_has_no_commit(package):
    assert provenance.git() == {}
    (package.parent / ".git").mkdir()  # one that is broken
    assert provenance.git() == {}
