"""What a page tells to do: the best that was measured, and a command that really does it. The tables are made up."""

import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dnnlab.compress import columns as compress_columns
from dnnlab.compress import words as compress
from dnnlab.compress.spec import Spec as CompressSpec
from dnnlab.dead_relu.remedies import columns as remedies_columns
from dnnlab.dead_relu.remedies import words as remedies
from dnnlab.dead_relu.spec import Spec as DeadSpec
from dnnlab.gradient_flow import columns as gradient_columns
from dnnlab.gradient_flow import words as gradient
from dnnlab.gradient_flow.spec import Spec as GradientSpec
from dnnlab.nas.search import columns as search_columns
from dnnlab.nas.search import words as search
from dnnlab.nas.spec import Spec as SearchSpec
from dnnlab.report.table import fit
from dnnlab.runner.options import build
from dnnlab.statistics.answers import packed


def unread():
    """The measurements of a run, for advice that needs none: they may be millions of rows."""
    raise AssertionError("the measurements were read")


HERE = Path()


def table(columns, *rows):
    return fit(pd.DataFrame(rows), columns)


def plans(dnnlab, command):
    """What a command would measure, by the program itself."""
    program, *words = shlex.split(command)
    assert program == "dnnlab"
    told = dnnlab(*words, "--dry-run")
    assert told.code == 0, told.err
    return told.out + told.err


NETWORK = {
    "model": "", "act": "sigmoid", "init": "torch", "norm": "none", "skip": "none", "depth": 20, "width": 64,
    "data": "digits", "batch_size": 128, "optimizer": "sgd", "lr": 0.01, "weight_decay": 0.0, "dropout": 0.0,
    "clip": 0.0,
}  # fmt: skip


def gradients(*remedies_of):
    rows = [
        NETWORK | {"seeds": 5, "act": act, "rate": rate, "rate_lo": rate - 0.01, "rate_hi": rate + 0.01,
                   "verdict": "vanishing", "remedy": remedy}
        for act, rate, remedy in remedies_of
    ]  # fmt: skip
    return table(gradient_columns.SUMMARY, *rows)


def test_the_sickest_network_gets_the_remedy_that_is_nearest_to_level(dnnlab):
    spec = build(GradientSpec, {"act": ["relu", "sigmoid"], "depth": 20, "seeds": 7})
    rows = gradients(
        ("relu", 0.4, "norm batch: rate 1.21 [1.20, 1.22]"),
        (
            "sigmoid",
            0.14,
            "norm layer: rate 1.02 [1.01, 1.03]; norm batch: rate 1.1 [1.0, 1.2]; init critical: vanishing",
        ),
    )
    told = gradient.advice(unread, rows, spec, HERE)
    assert told.what.startswith("Take layer normalisation in each hidden layer. ")
    assert told.changes == [
        ("factor a layer", "0.140 [0.130, 0.150]", "1.02 [1.01, 1.03]"),
        ("verdict", "vanishing", "healthy"),
    ]
    assert told.command == "dnnlab gradient-flow --act sigmoid --norm layer --seeds 7"
    assert "7 cells" in plans(dnnlab, told.command)


@pytest.mark.parametrize("remedy", ["init critical", "norm batch", "norm layer", "skip residual:0.23"])
def test_every_kind_of_remedy_has_words_and_a_command(remedy, dnnlab):
    spec = build(GradientSpec, {"act": "sigmoid", "depth": 20})
    told = gradient.advice(unread, gradients(("sigmoid", 0.14, f"{remedy}: rate 1.0 [0.9, 1.1]")), spec, HERE)
    assert remedy.split()[-1].removeprefix("residual:") in told.what
    option, value = remedy.split()
    assert f"--{option} {value}" in told.command
    plans(dnnlab, told.command)


def test_where_no_remedy_heals_there_is_no_advice():
    rows = gradients(("sigmoid", 0.14, "norm layer: vanishing"), ("relu", 0.4, ""))
    assert gradient.advice(unread, rows, build(GradientSpec, {}), HERE) is None


