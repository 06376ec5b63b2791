"""What experiments ask alike: configurations of lists, steps that are measured, and a model of the user's own."""

import hashlib
from dataclasses import dataclass

import pytest

from dnnlab.errors import UsageError
from dnnlab.runner import configuration as ask
from dnnlab.runner.experiment import Spec


@dataclass(frozen=True)
class Asked(Spec):
    arch: tuple[str, ...] = ()
    model: str = ""
    weights: str = ""
    depth: tuple[int, ...] = (2, 3)
    act: tuple[str, ...] = ("relu", "tanh")
    data: tuple[str, ...] = ("parity:4",)
    lr: tuple[float, ...] = (0.1, 1.0)
    seeds: int = 2
    seed: int = 0


@dataclass(frozen=True)
class Cell:
    model: str
    act: str
    depth: int
    data: str
    seed: int


def test_configurations_are_the_product_of_those_lists_that_the_cells_name_in_the_order_of_the_cells():
    assert list(ask.combinations(Asked(), Cell)) == [
        {"model": "", "act": act, "depth": depth, "data": "parity:4"} for act in ("relu", "tanh") for depth in (2, 3)
    ]


def test_what_describes_other_networks_is_blank_beside_a_model_of_ones_own_and_beside_published_ones():
    blank = {"act": "", "depth": 0, "data": "parity:4"}
    assert list(ask.combinations(Asked(model="mine:net"), Cell)) == [{"model": "mine:net", **blank}]
    both = list(ask.combinations(Asked(arch=("vgg11", "resnet18")), Cell))
    assert both == [{"model": name, **blank} for name in ("vgg11", "resnet18")]


def test_every_is_at_most_the_steps():
    ask.check_every(5, 5)
    with pytest.raises(UsageError, match=r"^--every 6 is more than the --steps 5; make it at most that\.$"):
        ask.check_every(6, 5)


@pytest.mark.parametrize(
    ("steps", "every", "measured"),
    [(0, 0, [0]), (3, 0, [0, 1, 2, 3]), (20, 0, [*range(0, 21, 2)]), (10, 4, [0, 4, 8, 10]), (8, 4, [0, 4, 8])],
)
def test_measured_steps_end_with_the_last(steps, every, measured):
    assert ask.measured_steps(steps, every) == measured


def test_a_model_of_ones_own_and_what_goes_with_it():
    ask.check_model(Asked(depth=(9,)), ("depth",))
    ask.check_model(Asked(model="mine:net", weights="w.safetensors"), ("depth", "act"))
    with pytest.raises(UsageError, match="--weights belong to one network; give --model, or one --arch"):
        ask.check_model(Asked(weights="w.safetensors"))
    with pytest.raises(UsageError, match="--weights belong to one network"):
        ask.check_model(Asked(arch=("vgg11", "resnet18"), weights="w.safetensors"))
    ask.check_model(Asked(arch=("vgg11",), weights="w.safetensors"))
    with pytest.raises(UsageError, match="--model is your own network in the place of --arch; give one of them"):
        ask.check_model(Asked(arch=("vgg11",), model="mine:net"))
    with pytest.raises(UsageError, match="--depth describes fully connected networks; it does not go with --arch"):
        ask.check_model(Asked(arch=("vgg11",), depth=(9,)), ("act", "depth"))
    with pytest.raises(UsageError, match="--depth describes fully connected networks; it does not go with --model"):
        ask.check_model(Asked(model="mine:net", depth=(9,)), ("act", "depth"))


def test_content_is_of_the_data_and_of_the_model(tmp_path, monkeypatch):
    computed = hashlib.sha256(b"parity\nparity:4\n1").hexdigest()
    assert ask.content(Asked()) == {"data parity:4": computed}
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine_for_content.py").write_text("from torch import nn\ndef net(): return nn.Linear(4, 2)\n")
    found = ask.content(Asked(model="mine_for_content:net"))
    assert list(found) == ["data parity:4", "model"]
    assert len(found["model"]) == 64
