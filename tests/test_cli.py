"""The command line, as a user meets it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from urllib.parse import unquote

import pandas as pd
import pytest

import dnnlab as package
from dnnlab.gradient_flow.columns import CELLS, SUMMARY
from dnnlab.runner.journal import Journal
from dnnlab.runner.store import Folder
from docs.make_cli import reference

SMALL = ("gradient-flow", "--width", 8, "--depth", 5, "--seeds", 3)
PROMISED = ["act", "init", "norm", "skip", "depth", "width", "data", "seeds", "first_last_ratio", "verdict"]
PROMISED += ["rate", "rate_lo", "rate_hi", "rate_theory", "theory_lo", "theory_hi"]
HEAVY = ("torch", "pandas", "numpy", "scipy", "matplotlib", "sklearn")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["gradient-flow", "--help"]])
def test_help_and_version_import_nothing_heavy(arguments):
    code = (
        f"import sys; sys.argv = ['dnnlab', *{arguments!r}]\n"
        "from dnnlab.__main__ import _run\nprint(_run())\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["0", "[]"]


def test_completion_imports_nothing_heavy():
    code = (
        "import sys, atexit; sys.argv = ['dnnlab']\n"
        f"atexit.register(lambda: print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr))\n"
        "from dnnlab.__main__ import _run\n_run()"
    )
    words = {"_DNNLAB_COMPLETE": "complete_bash", "COMP_WORDS": "dnnlab gradient-flow --norm ba", "COMP_CWORD": "3"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ | words
    )
    assert "batch" in done.stdout
    assert done.stderr.splitlines()[-1] == "[]"


def test_no_command_loads_what_it_does_not_need(tmp_path):
    """PyTorch's compiler and sympy take as long as all else together; a finished run is shown without torch. Measuring
    needs scipy only for the critical initialisation, which is tried on networks that are unhealthy, as He's is not."""
    code = (
        "import sys; sys.argv = ['dnnlab', *sys.argv[1:]]\nfrom dnnlab.__main__ import _run\n"
        "print(_run())\n"
        "names = ('torch', 'torch._dynamo', 'sympy', 'scipy', 'scipy.stats', 'matplotlib')\n"
        "print([name for name in names if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, *map(str, SMALL), "--init", "he", "--out", str(tmp_path)]
    for how, imported in ((["--dry-run"], "['torch']"), ([], "['torch', 'scipy', 'matplotlib']"), ([], "[]")):
        done = subprocess.run([*command, *how], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-2:] == ["0", imported]


def test_help_does_not_need_docstrings():
    commands = [heading.removeprefix("## dnnlab") for heading in re.findall("^## .*", reference(), re.MULTILINE)]
    code = (
        "import sys\nfrom dnnlab.__main__ import _run\n"
        f"for command in {['', *commands]!r}:\n    sys.argv = ['dnnlab', *command.split(), '--help']\n    print(_run())"
    )
    plain, stripped = (
        subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True, check=True).stdout
        for flags in ([], ["-OO"])
    )
    assert plain == stripped
    assert plain.count("Usage: ") == plain.count("\n0\n") == 1 + len(commands)


def test_every_command_has_a_help_text():
    for command in re.split("^## ", reference(), flags=re.MULTILINE)[1:]:
        assert re.match(r"dnnlab .*\n\n[A-Z]", command)


def test_bare_is_the_help_alone(dnnlab):
    done = dnnlab()
    assert done.code == 2
    assert "gradient-flow" in done.out + done.err
    assert "dnnlab:" not in done.err


def test_a_run_and_the_same_again(dnnlab, tmp_path):
    first = dnnlab(*SMALL, "--act", "sigmoid,relu")
    assert first.code == 0
    assert "vanishing" in first.out
    assert "page:" in first.err
    (folder,) = (tmp_path / "results" / "gradient-flow").iterdir()
    journal = (folder / "journal.jsonl").read_bytes()
    again = dnnlab(*SMALL, "--act", "sigmoid,relu")
    assert again.out == first.out
    assert "finished on" in again.err
    assert (folder / "journal.jsonl").read_bytes() == journal
    fresh = dnnlab(*SMALL, "--act", "sigmoid,relu", "--fresh", "--quiet")
    assert fresh.err == ""
    assert {f.name for f in folder.parent.iterdir()} == {folder.name, f"{folder.name}-2"}
    twin = folder.with_name(f"{folder.name}-2")
    for name in ("cells.csv", "summary.csv"):
        assert (folder / name).read_bytes() == (twin / name).read_bytes()


