"""The program, called as a user would, in this process."""

import sys
from dataclasses import dataclass

import pytest
from hypothesis import settings

from dnnlab.__main__ import _run

settings.register_profile("any machine", deadline=None)  # an example that takes long is no fault
settings.load_profile("any machine")


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
