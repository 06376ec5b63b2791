"""One network of one seed, compressed and measured."""

import sys

import pytest
import torch

from dnnlab.compress import chain
from dnnlab.compress.evaluator import Evaluator
from dnnlab.compress.spec import Spec
from dnnlab.runner.options import build
from dnnlab.runner.place import Place

SMALL = {"arch": "lenet300:width=0.1", "seeds": 1, "epochs": 1, "recover": 1, "train_size": 128}


@pytest.fixture
def evaluator(tmp_path):
    spec = build(Spec, SMALL | {"chain": ["distill > prune:0.5"], "student": "mlp1:width=0.125"})
    return Evaluator(spec.plan()[1], spec, "cpu", Place(tmp_path / "compress" / "run"))


def test_a_checkpoint_is_trained_once(evaluator):
    made = []

    def make():
        made.append(1)
        return evaluator.fresh()

    first, again = (evaluator.checkpoint("mine", make, extra=1) for _ in range(2))
    assert len(made) == 1
    assert all(torch.equal(first[name], again[name]) for name in first)
    evaluator.checkpoint("mine", make, extra=2)
    evaluator.checkpoint("another", make, extra=1)
    assert len(made) == 3


def test_a_chain_with_a_student_is_read_into_the_student(evaluator):
    distill, prune = chain.parse("distill > prune:0.5")

    def shapes(model):
        return [p.shape for p in model.parameters()]

    student, itself = shapes(evaluator.fresh("mlp1:width=0.125")), shapes(evaluator.fresh())
    assert student != itself
    assert shapes(evaluator.empty((distill, prune))) == student
    assert shapes(evaluator.empty((prune,))) == itself


def test_a_stage_that_does_not_train_leaves_the_state(evaluator):
    (int8,) = chain.parse("int8")
    state = evaluator.state((int8,))
    assert all(torch.equal(state[name], value) for name, value in evaluator.baseline_state().items())


def test_what_a_search_sees_of_a_file_is_counted_from_it(evaluator, tmp_path):
    model = evaluator.fresh()
    with torch.no_grad():
        model.get_parameter(next(name for name, p in model.named_parameters() if p.ndim > 1)).zero_()
    artefact = evaluator.write(model, (), tmp_path / "net")
    found = evaluator.without_test(model, artefact)
    parameters = sum(p.numel() for p in model.parameters())
    assert found["params"] == parameters
    assert found["nonzeros"] == sum(int((p != 0).sum()) for p in model.parameters())
    assert found["bytes"] == (tmp_path / "net.onnx").stat().st_size
    assert found["ratio"] == pytest.approx(4 * parameters / found["bytes"])
    itself = evaluator.without_test(evaluator.baseline, evaluator.base_file)
    assert itself["validation_drop"] == 0
    assert found["validation_drop"] == itself["validation_accuracy"] - found["validation_accuracy"]


SPARE = """
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, 400), nn.ReLU(), nn.Linear(400, 10))
        self.spare = nn.Linear(300, 300)
    def forward(self, x): return self.net(x)
"""


def test_parameters_that_inference_does_not_use_are_in_no_size(tmp_path, monkeypatch):
    (tmp_path / "nets_with_spare.py").write_text(SPARE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    small = {name: value for name, value in SMALL.items() if name != "arch"}
    spec = build(Spec, {**small, "model": "nets_with_spare:Net", "data": "digits", "chain": ["prune:0.5"]})
    whole = Evaluator(spec.plan()[0], spec, "cpu", Place(tmp_path / "compress" / "run"))
    found = whole.without_test(whole.baseline, whole.base_file)
    assert found["params"] == found["nonzeros"] == 65 * 400 + 401 * 10
    assert found["ratio"] == pytest.approx(1, abs=0.02)  # the graph takes the rest
