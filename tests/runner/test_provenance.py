"""Where numbers come from: digests that change with content, and the machine as it is."""

import json
import platform

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dnnlab.runner import provenance
from dnnlab.runner.provenance import digest

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
    """An empty package in the place of dnnlab."""
    monkeypatch.setattr(provenance, "_PACKAGE", tmp_path)
    return tmp_path


SESSION = {"versions": {"numpy": "2.1", "torch": "2.0"}, "machine": {"threads": 2, "cpu_capability": "AVX2"}}


def test_sessions_that_are_alike_are_not_told():
    old = {"command": "dnnlab nas"}  # as earlier versions wrote them
    assert provenance.changes([SESSION]) == []
    assert provenance.changes([old, SESSION, SESSION]) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"versions": {"numpy": "2.2", "torch": "2.0"}}, "numpy 2.2 instead of 2.1"),
        ({"versions": {"torch": "2.0"}}, "numpy absent instead of 2.1"),
        ({"machine": {"threads": 1, "cpu_capability": "AVX2"}}, "threads 1 instead of 2"),
        (
            {"machine": {"threads": 1, "cpu_capability": "AVX512"}},
            "threads 1 instead of 2 and cpu capability AVX512 instead of AVX2",
        ),
    ],
)
def test_in_what_a_later_session_differs_is_told_once(change, told):
    (sentence,) = provenance.changes([SESSION, SESSION | change, SESSION | change])
    assert sentence.startswith(f"it went on under {told}, so that")


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
