"""What is said of accuracies on random labels."""

import pandas as pd
import pytest

from dnnlab.gradient_flow.spec import Spec as GradientFlow
from dnnlab.registry import EXPERIMENTS
from dnnlab.runner.conclusions import _random_labels, _too_few_seeds, headline

SENTENCE = (
    "are random: accuracies there are those of guessing, and only the fit to the training examples means something."
)


def table(data, accuracy):
    return pd.DataFrame({"data": data, "accuracy": accuracy})


@pytest.mark.parametrize(
    ("data", "accuracy", "names"),
    [
        (["digits", "gaussian:400"], [0.9, 0.1], "gaussian:400"),
        (["gaussian:3x8x8", "gaussian:3x8x8", "tokens:9x4"], [0.1, 0.1, 0.1], "gaussian:3x8x8 and tokens:9x4"),
        (["gaussian:400", "tokens:9x4"], [None, 0.1], "tokens:9x4"),
        (["gaussian:400"], [None], ""),
        (["digits", "parity:8"], [0.9, 0.5], ""),
        ([""], [None], ""),
    ],
)
def test_an_accuracy_on_random_labels_is_told_to_be_one_of_guessing(data, accuracy, names):
    told = _random_labels(table(data, pd.array(accuracy, "Float64").astype(float)), GradientFlow())
    assert told == ([f"The labels of {names} {SENTENCE}"] if names else [])


WITHOUT = {
    ("check", ""),
    ("compare-arch", "--block"),
    ("compare-arch", "--preset shallow-deep"),
    ("dead-relu", "--born"),
}
"""The questions that take no data, or data of their own."""


@pytest.mark.parametrize("question", [
    pytest.param((name, question), id=f"{name} {question.asked_by}")
    for name, experiment in EXPERIMENTS.items() for question in experiment.spec.QUESTIONS
])  # fmt: skip
def test_every_question_with_accuracies_has_an_estimate_by_which_they_are_known(question):
    name, asked = question
    columns = [c.name for c in asked.schema.summary if c.low and "accuracy" in c.name + c.help]
    has_data = "data" in [c.name for c in asked.schema.summary]
    assert bool(columns and has_data) == ((name, asked.asked_by) not in WITHOUT), columns


def test_it_stands_behind_the_experiments_own_sentences(dnnlab, blank_figures):
    command = ("gradient-flow", "--depth", 3, "--width", 8, "--seeds", 1, "--data", "gaussian:9:examples=400")
    assert SENTENCE not in dnnlab(*command).out  # no accuracy is told of what is not trained
    done = dnnlab(*command, "--steps", 1)
    assert done.out.splitlines()[-1] == f"The labels of gaussian:9:examples=400 {SENTENCE}"


@pytest.mark.parametrize(("seeds", "told"), [(1, True), (2, True), (3, False), (5, False)])
def test_what_is_missing_for_a_verdict_is_told(seeds, told):
    sentences = _too_few_seeds(GradientFlow(seeds=seeds))
    assert sentences == (["A verdict takes at least 3 seeds: --seeds 3."] if told else [])
    assert _too_few_seeds(EXPERIMENTS["check"].spec.Spec(statement=("1 = 1",))) == []


def test_the_headline_says_what_failed():
    """Of three networks two were measured; "both" is said of these."""
    network = {"model": "", "act": "relu", "init": "he", "norm": "none", "skip": "none", "depth": 20, "data": "digits"}
    table = pd.DataFrame([network | {"act": act, "verdict": "vanishing"} for act in ("relu", "tanh", "gelu")])
    table = table.assign(seeds=[3, 3, 0], failed=[0, 0, 3])
    assert headline(table, GradientFlow()) == "Both networks lose the gradient; 1 of 3 rows failed"
    assert headline(table[2:], GradientFlow()) == "Nothing was measured"
