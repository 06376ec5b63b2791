"""What is measured of an artefact, counted by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dnnlab.compress import metrics
from dnnlab.compress.container import Layer
from dnnlab.data import load
from dnnlab.statistics.answers import packed


def logits(classes):
    """A network that says these ``classes``, whatever it is given."""
    return lambda x: np.eye(10, dtype=np.float32)[classes[: len(x)]]


def test_correct_are_the_examples_whose_class_has_the_largest_logit():
    data = load("digits")
    index = data.test[:5]
    said = data.y[index].numpy().copy()
    said[1] = (said[1] + 1) % 10
    assert metrics.correct(logits(said), data, index).tolist() == [True, False, True, True, True]
    assert metrics.correct(logits(said), data, index[:0]).shape == (0,)


def test_a_network_that_gives_no_numbers_is_not_finite():
    data = load("digits")
    assert metrics.finite(lambda x: np.zeros((len(x), 10), np.float32), data)
    assert not metrics.finite(lambda x: np.full((len(x), 10), np.nan, np.float32), data)


def test_answers_are_counted_beside_those_of_the_network_itself():
    ours, base = np.array([1, 1, 0, 0, 1], bool), np.array([1, 0, 1, 0, 0], bool)
    data = SimpleNamespace(y=torch.tensor([7, 7, 7, 1, 2]), test=torch.arange(5))
    counts = {"tested": 5, "accuracy": 0.6, "errors": 2, "base_errors": 3, "gained": 2, "lost": 1}
    assert metrics.judged(ours, base, data) == counts | {"right": packed(ours), "guessing": 0.6}


def test_latencies_are_medians_beside_those_of_the_network_itself(monkeypatch):
    """Times are given by hand here, in seconds: the speed is the median of the ratios round by round."""

    def timed(module, question):
        rounds = {"0 1": [4, 8, 6], "0 32": [30, 30, 60], "1 1": [2, 1, 4], "1 32": [60, 40, 60]}
        return {"rounds": {name: [x / 1000 for x in each] for name, each in rounds.items()}, "noisy": True}

    monkeypatch.setattr(metrics, "answer_of", timed)
    found = metrics.latency(b"base", b"ours", load("digits"))
    wanted = {"latency_ms": 2, "latency_min_ms": 1, "latency_p95_ms": 3.8, "base_latency_ms": 6, "speedup": 2}
    wanted |= {"latency32_ms": 60, "latency32_min_ms": 40, "latency32_p95_ms": 60, "base_latency32_ms": 30}
    assert found == pytest.approx(wanted | {"speedup32": 0.75, "noisy": 1})


def test_the_network_itself_is_as_fast_as_itself(monkeypatch):
    seen = []

    def timed(module, question):
        seen.extend(question["files"])
        return {"rounds": {"0 1": [4.0, 8.0], "0 32": [30.0, 31.0]}, "noisy": False}

    monkeypatch.setattr(metrics, "answer_of", timed)
    found = metrics.latency(b"base", b"base", load("digits"))
    assert (found["speedup"], found["speedup32"], seen) == (1, 1, ["base.onnx"])


def test_bits_are_those_of_all_layers_over_all_their_weights():
    layers = (
        Layer("a", (2, 5), 0, nonzeros=4, levels=3, bits=30.0, bound=20.0),
        Layer("b", (10,), 0, nonzeros=1, levels=0, bits=10.0, bound=10.0),
    )
    assert metrics.bits(SimpleNamespace(layers=layers)) == {"bits_per_weight": 2.0, "entropy_bound": 1.5}
    assert np.isnan(list(metrics.bits(SimpleNamespace(layers=())).values())).all()