def cured(**verdicts):
    dead = {"none": 0.5, "batch norm": 0.0, "lower lr": 0.02, "clipping": 0.4}
    rows = [
        NETWORK | {"act": "relu", "init": "xavier", "depth": 5, "lr": 1.0, "remedy": name, "seeds": 10,
                   "verdict": verdict, "dead": dead[name], "dead_lo": dead[name], "dead_hi": dead[name] + 0.01,
                   "accuracy": 1 - dead[name], "accuracy_lo": 0.9 - dead[name], "accuracy_hi": 1 - dead[name]}
        for name, verdict in verdicts.items()
    ]  # fmt: skip
    return table(remedies_columns.SUMMARY, *rows)


def test_the_best_cure_of_a_dying_network(dnnlab):
    spec = build(DeadSpec, {"init": "xavier", "lr": 1.0, "remedies": True, "seeds": 10})
    rows = cured(**{"none": "untreated", "batch norm": "cures", "lower lr": "helps", "clipping": "no effect"})
    told = remedies.advice(unread, rows, spec, HERE)
    assert told.what.startswith("Take batch norm, which cures relu (")
    assert "ends most accurate" in told.what  # of the cures: the one that only helps has the higher accuracy
    assert [name for name, _, _ in told.changes] == ["dead units", "accuracy"]
    assert told.changes[0][1].startswith("50.0 %")
    words = shlex.split(told.command)
    assert "--remedies" not in words
    assert words[words.index("--norm") + 1] == "batch"
    assert "10 cells" in plans(dnnlab, told.command)


def test_where_nothing_is_shown_to_help_there_is_no_advice():
    spec = build(DeadSpec, {"remedies": True})
    rows = cured(**{"none": "untreated", "batch norm": "undecided", "clipping": "no effect"})
    assert remedies.advice(unread, rows, spec, HERE) is None


def compressed(verdict, failed=()):
    """Three seeds of a network and of a chain of two stages. Of ``failed`` pairs of a role and a seed the network only
    guesses; others are right in 97 % of the cases, and a point more often with each seed."""
    sizes = (("baseline", "baseline", "", 0, 1_000_000), ("chain", "prune:0.9", "prune:0.9", 1, 90_000),
             ("chain", "code", "prune:0.9 > code", 2, 20_000))  # fmt: skip
    rows = [
        {"arch": "lenet300", "data": "digits", "recipe": "" if role == "baseline" else "p", "role": role,
         "stage": stage, "method": method, "chain": chain, "seeds": 3, "bytes": float(size),
         "verdict": verdict if stage else "baseline",
         "accuracy": 0.9, "accuracy_lo": 0.89, "accuracy_hi": 0.91}
        for role, method, chain, stage, size in sizes
    ]  # fmt: skip
    cells = []
    for seed in range(3):
        for stage, size, file in (
            (0, 1_000_000, "fp32.onnx"),
            (1, 90_000, "1.onnx"),
            (2, 20_000 + seed * 1000, "2.dnnz"),
        ):
            role = "chain" if stage else "baseline"
            right = np.arange(1000) < (100 if (role, seed) in failed else 970 + 10 * seed)
            cells.append(
                {"arch": "lenet300", "data": "digits", "recipe": "p" if stage else "", "seed": seed, "role": role,
                 "stage": float(stage), "chain": ("", "prune:0.9", "prune:0.9 > code")[stage], "bytes": float(size),
                 "accuracy": right.mean(), "right": packed(right), "guessing": 0.1, "diverged": 0.0,
                 "file": f"artifacts/p/seed{seed}/{file}"}
            )  # fmt: skip
    return lambda: table(compress_columns.CELLS, *cells), table(compress_columns.SUMMARY, *rows)


