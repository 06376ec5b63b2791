"""Each network at its own best options: chosen by other seeds on other examples, so that trying more brings no luck."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from dnnlab.compare_arch.equal_budget import columns as c
from dnnlab.compare_arch.equal_budget.summary import per_cell, summarise
from dnnlab.compare_arch.equal_budget.words import conclusions
from dnnlab.compare_arch.spec import Spec
from dnnlab.errors import UsageError
from dnnlab.report.table import fit

RATES = (0.01, 0.1, 1.0)
SPEC = Spec(arch=("plain20", "resnet20"), lr=RATES, tune=("lr",), seeds=4)


def cells(validation, test, spec=SPEC):
    """Made-up trainings: both accuracies are functions of network, rate and seed."""
    rows = []
    for cell in spec.plan():
        row = {name: getattr(cell, name) for name in cell.__dataclass_fields__} | {"part": cell.part, "error": ""}
        if cell.part == "training":
            key = (cell.arch, cell.lr, cell.seed)
            row |= {"accuracy": test(*key), "validation_accuracy": validation(*key), "outcome": "", "loss": 1.0}
        rows.append(row | dict.fromkeys(("step", "seconds", "looking_seconds"), 1.0))
    return fit(pd.DataFrame(rows), c.CELLS)


def test_each_network_is_compared_at_its_own_best_rate():
    best = {"plain20": 0.01, "resnet20": 1.0}

    def accuracy(arch, lr, seed):
        return (0.9 if lr == best[arch] else 0.5) + 0.01 * seed

    table = summarise(cells(accuracy, accuracy), SPEC)
    assert list(table["arch"]) == ["plain20", "resnet20"]
    assert list(table["lr"]) == [0.01, 1.0]
    assert list(table["chosen"]) == ["0.01 in 4", "1 in 4"]
    assert list(table["seeds"]) == [4, 4]
    assert list(table["accuracy"]) == pytest.approx([0.915, 0.915])
    told = " ".join(conclusions(table, SPEC))
    assert "its own best lr" in told
    assert "plain20 (lr 0.01) and resnet20 (lr 1) do best at an end of the values tried" in told


def test_a_seed_has_no_say_in_what_it_is_trained_with():
    """By brute force: for each seed the rate with the best mean of the validation accuracies of the others."""
    generator = np.random.default_rng(0)
    drawn = {key: generator.random(2) for key in np.ndindex(2, 3, 4)}

    def look(which):
        return lambda arch, lr, seed: drawn[SPEC.arch.index(arch), RATES.index(lr), seed][which]

    table = per_cell(cells(look(0), look(1)), SPEC)
    for n, arch in enumerate(SPEC.arch):
        rows = table[table["arch"] == arch].set_index("seed")
        for seed in range(4):
            means = [np.mean([drawn[n, rate, other][0] for other in range(4) if other != seed]) for rate in range(3)]
            assert rows.loc[seed, "accuracy"] == drawn[n, int(np.argmax(means)), seed][1]
        overall = [np.mean([drawn[n, rate, seed][0] for seed in range(4)]) for rate in range(3)]
        assert set(rows["lr"]) == {RATES[int(np.argmax(overall))]}


def test_trying_more_brings_no_luck():
    """Where all rates are as good, the best of twenty is no better than any: the mean stays the truth."""
    rates = tuple(10.0**-n for n in range(20))
    spec = dataclasses.replace(SPEC, arch=("plain20",), lr=rates, seeds=40)
    drawn = 0.5 + 0.1 * np.random.default_rng(1).standard_normal((20, 40))

    def lucky(arch, lr, seed):  # on validation and on test, so that a seed that chose for itself would gain by it
        return drawn[rates.index(lr), seed]

    accuracy = per_cell(cells(lucky, lucky, spec), spec)["accuracy"]
    assert len(accuracy) == 40
    assert abs(accuracy.mean() - 0.5) < 3 * 0.1 / np.sqrt(40)
    assert drawn.max(0).mean() > 0.65  # what it would seem to be if each seed took its own best


def test_what_diverged_or_failed_is_not_chosen():
    def accuracy(arch, lr, seed):
        return float("nan") if lr == 1.0 else 0.1 if lr == 0.1 else 0.8

    made = cells(accuracy, lambda *key: 0.9)
    lost = made["lr"].eq(0.01) & made["seed"].eq(0) & made["arch"].eq("plain20")
    made.loc[lost, "error"] = "MemoryError"
    made.loc[lost, ["accuracy", "validation_accuracy"]] = np.nan
    table = summarise(made, SPEC)
    assert list(table["lr"]) == [0.01, 0.01]
    assert list(table["seeds"]) == [3, 4]
    assert list(table["failed"]) == [1, 0]


def test_one_seed_chooses_for_itself():
    one = dataclasses.replace(SPEC, seeds=1)
    table = summarise(cells(lambda arch, lr, seed: lr / 2, lambda *key: 0.5, one), one)
    assert list(table["lr"]) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"lr": (0.1,)}, r"--tune lr chooses among several values of --lr; give a list"),
     ({"cost_only": True}, r"--tune is about training"),
     ({"tune": ("batch_size",)}, r"--tune batch_size chooses among several values of --batch-size")],
)  # fmt: skip
def test_there_must_be_something_to_choose_from(options, message):
    with pytest.raises(UsageError, match=message):
        dataclasses.replace(SPEC, **options).validate()
