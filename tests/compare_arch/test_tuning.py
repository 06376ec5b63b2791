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
SPEC = Spec(arch=("plain20", "resnet20"), lr=RATES, tune=("lr",), seeds=6)


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
    assert list(table["seeds"]) == [4, 4]
    assert list(table["accuracy"]) == pytest.approx([0.935, 0.935])  # of the seeds 2 to 5
    told = " ".join(conclusions(table, SPEC))
    assert "its own best lr, chosen by the validation accuracy of 2 seeds" in told
    assert "plain20 (lr 0.01) and resnet20 (lr 1) do best at an end of the values tried" in told


def test_who_chooses_is_not_judged():
    """By brute force: the rate with the best mean of the validation accuracies of the first two seeds."""
    generator = np.random.default_rng(0)
    drawn = {key: generator.random(2) for key in np.ndindex(2, 3, 6)}

    def look(which):
        return lambda arch, lr, seed: drawn[SPEC.arch.index(arch), RATES.index(lr), seed][which]

    table = per_cell(cells(look(0), look(1)), SPEC)
    for n, arch in enumerate(SPEC.arch):
        rows = table[table["arch"] == arch].set_index("seed")
        chosen = int(np.argmax([np.mean([drawn[n, rate, seed][0] for seed in (0, 1)]) for rate in range(3)]))
        assert set(rows["lr"]) == {RATES[chosen]}
        assert rows["accuracy"].to_dict() == {seed: drawn[n, chosen, seed][1] for seed in range(2, 6)}


def test_trying_more_brings_no_luck():
    """Where all rates are as good, the best of twenty is no better than any: the mean stays the truth."""
    rates = tuple(10.0**-n for n in range(20))
    spec = dataclasses.replace(SPEC, arch=("plain20",), lr=rates, seeds=42)
    drawn = 0.5 + 0.1 * np.random.default_rng(1).standard_normal((20, 42))

    def lucky(arch, lr, seed):  # on validation and on test, so that a seed that chose for itself would gain by it
        return drawn[rates.index(lr), seed]

    accuracy = per_cell(cells(lucky, lucky, spec), spec)["accuracy"]
    assert len(accuracy) == 40
    assert abs(accuracy.mean() - 0.5) < 3 * 0.1 / np.sqrt(40)
    assert drawn[:, :2].mean(1).max() > 0.6  # what those that choose would seem to reach


def test_what_diverged_or_failed_is_not_chosen():
    def accuracy(arch, lr, seed):
        return float("nan") if lr == 1.0 else 0.1 if lr == 0.1 else 0.8

    made = cells(accuracy, lambda *key: 0.9)
    plain = made["lr"].eq(0.01) & made["arch"].eq("plain20")
    lost = plain & made["seed"].eq(3)
    made.loc[lost, "error"] = "MemoryError"
    made.loc[lost, ["accuracy", "validation_accuracy"]] = np.nan
    table = summarise(made, SPEC)
    assert list(table["lr"]) == [0.01, 0.01]
    assert list(table["seeds"]) == [3, 4]
    assert list(table["failed"]) == [1, 0]
    # Where a seed that chooses has failed at a rate, that rate is not known to be the best.
    lost = plain & made["seed"].eq(0)
    made.loc[lost, "error"] = "MemoryError"
    made.loc[lost, ["accuracy", "validation_accuracy"]] = np.nan
    assert list(summarise(made, SPEC)["lr"]) == [0.1, 0.01]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"lr": (0.1,)}, r"--tune lr chooses among several values of --lr; give a list"),
     ({"cost_only": True}, r"--tune is about training"),
     ({"seeds": 2}, r"--tune takes 2 seeds to choose and others to judge; give more, such as --seeds 7"),
     ({"tune": ("batch_size",)}, r"--tune batch_size chooses among several values of --batch-size")],
)  # fmt: skip
def test_there_must_be_something_to_choose_from(options, message):
    with pytest.raises(UsageError, match=message):
        dataclasses.replace(SPEC, **options).validate()