def test_json_is_alone_and_strict(dnnlab, blank_figures):
    done = dnnlab(*SMALL, "--act", "relu", "--norm", "none,batch", "--json")

    def refuse(constant):
        raise AssertionError(constant)

    content = json.loads(done.out, parse_constant=refuse)
    assert set(content) == {"run", "summary"}
    assert [row["norm"] for row in content["summary"]] == ["none", "batch"]
    assert set(PROMISED) <= set(content["summary"][0])


def test_files_follow_the_schema(dnnlab):
    run = json.loads(dnnlab(*SMALL, "--steps", 4, "--clip", 0.1, "--jacobian", "--json").out)["run"]
    for name, columns in (("cells.csv", CELLS), ("summary.csv", SUMMARY)):
        frame = pd.read_csv(f"{run}/{name}", keep_default_na=True)
        assert list(frame.columns) == [column.name for column in columns]
    cells = pd.read_csv(f"{run}/cells.csv")
    assert set(cells["remedy"].dropna()) == {"init critical", "norm layer", "norm batch", "skip residual:0.5"}
    cells = cells[cells["remedy"].isna()]
    assert set(cells["step"]) == {0, 1, 2, 3, 4}
    whole = cells[cells["layer"] == 0]
    assert (whole["jacobian_max"] >= whole["jacobian_min"]).all()
    assert (whole["clipped_norm"].dropna() <= 0.1 * (1 + 1e-5)).all()
    assert (cells.query("layer > 0 and step < 4")["update_ratio"] > 0).all()


def test_expectations_set_the_exit_code(dnnlab, blank_figures):
    assert dnnlab(*SMALL, "--act", "sigmoid", "--expect", "vanishing").code == 0
    missed = dnnlab(*SMALL, "--act", "sigmoid", "--expect", "healthy")
    assert missed.code == 1
    assert "1 of 1 rows is not healthy" in missed.err
    assert dnnlab(*SMALL, "--expect", "helthy").code == 2


def test_a_row_that_others_are_compared_with_has_no_verdict_to_expect(dnnlab, blank_figures):
    """The first of two networks; with it no run that compares could have the expected verdict in all rows."""
    options = ("compare-arch", "--arch", "mlp1:width=0.02,mlp3:width=0.02", "--budget", "steps=1", "--seeds", "1")
    missed = dnnlab(*options, "--expect", "more accurate")
    assert "1 of 1 rows is not more accurate" in missed.err
    assert dnnlab(*options, "--expect", "undecided").code == 0
    alone = dnnlab("compare-arch", "--arch", "mlp1:width=0.02", *options[3:], "--expect", "more accurate")
    assert (alone.code, "no row has a verdict" in alone.err) == (1, True)


def test_a_dry_run_names_the_folder_that_a_fresh_run_gets(dnnlab, blank_figures):
    dnnlab(*SMALL)
    foreseen = json.loads(dnnlab(*SMALL, "--fresh", "--dry-run", "--json").out)
    assert not foreseen["exists"]
    assert Path(foreseen["folder"]).name in dnnlab(*SMALL, "--fresh").err
    assert json.loads(dnnlab(*SMALL, "--dry-run", "--json").out)["folder"] == foreseen["folder"]  # now the newest


def test_a_dry_run_measures_nothing(dnnlab, tmp_path):
    done = dnnlab(*SMALL, "--act", "relu,tanh", "--dry-run")
    assert "6 cells in 2 stacks" in done.out
    assert not (tmp_path / "results").exists()


def test_under_three_seeds_there_is_no_verdict(dnnlab):
    rows = json.loads(dnnlab(*SMALL[:-2], "--seeds", 2, "--act", "sigmoid", "--json").out)["summary"]
    assert rows[0]["verdict"] == "undecided"


def test_recipe_command_and_python_are_one_run(dnnlab, blank_figures, tmp_path):
    by_command = json.loads(dnnlab(*SMALL, "--act", "tanh", "--json").out)["run"]
    recipe = tmp_path / "mine.toml"
    recipe.write_text('experiment = "gradient-flow"\n[options]\nact = "tanh"\nwidth = 8\ndepth = [5]\nseeds = 3\n')
    by_recipe = json.loads(dnnlab("run", recipe, "--json").out)["run"]
    by_python = package.gradient_flow(act="tanh", width=8, depth=5, seeds=3, quiet=True)
    assert by_command == by_recipe == str(by_python.path)
    assert json.loads(dnnlab("run", f"{by_command}/spec.toml", "--json").out)["run"] == by_command
    assert by_python.summary["verdict"].notna().all()
    assert (by_python.cells["remedy"] == "").sum() == 3 * 7
    assert by_python.figures
    assert "<table" in by_python._repr_html_()
    assert "<p>tanh (init torch, depth 5)" in by_python._repr_html_()
    assert "\ntanh (init torch, depth 5)" in repr(by_python)
    assert by_python.__rich__().row_count == 1


