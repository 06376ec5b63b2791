"""Questions to processes of their own."""

import pytest

from dnnlab.errors import DnnlabError
from dnnlab.instruments.fresh import answer_of


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module with a body, which a process can run."""

    def write(body):
        (tmp_path / "asked.py").write_text(f"import json, sys\nquestion = json.load(sys.stdin)\n{body}\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return "asked"

    return write


def test_a_question_goes_in_and_its_answer_comes_out(module):
    assert answer_of(module("json.dump({'twice': 2 * question['x']}, sys.stdout)"), {"x": 21}) == {"twice": 42}


def test_a_process_that_fails_says_why(module):
    with pytest.raises(DnnlabError, match=r"takes times failed: ValueError: no such file\."):
        answer_of(module("raise ValueError('no such file')"), {})
    with pytest.raises(DnnlabError, match=r"takes times failed: exit code 3\."):
        answer_of(module("sys.exit(3)"), {})
