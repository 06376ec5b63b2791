"""Files that a user hands over, damaged in any way: what they hold comes back, or one sentence. Image folders, IDX and
CIFAR files, tables of data and containers have their own such tests beside their readers."""

import functools
import gzip
import itertools
import json

import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy import float32, ones

from dnnlab.errors import DnnlabError
from dnnlab.nas.tables import file as table
from dnnlab.networks import weights
from dnnlab.networks.spaces.cell import SPACE
from dnnlab.runner import recipe
from dnnlab.runner.journal import Entry, Journal
from dnnlab.runner.store import PROVENANCE, Folder

RECIPE = b"""experiment = "gradient-flow"
[options]
depth = [3, 5]
act = "relu"
[full]
seeds = 20
[claim]
text = "t"
slide = "s"
[[claim.holds]]
where = { act = "relu" }
metric = "rate"
above = { act = "tanh" }
times = 2
[[claim.holds]]
metric = "rate"
within = [0, 1.5]
"""
PROVENANCE_OF_A_RUN = json.dumps(
    {
        **dict.fromkeys(("experiment", "key", "state"), "x"),
        **{key: {} for key in ("content", "versions", "machine", "git")},
        "sessions": [{"command": "c", "started": "s", "finished": None}],
        "stacks": [["key", [0, 1]]],
        "cells": 2,
    }
).encode()


@functools.cache
def published():
    """A whole table of the cell space, gzipped."""
    lines = [f"{SPACE.line(code)},1.5,2.5,3" for code in itertools.product(*map(range, SPACE.sizes))]
    return gzip.compress("\n".join(["cell,val_accuracy_12,val_accuracy_200,test_accuracy_200", *lines]).encode(), 1)


def read_table(file):
    table.read.cache_clear()
    return table.read(str(file))


FILES = {
    "recipe.toml": (lambda: RECIPE, recipe.read),
    "net.safetensors": (
        lambda: safetensors.numpy.save({"a": ones((2, 3), float32), "b": ones(3, float32)}, {"k": "v"}),
        lambda file: weights.read(str(file)),
    ),
    "journal.jsonl": (
        lambda: Entry("a", {"cell": [0], "x": [1.5]}, 1.0).line() + Entry("b", {"cell": [1], "x": ["y"]}, 2.0).line(),
        lambda file: Journal(file).read(),
    ),
    PROVENANCE: (lambda: PROVENANCE_OF_A_RUN, lambda file: Folder(file.parent).read_provenance()),
    "table.csv.gz": (published, read_table),
    "table.csv": (lambda: gzip.decompress(published())[:4000], read_table),
}
"""Each a whole file, and what reads it."""


@st.composite
def damages(draw, content):
    """``content`` with parts cut, doubled, overwritten or put in."""
    broken = bytearray(content)
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(broken)))
        end = min(len(broken), start + draw(st.integers(0, 40)))
        put = draw(st.one_of(st.binary(max_size=12), st.sampled_from(TOKENS), st.just(bytes(broken[start:end]))))
        broken[start : draw(st.sampled_from([start, end]))] = put
    return bytes(broken[: draw(st.integers(0, len(broken)))] if draw(st.booleans()) else broken)


TOKENS = [b"1e999", b"-1", b"nan", b"[[[[", b"{}", b'"', b"null", b"9" * 30, b"\n", b"\xff\xfe", b"true", b"[claim]"]


def fuzz(name, folder, examples):
    whole, read = FILES[name]
    file = folder / name

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(damages(whole()))
    def damaged(content):
        file.write_bytes(content)
        said = ""
        try:
            read(file)
        except DnnlabError as problem:
            said = str(problem)
        assert "\n" not in said

    file.write_bytes(whole())
    if name != "table.csv":  # whose whole content is a cut one
        read(file)
    damaged()


@pytest.mark.filterwarnings("ignore:.*cut short")
@pytest.mark.parametrize("name", FILES)
def test_damage_is_one_sentence(name, tmp_path):
    fuzz(name, tmp_path, 30 if name == "table.csv.gz" else 200)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*cut short")
@pytest.mark.parametrize("name", FILES)
def test_much_damage_is_one_sentence(name, tmp_path):
    fuzz(name, tmp_path, 300 if name == "table.csv.gz" else 10_000)
