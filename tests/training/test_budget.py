"""Budgets: what they buy, and what they refuse."""

import pytest

from dnnlab.errors import UsageError
from dnnlab.training.budget import parse


@pytest.mark.parametrize(
    ("text", "steps"), [("epochs=2", 20), ("epochs=0.1", 1), ("steps=7", 7), ("macs=1e6", 1000), ("seconds=3", None)]
)
def test_a_budget_buys_steps(text, steps):
    assert parse(text).steps("net", batches=10, macs_a_step=1e3) == steps


@pytest.mark.parametrize(
    "text", ["", "epochs", "epochs=", "epochs=0", "epochs=-1", "epochs=x", "steps=nan", "hours=3", "=3"]
)
def test_what_does_not_read_is_refused(text):
    with pytest.raises(UsageError):
        parse(text)


@pytest.mark.parametrize(("text", "least"), [("macs=999", "macs=1e+03"), ("epochs=0.01", "epochs=0.1")])
def test_a_budget_too_small_says_what_a_step_takes(text, least):
    with pytest.raises(UsageError, match=r"does not pay for one step of net") as refusal:
        parse(text).steps("net", batches=10, macs_a_step=1e3)
    assert least in str(refusal.value)
    assert parse(least).steps("net", batches=10, macs_a_step=1e3) == 1


@pytest.mark.parametrize(("text", "steps"), [("epochs=2", 20), ("steps=7", 7), ("seconds=3", None)])
def test_a_network_without_counted_macs_is_trained_under_other_budgets(text, steps):
    assert parse(text).steps("net", batches=10, macs_a_step=0) == steps
    with pytest.raises(UsageError, match=r"net, which has no multiply–accumulates"):
        parse("macs=1e6").steps("net", batches=10, macs_a_step=0)


def test_axes_can_be_others_and_a_number_alone_an_amount_of_one():
    axes = ("trainings", "macs")
    assert str(parse(" 64 ", axes, bare="trainings")) == "trainings=64"
    assert str(parse("macs = 1e12", axes, bare="trainings")) == "macs=1e+12"
    with pytest.raises(UsageError, match=r"unknown budget 'epochs': known are trainings and macs\."):
        parse("epochs=3", axes, bare="trainings")
    with pytest.raises(UsageError, match=r"unknown budget '64'"):
        parse("64", axes)


@pytest.mark.parametrize(
    ("text", "right"),
    [("many", "a number of trainings such as 64, or epochs=500"), ("", "a number of trainings such as 64"),
     ("macs=-1", "macs= and a positive number, such as macs=10")],
)  # fmt: skip
def test_what_does_not_read_is_told_what_would(text, right):
    with pytest.raises(UsageError) as refusal:
        parse(text, ("trainings", "macs"), bare="trainings")
    assert f"--budget {text!r} does not read; write {right}" in str(refusal.value)