def test_a_run_of_a_recipe_has_its_name_and_reproduce_finds_it(dnnlab, blank_figures, tmp_path):
    recipe = tmp_path / "the-claim.toml"
    recipe.write_text(
        'experiment = "check"\n[options]\nstatement = ["1 = 1"]\n[claim]\ntext = "T"\nslide = "S"\n'
        '[[claim.holds]]\nmetric = "verdict"\nis = "holds"\n'
    )
    path = json.loads(dnnlab("run", recipe, "--json").out)["run"]
    assert os.path.basename(path).startswith("the-claim-")
    assert dnnlab("reproduce", recipe, "--quiet").code == 0
    assert json.loads(dnnlab("check", "--statement", "1 = 1", "--json").out)["run"] == path
    assert len(list((tmp_path / "results" / "check").iterdir())) == 1
    assert "the-claim" in dnnlab("runs").out


def test_several_runs_are_shown_and_written(dnnlab, blank_figures, monkeypatch, tmp_path):
    for statement in ("1 = 1", "1 = 2"):
        assert dnnlab("check", "--statement", statement, "--name", "same").code == 0
    both = dnnlab("show", "same", "same-")
    assert both.out.count("check · same-") == 2
    assert both.err.count("this is the newest") == 2
    assert dnnlab("show", "same", "--format", "markdown").out.startswith("| statement |")
    assert dnnlab("show", "same", "--format", "csv").out.startswith("statement,")
    assert len(dnnlab("show", "same", "--all").out) > len(dnnlab("show", "same").out)
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: bool(opened.append(address)))
    done = dnnlab("open", "same")
    assert done.code == 0
    assert opened[0].startswith("file://")
    assert opened[0].endswith("report.html")
    assert done.out.strip().endswith("report.html")
    assert "no browser was found" in done.err
    for wrong in (["show", "same", "check", "--json"], ["show", "same", "--format", "doc"],
                  ["show", "same", "--format", "csv", "--json"], ["show", "same", "same-", "--follow"],
                  ["show", "same", "--follow", "--json"], ["show", "same", "--follow", "--format", "csv"],
                  ["show", "same", "--page", "a.txt"], ["show", "same", "--page", "results"],
                  ["show", "same", "--page", "a.html", "--json"], ["runs", "--where", "act"],
                  ["runs", "--where", "act=relu", "--prune"], ["open", "nothing"]):  # fmt: skip
        assert dnnlab(*wrong).code == 2


def test_several_runs_stand_on_one_page(dnnlab, tmp_path):
    """Each with its finding, figure and table, and a link to its own page that leads there."""
    runs = [json.loads(dnnlab(*SMALL, "--act", act, "--seeds", 3, "--json").out)["run"] for act in ("sigmoid", "tanh")]
    shown = dnnlab("show", *runs, "--page", "pages/both of #1.html")
    assert shown.code == 0, shown.err
    assert "page of 2 runs: pages/both of #1.html" in shown.err
    page = (tmp_path / "pages/both of #1.html").read_text("utf-8")
    links = [unquote(link) for link in re.findall(r'<a href="([^"]+)"', page)]
    assert [os.path.realpath(tmp_path / "pages" / link) for link in links] == [f"{run}/report.html" for run in runs]
    headlines = [re.search("<h1>(.+?)</h1>", Path(run, "report.html").read_text("utf-8"))[1] for run in runs]
    assert re.findall('<h2 id="run.">(.+?)</h2>', page) == headlines
    assert page.count("<figure>") == page.count("<tbody>") == 2
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_show_runs_and_diff(dnnlab, blank_figures, tmp_path):
    a, b = (
        json.loads(dnnlab(*SMALL, "--act", "tanh", "--seed", s, "--name", f"n{s}", "--json").out)["run"] for s in (0, 9)
    )
    os.remove(f"{a}/summary.csv")
    shown = dnnlab("show", "n0")
    assert "tanh" in shown.out
    assert os.path.exists(f"{a}/summary.csv")
    assert len(dnnlab("runs").out.splitlines()) == 3
    same = json.loads(dnnlab("diff", a, a, "--json").out)
    assert [row["verdict"] for row in same] == ["same"] * 3  # of the rate, of first over last, of zeros
    assert [row["change"] for row in same] == [1, 1, 0]  # two of them are factors
    other = json.loads(dnnlab("diff", a, b, "--json").out)
    assert other[0]["lo"] <= other[0]["change"] <= other[0]["hi"]