def test_the_smallest_file_that_loses_less_than_a_point():
    told = compress.advice(*compressed("holds"), build(CompressSpec, {"arch": "lenet300"}), Path("my runs/one"))
    assert told.what.startswith("Take artifacts/p/seed0/2.dnnz, made by prune:0.9 > code: ")
    assert told.changes[0] == ("file", "1 MB", "20 kB")
    assert told.changes[1] == ("accuracy", "97 %", "97 %")
    assert shlex.split(told.command) == ["dnnlab", "decompress", "my runs/one/artifacts/p/seed0/2.dnnz"]


def test_the_file_is_of_a_seed_that_learned():
    """Both with a chain and without; its bytes and its accuracy are its own."""
    spec = build(CompressSpec, {"arch": "lenet300"})
    told = compress.advice(*compressed("holds", failed=[("chain", 0)]), spec, HERE)
    assert told.what.startswith("Take artifacts/p/seed1/2.dnnz, made by prune:0.9 > code: ")
    assert "It is that of seed 1;" in told.what
    assert told.changes == [("file", "1 MB", "21 kB"), ("accuracy", "98 %", "98 %")]
    told = compress.advice(*compressed("holds", failed=[("chain", 0), ("baseline", 1)]), spec, HERE)
    assert "It is that of seed 2;" in told.what
    cells, rows = compressed("holds", failed=[("chain", 0)])
    broken = cells().assign(diverged=lambda table: (table["seed"] < 2).astype(float))
    assert "It is that of seed 2;" in compress.advice(lambda: broken, rows, spec, HERE).what
    assert compress.advice(*compressed("holds", failed=[("chain", i) for i in range(3)]), spec, HERE) is None


@pytest.mark.parametrize("verdict", ["loses", "undecided", "no smaller"])
def test_a_file_that_is_not_shown_to_lose_nothing_is_not_advised(verdict):
    assert compress.advice(*compressed(verdict), build(CompressSpec, {"arch": "lenet300"}), HERE) is None


def searched(gain_lo, seeds=3, learned=None):
    rows = [
        {"strategy": name, "data": "digits", "budget": "trainings=64", "seeds": seeds, "test": test,
         "learned": seeds if learned is None else learned,
         "test_lo": test - 0.01, "test_hi": test + 0.01, "found": "64 relu", "found_seed": 2,
         "gain_over_average_lo": gain_lo}
        for name, test in (("random", 0.9), ("evolution", 0.95), ("average", 0.8))
    ]  # fmt: skip
    return table(search_columns.SUMMARY, *rows)


@pytest.fixture
def found(tmp_path):
    """A run's folder with the network that evolution found with seed 2."""
    file = tmp_path / "artifacts" / "evolution-seed2.toml"
    file.parent.mkdir()
    file.write_text(
        'space = "mlp"\n[choices]\ndepth = 1\n"width.1" = 64\n"act.1" = "relu"\nnorm = "none"\nskip = "none"\n'
    )
    return tmp_path


def test_the_network_that_a_search_found(dnnlab, found):
    spec = build(SearchSpec, {"space": "mlp"})
    told = search.advice(unread, searched(0.1), spec, found)
    assert told.what.startswith("Take 64 relu, found by evolution.")
    assert told.changes == [("test accuracy", "80.0 % [79.0, 81.0]", "95.0 % [94.0, 96.0]")]
    plans(dnnlab, told.command)


@pytest.mark.parametrize(
    ("gain_lo", "seeds", "learned"), [(-0.01, 3, 3), (0.0, 3, 3), (float("nan"), 3, 3), (0.1, 2, 2), (0.1, 3, 2)]
)
def test_a_search_that_is_not_shown_to_gain_gives_no_advice(gain_lo, seeds, learned, found):
    table = searched(gain_lo, seeds, learned)
    assert search.advice(unread, table, build(SearchSpec, {"space": "mlp"}), found) is None


def test_a_network_whose_file_is_gone_is_not_advised(tmp_path):
    assert search.advice(unread, searched(0.1), build(SearchSpec, {"space": "mlp"}), tmp_path) is None
