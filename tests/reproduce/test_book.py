"""The ledger on the disk: no verdict is lost, whoever writes at the same time and whoever is killed."""

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from dnnlab.reproduce import book as books
from dnnlab.reproduce.book import Book

WRITER = """
import sys, time
from pathlib import Path
from dnnlab.reproduce.book import Book
out, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
book = Book(out / "ledger-own-quick", "Made up", "quick", user_recipes=True, published=float("inf"))
print("ready", flush=True)
while not (out / "go").exists():
    time.sleep(0.01)
for number in range(count):
    row = dict.fromkeys(("slide", "claim", "circumstances", "measured", "published", "note", "run"), "")
    row |= {"part": "p", "recipe": f"{name}-{number}", "verdict": "holds", "n": 3, "command": f"{name} {number}"}
    book.enter(row)
    print(number, flush=True)
"""


def row(name, verdict="holds"):
    texts = dict.fromkeys(("slide", "claim", "circumstances", "measured", "published", "note", "run"), "")
    return {**texts, "part": "p", "recipe": name, "verdict": verdict, "n": 3, "command": name}


def held(tmp_path):
    return pd.read_csv(tmp_path / "ledger-own-quick" / "ledger.csv").set_index("recipe")["verdict"].to_dict()


def test_all_verdicts_of_four_writers_at_once_are_kept_also_when_one_is_killed(forked, until, tmp_path):
    writers = {name: forked(tmp_path, name, 12, code=WRITER) for name in "abc"}
    victim = forked(tmp_path, "victim", 10000, code=WRITER)
    for process in (*writers.values(), victim):
        until(lambda process=process: process.out == "ready\n", process)
    (tmp_path / "go").touch()
    until(lambda: victim.out.count("\n") > 3, victim)
    victim.kill()
    victim.wait()
    entered = victim.out.splitlines()[1:]
    for process in writers.values():
        assert process.wait() == 0
    expected = {f"{name}-{number}" for name in writers for number in range(12)}
    expected |= {f"victim-{number}" for number in entered}
    # The one that was killed may have entered one more than it could say.
    assert expected <= set(held(tmp_path)) <= expected | {f"victim-{len(entered)}"}


@pytest.fixture
def book(tmp_path):
    return Book(tmp_path / "ledger-own-quick", "Made up", "quick", user_recipes=True, published=float("inf"))


