"""Tab in a real bash and a real zsh, and what fish is told."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dnnlab.completion import shells

pytest.importorskip("pty", reason="POSIX alone has it")

from . import served
from .shell import Shell

NAMES = [
    *("q1 it's", "q2$(touch pwned)", "q3`touch pwned`", 'q4"b"', "q5\\", "q6 * ~", "q7;touch pwned", "q8!!"),
    *("q9#&|<>", "qa=ü:b", "-qb", "qd'"),
]
UNSPEAKABLE = "qc\x1b[31m"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with runs, a table and recipes in it."""
    folder = tmp_path_factory.mktemp("place")
    for name in (*NAMES, UNSPEAKABLE, "sigmoid-20-0123456789"):
        _run_of(folder / "results" / "gradient-flow" / name)
    _run_of(folder / "elsewhere" / "dead-relu" / "other-9876543210")
    (folder / "flowers.csv").write_text('sepal,"petal width (cm)",species\n1,2,a\n')
    (folder / "photos").mkdir()
    (folder / "mine.toml").write_text("")
    (folder / "broken.csv").write_bytes(b"\xff\xfe")
    return folder


def _run_of(folder):
    folder.mkdir(parents=True)
    (folder / "provenance.json").write_text("{damaged")
    (folder / "journal.jsonl").write_text("")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The command of a program that is served, so that no Tab waits for imports."""
    address = tmp_path_factory.mktemp("at") / "s"
    command = [sys.executable, served.__file__, str(address)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout.readline() == b"ready\n"
        yield [command[0], "-I", "-S", *command[1:], "--"]


@pytest.fixture(scope="module", params=["bash", "zsh"])
def shell(request, place, program, tmp_path_factory):
    script = shells.SCRIPTS[request.param]
    shell = Shell(request.param, tmp_path_factory.mktemp("home"), place, script, program)
    yield shell
    shell.close()


@pytest.mark.parametrize(
    ("typed", "more"),
    [
        ("dnnlab grad", "ient-flow "),
        ("dnnlab gradient-flow --dep", "th "),
        ("dnnlab gradient-flow --act rel", "u "),
        ("dnnlab gradient-flow --act sigmoid,tan", "h "),
        ("dnnlab gradient-flow --act=rel", "u "),
        ("dnnlab gradient-flow --norm none,ba", "tch "),
        ("dnnlab gradient-flow --init norm", "al:"),
        ("dnnlab gradient-flow --data csv:fl", "owers.csv:"),
        ("dnnlab gradient-flow --data digits,csv:flowers.csv:spec", "ies "),
        ("dnnlab gradient-flow --data folder:pho", "tos/"),
        ("dnnlab gradient-flow --data fold", "er:"),
        ("dnnlab gradient-flow --depth 5 --expect van", "ishing "),
        ("dnnlab compare-arch --arch plain20,resnet20:wi", "dth="),
        ("dnnlab compare-arch --arch resnet20:act=gelu,no", "rm="),
        ("dnnlab compare-arch --arch resnet20:act=gel", "u "),
        ("dnnlab compare-arch --budget ep", "ochs="),
        ("dnnlab compress --preset deep", "-compression "),
        ("dnnlab compress --method prune:mo", "vement "),
        ("dnnlab nas --strategy random,proxy:syn", "flow "),
        ("dnnlab nas --space con", "v "),
        ("dnnlab reproduce --profile qu", "ick "),
        ("dnnlab data get cif", "ar10 "),
        ("dnnlab run mi", "ne.toml "),
        ("dnnlab run mine.toml --engine pro", "cesses "),
        ("dnnlab show sig", "moid-20-0123456789 "),
        ("dnnlab show --out elsewhere oth", "er-9876543210 "),
        ("dnnlab diff sigmoid-20-0123456789 sig", "moid-20-0123456789 "),
        ("dnnlab show --out els", "ewhere/"),
        ("dnnlab show gradient-flow/sig", "moid-20-0123456789 "),
        ("true && FOO=1 dnnlab show sig", "moid-20-0123456789 "),
        # Nothing is known, and nothing is said.
        ("dnnlab show --out flowers.csv x", ""),
        ("dnnlab show --out /no/such/place x", ""),
        ("dnnlab gradient-flow --act xyz", ""),
        ("dnnlab gradient-flow --depth 2", ""),
        ("dnnlab gradient-flow --data csv:broken.csv:x", ""),
        ("dnnlab nonsense --act re", ""),
        ("dnnlab show qc", ""),
    ],
)
def test_tab(shell, typed, more):
    assert shell.press(f"{typed}\t") == typed + more
    assert "dnnlab: " not in shell.shown
    assert "Traceback" not in shell.shown


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_whatever_a_run_is_called_its_name_is_completed_to_what_the_shell_reads_as_such(shell, name, quote, place):
    if quote == '"' and "!" in name:
        pytest.skip("an exclamation mark cannot be written between double quotes")
    line = shell.press(f"dnnlab show -- {quote}{name[:2]}\t")
    assert _as_read(line, place) == ["show", "--", name]
    assert line.endswith(" ")
    assert not (place / "pwned").exists()


@pytest.mark.parametrize(
    "word", ["csv:flowers.csv:pet", "'csv:flowers.csv:pet", '"csv:flowers.csv:pet', "csv:'flowers.csv':pet"]
)
def test_a_column_with_blanks_behind_colons(shell, word, place):
    line = shell.press(f"dnnlab gradient-flow --data {word}\t")
    assert _as_read(line, place)[-1] == "csv:flowers.csv:petal width (cm)"


def test_what_is_a_pattern_to_the_shell_stays_one_word(shell, place):
    line = shell.press("dnnlab gradient-flow --act relu*10+ge\t")
    assert _as_read(line, place)[-1] == "relu*10+gelu"


def _as_read(line, place):
    """The words behind the first, as a shell that runs ``line`` passes them on."""
    command = f"printf '%s\\n' {line.removeprefix('dnnlab ')}"
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=True, cwd=place
    ).stdout.splitlines()


def test_what_the_shell_expands_is_left_to_the_shell(shell):
    (shell.home / "photos").mkdir()
    for word in ("~/pho", "$HOME/pho"):
        assert shell.press(f"dnnlab runs --out {word}\t") == f"dnnlab runs --out {word}tos/"
    data = shell.press("dnnlab gradient-flow --data folder:~/pho\t")
    assert data.replace("\\", "") == "dnnlab gradient-flow --data folder:~/photos/"
    assert shell.press("~/bin/dnnlab gradient-flow --act rel\t") == "~/bin/dnnlab gradient-flow --act relu "


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_installed_twice_it_is_there_once_and_works_in_the_next_shell(name, place, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    start = home / (".bashrc" if name == "bash" else ".zshrc")
    start.write_text("true  # without an end of line")
    environment = {k: v for k, v in os.environ.items() if k not in ("ZDOTDIR", "XDG_DATA_HOME")} | {"HOME": str(home)}
    for _ in range(2):
        command = [sys.executable, "-m", "dnnlab", "--install-completion", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert (done.returncode, done.stderr) == (0, "")
    first, second = start.read_text().splitlines()
    assert first == "true  # without an end of line"
    assert Path(shlex.split(second)[1]).read_text().strip() == shells.SCRIPTS[name]
    shell = Shell(name, home, place, "", [sys.executable, "-m", "dnnlab"])
    assert shell.press("dnnlab show sig\t") == "dnnlab show sigmoid-20-0123456789 "
    shell.close()


def test_fish(place, tmp_path):
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    program = tmp_path / "dnnlab"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dnnlab "$@"\n')
    program.chmod(0o755)
    environment = os.environ | {"HOME": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def offered(line):
        command = f"{shells.SCRIPTS['fish']}\ncomplete -C {shlex.quote(line)}"
        done = subprocess.run(
            ["fish", "--no-config", "-c", command],
            capture_output=True, text=True, check=True, cwd=place, env=environment,
        )  # fmt: skip
        return done.stdout.splitlines()

    assert offered("dnnlab gradient-flow --act relu,ta") == ["relu,tanh"]
    assert offered("dnnlab gradient-flow --data csv:fl") == ["csv:flowers.csv:"]
    assert offered("dnnlab show q1") == ["q1 it's"]
    assert offered("dnnlab gradient-flow --act xyz") == []
    assert offered("dnnlab runs --out $PWD/els") == ["$PWD/elsewhere/"]
    assert "gradient-flow" in offered("dnnlab ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_shown_alone(dnnlab, shell):
    done = dnnlab("--show-completion", shell)
    assert (done.code, done.out, done.err) == (0, shells.SCRIPTS[shell] + "\n", "")


def test_a_shell_that_nobody_knows(dnnlab):
    done = dnnlab("--show-completion", "zhs")
    assert (done.code, done.err) == (2, "dnnlab: unknown shell 'zhs': did you mean zsh?\n")
