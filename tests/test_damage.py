"""Files of finished runs that somebody or something changed: none is believed, and nothing that can be had is lost."""

import json
import os
import re
import shlex
import shutil
import zlib

import pytest

SMALL = ("gradient-flow", "--act", "relu,tanh", "--depth", 3, "--width", 4, "--seeds", 3)
SUM = ("check", "--statement", "1 + 1 = 2", "--statement", "2 > 3")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of each command: its command, and its files as they were written."""
    from dnnlab.cli import commands

    runs = {}
    for command in (SMALL, SUM):
        out = tmp_path_factory.mktemp("finished")
        commands()([*map(str, command), "--out", str(out), "--quiet"], standalone_mode=False)
        (folder,) = out.glob("*/*")
        runs[command] = folder.name, {f.relative_to(folder): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    return runs


@pytest.fixture
def a_run(finished, tmp_path):
    """Puts a finished run into a results root of its own; gives its folder."""

    def put(command):
        name, files = finished[command]
        folder = tmp_path / "results" / command[0] / name
        for place, content in files.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_bytes(content)
        return folder

    return put


DAMAGE = {
    "a digit": lambda content: content.replace(b"1", b"7", 1) if b"1" in content else content + b"7",
    "a doubled line": lambda content: content + content.splitlines(keepends=True)[-1],
    "emptied": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "zeros": lambda content: content[: len(content) // 2] + bytes(len(content) - len(content) // 2),
}


@pytest.mark.parametrize("damage", [*DAMAGE, "removed"])
@pytest.mark.parametrize("name", ["cells.csv", "summary.csv", "report.html"])
@pytest.mark.parametrize("how", ["show", "again"])
def test_tables_that_are_not_as_written_are_made_again(how, name, damage, a_run, dnnlab):
    folder = a_run(SUM)
    file, shown = folder / name, dnnlab("show", folder.name).out
    whole = file.read_bytes()
    if damage == "removed":
        file.unlink()
    else:
        file.write_bytes(DAMAGE[damage](whole))
        assert file.read_bytes() != whole
    done = dnnlab("show", folder.name) if how == "show" else dnnlab(*SUM)
    assert done.code == 0, done.err
    assert re.search(
        f"^{name} of .*{re.escape(folder.name)} is not as written; made again from the journal.$", done.err, re.M
    )
    assert done.out == shown
    assert file.read_bytes() == whole
    assert "not as written" not in dnnlab("show", folder.name).err


def test_figures_that_are_not_as_written_are_made_again(a_run, dnnlab):
    folder = a_run(SMALL)
    before = {file: file.read_bytes() for file in (folder / "figures").iterdir()}
    first, second, *_ = sorted(before)
    first.write_bytes(b"")
    second.unlink()
    done = dnnlab(*SMALL)
    assert done.code == 0
    assert f"figures/{first.name} and figures/{second.name} of" in done.err
    assert {file: file.read_bytes() for file in (folder / "figures").iterdir()} == before


@pytest.mark.parametrize("damage", [*DAMAGE, "removed"])
@pytest.mark.parametrize("how", ["show", "again", "fresh"])
def test_a_damaged_provenance_is_made_again_from_the_journal(how, damage, a_run, dnnlab):
    folder = a_run(SUM)
    file, summary = folder / "provenance.json", (folder / "summary.csv").read_bytes()
    journal = (folder / "journal.jsonl").read_bytes()
    if damage == "removed":
        file.unlink()
    else:
        file.write_bytes(DAMAGE[damage](file.read_bytes()))
    assert dnnlab("runs").code == 0
    done = dnnlab("show", folder.name) if how == "show" else dnnlab(*SUM, *(["--fresh"] if how == "fresh" else []))
    assert done.code == 0, done.err
    if how != "fresh":  # which measures beside it
        assert "made again from the journal" in done.err
        assert json.loads(file.read_text())["stacks"]
        assert (folder / "summary.csv").read_bytes() == summary
    assert (folder / "journal.jsonl").read_bytes() == journal
    assert len(list(folder.parent.iterdir())) == (2 if how == "fresh" else 1)


def test_fresh_comes_to_an_end_when_the_provenance_of_a_fresh_run_is_damaged(a_run, dnnlab):
    folder = a_run(SUM)
    assert dnnlab(*SUM, "--fresh").code == 0
    second = folder.with_name(f"{folder.name}-2")
    (second / "provenance.json").write_bytes(b"")
    third = dnnlab(*SUM, "--fresh")
    assert third.code == 0, third.err
    assert json.loads((second / "provenance.json").read_text())["state"] == "finished"
    assert sorted(path.name for path in folder.parent.iterdir()) == [f"{folder.name}{end}" for end in ("", "-2", "-3")]


def test_an_edited_spec_is_noticed_and_kept_beside(a_run, dnnlab):
    folder = a_run(SUM)
    spec = folder / "spec.toml"
    whole, edited = spec.read_bytes(), spec.read_bytes().replace(b"2 > 3", b"4 > 3")
    spec.write_bytes(edited)
    done = dnnlab("show", folder.name)
    assert done.code == 0
    assert "was not what was measured; it is written again" in done.err
    assert "2 > 3" in done.out
    assert spec.read_bytes() == whole
    assert (folder / "spec.changed.toml").read_bytes() == edited


def rewritten(line, change):
    """A line of a journal whose entry ``change`` has changed, with the right checksum."""
    entry = json.loads(line)["entry"]
    changed = change(entry)
    text = json.dumps(entry if changed is None else changed, separators=(",", ":")).encode()
    return b'{"format":2,"crc":%d,"entry":%s}' % (zlib.crc32(text), text)


def put(value, column="cell", place=0):
    return lambda entry: entry["rows"][column].__setitem__(place, value)


CELLS = {
    repr(value): put(value)
    for value in (10**6, -1, "a", float("inf"), float("nan"), None, True, 0.5, [0], {}, 10**400, "0", 3)
}
NUMBERS = {
    f"{column} {value!r:.20}": put(value, column)
    for column in ("left", "right")
    for value in ("text", [1], {"a": 1}, 10**400, -(10**400), "")
}
OTHERS = {
    "rows a list": lambda entry: entry.update(rows=[1, 2]),
    "rows text": lambda entry: entry.update(rows="rows"),
    "rows nothing": lambda entry: entry.update(rows=None),
    "no rows": lambda entry: entry.update(rows={"cell": []}),
    "a column is a number": lambda entry: entry["rows"].update(left=3),
    "a column is text": lambda entry: entry["rows"].update(left="abc"),
    "stack a list": lambda entry: entry.update(stack=["a"]),
    "stack a number": lambda entry: entry.update(stack=3),
    "seconds text": lambda entry: entry.update(seconds="long"),
    "seconds nothing": lambda entry: entry.update(seconds=None),
    "error a number": lambda entry: entry.update(error=3),
    "a column too long": lambda entry: entry["rows"]["left"].append(1.0),
    "a column too short": lambda entry: entry["rows"]["left"].pop(),
    "no column cell": lambda entry: entry["rows"].pop("cell") and None,
    "an entry that is a list": lambda entry: [entry],
    "a field more": lambda entry: entry.update(more=1),
    "no seconds": lambda entry: entry.pop("seconds") and None,
    "a derivation that is a number": put(7, "derivation"),
    "no rows at all": lambda entry: entry.update(rows={}),
    "no rows and no parts": lambda entry: entry.update(rows={}) or (entry.pop("parts") and None),
    "a statement of its own": lambda entry: entry["rows"].update(statement=["9 = 9"]),
    "an error of its own": lambda entry: entry["rows"].update(error=["none"]),
}
OF_LAYERS = {
    "text in a column of numbers": put("text", "delta_norm"),
    "half a layer": put(0.5, "layer"),
    "a name that is a number": put(7, "name"),
    "a cell less": lambda entry: {**entry, "rows": {k: v[: len(v) // 3] for k, v in entry["rows"].items()}},
}
CHANGES = [(SUM, name, change) for name, change in (CELLS | NUMBERS | OTHERS).items()]
CHANGES += [(SMALL, name, change) for name, change in OF_LAYERS.items()]


@pytest.mark.parametrize(("command", "name", "change"), CHANGES, ids=lambda value: value if type(value) is str else "")
def test_a_journal_with_right_checksums_and_wrong_content_is_measured_again_there(
    command, name, change, a_run, dnnlab, blank_figures
):
    folder = a_run(command)
    journal, tables = folder / "journal.jsonl", [folder / "cells.csv", folder / "summary.csv"]
    whole = [table.read_bytes() for table in tables]
    first, *rest = journal.read_bytes().splitlines()
    journal.write_bytes(b"\n".join([rewritten(first, change), *rest, b""]))
    tables[0].unlink()
    shown = dnnlab("show", folder.name)
    assert shown.code == 1
    assert [line[:8] for line in shown.err.splitlines()].count("dnnlab: ") == 1
    assert "journal.jsonl is damaged (line" in shown.err
    assert "measures what is lost again, and nothing else." in shown.err
    again = dnnlab(*command)
    assert again.code == 0, again.err
    assert f"{3 if command == SMALL else 1} of them are there already" in again.err  # the other stack
    assert [table.read_bytes() for table in tables] == whole


def test_what_is_said_about_a_damaged_journal_can_be_done(dnnlab, tmp_path):
    assert dnnlab(*SUM, "--name", "mine").code == 0
    (folder,) = (tmp_path / "results" / "check").iterdir()
    journal = folder / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(b"x" + whole)
    (folder / "cells.csv").unlink()
    said = dnnlab("show", folder.name)
    assert said.code == 1
    advice = re.search(r"; dnnlab (run .*) measures what is lost again", said.err)[1]
    done = dnnlab(*shlex.split(advice))
    assert done.code == 0, done.err
    assert "1 of them are there already" in done.err
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert journal.read_bytes().count(b"\n") == whole.count(b"\n") + 1
    assert dnnlab(*SUM, "--name", "mine", "--fresh").code == 0
    journal.write_bytes(b"xxxxx\n")
    (folder / "cells.csv").unlink()
    assert "restore it from a copy; there is a newer run of the same" in dnnlab("show", str(folder)).err


def test_of_a_column_that_is_missing_one_sentence_comes_or_the_same_tables(a_run, dnnlab):
    """What a journal lacks can be what a later version of dnnlab measures, so that it is no damage by itself."""
    folder = a_run(SMALL)
    first, *rest = (folder / "journal.jsonl").read_bytes().splitlines()
    for column in ("step", "layer", "name", "layer_act", "delta_norm", "loss"):
        line = rewritten(first, lambda entry, gone=column: entry["rows"].pop(gone) and None)
        (folder / "journal.jsonl").write_bytes(b"\n".join([line, *rest, b""]))
        (folder / "cells.csv").unlink(missing_ok=True)
        done = dnnlab("show", folder.name)
        assert done.code in (0, 1)
        assert "Traceback" not in done.err
        assert done.code == 0 or [line[:8] for line in done.err.splitlines()].count("dnnlab: ") == 1


def test_swapped_runs_are_not_taken_for_each_other(dnnlab, tmp_path):
    commands = [("check", "--statement", f"1 + 1 = {n}", "--name", f"sum{n}") for n in (2, 3)]
    for command in commands:
        assert dnnlab(*command).code == 0
    two, three = sorted((tmp_path / "results" / "check").iterdir())
    two.rename(tmp_path / "aside")
    three.rename(two)
    (tmp_path / "aside").rename(three)
    for command, folder in zip(commands, (two, three), strict=True):
        done = dnnlab(*command)
        assert done.code == 1
        assert "holds another run than its name says" in done.err
        assert dnnlab("show", folder.name).code == 1
    three.rename(tmp_path / "aside")  # and back
    two.rename(three)
    (tmp_path / "aside").rename(two)
    assert "1 + 1 = 2 holds" in dnnlab(*commands[0]).out
    assert "1 + 1 = 3 does not hold" in dnnlab(*commands[1]).out


@pytest.mark.parametrize("names", [["provenance.json"], ["provenance.json", "spec.toml"]])
def test_the_provenance_of_another_run_is_noticed(names, dnnlab, tmp_path):
    commands = [("check", "--statement", f"1 + 1 = {n}", "--name", f"sum{n}") for n in (2, 3)]
    for command in commands:
        assert dnnlab(*command).code == 0
    two, three = sorted((tmp_path / "results" / "check").iterdir())
    for name in names:
        (two / name).write_bytes((three / name).read_bytes())
    done = dnnlab(*commands[0])
    assert done.code == 0, done.err
    assert "another run's; it is made again from the journal" in done.err
    assert "1 + 1 = 2 holds" in done.out
    assert "1 + 1 = 2 holds" in dnnlab("show", two.name).out


def a_folder(file):
    file.mkdir()
    (file / "mine.txt").write_text("mine")


@pytest.mark.parametrize("name", ["provenance.json", "cells.csv", "summary.csv", "report.html", "figures", "spec.toml"])
@pytest.mark.parametrize("thing", ["folder", "pipe", "device", "nowhere", "large"])
def test_what_lies_in_the_place_of_a_file_is_moved_aside(name, thing, a_run, dnnlab):
    folder = a_run(SUM)
    shown, file = dnnlab("show", folder.name).out, folder / name
    shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)
    match thing:
        case "folder":
            a_folder(file)
        case "pipe":
            os.mkfifo(file)
        case "device":
            file.symlink_to("/dev/zero")
        case "nowhere":
            file.symlink_to(folder / "no" / "such" / "place")
        case "large":
            file.touch()
            os.truncate(file, 2**42)
    assert dnnlab("runs").code == 0
    done = dnnlab(*SUM)
    assert done.code == 0, done.err
    assert done.out == shown
    assert dnnlab("show", folder.name).out == shown
    if thing == "folder" and name != "figures":
        (kept,) = folder.glob("*.changed*")
        assert (kept / "mine.txt").read_text() == "mine"


def test_a_second_change_of_a_spec_does_not_cost_the_first(a_run, dnnlab):
    folder = a_run(SUM)
    for text in ("first", "second"):
        (folder / "spec.toml").write_text(text)
        assert dnnlab("show", folder.name).code == 0
    assert [file.read_text() for file in sorted(folder.glob("spec.changed*"))] == ["first", "second"]


def test_what_came_out_of_a_run_and_changed_is_said(dnnlab, blank_figures, tmp_path):
    assert dnnlab("nas", "--budget", 3, "--finalists", 1, "--retrain", 1, "--epochs", 1, "--seeds", 1, "--strategy",
                  "random", "--quiet").code == 0  # fmt: skip
    (found,) = (tmp_path / "results").glob("nas/*/artifacts/random*.toml")
    found.write_text("")
    done = dnnlab("show", found.parents[1].name)
    assert done.code == 0
    assert "is not as written; only measuring makes it again" in done.err
    (found.parents[1] / "summary.csv").unlink()  # tables that are made again make no changed network a right one
    assert dnnlab("show", found.parents[1].name).code == 0
    assert "is not as written; only measuring makes it again" in dnnlab("show", found.parents[1].name).err