def test_data_are_listed(dnnlab):
    assert "digits" in dnnlab("data").out
    assert dnnlab("data", "get", "mnits").code == 2


def test_a_closed_pipe_is_no_error(tmp_path):
    command = f"{sys.executable} -m dnnlab gradient-flow --help | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stderr == ""


LONG = ("gradient-flow", "--depth", "10", "--steps", "100000", "--seeds", "3")
SENTENCE = "stopped; what was finished is kept, and the same command goes on from there.\n"


@pytest.fixture
def started(tmp_path):
    """Starts Python in ``tmp_path`` with these arguments; ends it with the test."""
    processes = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's & would have it ignored
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def program(*lines, patience=1e9):
    """The code of ``dnnlab`` whose command line is these lines, with so much patience for tidying up."""
    return "\n".join(
        [
            "import atexit, os, signal, sys, time, types",
            "import dnnlab.__main__ as program, dnnlab.stops",
            f"dnnlab.stops._PATIENCE = {patience}",
            "def app(**options):",
            *(f"    {line}" for line in lines),
            "sys.modules['dnnlab.cli'] = types.SimpleNamespace(commands=lambda: app)",
            "program.main()",
        ]
    )


def hammer(process, count):
    """Ctrl-C, many times, until the program ends."""
    pause = Random(count)
    for _ in range(count):
        process.send_signal(signal.SIGINT)
        time.sleep(pause.uniform(0, 0.02))


@pytest.mark.parametrize(
    ("number", "code", "more"), [(signal.SIGTERM, 143, 0), (signal.SIGINT, 130, 0), (signal.SIGINT, 130, 50)]
)
def test_a_stop_says_how_to_go_on(number, code, more, started, until, tmp_path):
    process = started("-m", "dnnlab", *LONG)
    until(lambda: list(tmp_path.glob("results/*/*/provenance.json")), process)
    process.send_signal(number)
    hammer(process, more)
    _, err = process.communicate(timeout=600)
    assert process.returncode == code
    assert err.endswith(SENTENCE)
    assert err.count(SENTENCE) == 1
    assert "Traceback" not in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_ends_stacks_that_are_measured_side_by_side(number, code, started, until, monkeypatch, tmp_path):
    for name in ("LOKY_MAX_CPU_COUNT", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "2")
    process = started("-m", "dnnlab", *LONG, "--act", "relu,tanh", "--out", "results")
    until(lambda: list(tmp_path.glob("results/*/*/provenance.json")), process)
    told = [process.stderr.readline() for _ in range(2)]
    assert told[1] == "2 stacks side by side, 1 thread each\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=600)
    assert process.returncode == code
    assert err == SENTENCE


@pytest.mark.parametrize("count", [1, 5, 20, 50])
def test_a_stop_while_modules_are_imported(count, started):
    code = (
        f"import sys; sys.argv = ['dnnlab', *{LONG!r}]\n"
        "import dnnlab.__main__ as program\n"
        "run = program._run\n"
        "program._run = lambda: (print('listening', flush=True), run())[1]\n"
        "program.main()"
    )
    process = started("-c", code)
    process.stdout.readline()
    time.sleep(Random(count).uniform(0, 2))
    hammer(process, count)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130, err
    assert err.endswith(SENTENCE)
    assert err.count(SENTENCE) == 1
    assert "Traceback" not in err


INTERRUPTED = """
import os, signal, sys
try:
    os.kill(os.getpid(), signal.SIGINT)
    print("whole")
    sys.stdin.read()
finally:
    print("tidied")
"""
LIBRARY = "dnnlab.stops.is_users = lambda file: False"


