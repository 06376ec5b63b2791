"""Plans: every cell in one stack, and keys that are made of all that can change a number."""

import importlib
import json
import re
import sys
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnnlab import memory
from dnnlab.code import digests
from dnnlab.code.digests import Reached
from dnnlab.code.reach import Package, Reach
from dnnlab.gradient_flow.spec import Spec
from dnnlab.registry import EXPERIMENTS, find
from dnnlab.runner import plan as planning
from dnnlab.runner.options import build


@pytest.fixture(autouse=True, scope="module")
def all_memory():
    """A machine that holds every plan."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "available", lambda: 2**60)
        yield


GRADIENT_FLOW = find("gradient-flow")
BASE = Spec(data=("gaussian",), depth=(3,), width=(8,), seeds=2)
CHANGES = {
    "act": ("tanh",),
    "depth": (4,),
    "width": (9,),
    "init": ("he",),
    "norm": ("layer",),
    "skip": ("residual",),
    "data": ("parity:4",),
    "batch_size": (64,),
    "seeds": 3,
    "seed": 1,
    "steps": 5,
    "optimizer": ("adam",),
    "lr": (0.1,),
    "weight_decay": (0.1,),
    "dropout": (0.1,),
    "clip": (0.1,),
    "jacobian": True,
}


def make(spec, device="cpu"):
    return planning.make(GRADIENT_FLOW, spec, device)


def keys(plan):
    return {plan.key, *(stack.key for stack in plan.stacks)}


def test_the_same_spec_has_the_same_plan():
    assert make(BASE) == make(replace(BASE))


@pytest.mark.parametrize("option", CHANGES)
def test_every_option_changes_every_key(option):
    assert not keys(make(BASE)) & keys(make(replace(BASE, **{option: CHANGES[option]})))


def test_no_option_is_left_untried():
    rest = {"model", "arch", "weights", "every", "device"}  # tried below, or with others
    assert CHANGES.keys() | rest == set(Spec.__dataclass_fields__)
    network = replace(BASE, arch=("resnet20",))
    assert not keys(make(BASE)) & keys(make(network))
    assert not keys(make(network)) & keys(make(replace(BASE, arch=("resnet32",))))
    trained = replace(BASE, steps=5)
    assert not keys(make(trained)) & keys(make(replace(trained, every=2)))


@pytest.mark.parametrize("other", [Reached("other", {}), Reached("code", {"torch": "9.9"})])
def test_device_code_and_versions_change_every_key(other, monkeypatch):
    monkeypatch.setattr(digests, "of", lambda roots: Reached("code", {"torch": "2.0"}))
    plan = make(BASE)
    assert keys(plan) == keys(make(BASE))
    assert not keys(plan) & keys(make(BASE, "cuda"))
    monkeypatch.setattr(digests, "of", lambda roots: other)
    assert not keys(plan) & keys(make(BASE))


@pytest.mark.parametrize(
    ("name", "options", "default", "other"),
    [
        ("dead-relu", {}, "training_steps", property(lambda spec: spec.steps or 300)),
        ("dead-relu", {}, "depths", property(lambda spec: spec.depth or (7,))),
        ("compress", {}, "meant_preset", property(lambda spec: spec.preset or "mobile")),
    ],
)
def test_another_default_changes_every_key(name, options, default, other, monkeypatch):
    """Even if the code that says so were in no key."""
    experiment = find(name)
    spec = build(experiment.spec.Spec, options)
    monkeypatch.setattr(digests, "of", lambda roots: Reached("code", {}))
    before = planning.make(experiment, spec, "cpu")
    monkeypatch.setattr(experiment.spec.Spec, default, other)
    spec = build(experiment.spec.Spec, options)
    assert not keys(before) & keys(planning.make(experiment, spec, "cpu"))
    assert not planning.means(spec, spec.plan(), before.resolved)
    as_meant = build(experiment.spec.Spec, before.resolved["options"])
    assert planning.means(as_meant, as_meant.plan(), json.loads(json.dumps(before.resolved)))


def test_what_only_shows_is_in_no_key():
    for experiment in EXPERIMENTS.values():
        options = {"compare-arch": {"arch": ["resnet20"]}, "check": {"statement": ["1 = 1"]}}.get(experiment.name, {})
        spec = build(experiment.spec.Spec, options)
        reach = Reach(Package(digests.PACKAGE), planning.roots(spec, spec.plan()), digests.BEYOND)
        shows = re.compile(r"dnnlab\.(cli|terminal|stops|report|completion|reproduce).*|.*\.(words|figures|artifacts)")
        assert not list(filter(shows.fullmatch, reach.modules))
        assert all(name in KNOWN_UNKNOWNS for name in reach.unknown)


KNOWN_UNKNOWNS = {
    "dnnlab.networks.user_network:imported": "a user's own module, whose digest is in the content",
    "dnnlab.networks.user_network:_from_library": "torchvision or timm, whose version is in the content",
    "dnnlab.runner.experiment:Experiment._module": "it is not called while measuring",
    "dnnlab.runner.experiment:Question._module": "a question's own modules: the key begins at its `measure`, and the "
    "cells that its `plan` makes are in the key",
}
"""What measuring imports that its source does not name, and what is in the key instead. Elsewhere the name of a module
stands in the source, as in ``import_module("dnnlab.data.idx")`` or ``import_module(f"dnnlab.rooms.{x}")``."""


def test_changed_data_change_every_key(tmp_path):
    table = tmp_path / "t.csv"
    spec = replace(BASE, data=(f"csv:{table}:y",))
    rows = [f"{i},{i % 3},{i % 2}\n" for i in range(60)]
    table.write_text("a,b,y\n" + "".join(rows))
    before = make(spec)
    assert keys(before) == keys(make(spec))
    table.write_text("a,b,y\n" + "".join(rows[:-1]) + "59,2,0\n")
    assert not keys(before) & keys(make(spec))


def test_a_changed_model_and_changed_weights_change_every_key(tmp_path, monkeypatch):
    import torch
    from safetensors.torch import save_file

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    file, weights = tmp_path / "model_for_plan.py", tmp_path / "w.safetensors"
    file.write_text("from torch import nn\ndef make(): return nn.Linear(64, 10)\n")
    save_file({"weight": torch.zeros(10, 64), "bias": torch.zeros(10)}, weights)
    plain = Spec(model="model_for_plan:make", seeds=2)
    loaded = replace(plain, weights=str(weights))
    before, before_loaded = make(plain), make(loaded)
    assert not keys(before) & keys(before_loaded)
    save_file({"weight": torch.ones(10, 64), "bias": torch.zeros(10)}, weights)
    assert not keys(before_loaded) & keys(make(loaded))
    assert keys(before) == keys(make(plain))
    file.write_text(file.read_text() + "# changed\n")
    importlib.reload(sys.modules["model_for_plan"])
    assert not keys(before) & keys(make(plain))


some = lambda *values: st.lists(st.sampled_from(values), min_size=1, unique=True).map(tuple)  # noqa: E731


@settings(deadline=None, max_examples=25)
@given(
    st.builds(
        Spec,
        depth=some(2, 40),
        width=some(2, 3000),
        skip=some("none", "dense"),
        lr=some(0.1, 0.2),
        batch_size=some(2, 4096),
        seeds=st.integers(1, 70),
        data=st.just(("gaussian",)),
    )
)
def test_stacks_hold_every_cell_once_and_what_they_hold_fits_together(spec):
    plan = make(spec)
    assert Counter(n for stack in plan.stacks for n in stack.numbers) == Counter(range(len(plan.cells)))
    assert len({stack.key for stack in plan.stacks}) == len(plan.stacks)
    for stack in plan.stacks:
        assert stack.cells == tuple(plan.cells[n] for n in stack.numbers)
        assert len({cell.together for cell in stack.cells}) == 1
        assert len(stack.cells) == 1 or sum(cell.weight for cell in stack.cells) <= 1 + 1e-9
