"""Searches that train: nothing is trained twice, everything is paid for, and a broken-off search goes on the same."""

import math
import shutil
import sys
import time
import types

import numpy as np
import pytest
import torch
from torch import nn

from dnnlab.data import load
from dnnlab.errors import UsageError
from dnnlab.nas import codes, evaluator, export, supernets
from dnnlab.nas.evaluator import Evaluator, Training
from dnnlab.nas.problem import Inherit, Supernet, Train
from dnnlab.nas.search import rounds
from dnnlab.nas.search.columns import FINAL
from dnnlab.nas.search.measure import steps
from dnnlab.nas.spec import Spec
from dnnlab.nas.supernets import discretise, inherited, train_darts
from dnnlab.networks import spaces
from dnnlab.networks.spaces import Space
from dnnlab.networks.spaces.supernet import one_hot
from dnnlab.runner.options import build
from dnnlab.runner.place import Place
from dnnlab.training.batches import batch_order
from dnnlab.training.evaluation import accuracy
from dnnlab.training.networks import inference

SMALL = {"budget": "12", "epochs": 1, "finalists": 2, "retrain": 1, "seeds": 1}
ALL = ["random", "evolution", "rl", "local", "darts", "oneshot", "halving", "hyperband", "proxy:snip"]
TIMES = ("seconds", "latency")


@pytest.fixture(autouse=True)
def without_onnx(monkeypatch):
    """One test is about it; it takes seconds for every network."""
    monkeypatch.setattr(export, "_write_onnx", lambda *args: None)


def searched(tmp_path, past=(), after_each=lambda number: None, **options):
    """The parts of all searches of one seed; ``after_each`` of them, their number is told."""
    spec = build(Spec, SMALL | options)
    parts = []
    for part in steps(spec.plan(), spec, "cpu", Place(tmp_path / "nas" / "run"), list(past)):
        parts.append(part)
        after_each(len(parts))
    return parts, spec


def rows(parts):
    """All rows, as dicts."""
    return [
        {name: column[i] for name, column in part.items()} for part in parts for i in range(len(part["evaluation"]))
    ]


def without_times(parts):
    return repr([{name: column for name, column in part.items() if name not in TIMES} for part in parts])


