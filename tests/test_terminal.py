"""No text from a file or a name steers the terminal: all that is printed passes one place that cleans it."""

import ast
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dnnlab as package
from dnnlab import terminal

ROOT = Path(package.__file__).parent
OWN = {"terminal.py", "completion/answer.py"}
"""What prints: the one place, and what a shell reads, which leaves out names that would steer it."""
RICH = {"terminal.py", "report/screen.py", "runner/following.py", "runner/progress.py", "data/download.py"}
"""Where Rich draws; each writes text out first."""


def calls(file):
    """The names of all functions that are called in a module."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def test_all_modules_print_through_one_place():
    found = {file.relative_to(ROOT).as_posix(): set(calls(file)) for file in ROOT.rglob("*.py")}
    assert {name for name, called in found.items() if "print" in called} <= OWN
    assert {name for name, called in found.items() if called & {"Console", "Progress"}} <= RICH


@given(st.text())
def test_what_is_told_has_no_control_characters_but_its_lines(text):
    cleaned = terminal.clean(text)
    assert cleaned.count("\n") == text.count("\n")
    assert all(c == "\n" or c.isprintable() or c in " \u200c\u200d" or not c.isascii() for c in cleaned)
    assert not set(cleaned) & set("\x1b\r\x07\x08\x9b\u202e\u2066\u200f\x00")


@pytest.mark.parametrize("name", ["\x1b[2Jcleared", "\x1b]0;title\x07", "a\rb", "\x9b31m", "\u202egnp.exe"])
def test_names_of_runs_tensors_and_files_are_shown_written_out(name, dnnlab, tmp_path):
    folder = tmp_path / "results" / "gradient-flow" / f"{name}-0123456789"
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").write_text("{}\n")
    (tmp_path / f"{name}.toml").write_text("= 3")
    (tmp_path / f"{name}.dnnz").write_bytes(b"no container at all")
    for arguments in (
        ["runs"],
        ["show", name],
        ["show", str(folder)],
        ["runs", "--rm", folder.name],
        ["run", f"{name}.toml"],
        ["reproduce", f"{name}.toml"],
        ["decompress", f"{name}.dnnz"],
        ["check", "--statement", name],
        ["gradient-flow", "--data", f"folder:{name}"],
        ["gradient-flow", "--act", name],
        ["compare-arch", "--arch", f"{name}.toml"],
        ["data", "get", name],
        [name],
    ):
        done = dnnlab(*arguments)
        assert not set(done.out + done.err) & set("\x1b\r\x07\x9b\u202e"), arguments


def test_names_of_tensors_are_shown_written_out(dnnlab, tmp_path):
    pytest.importorskip("constriction", reason="needs the extra compress")
    import numpy as np

    from dnnlab.compress import container

    state = {"w\x1b[31m": np.zeros((4, 4), np.float32)}
    (tmp_path / "net.dnnz").write_bytes(container.encode(state, {}, coded=False))
    done = dnnlab("decompress", "net.dnnz")
    assert done.code == 0, done.err
    assert "\x1b" not in done.out
    assert "w\\x1b[31m" in done.out


def test_sentences_are_wrapped_between_words_and_commands_are_not(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    sentence = f"{'a word ' * 20}heals it: `dnnlab gradient-flow {'--act relu ' * 12}--seeds 3`. See `left` for more."
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", "50")
    terminal.tell_sentences([sentence])
    lines = sys.stdout.getvalue().splitlines()
    (command,) = (line for line in lines if line.startswith("  "))
    assert command == f"  dnnlab gradient-flow {'--act relu ' * 12}--seeds 3"
    assert all(len(line) <= 50 for line in lines if line != command)
    assert lines[-1] == "See `left` for more."
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    terminal.tell_sentences([sentence])
    assert sys.stdout.getvalue() == f"{sentence}\n"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("ascii", "7e-17 [1e-16, 3e12] -1e-4 36.7x 14.1 % - n^2 2^n 110^4 log2 tau a - b ---"),
        ("latin-1", "7e-17 [1e-16, 3e12] -1e-4 36.7× 14.1 % - n^2 2^n 110^4 log2 tau a · b ---"),
        ("cp1252", "7e-17 [1e-16, 3e12] -1e-4 36.7× 14.1 % – n^2 2^n 110^4 log2 tau a · b ---"),
        ("utf-8", "7·10⁻¹⁷ [10⁻¹⁶, 3·10¹²] -10⁻⁴ 36.7× 14.1 % – n² 2ⁿ 110⁴ log₂ τ a · b ───"),
    ],
)
@pytest.mark.parametrize("narrow", ["stdout", "stderr"])
def test_numbers_stay_numbers_where_a_stream_shows_few_characters(encoding, text, narrow, monkeypatch):
    for name in ("stdout", "stderr"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding if name == narrow else "utf-8")
        monkeypatch.setattr(sys, name, stream)
    terminal.tell("7·10⁻¹⁷ [10⁻¹⁶, 3·10¹²] -10⁻⁴ 36.7× 14.1 % – n² 2ⁿ 110⁴ log₂ τ a · b ───")
    sys.stdout.flush()
    assert sys.stdout.buffer.getvalue().decode(sys.stdout.encoding) == f"{text}\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_run_is_shown_without_a_question_mark_in_ascii(encoding, tmp_path):
    command = [sys.executable, "-m", "dnnlab", "gradient-flow", "--act", "sigmoid", "--seeds", "3", "--width", "16"]
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, env=environment, check=True)
    out = done.stdout.decode(encoding)
    assert "?" not in out
    assert re.search(r"the first receives [0-9.]+e-1[0-9] of what the last does", out)
    assert re.search(r"[0-9.]+e-1[0-9] \[[0-9.]+e-1[0-9], [0-9.]+e-1[0-9]\]", out)  # in the table


def test_a_number_and_its_unit_stay_on_one_line(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for width in range(20, 40):
        monkeypatch.setattr(sys, "stdout", Terminal())
        monkeypatch.setenv("COLUMNS", str(width))
        terminal.tell_sentences(["It has 14.1 % of the gradient, 5.5 kB and 1.2 points less than 3 % in all of them."])
        lines = sys.stdout.getvalue().splitlines()
        assert all(len(line) <= width for line in lines)
        assert not any(line.startswith(("%", "kB", "points")) for line in lines)
        assert "\N{NO-BREAK SPACE}" not in sys.stdout.getvalue()
