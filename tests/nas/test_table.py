"""Searches of a table: the benchmark's own where it is there, else one of made-up numbers."""

import gzip
import itertools
import json
import math
import os
import random
from pathlib import Path

import pandas as pd
import pytest

from dnnlab.errors import UsageError
from dnnlab.nas.search import columns as c
from dnnlab.nas.search.importance import architectures
from dnnlab.nas.spec import Spec
from dnnlab.nas.tables.file import read
from dnnlab.nas.tables.measure import steps
from dnnlab.networks.spaces.cell import SPACE
from dnnlab.runner.options import build
from dnnlab.runner.place import Place

NAME = "nasbench201-cifar10.csv.gz"
REAL = Path(os.environ.get("DNNLAB_DATA", "/nowhere")) / NAME
real = pytest.mark.skipif(not REAL.exists(), reason=f"{NAME} is not in $DNNLAB_DATA")
HEADER = "cell,val_accuracy_12,val_accuracy_200,test_accuracy_200"


def accuracy(code):
    """In percent; best where all edges are 3×3 convolutions."""
    return 50.0 + 5 * sum(choice == 3 for choice in code)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    file = tmp_path_factory.mktemp("table") / "cells.csv.gz"
    rng = random.Random(0)
    lines = [HEADER]
    for code in itertools.product(*map(range, SPACE.sizes)):
        value = accuracy(code)
        lines.append(f"{SPACE.line(code)},{value - 20 + rng.random():.3f},{value + rng.random():.3f},{value:.3f}")
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    return file


def test_percentages_become_shares(made_up):
    table = read(str(made_up))
    assert table.epochs == 200
    assert table.test[(3,) * 6] == pytest.approx(0.8)
    assert table.average == pytest.approx(0.5 + 0.05 * 6 / 5)


def test_of_a_table_equal_networks_are_one_for_what_matters(made_up):
    """The cells without any path from input to output are one network, of which choices that are drawn at random speak;
    its accuracy is the mean of all of them."""
    asked = build(Spec, {"space": "cell", "table": str(made_up)})
    choices, accuracies = architectures(None, asked, "cells")
    identities = [SPACE.identity(SPACE.code(each)) for each in choices]
    assert len(set(identities)) == len(identities) == 4930
    nothing = SPACE.identity((0,) * 6)
    table = read(str(made_up)).validation[200]
    same = [value for code, value in table.items() if SPACE.identity(code) == nothing]
    assert len(same) > 100
    place = identities.index(nothing)
    assert accuracies[place] == pytest.approx(sum(same) / len(same))
    assert SPACE.code(choices[place]) != (0,) * 6


@pytest.mark.parametrize(
    "content",
    ["", "x", HEADER, f"{HEADER}\nnone,1,2,3", "cell,val_accuracy_12\n", "cell,val_accuracy_200,test_accuracy_12\n",
     f"{HEADER}\n|none~0|+|none~0|none~1|+|none~0|none~1|none~2|,1,x,3",
     f"{HEADER}\n|none~0|+|none~0|none~1|+|none~0|none~1|none~2|,1,2", f"\r{HEADER}\n", f"{HEADER},{'x' * 200_000}"],
)  # fmt: skip
def test_what_is_no_table_is_refused(content, tmp_path):
    file = tmp_path / "t.csv"
    file.write_text(content)
    with pytest.raises(UsageError):
        read(str(file))


def test_the_table_of_a_table(dnnlab, made_up):
    arguments = ("nas", "--space", "cell", "--table", made_up, "--budget", 60, "--seeds", 5)
    done = dnnlab(*arguments, "--strategy", "random,evolution,local,halving", "--json")
    assert done.code == 0, done.err
    content = json.loads(done.out)
    rows = {row["strategy"]: row for row in content["summary"]}
    assert list(rows) == ["average", "random", "evolution", "local", "halving"]
    assert rows["average"]["test"] == pytest.approx(0.56)
    assert rows["local"]["verdict"] == c.BETTER
    assert rows["random"]["evaluations"] == 60
    assert rows["halving"]["evaluations"] > 60  # of which most are of 12 epochs
    cells = pd.read_csv(f"{content['run']}/cells.csv")
    spent = cells.groupby(["strategy", "seed"])["epochs"].sum()
    assert (spent[["random", "evolution", "local"]] == 60 * 200).all()
    assert spent["halving"].max() <= 60 * 200
    for _, own in cells[cells["phase"] == "search"].groupby(["strategy", "seed"]):
        assert own["validation"].is_monotonic_increasing
    assert (Path(content["run"]) / "artifacts" / "local.toml").exists()
    assert dnnlab(*arguments, "--strategy", "random,evolution,local,halving", "--json").out == done.out


@pytest.mark.parametrize(
    "wrong",
    ["--space mlp", "--strategy darts", "--strategy proxy:snip", "--budget seconds=3", "--objectives accuracy,macs",
     "--proxies", "--data mnist", "--epochs 3", "--fidelity 13"],
)  # fmt: skip
def test_what_does_not_go_with_a_table(wrong, dnnlab, made_up):
    done = dnnlab("nas", "--space", "cell", "--table", made_up, "--seeds", 1, *wrong.split())
    assert done.code == 2, done.err
    assert "Traceback" not in done.err


def means(seeds, tmp_path):
    spec = build(Spec, {"space": "cell", "table": str(REAL), "budget": "200", "seeds": seeds})
    cells = spec.plan()
    found = {}
    for name in spec.strategies:
        own = [cell for cell in cells if cell.strategy == name]
        parts = list(steps(own, spec, "cpu", Place(tmp_path / "nas" / "x"), []))
        tests = [t for rows in parts for t, p in zip(rows["test"], rows["phase"], strict=True) if p == c.FINAL]
        found[name] = 100 * math.fsum(tests) / len(tests)
    return found


def check(found, slack):
    """The means of 500 searches that were measured independently of this code."""
    assert found["random"] == pytest.approx(93.90, abs=0.05 + slack)
    assert found["evolution"] > 94.22 - slack
    assert found["rl"] > 94.08 - slack
    assert found["local"] > 94.33 - slack
    assert found["local"] <= 94.37  # the best of the table
    assert found["average"] == pytest.approx(87.06, abs=0.01)


@real
def test_the_benchmark_is_searched_as_well_as_others_do(tmp_path):
    check(means(60, tmp_path), 0.07)


@real
@pytest.mark.slow
def test_the_benchmark_500_times(tmp_path):
    check(means(500, tmp_path), 0)
