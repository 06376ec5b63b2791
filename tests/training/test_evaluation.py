"""Right answers, counted by hand."""

import math

import pytest
import torch
from torch import nn

from dnnlab.data import load
from dnnlab.errors import UsageError
from dnnlab.statistics.answers import unpacked
from dnnlab.training.evaluation import accuracy, as_written, check, logits, right, told, told_of_one


def always(*classes):
    """Predicts these classes, one a member, whatever it sees."""
    return lambda x: nn.functional.one_hot(torch.tensor(classes), 10).float()[:, None].expand(-1, len(x), -1)


def test_each_member_has_its_own_answers():
    data = load("digits")
    found = right(always(3, 7), data, data.test)
    assert torch.equal(found, torch.stack([data.y[data.test] == 3, data.y[data.test] == 7]))
    shares = accuracy(always(3, 7), data, data.test)
    assert shares.dtype == torch.float64
    assert shares.tolist() == [(data.y[data.test] == each).sum().item() / len(data.test) for each in (3, 7)]


def test_the_parts_that_are_predicted_at_once_change_nothing():
    data = load("digits")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).double()
    predict = as_written(model, data)
    whole, parts = (right(lambda x: predict(x.double()), data, data.test, size) for size in (1000, 7))
    assert torch.equal(whole, parts)


def test_of_no_examples_there_is_no_accuracy():
    data = load("digits")
    assert math.isnan(accuracy(always(1), data, data.test[:0]))


def test_a_network_is_judged_in_evaluation_mode():
    data = load("digits")
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.Dropout(1.0))
    assert as_written(model.train(), data)(data.inputs(data.test[:3])).any()


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(65, 10)), "the model refuses inputs [2, 1, 8, 8] of digits"),
        (nn.Sequential(nn.Flatten(), nn.Linear(64, 9)), "the model gives [2, 9] for 2 inputs of digits"),
        (nn.Conv2d(1, 10, 3), "it should give logits [2, 10]"),
    ],
)
def test_a_model_that_does_not_fit_is_told(model, says):
    data = load("digits")
    with pytest.raises(UsageError, match=says.replace("[", r"\[")):
        check(model, data)


def test_logits_are_found_among_what_libraries_give():
    class Output:
        logits = torch.ones(2, 10)

    class Model(nn.Module):
        def forward(self, x):
            return Output()

    data = load("digits")
    assert torch.equal(logits(Model(), data.inputs(data.test[:2]), data), Output.logits)


def test_an_accuracy_is_told_with_its_answers_and_what_guessing_reaches():
    data = load("digits")
    index = data.test[:9]
    answered = torch.tensor([[True] * 6 + [False] * 3, [False] * 9])
    columns = told(answered, data, index)
    most = max(data.y[index].tolist().count(label) for label in range(10))
    assert columns["accuracy"] == [pytest.approx(6 / 9), 0.0]
    assert columns["guessing"] == [most / 9] * 2
    assert [unpacked(text).tolist() for text in columns["right"]] == answered.tolist()
    assert told_of_one(answered[0], data, index) == {name: values[0] for name, values in columns.items()}