@pytest.mark.parametrize(
    ("lines", "ends", "said"),
    [
        (["import interrupted"], False, "tidied\n"),  # a module of the user's
        ([LIBRARY, "import interrupted", "time.sleep(600)"], True, "whole\ntidied\n"),
        ([LIBRARY, "import interrupted"], False, "whole\ntidied\n"),
    ],
)
def test_a_stop_waits_for_the_import_of_a_library_unless_it_never_ends(lines, ends, said, started, tmp_path):
    (tmp_path / "interrupted.py").write_text(INTERRUPTED)
    process = started("-c", program(*lines, patience=1e9 if ends else 0.5))
    if not ends:
        process.wait(timeout=300)
    out, err = process.communicate(timeout=300)  # which closes what the import reads
    assert (process.returncode, out, err) == (130, said, SENTENCE)


def test_stops_leave_the_tidying_up_alone(started):
    lines = (
        "try:",
        "    print('up', flush=True); sys.stdin.read()",
        "finally:",
        "    sys.stdin.read(); print('tidied')",
    )
    process = started("-c", program(*lines))
    process.stdout.readline()
    hammer(process, 50)
    out, err = process.communicate(timeout=600)
    assert (process.returncode, out, err) == (130, "tidied\n", SENTENCE)


def test_a_stop_at_the_programs_end(started):
    lines = ("atexit.register(sys.stdin.read)", "atexit.register(print, 'leaving', flush=True)")
    process = started("-c", program(*lines))
    process.stdout.readline()
    hammer(process, 50)
    _, err = process.communicate(timeout=600)
    assert (process.returncode, err) == (130, SENTENCE)


def test_a_program_whose_tidying_up_hangs_can_be_left(started):
    lines = ("try:", "    print('up', flush=True); time.sleep(600)", "finally:", "    time.sleep(600)")
    process = started("-c", program(*lines, patience=0.5))
    process.stdout.readline()
    began = time.monotonic()
    while process.poll() is None:
        assert time.monotonic() - began < 600
        hammer(process, 1)
    assert time.monotonic() - began > 0.5
    _, err = process.communicate()
    assert (process.returncode, err) == (130, SENTENCE)


def test_a_stop_that_is_swallowed_comes_again(started):
    """As by a module in C that clears what it does not expect: nothing is dropped then that Python would tell of."""
    lines = (
        "try:",
        "    print('up', flush=True); time.sleep(600)",
        "except BaseException:",
        "    pass",
        "time.sleep(600)",
    )
    process = started("-c", program(*lines))
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=600)
    assert (process.returncode, err) == (130, SENTENCE)


def stopped_at_its_figures(tmp_path, *how):
    """What the program printed until a stop that came while it drew its figures, and its exit code."""
    code = (
        "import os, signal, sys; sys.argv = ['dnnlab', *sys.argv[1:]]\n"
        "from dnnlab.gradient_flow import figures\n"
        "figures.draw = lambda *given: os.kill(os.getpid(), signal.SIGINT)\n"
        "from dnnlab.__main__ import main\nmain()"
    )
    arguments = (*map(str, SMALL), "--out", str(tmp_path), *how)
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("again", ["the same command", "show"])
def test_the_table_does_not_wait_for_figures_and_a_stop_loses_nothing(again, dnnlab, tmp_path):
    stopped = stopped_at_its_figures(tmp_path)
    assert (stopped.returncode, stopped.stderr.endswith(SENTENCE)) == (130, True)
    assert "relu (init torch, depth 5): on average a layer passes on" in stopped.stdout
    (folder,) = tmp_path.glob("gradient-flow/*")
    kept = {name: (folder / name).read_bytes() for name in ("journal.jsonl", "cells.csv", "summary.csv")}
    assert not (folder / "report.html").exists()
    arguments = ("show", folder) if again == "show" else (*SMALL, "--out", tmp_path)
    shown = dnnlab(*arguments)
    assert shown.code == 0, shown.err
    assert shown.out == stopped.stdout
    assert "measuring" not in shown.err
    assert "not finished" not in shown.err
    assert {name: (folder / name).read_bytes() for name in kept} == kept
    assert (folder / "report.html").exists()
    assert len(list((folder / "figures").iterdir())) == 4
    stamp = (folder / "report.html").stat().st_mtime_ns
    assert dnnlab("show", folder).code == 0
    assert (folder / "report.html").stat().st_mtime_ns == stamp  # now it is whole


