"""The folders of runs."""

import json
import os
import shutil
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlab.errors import DnnlabError, UsageError
from dnnlab.runner import recipe, store
from dnnlab.runner.store import Folder

RECORD = {
    "experiment": "gradient-flow",
    "key": "0123456789",
    "state": "finished",
    "cells": 2,
    "content": {},
    "versions": {},
    "machine": {},
    "git": {},
    "sessions": [{"command": "dnnlab", "started": "2026-01-01", "finished": None}],
    "stacks": [["k", [0, 1]]],
}


def run(out, name, **changes):
    folder = out / "gradient-flow" / name
    folder.mkdir(parents=True)
    Folder(folder).write_spec("gradient-flow", {"depth": [3]})
    Folder(folder).write_provenance(RECORD | changes)
    return folder


def test_provenance_and_spec_come_back(tmp_path):
    folder = Folder(run(tmp_path, "a-1"))
    assert folder.read_provenance() == RECORD
    found = recipe.read(folder.path / "spec.toml")
    assert (found.experiment, found.options) == ("gradient-flow", {"depth": [3]})
    assert sorted(os.listdir(folder.path)) == ["provenance.json", "spec.toml"]  # no temporary files
    assert Folder(tmp_path).read_provenance() == {}


def test_a_spec_is_toml_that_says_what_ran(tmp_path):
    text = (run(tmp_path, "a-1") / "spec.toml").read_text()
    assert tomllib.loads(text) == {"experiment": "gradient-flow", "options": {"depth": [3]}}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b"3", b"\xff\xfe", b"[" * 100_000,
     *(json.dumps({k: v for k, v in RECORD.items() if k != name}).encode() for name in RECORD),
     *(json.dumps(RECORD | {name: 3.5}).encode() for name in RECORD),
     *(json.dumps(RECORD | change).encode() for change in (
         {"sessions": []}, {"sessions": [3]}, {"sessions": [{}]}, {"stacks": [3]}, {"stacks": [["k", "xy"]]}))],
)  # fmt: skip
def test_damaged_provenance_is_one_sentence(tmp_path, content):
    folder = run(tmp_path, "a-1")
    (folder / "provenance.json").write_bytes(content)
    with pytest.raises(DnnlabError, match=r"provenance.json is damaged; the command of its run makes it anew"):
        Folder(folder).read_provenance()


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.lists(st.text())), max_size=4))
def test_a_slug_is_always_a_folder_name(options):
    slug = store.slug(options)
    assert slug
    assert len(slug) <= 40
    assert not set(slug) - set("abcdefghijklmnopqrstuvwxyz0123456789.+-")
    assert not slug.startswith((".", "-"))


def test_a_run_of_a_recipe_is_called_after_it_or_its_options():
    assert store.called(Path("My Recipe.toml")) == "my-recipe"
    assert store.called(Path("spec.toml")) == ""
    assert store.called(Path("градиент.toml")) == ""


def test_a_slug_says_what_was_chosen():
    assert store.slug({"act": ["sigmoid", "relu*3+tanh"], "depth": [20]}) == "sigmoid-relu-3+tanh-20"
    assert store.slug({}) == "default"


def test_long_lists_are_there_by_their_number_where_a_name_would_be_too_long():
    acts, rates = ["relu", "tanh", "gelu", "elu", "selu"], [0.001, 0.01, 0.1]
    assert store.slug({"act": acts, "depth": [20]}) == "relu-tanh-gelu-elu-selu-20"
    assert store.slug({"act": acts, "init": ["he", "xavier"], "lr": rates}) == "5-act-he-xavier-3-lr"


def test_a_run_keeps_its_name_whoever_asks_for_it(tmp_path):
    ask = (tmp_path, "gradient-flow", "0123456789")
    assert store.name_of(*ask, "", "relu-20") == "relu-20"
    run(tmp_path, "demo-0123456789")
    run(tmp_path, "other-0123456789x")
    assert store.name_of(*ask, "", "relu-20") == "demo"
    assert store.name_of(*ask, "mine", "relu-20") == "mine"
    later = run(tmp_path, "mine-0123456789-2")
    os.utime(later / "provenance.json", (10**10, 10**10))
    assert store.name_of(*ask, "", "relu-20") == "mine"
    assert store.name_of(*ask, "", "demo") == "demo"