def test_a_killed_search_goes_on_to_the_same_rows(tmp_path):
    def keep(number):
        """The files as a kill would leave them here."""
        shutil.copytree(tmp_path / "whole", tmp_path / str(number))

    options = {"strategy": ALL, "train_size": 600}
    (tmp_path / "whole").mkdir()
    whole, _ = searched(tmp_path / "whole", after_each=keep, **options)
    for stop in (1, len(whole) // 2, len(whole) - 2):
        before = whole[:stop]
        after, _ = searched(tmp_path / str(stop), past=before, **options)
        assert without_times([*before, *after]) == without_times(whole), stop
    files = sorted(file.name for file in (tmp_path / "whole/nas/run/artifacts").iterdir())
    assert files == sorted(f"{name.replace(':', '-')}-seed0.{end}" for name in ALL for end in ("toml", "safetensors"))


def test_no_network_is_trained_twice_and_each_search_pays_for_its_own(tmp_path, monkeypatch):
    trained = []
    real = evaluator.Evaluator._train

    def counting(self, bucket, models):
        trained.extend((self.space.identity(t.code), t.epochs, t.tag) for t in bucket)
        real(self, bucket, models)

    monkeypatch.setattr(evaluator.Evaluator, "_train", counting)
    parts, spec = searched(tmp_path, strategy=["random", "evolution", "local", "halving"], budget="20")
    assert len(trained) == len(set(trained))
    by_search = {}
    for row in rows(parts):
        by_search.setdefault(row["cell"], []).append(row)
    names = [cell.strategy for cell in spec.plan()]
    for number, own in by_search.items():
        if names[number] == "average":
            continue
        asked = [(row["id"], row["epochs"]) for row in own if row["phase"] == "search"]
        assert len(asked) == len(set(asked))
        assert sum(row["epochs"] for row in own) <= 20 * (1 + 1e-9)
        assert [row["phase"] for row in own].count("retrain") == 2
        assert [row["phase"] for row in own].count("final") == 1


def test_average_architectures_are_the_first_that_random_search_draws(tmp_path):
    parts, spec = searched(tmp_path, strategy=["random"])
    names = [cell.strategy for cell in spec.plan()]
    drawn = [row["id"] for row in rows(parts) if names[row["cell"]] == "random" and row["phase"] == "search"]
    average = [row for row in rows(parts) if names[row["cell"]] == "average" and row["phase"] == "final"]
    assert len(average) == 2
    assert {row["id"] for row in average} <= set(drawn)
    assert all(0 <= row["test"] <= 1 for row in average)


def test_the_finalist_that_validates_best_again_is_tested(tmp_path):
    parts, _ = searched(tmp_path, strategy=["random"], finalists=3, retrain=2)
    own = [row for row in rows(parts) if row["cell"] == 1]
    again = {}
    for row in own:
        if row["phase"] == "retrain":
            again.setdefault(row["id"], []).append(row["validation"])
    best_in_search = sorted((row["validation"] for row in own if row["phase"] == "search"), reverse=True)[:3]
    assert sorted(row["validation"] for row in own if row["phase"] == "search" and row["id"] in again)[-3:] == (
        sorted(best_in_search)
    )
    final = [row for row in own if row["phase"] == "final"]
    assert {row["id"] for row in final} == {max(again, key=lambda key: np.mean(again[key]))}
    assert len(final) == 2
    assert not any(math.isfinite(row["test"]) for row in own if row["phase"] != "final")


@pytest.mark.parametrize("budget", ["epochs=12", "macs=3e8", "seconds=0.5"])
def test_other_budgets_end_too(budget, tmp_path):
    parts, _ = searched(tmp_path, strategy=["random", "evolution"], budget=budget)
    assert any(row["phase"] == "final" for row in rows(parts))
    if budget.startswith("macs"):
        spent = sum(row["macs"] for row in rows(parts) if row["cell"] == 1)
        assert spent <= 3e8 * 1.2


def test_several_objectives_are_weighed_together(tmp_path):
    pytest.importorskip("optuna")
    parts, spec = searched(tmp_path, strategy=["evolution", "nsga2"], objectives=["accuracy", "parameters", "latency"])
    trained = [row for row in rows(parts) if row["phase"] == "search"]
    assert all(row["latency"] > 0 for row in trained)
    assert {spec.plan()[row["cell"]].strategy for row in trained} == {"random", "evolution", "nsga2"}


FAILING = """
from torch import nn
from dnnlab.networks.spaces import Space
def build(choices, shape, classes):
    if choices["width"] == 13:
        raise ValueError("unlucky")
    return nn.Sequential(nn.Flatten(), nn.Linear(64, choices["width"]), nn.ReLU(), nn.Linear(choices["width"], classes))
space = Space({"width": (8, 13, 16, 32), "other": (1, 2, 3)}, build)
def pooled(choices, shape, classes):
    pools = [nn.MaxPool2d(2) for _ in range(choices["pools"])]
    return nn.Sequential(*pools, nn.Flatten(), nn.Linear(max(1, 64 // 4 ** choices["pools"]), classes))
pools = Space({"pools": (0, 1, 2, 4), "other": (1, 2, 3)}, pooled)
def dropped(choices, shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Dropout(choices["rate"]), nn.Linear(64, classes))
dropout = Space({"rate": (0.1, 0.2, 0.3), "other": (1, 2)}, dropped)
wrong = Space({"width": (1, 2)}, lambda choices, shape, classes: nn.Linear(3, 3))
nothing = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "a_space_of_my_own.py").write_text(FAILING)
    yield "a_space_of_my_own"
    sys.modules.pop("a_space_of_my_own", None)


def test_architectures_that_fail_are_counted_and_the_search_goes_on(own, tmp_path):
    parts, _ = searched(tmp_path, strategy=["random", "evolution", "rl"], space=f"{own}:space")
    failed = [row for row in rows(parts) if row["problem"]]
    assert failed
    assert all(row["problem"] == "ValueError: unlucky" for row in failed)
    assert all(math.isnan(row["validation"]) and row["epochs"] == 1 for row in failed if row["phase"] == "search")
    assert all(math.isfinite(row["test"]) for row in rows(parts) if row["phase"] == "final")


def test_a_network_that_takes_no_such_input_is_one_failure(own, tmp_path):
    parts, _ = searched(tmp_path, strategy=["random", "evolution"], space=f"{own}:pools")
    problems = {row["problem"] for row in rows(parts)}
    assert len(problems) == 2
    assert any(
        problem.startswith("the network does not run on an input of 1 × 8 × 8, forward and backward: ")
        for problem in problems
    )
    assert all(math.isfinite(row["test"]) for row in rows(parts) if row["phase"] == "final")


def test_networks_with_dropout_are_retrained_together(own, tmp_path):
    options = {"space": f"{own}:dropout", "strategy": ["random"], "finalists": 1, "retrain": 4}
    parts, again = (searched(tmp_path / name, **options)[0] for name in ("one", "two"))
    assert without_times(parts) == without_times(again)
    retrained = [row["validation"] for row in rows(parts) if row["phase"] == "retrain" and row["cell"] == 1]
    assert len(set(retrained)) > 1


@pytest.mark.parametrize("name", ["wrong", "nothing", "missing"])
def test_a_space_that_does_not_work_is_refused(name, own, tmp_path):
    with pytest.raises(UsageError):
        build(Spec, SMALL | {"space": f"{own}:{name}"}).fit()


def an_evaluator(tmp_path, **options):
    return Evaluator(build(Spec, SMALL | options), "digits", 0, "cpu", Place(tmp_path / "nas" / "run"))


def test_shared_weights_are_those_of_the_path(tmp_path):
    """The supernet's accuracy of an architecture, counted by hand on one batch of the whole validation split."""
    made = an_evaluator(tmp_path, space="cell")
    asked = Supernet("oneshot", 1.0, 0)
    model, _ = made.shared.trained(asked)
    code = (3, 1, 2, 4, 3, 1)
    x, y = made.data.inputs(made.data.validation), made.data.y[made.data.validation]
    with torch.no_grad():
        right = (model.train()(x, one_hot(code, made.space.sizes, x)).argmax(1) == y).double().mean()
    assert inherited(model, made.space, code, made.data, 10**6) == pytest.approx(float(right))
    assert 0 <= made.shared.inherited(Inherit(code, asked)) <= 1


def scripted(requests_of):
    """A stand-in for `strategies.find`: each search asks for what it is given, and ends."""

    def found(name):
        def search(problem):
            for requests in requests_of.get(name, []):
                answers = yield requests
                assert len(answers) == len(requests)

        return types.SimpleNamespace(search=search)

    return found


def test_the_spec_and_the_weights_of_one_artifact_are_of_one_network(tmp_path, monkeypatch):
    """Two cells of one formula, in which the convolution lies on different edges."""
    from safetensors.torch import load_file

    space = spaces.find("cell")
    skip = {"0-1": "skip_connect", "1-3": "nor_conv_3x3"}
    first, second = (space.code(dict.fromkeys(space.dimensions, "none") | own) for own in (skip, {"0-3": skip["1-3"]}))
    assert space.identity(first) == space.identity(second)
    asked = {"random": [[Train(first, 1.0)]], "evolution": [[Train(second, 1.0)]]}
    monkeypatch.setattr(rounds, "find", scripted(asked))
    searched(tmp_path, strategy=["evolution"], space="cell", budget="3", finalists=1)
    for name in asked:
        file = tmp_path / "nas/run/artifacts" / f"{name}-seed0.toml"
        spaces.read(str(file)).build((1, 8, 8), 10).load_state_dict(load_file(file.with_suffix(".safetensors")))


def test_each_data_set_has_artifacts_of_its_own(tmp_path):
    spec = build(Spec, SMALL | {"data": ["digits", "gaussian"], "strategy": ["random"], "budget": "3"})
    place = Place(tmp_path / "nas" / "run")
    for data in spec.data:
        assert list(steps([cell for cell in spec.plan() if cell.data == data], spec, "cpu", place, []))
    specs = sorted(file.stem for file in place.artifacts.glob("*.toml"))
    assert specs == ["digits-random-seed0", "gaussian-random-seed0"]


def test_names_of_artifacts_are_names_of_files():
    assert export.name_of("proxy:snip", 3, "folder:a/b", ["folder:a/b"]) == "proxy-snip-seed3"
    assert export.name_of("proxy:snip", 3, "folder:a/b", ["digits", "folder:a/b"]) == "folder-a-b-proxy-snip-seed3"
    long = [f"folder:{'x' * 50}/{each}" for each in "ab"]
    names = [export.name_of("rl", 0, data, long) for data in long]
    assert len(set(names)) == 2


def test_a_shorter_training_does_not_displace_a_full_one(tmp_path, monkeypatch):
    best = []

    def search(problem):
        outcomes = yield problem.train([(0,) * len(problem.space.sizes), (1,) * len(problem.space.sizes)])
        best.append(max(outcomes, key=lambda outcome: outcome.value).code)
        yield [Train(best[0], 1.0)]

    monkeypatch.setattr(rounds, "find", lambda name: types.SimpleNamespace(search=search))
    parts, _ = searched(tmp_path, strategy=["random"], epochs=2, finalists=1)
    trained = [row["epochs"] for row in rows(parts) if row["phase"] == "search"]
    (row,) = [row for row in rows(parts) if row["phase"] == "final" and row["cell"] == 1]
    assert trained == [2, 2, 1]
    assert codes.read_code(row["code"]) == best[0]


def test_darts_ends_in_its_strongest_choices_and_never_in_nothing(tmp_path):
    space = spaces.find("cell")
    logits = [torch.tensor([9.0, 0.0, 1.0, 2.0, 1.5])] * 6
    assert discretise(space, logits) == (3,) * 6
    assert space.skips(space.choices((1, 1, 1, 1, 0, 3))) == pytest.approx(4 / 6)


class Switch(nn.Module):
    """Logits, or nothing: a supernet of one dimension."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 10)

    def forward(self, x, mix):
        return mix[0][1] * self.linear(x.flatten(1))


def halves(data):
    return tuple(batch_order(len(data.train) // 2, 32, np.random.default_rng(seed)) for seed in (0, 1))


def test_a_mixture_never_sees_what_the_weights_learn(tmp_path):
    made = an_evaluator(tmp_path)
    seen = []

    class Watched(Switch):
        def forward(self, x, mix):
            seen.append({image.numpy().tobytes() for image in x})
            return super().forward(x, mix)

    space = Space({"switch": ("off", "on")}, lambda choices, shape, classes: None)
    train_darts(Watched(), space, made.data, halves(made.data), 0.01, 60)
    mixture, weights = (set().union(*seen[start::2]) for start in (0, 1))
    assert not mixture & weights
    assert len(mixture | weights) > 0.9 * len(made.data.train)  # three epochs, short last batches aside


def test_a_mixture_learns_to_prefer_what_lowers_the_loss(tmp_path):
    made = an_evaluator(tmp_path)
    space = Space({"switch": ("off", "on")}, lambda choices, shape, classes: None)
    (alpha,) = train_darts(Switch(), space, made.data, halves(made.data), 0.01, 60)
    assert alpha[1] - alpha[0] > 0.6  # of at most 60 steps of 0.01 each, for both
    assert discretise(space, [alpha]) == (1,)


def test_retrained_weights_come_from_the_checkpoint(tmp_path, monkeypatch):
    made = an_evaluator(tmp_path)
    training = Training((0,) * len(made.space.sizes), 1.0, "fresh 0")
    (bucket,) = made.buckets([training])
    (fact,) = made.train(bucket)
    monkeypatch.setattr(evaluator.Evaluator, "_train", lambda *args: pytest.fail("trained again"))
    again = an_evaluator(tmp_path)
    again.buckets([training])
    assert accuracy(inference(again.trained_model(training)), again.data, again.data.validation) == fact["validation"]


def test_what_a_checkpoint_saves_is_counted_all_the_same(tmp_path, monkeypatch):
    training, asked = Training((0,) * len(spaces.find("mlp").sizes), 1.0, "fresh 0"), Supernet("oneshot", 1.0, 0)

    def slow(real):
        return lambda *args, **more: (time.sleep(1), real(*args, **more))

    def seconds():
        made = an_evaluator(tmp_path)
        (bucket,) = made.buckets([training])
        return made.train(bucket)[0]["seconds"], made.look_up([asked])[0]["seconds"]

    with monkeypatch.context() as patch:
        patch.setattr(evaluator, "train_together", slow(evaluator.train_together))
        patch.setattr(supernets, "train_paths", slow(supernets.train_paths))
        assert min(seconds()) > 1
    assert min(seconds()) > 1


def test_onnx_gives_what_pytorch_gives(tmp_path, monkeypatch):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    monkeypatch.undo()
    parts, spec = searched(tmp_path, strategy=["random"])
    assert parts
    folder = tmp_path / "nas" / "run" / "artifacts"
    described = spaces.read(str(folder / "random-seed0.toml"))
    from safetensors.torch import load_file

    net = described.build((1, 8, 8), 10).eval()
    net.load_state_dict(load_file(folder / "random-seed0.safetensors"))
    data = load("digits")
    x = data.inputs(data.test[:7])
    session = runtime.InferenceSession(folder / "random-seed0.onnx")
    (logits,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    assert logits == pytest.approx(net(x).detach().numpy(), abs=1e-5)
    assert spec.strategies == ("average", "random")
    assert FINAL in {row["phase"] for row in rows(parts)}


def test_two_codes_of_one_network_share_its_retraining(tmp_path):
    """Layers that are not there leave entries of a code free: two searches may end in one network by two codes."""
    space = spaces.find("mlp")
    seen = {}
    zeros, pair = (0,) * len(space.sizes), None
    for place, size in enumerate(space.sizes):
        for choice in range(size):
            code = (*zeros[:place], choice, *zeros[place + 1 :])
            other = seen.setdefault(space.identity(code), code)
            pair = pair or ((other, code) if other != code else None)
    assert pair is not None
    spec = build(Spec, SMALL)
    own = Evaluator(spec, "digits", 0, "cpu", Place(tmp_path / "nas" / "run"))
    asked, alias = (Training(code, 1.0, "fresh 0") for code in pair)
    (bucket,) = own.buckets([asked])
    own.train(bucket)
    assert own.trained_model(alias) is own.trained_model(asked)
