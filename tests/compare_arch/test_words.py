"""What is said of a table: every row by a name of its own, every data set by itself."""

import dataclasses

import pandas as pd

from dnnlab.compare_arch.equal_budget import columns as c
from dnnlab.compare_arch.equal_budget.figures import draw
from dnnlab.compare_arch.equal_budget.summary import summarise
from dnnlab.compare_arch.equal_budget.words import conclusions
from dnnlab.compare_arch.spec import Spec
from dnnlab.compare_arch.trained_cell import CONFIGURATION, name
from dnnlab.report.table import fit

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
    table = summarise(cells(spec, accuracy), spec)
    return [sentence for sentence in conclusions(table, spec) if "order" in sentence]


def test_the_order_is_compared_between_budgets_on_one_data_set():
    spec = dataclasses.replace(SPEC, data=("digits", "mnist"), budget=("epochs=1", "macs=1e9"))

    def accuracy(cell):
        plain_first = (cell.data, cell.budget) == ("digits", "macs=1e9")
        return 0.9 if (cell.arch == "plain20") == plain_first else 0.8

    assert orders(spec, accuracy) == [
        "On digits the order depends on what is equal: "
        "epochs=1: resnet20 > plain20; macs=1e9: plain20 > resnet20.",
        "On mnist the order is the same under every budget: resnet20 > plain20.",
    ]  # fmt: skip
    assert orders(dataclasses.replace(spec, data=("digits",)), accuracy)[0].startswith("The order depends")
    assert not orders(dataclasses.replace(spec, budget=("epochs=1",)), accuracy)


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
