"""What is said of a table: every row by a name of its own, every data set by itself."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from dnnlab.compare_arch.equal_budget import columns as c
from dnnlab.compare_arch.equal_budget.figures import draw
from dnnlab.compare_arch.equal_budget.summary import summarise
from dnnlab.compare_arch.equal_budget.words import conclusions, headline
from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import CONFIGURATION, name
from dnnlab.report.table import fit
from dnnlab.statistics.answers import packed

SPEC = Spec(arch=("plain20", "resnet20"), seeds=3)


def cells(spec, accuracy):
    """Costs, and one look a training; ``accuracy(cell)`` at its end."""
    rows = []
    for cell in spec.plan():
        row = {field.name: getattr(cell, field.name) for field in dataclasses.fields(cell)}
        row |= {"part": cell.part, "error": "", "outcome": ""}
        if cell.part == "cost":
            row |= {column.name: 100 for column in (*c.COUNTS, *c.SPEED)}
        else:
            row |= {"accuracy": accuracy(cell) + 0.001 * cell.seed, "validation_accuracy": 0.5}
            row |= {"loss": 1.0, "step": 10, "seconds": 1.0, "macs_spent": 1e3, "epoch": 1.0}
        rows.append(row)
    return fit(pd.DataFrame(rows), c.CELLS)


def orders(spec, accuracy):
    """Seeds vary a little, other than by the same amount, so that a difference of a tenth can be shown."""
    table = summarise(cells(spec, lambda cell: accuracy(cell) + 0.003 * ((cell.seed * len(cell.arch)) % 3)), spec)
    return [sentence for sentence in conclusions(table, spec) if "order" in sentence]


def test_the_order_is_compared_between_budgets_on_one_data_set():
    spec = dataclasses.replace(SPEC, data=("digits", "mnist"), budget=("epochs=1", "macs=1e9"))

    def accuracy(cell):
        plain_first = (cell.data, cell.budget) == ("digits", "macs=1e9")
        return 0.9 if (cell.arch == "plain20") == plain_first else 0.8

    assert orders(spec, accuracy) == [
        "On digits the order depends on what is equal: "
        "resnet20 is ahead of plain20 at epochs=1 and behind at macs=1e9.",
        "On mnist the order is the same under every budget: resnet20 > plain20.",
    ]  # fmt: skip
    assert orders(dataclasses.replace(spec, data=("digits",)), accuracy)[0].startswith("The order depends")
    assert not orders(dataclasses.replace(spec, budget=("epochs=1",)), accuracy)


def test_an_order_is_told_only_where_it_is_shown():
    spec = dataclasses.replace(SPEC, seeds=5, budget=("epochs=1", "macs=1e9"))

    def near(cell):  # who is ahead changes by half a point, and seeds vary by ten
        first = (cell.arch == "plain20") == (cell.budget == "epochs=1")
        return 0.8 + 0.005 * first + 0.1 * ((cell.seed * (3 if first else 2)) % 5) / 5

    told = ["The ranks do not tell whether the order depends on what is equal."]
    assert orders(spec, near) == told
    assert orders(spec, lambda cell: 0.9) == told
    assert not orders(dataclasses.replace(spec, arch=("resnet20",)), near)
    one = cells(spec, lambda cell: 0.9 if cell.arch == "resnet20" else 0.8)
    one.loc[(one["arch"] == "plain20") & (one["budget"] == "macs=1e9"), "outcome"] = c.DIVERGED
    sentences = conclusions(summarise(one, spec), spec)
    assert not [sentence for sentence in sentences if "order" in sentence]
    assert any("At macs=1e9: resnet20 is the only one with a result, " in sentence for sentence in sentences)


@pytest.mark.parametrize(("outcome", "known"), [(c.OUT_OF_MEMORY, False), (c.DIVERGED, True)])
def test_who_is_alone_with_a_result_is_not_the_most_accurate(outcome, known):
    measured = cells(SPEC, lambda cell: 0.9)
    lost = (measured["arch"] == "plain20") & (measured["part"] == "training")
    measured.loc[lost, "outcome"] = outcome
    if not known:
        measured.loc[lost, "accuracy"] = math.nan
    table = summarise(measured, SPEC)
    assert headline(table, SPEC) == "resnet20 is the only one of 2 networks with a result"
    third = dataclasses.replace(SPEC, arch=("plain20", "resnet20", "mlp1"))
    measured = cells(third, lambda cell: 0.5 + 0.02 * cell.seed if cell.arch == "mlp1" else 0.9)
    measured.loc[(measured["arch"] == "plain20") & (measured["part"] == "training"), "outcome"] = c.DIVERGED
    assert headline(summarise(measured, third), third) == "resnet20 is the most accurate of 2 networks with a result"


def test_the_same_accuracy_is_nobodys_alone():
    table = summarise(cells(SPEC, lambda cell: 0.9), SPEC)
    assert (
        "plain20 and resnet20 have the same accuracy, 90.1 %, and none has a higher one" in conclusions(table, SPEC)[0]
    )


def failing(spec, of, seeds):
    """Ten examples in a hundred are right by guessing, and that is all that the network ``of`` gets in ``seeds``."""
    rng, table = np.random.default_rng(0), cells(spec, lambda cell: 0.9)
    trained = table["part"] == "training"
    table.loc[trained, "guessing"] = 0.1
    for place in table.index[trained]:
        row = table.loc[place]
        right = np.arange(500) < (50 if row["arch"] == of and row["seed"] in seeds else 450)
        table.loc[place, "right"] = packed(rng.permutation(right))
        table.loc[place, "accuracy"] = right.mean()
    return summarise(table, spec)


def test_what_most_seeds_do_not_learn_is_told_and_shows_nothing():
    """Of the deep plain network one seed learned, as well as those of the other: that shows neither a difference nor
    that there is none."""
    spec = dataclasses.replace(SPEC, arch=("plain20", "plain56"), seeds=5, preset="depth")
    table = failing(spec, "plain56", {1, 2, 3, 4})
    assert table["verdict"].tolist() == [c.REFERENCE, c.UNDECIDED]
    (depth,) = [sentence for sentence in conclusions(table, spec) if sentence.startswith("From the shallowest")]
    assert "plain networks are not shown to lose or to gain: " in depth
    assert depth.endswith(" and 90 % with 56 layers (1 of 5 seeds learned).")
    alone = dataclasses.replace(spec, arch=("plain56",), preset="")
    table = failing(alone, "plain56", {1, 2, 3, 4})
    assert headline(table, alone) == "plain56 reaches 90 % (1 of 5 seeds learned)"
    assert "plain56 reaches 90 % (1 of 5 seeds learned)." in conclusions(table, alone)[0]
    assert headline(failing(alone, "plain56", set(range(5))), alone) == "plain56 reaches 10 % (none of 5 seeds learned)"


@pytest.mark.parametrize("seeds", [1, 2])
def test_of_fewer_than_three_seeds_there_are_no_ranks_to_speak_of(seeds):
    arch = ("plain20", "plain56", "resnet20", "resnet56")
    spec = dataclasses.replace(SPEC, arch=arch, seeds=seeds, preset="depth")
    table = summarise(cells(spec, lambda cell: 0.9 if cell.arch == "plain20" else 0.5), spec)
    assert table["rank_hi"].isna().all()
    (depth,) = [sentence for sentence in conclusions(table, spec) if sentence.startswith("From the shallowest")]
    assert depth.count("networks are not shown to lose or to gain: ") == 2


def test_costs_that_could_not_be_counted_are_told():
    lost = {"arch": "nets:b", "data": "digits", "verdict": c.UNTRAINED, "failed": 1}
    alone = fit(pd.DataFrame([lost]), c.SUMMARY)
    assert headline(alone, SPEC) == "No costs could be counted"
    assert conclusions(alone, SPEC) == ["The costs of nets:b could not be counted; cells.csv says why."]
    known = {"arch": "nets:a", "data": "digits", "verdict": c.UNTRAINED, "macs": 1000, "input": "1x8x8"}
    table = fit(pd.DataFrame([known, lost]), c.SUMMARY)
    assert headline(table, SPEC) == "What 1 network cost"
    assert conclusions(table, SPEC) == [
        "nets:a takes 1000 multiply–accumulates at 1x8x8.",
        "The costs of nets:b could not be counted; cells.csv says why.",
    ]


def test_of_depth_a_loss_is_told_where_it_is_shown():
    spec = dataclasses.replace(SPEC, arch=("plain20", "resnet20", "plain56", "resnet56"), seeds=5, preset="depth")
    table = failing(spec, "plain56", set(range(5)))
    (depth,) = [sentence for sentence in conclusions(table, spec) if sentence.startswith("From the shallowest")]
    assert "plain networks lose: 90.0 % " in depth
    assert "(none of 5 seeds learned); residual networks are not shown to lose or to gain: 90.0 % " in depth


def test_the_fewest_operations_are_told_where_they_are_fewest():
    def costs(*archs, macs, **more):
        spec = dataclasses.replace(SPEC, arch=archs, cost_only=True, **more)
        measured = cells(spec, None).assign(latency_ms=math.nan, input="1x8x8")
        measured["macs"] = measured["arch"].map(macs)
        return conclusions(summarise(measured, spec), spec)[0]

    equal = {"plain20": 100.0, "resnet20": 100.0, "mlp1": 200.0}
    assert costs("plain20", "resnet20", macs=equal) == "All 2 networks take 100 multiply–accumulates at 1x8x8."
    assert costs("resnet20", macs=equal, batch_size=(32, 64)) == "resnet20 takes 100 multiply–accumulates at 1x8x8."
    assert costs("plain20", "resnet20", "mlp1", macs=equal) == (
        "Of 3 networks plain20 and resnet20 take the fewest, 100 multiply–accumulates at 1x8x8."
    )


def test_a_figure_says_what_it_leaves_out():
    spec = dataclasses.replace(SPEC, lr=tuple(0.01 * (i + 1) for i in range(6)))
    measured = cells(spec, lambda cell: 0.9)
    fronts, curves, _ = draw(measured, summarise(measured, spec), spec)
    assert "Of 12 rows 10 are drawn." in fronts.see
    assert "Of 12 rows 10 are drawn." in curves.alt


def test_the_share_of_time_that_looks_took_is_said():
    table = cells(SPEC, lambda cell: 0.8)  # a second of steps each
    table.loc[table["part"] == "training", "looking_seconds"] = 0.25
    assert conclusions(summarise(table, SPEC), SPEC)[-1] == (
        "Looks at the validation split took 20 % of the time of all trainings."
    )


def test_sentences_name_the_data_where_there_are_several():
    spec = dataclasses.replace(SPEC, train_size=(0, 100))
    some, few = conclusions(summarise(cells(spec, lambda cell: 0.8), spec), spec)
    assert some.startswith("At epochs=10 on all examples of digits: ")
    assert few.startswith("At epochs=10 on 100 examples of digits: ")
    spec = dataclasses.replace(SPEC, data=("digits", "mnist"))
    sentences = conclusions(summarise(cells(spec, lambda cell: 0.8), spec), spec)
    assert [sentence.partition(":")[0] for sentence in sentences] == ["At epochs=10 on digits", "At epochs=10 on mnist"]


def test_every_row_has_a_name_of_its_own():
    options = {"weights": ("fresh", "net.safetensors"), "freeze": ("none", "body"), "augment": ("none", "crop")}
    spec = dataclasses.replace(SPEC, arch=("resnet20",), batch_size=(32, 64), **options)
    table = summarise(cells(spec, lambda cell: 0.8), spec)
    names = [name(row, table) for row in table.to_dict("records")]
    assert len(set(names)) == len(table) == 16
    assert names[0] == "resnet20 (weights fresh, freeze none, batch size 32, augment none)"
    one = dataclasses.replace(spec, weights=("fresh",), augment=("none",), batch_size=(32,))
    measured = cells(one, lambda cell: 0.9 + 0.001 * cell.seed if cell.freeze == "none" else 0.5)
    table = summarise(measured, one)
    (sentence,) = conclusions(table, one)
    assert "Against resnet20 (freeze none): 1 less accurate." in sentence
    labels = [text.get_text() for text in draw(measured, table, one)[0].figure.legends[0].get_texts()]
    assert labels == ["resnet20 (freeze none)", "resnet20 (freeze body)"]


def test_a_network_has_its_options_beside_it_where_they_tell_it_apart():
    table = pd.DataFrame([dict.fromkeys(CONFIGURATION, "x")] * 2).assign(arch="mlp5", data=["digits", "mnist"])
    table["lr"] = [0.1, 0.01]
    assert [name(row, table) for row in table.to_dict("records")] == ["mlp5 (digits, lr 0.1)", "mlp5 (mnist, lr 0.01)"]
    assert name(table.iloc[0], table.head(1)) == "mlp5"