@pytest.mark.parametrize(
    "damage",
    [lambda text: text.replace("holds", "refuted", 1), lambda text: text + text.splitlines()[-1] + "\n",
     lambda text: text[: len(text) // 2], lambda text: "", lambda text: "recipe\nx\n"],
)  # fmt: skip
def test_a_ledger_that_somebody_changed_is_not_believed_and_is_kept_beside(book, tmp_path, damage, capsys):
    book.enter(row("a"))
    book.enter(row("b"))
    file = book.folder / "ledger.csv"
    changed = damage(file.read_text())
    file.write_text(changed)
    book.enter(row("c"))
    assert held(tmp_path) == {"c": "holds"}
    assert (book.folder / "ledger.changed.csv").read_text() == changed
    assert "it is kept as ledger.changed.csv" in capsys.readouterr().err


def test_a_ledger_of_a_version_that_kept_no_conditions_is_read_and_kept(book, tmp_path):
    book.enter(row("a") | {"conditions": '[{"said": "1", "met": true, "when": "", "control": false}]'})
    file = book.folder / "ledger.csv"
    table = pd.read_csv(file)
    assert table.columns[-1] == "conditions"
    table.drop(columns="conditions").to_csv(file, index=False, lineterminator="\n")
    (book.folder / ".ledger.sha256").unlink()
    book.enter(row("b"))
    assert held(tmp_path) == {"a": "holds", "b": "holds"}
    assert not list(book.folder.glob("ledger.changed*"))
    book.publish()
    assert book.page.read_text("utf-8").count('<article class="claim') == 2


def test_what_cannot_be_run_here_replaces_no_verdict_on_the_same_seeds(book, tmp_path):
    book.enter(row("a") | {"digest": "0123"})
    book.enter(row("a") | {"digest": "0123", "verdict": "not run"})
    assert held(tmp_path) == {"a": "holds"}
    book.enter(row("a") | {"digest": "4567", "verdict": "not run"})
    assert held(tmp_path) == {"a": "not run"}


def test_each_changed_ledger_is_kept(book, tmp_path):
    for name in ("a", "b"):
        book.enter(row(name))
        (book.folder / "ledger.csv").write_text(f"changed after {name}")
    book.enter(row("c"))
    kept = sorted(book.folder.glob("ledger.changed*"))
    assert [file.read_text() for file in kept] == ["changed after a", "changed after b"]


@pytest.mark.parametrize("name", ["ledger.csv", "ledger.json", "ledger.html", ".ledger.sha256", ".lock"])
@pytest.mark.parametrize("make", [os.mkdir, getattr(os, "mkfifo", None), lambda path: os.symlink("/dev/zero", path)])
def test_what_lies_in_the_place_of_the_ledger_is_moved_aside(book, tmp_path, name, make):
    if name == ".lock" and make is os.mkdir:
        pytest.skip("a folder cannot be opened as a lock; the system says so")
    book.enter(row("a"))
    (book.folder / name).unlink(missing_ok=True)
    if make is None:
        pytest.skip("this system has no named pipes among its files")
    make(book.folder / name)
    book.enter(row("b"))
    book.publish()
    assert "b" in held(tmp_path)


def test_a_kill_between_checksum_and_ledger_costs_nothing(book, tmp_path, monkeypatch):
    book.enter(row("a"))
    write = books.atomic.write

    def killed(path, content):
        if path.name == "ledger.csv":
            raise KeyboardInterrupt
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(books.atomic, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            book.enter(row("b"))
    book.enter(row("c"))
    assert held(tmp_path) == {"a": "holds", "c": "holds"}


RECIPE = """experiment = "check"
[options]
statement = ["{statement}"]
[claim]
text = "It is said that {statement}."
slide = "A slide"
[[claim.holds]]
metric = "verdict"
is = "holds"
"""


def test_a_reproduction_that_was_stopped_says_how_many_claims_were_not_run(dnnlab, tmp_path, monkeypatch):
    (tmp_path / "claims").mkdir()
    for number in range(3):
        (tmp_path / "claims" / f"{number}.toml").write_text(RECIPE.format(statement=f"{number} = {number}"))
    from dnnlab.reproduce import ledger

    run, calls = ledger.run, []

    def stopped(task, out):
        calls.append(task)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return run(task, out)

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "run", stopped)
        done = dnnlab("reproduce", "claims")
    assert "2 of 3 claims were not run" in done.err
    folder = tmp_path / "results" / "ledger-own-quick"
    assert list(pd.read_csv(folder / "ledger.csv")["verdict"]) == ["holds", "not run", "not run"]
    assert [each["verdict"] for each in json.loads((folder / "ledger.json").read_text())] == [
        "holds",
        "not run",
        "not run",
    ]
    page = (folder / "ledger.html").read_text()
    assert "<h1>3 claims: 1 holds and 2 were not run</h1>" in page
    assert page.count("not run: It is said") == 2 * 2  # two squares, each with a name and a title
    assert dnnlab("reproduce", "claims").code == 0
    assert list(pd.read_csv(folder / "ledger.csv")["verdict"]) == ["holds"] * 3
    assert "not run" not in (folder / "ledger.html").read_text()


def test_a_run_that_another_process_measures_is_waited_for(dnnlab, tmp_path, monkeypatch):
    from dnnlab.reproduce import ledger
    from dnnlab.runner import run as running
    from dnnlab.runner.journal import BusyError

    (tmp_path / "x.toml").write_text(RECIPE.format(statement="1 = 1"))
    execute, calls = running.execute, []

    def busy(*arguments):
        calls.append(arguments)
        if len(calls) < 3:
            raise BusyError("another process is measuring it")
        return execute(*arguments)

    monkeypatch.setattr(running, "execute", busy)
    monkeypatch.setattr(ledger, "_PAUSE", 0)
    done = dnnlab("reproduce", "x.toml", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["summary"][0]["verdict"] == "holds"
    assert len(calls) == 3


def test_recipes_of_one_name_in_two_folders_both_have_a_verdict(dnnlab, tmp_path):
    for place in ("a", "b"):
        (tmp_path / place / "claims").mkdir(parents=True)
        (tmp_path / place / "claims" / "x.toml").write_text(RECIPE.format(statement="1 = 1"))
    assert dnnlab("reproduce", "a", "b").code == 0
    assert dnnlab("reproduce", "a").code == 0
    assert len(pd.read_csv(tmp_path / "results" / "ledger-own-quick" / "ledger.csv")) == 2


@pytest.mark.slow
def test_eight_at_once_five_times_lose_no_verdict(tmp_path):
    """The whole command, a recipe each; one of the eight is killed each time and run again at the end."""
    (tmp_path / "claims").mkdir()
    names = [f"{time}-{one}" for time in range(5) for one in range(8)]
    for name in names:
        (tmp_path / "claims" / f"{name}.toml").write_text(RECIPE.format(statement=f"{int(name[0]) + 1}{name[2]} > 1"))
    command = [sys.executable, "-m", "dnnlab", "reproduce", "--quiet", "--out", str(tmp_path)]

    def start(name):
        return subprocess.Popen([*command, str(tmp_path / "claims" / f"{name}.toml")], stdout=subprocess.DEVNULL)

    for round_ in range(5):
        processes = [start(f"{round_}-{one}") for one in range(8)]
        time.sleep(1 + 0.5 * round_)
        os.kill(processes[0].pid, signal.SIGKILL)
        codes = [process.wait() for process in processes]
        assert set(codes[1:]) == {0}
        assert start(f"{round_}-0").wait() == 0
    assert held(tmp_path) == dict.fromkeys(names, "holds")