def test_a_finished_run_comes_before_others_of_its_key_and_what_is_no_run_is_none(tmp_path):
    ask = (tmp_path, "gradient-flow", "0123456789")
    run(tmp_path, "done-0123456789")
    for name in ("relu-20-0123456789", "newer-0123456789"):
        os.utime(run(tmp_path, name, state="running") / "provenance.json", (10**10, 10**10))
    assert store.name_of(*ask, "", "relu-20") == "done"
    shutil.rmtree(tmp_path / "gradient-flow" / "done-0123456789")
    assert store.name_of(*ask, "", "relu-20") == "relu-20"
    for name in ("relu-20-0123456789", "newer-0123456789"):
        shutil.rmtree(tmp_path / "gradient-flow" / name)
    (tmp_path / "gradient-flow" / "notes-0123456789").write_text("a file")
    (tmp_path / "gradient-flow" / "empty-0123456789").mkdir()
    (tmp_path / "gradient-flow" / ".trash-0123456789").mkdir()
    (tmp_path / "gradient-flow" / ".trash-0123456789" / "spec.toml").write_text("")
    assert store.name_of(*ask, "", "relu-20") == "relu-20"


def test_a_fresh_run_is_found_when_the_first_is_gone(tmp_path):
    fresh = run(tmp_path, "n-0123456789-3")
    place = (tmp_path, "gradient-flow", "n", "0123456789")
    assert store.locate(*place, fresh=False).path == fresh
    assert store.locate(*place, fresh=True).path.name == "n-0123456789-4"


def test_a_name_as_it_is_listed_comes_before_parts_of_names_and_those_before_keys(tmp_path, capsys):
    one, other = run(tmp_path, "a-0123456789"), run(tmp_path, "a-b-0123456780")
    assert store.find("a", tmp_path).path == one
    assert store.find("a-b", tmp_path).path == other
    assert store.find("012345678", tmp_path, newest=True)
    assert store.find("6780", tmp_path).path == other
    run(tmp_path, "depth-6780-0123456781")
    assert store.find("6780", tmp_path).path.name == "depth-6780-0123456781"
    capsys.readouterr()


def test_a_run_of_a_recipe_is_called_after_it(tmp_path):
    assert store.called(tmp_path / "My demo!.toml") == "my-demo"
    assert store.called(tmp_path / "spec.toml") == ""


def test_a_run_is_found_again_and_a_fresh_one_lies_beside_it(tmp_path):
    place = (tmp_path, "gradient-flow", "n", "key")
    first = store.locate(*place, fresh=False)
    first.make()
    assert first.path == tmp_path / "gradient-flow" / "n-key"
    assert store.locate(*place, fresh=False) == first
    second = store.locate(*place, fresh=True)
    assert second.path.name == "n-key-2"
    second.make()
    assert store.locate(*place, fresh=True).path.name == "n-key-3"
    assert store.locate(*place, fresh=False) == second


def test_a_fresh_run_that_was_interrupted_goes_on_and_a_first_one_does_not(tmp_path):
    place = (tmp_path, "gradient-flow", "n", "key")
    run(tmp_path, "n-key", state="running")
    assert store.locate(*place, fresh=True).path.name == "n-key-2"
    second = run(tmp_path, "n-key-2", state="running")
    assert store.locate(*place, fresh=True).path == second
    Folder(second).write_provenance(RECORD)
    assert store.locate(*place, fresh=True).path.name == "n-key-3"


def test_a_place_that_takes_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match="take another --out"):
            store.locate(out, "gradient-flow", "n", "key", fresh=False).make()


def test_runs_are_listed_the_newest_first(tmp_path):
    for age, name in ((3, "a"), (1, "b"), (2, "c")):
        os.utime(run(tmp_path, name) / "provenance.json", (10**9 - age, 10**9 - age))
    assert [folder.path.name for folder in store.every(tmp_path)] == ["b", "c", "a"]
    assert list(store.every(tmp_path / "nowhere")) == []


def test_what_is_published_is_none_of_ones_own_runs(tmp_path):
    for path in ("gradient-flow/mine-1", "reference/gpu-full"):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / store.SPEC).write_text("")
    assert [folder.path.name for folder in store.every(tmp_path)] == ["mine-1"]


def test_a_run_is_found_by_folder_or_by_part_of_its_name(tmp_path, capsys):
    long, short = run(tmp_path, "relu-20-abc"), run(tmp_path, "relu-2")
    run(tmp_path, "relu-20")
    assert store.find(str(long), tmp_path / "elsewhere").path == long
    assert store.find("abc", tmp_path).path == long
    assert store.find("relu-20", tmp_path).path.name == "relu-20"  # whole names before parts
    assert store.find("relu-2", tmp_path).path == short
    with pytest.raises(UsageError, match="fits 3 runs"):
        store.find("relu", tmp_path)
    os.utime(short / "provenance.json", (10**10, 10**10))
    assert store.find("relu", tmp_path, newest=True).path == short
    assert capsys.readouterr().err == "'relu' fits 3 runs; this is the newest, relu-2\n"
    with pytest.raises(UsageError, match="unknown run 'tanh'"):
        store.find("tanh", tmp_path)
    with pytest.raises(UsageError, match="nothing has been run"):
        store.find("tanh", tmp_path / "elsewhere")