def test_a_reader_that_has_seen_enough_leaves_the_run_whole(tmp_path):
    command = [sys.executable, "-m", "dnnlab", *map(str, SMALL), "--out", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    process.communicate()
    assert process.returncode == 0
    (folder,) = tmp_path.glob("gradient-flow/*")
    assert (folder / "report.html").exists()


def test_a_stop_that_is_dropped_comes_again(started):
    lines = (
        "class Tidied:",
        "    def __del__(self): os.kill(os.getpid(), signal.SIGTERM); time.sleep(0.01)",
        "thing = Tidied()",
        "del thing",
        "time.sleep(600)",
    )
    process = started("-c", program(*lines))
    _, err = process.communicate(timeout=600)
    assert (process.returncode, err) == (143, SENTENCE)


MODEL = """
from torch import nn
class Block(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(n, n, 3, padding=1, bias=False), nn.BatchNorm2d(n)
        self.conv2, self.bn2 = nn.Conv2d(n, n, 3, padding=1, bias=False), nn.BatchNorm2d(n)
        self.relu = nn.ReLU(inplace=True)
    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + x)
def resnet():
    return nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), *(Block(6) for _ in range(3)), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Linear(6, 10))
"""


def test_a_network_of_ones_own(dnnlab, tmp_path, monkeypatch):
    (tmp_path / "my_nets_for_cli.py").write_text(MODEL)
    monkeypatch.setattr(sys, "path", [*sys.path])
    done = dnnlab("gradient-flow", "--model", "my_nets_for_cli:resnet", "--seeds", 3, "--steps", 4, "--json")
    assert done.code == 0, done.err
    content = json.loads(done.out)
    row = content["summary"][0]
    assert row["rate"] > 0
    assert row["rate_theory"] is None
    cells = pd.read_csv(f"{content['run']}/cells.csv")
    names = cells.query("seed == 0 and step == 0 and layer > 0")["name"].tolist()
    assert names == ["0", *(f"{i}.conv{j}" for i in (1, 2, 3) for j in (1, 2)), "6"]
    assert (cells.query("layer > 0 and step < 4")["update_ratio"] > 0).all()
    wrong = dnnlab("gradient-flow", "--model", "my_nets_for_cli:resnt")
    assert wrong.code == 2
    assert "did you mean resnet?" in wrong.err


def test_a_dry_run_is_json_too(dnnlab, tmp_path):
    outlook = json.loads(dnnlab(*SMALL, "--act", "sigmoid,relu", "--dry-run", "--json").out)
    assert (outlook["cells"], len(outlook["stacks"]), outlook["device"]) == (6, 2, "cpu")
    assert outlook["macs"] > 0
    assert not outlook["exists"]
    assert not (tmp_path / "results").exists()


def test_a_finished_run_that_lost_its_journal_is_shown_while_its_tables_last_and_then_measured_again(
    dnnlab, blank_figures
):
    first = dnnlab(*SMALL)
    (folder,) = Path("results/gradient-flow").iterdir()
    bytes_before = (folder / "cells.csv").read_bytes()
    (folder / "journal.jsonl").write_bytes(b"")
    (folder / "spec.toml").unlink()
    again = dnnlab(*SMALL)
    assert (again.code, again.out) == (0, first.out)
    (folder / "summary.csv").unlink()
    anew = dnnlab(*SMALL)
    assert (anew.code, anew.out) == (0, first.out)
    assert "some of what was measured is lost; that is measured again" in anew.err
    assert (folder / "cells.csv").read_bytes() == bytes_before


def test_the_list_of_runs_says_what_each_is_up_to(dnnlab, blank_figures):
    dnnlab(*SMALL, "--name", "done")
    dnnlab(*SMALL, "--act", "tanh", "--name", "broken-off")
    dnnlab(*SMALL, "--act", "gelu", "--name", "unreadable")
    folders = {path.name.rsplit("-", 1)[0]: path for path in Path("results/gradient-flow").iterdir()}
    broken_off = Folder(folders["broken-off"])
    broken_off.write_provenance({**broken_off.read_provenance(), "state": "running"})
    (folders["unreadable"] / "provenance.json").write_text("{")

    def states():
        return {line.split()[1].rsplit("-", 1)[0]: line.split()[2] for line in dnnlab("runs").out.splitlines()[1:]}

    assert states() == {"done": "1", "broken-off": "interrupted", "unreadable": "damaged"}  # 1 of a verdict
    with Journal(folders["broken-off"] / "journal.jsonl").writing():
        assert states()["broken-off"] == "running"
    done = folders["done"]
    shown = {dnnlab("show", name).out for name in ("done", f"gradient-flow/{done.name}", f"{done}/spec.toml")}
    assert len(shown) == 1
