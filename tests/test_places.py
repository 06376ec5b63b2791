"""What an addition must touch besides its own entry: each place that was forgotten is named."""

import importlib
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from dnnlab.cli import commands
from dnnlab.code.digests import PACKAGE
from dnnlab.completion import answer
from dnnlab.compress import stages
from dnnlab.data import forms, source
from dnnlab.data.kinds import KINDS, Kind
from dnnlab.errors import UsageError
from dnnlab.nas.strategies import STRATEGIES
from dnnlab.networks.activations import ACTIVATIONS, activation
from dnnlab.networks.family import FAMILIES
from dnnlab.networks.members import MEMBERS
from dnnlab.networks.spaces import SPACES
from dnnlab.registry import EXPERIMENTS
from dnnlab.runner.options import build, fields
from dnnlab.training.augmentation import AUGMENTATIONS, augmentation
from tests.networks import test_parity as parity

ROOT = Path(__file__).parents[1]


def test_data_in_files_say_which_files():
    with pytest.raises(ValueError, match="says nothing of them"):
        Kind("npz:PATH", "arrays", "a path", lambda path: None, user_files="an archive of arrays")
    assert all(kind.files is not Kind.files for kind in KINDS.values() if kind.user_files or kind.remote)


ASK_FOR_DATA = [name for name, e in EXPERIMENTS.items() if "data" in {field.name for field in fields(e.spec.Spec)}]


@pytest.mark.parametrize("experiment", ASK_FOR_DATA)
def test_each_kind_of_data_is_in_the_help_and_offered_by_tab(experiment):
    (help_text,) = (field.help for field in fields(EXPERIMENTS[experiment].spec.Spec) if field.name == "data")
    offered = answer.candidates(commands(), [experiment, "--data"], "")
    for name, kind in KINDS.items():
        assert re.search(rf"\b{name}\b", help_text), f"the help of {experiment} --data says nothing of {name}"
        assert {name, f"{name}:"} & set(offered), f"Tab does not offer {experiment} --data {name}"
        assert (name in offered) == (not kind.form.startswith(f"{name}:"))


def test_a_new_kind_of_data_is_known_everywhere(tmp_path, monkeypatch):
    files = dict.fromkeys(("form", "about", "wants"), "")
    arrays = {**files, "form": "npz:PATH", "user_files": "an archive of arrays", "endings": (".npz",)}
    rows = {**files, "form": "rows:PATH:TARGET", "user_files": "a list of rows", "endings": (".rows",)}
    for name, kind in (("npz", arrays), ("rows", rows)):
        monkeypatch.setitem(KINDS, name, Kind(**kind, read=lambda path: None, files=lambda path: {}))
    monkeypatch.chdir(tmp_path)
    for name in ("a.npz", "a.rows", "a.txt"):
        (tmp_path / name).write_text("x,y\n")
    assert forms().endswith("parity:BITS, compositional:INPUTS, npz:PATH or rows:PATH:TARGET")
    tab = [
        answer.candidates(commands(), ["gradient-flow", "--data"], typed) for typed in ("npz:", "rows:", "rows:a.rows:")
    ]
    assert tab == [["npz:a.npz"], ["rows:a.rows:"], ["rows:a.rows:x", "rows:a.rows:y"]]
    for path, written in (("a.npz", "an archive of arrays is written npz:a.npz"),
                          ("a.rows", "a list of rows is written rows:a.rows:TARGET")):  # fmt: skip
        with pytest.raises(UsageError, match=written):
            source(path)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_says_up_to_where_it_is_zero(name):
    act = ACTIVATIONS[name]
    x = torch.arange(-48, 49, dtype=torch.float64) / 8  # further left GELU, too, is zero by rounding
    y = getattr(torch.nn, act.module)(**act.options).double()(x).detach()
    flat = x[(y == 0).cumprod(0).bool()]  # zero from the left on
    found = float(flat[-1]) if len(flat) > 1 else None
    assert act.zero_up_to == found, f"ACTIVATIONS[{name!r}].zero_up_to should be {found}"


@pytest.mark.parametrize("name", ["Softshrink", "Hardshrink", "Hardtanh", "Tanhshrink", "ReLU6", "Hardswish", "Mish"])
def test_a_class_of_torch_says_where_it_is_zero(name):
    x = torch.arange(-48, 49, dtype=torch.float64) / 8
    zero = x[getattr(torch.nn, name)()(x) == 0]
    act = activation(name)
    assert act.can_die == (len(zero) > 2)
    if act.zero_within is not None:
        assert (float(zero[0]), float(zero[-1])) == (-act.zero_within, act.zero_within)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_augmentation_changes_images_by_its_draws_alone(name):
    x = torch.randint(1, 256, (32, 3, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    change = augmentation(name)
    if name == "none":
        assert change is None
        return
    first, again, other = (change(x, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, x), f"augmentation {name!r} changes nothing"
    assert not torch.equal(first, other), f"augmentation {name!r} does not depend on its draws"
    assert first.shape == x.shape


ELSEWHERE = {
    *("rnn", "lstm", "lstm_ptb_medium", "lstm_ptb_large"),
    *("bert_base", "bert_large", "gpt2", "gpt2_medium", "gpt2_large", "gpt2_xl"),  # tests of their own
    *("amoebanet_a_4_50", "amoebanet_a_6_190"),
    *("bn_inception", "fc_densenet56", "fc_densenet103", "lenet5", "lenet300"),  # tests of their own
    *("mlp1", "mlp3", "mlp5", "highway10", "highway20", "highway50", "highway100"),  # of no publication; by arithmetic
    # The same class as members that are compared.
    *("plain32", "plain44", "plain56", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "wide_resnet50_2", "wide_resnet101_2"),
    *("resnext101_32x8d", "resnext101_64x4d"),
}


def test_each_member_of_the_catalogue_is_compared_with_something():
    compared = {*parity.PUBLISHED, *parity.PUBLISHED_SMALL, *parity.SE_RESNETS, *parity.ORACLE}
    alone = set(MEMBERS) - compared - ELSEWHERE
    assert not alone, "tests/networks/test_parity.py compares these with no published count"


@pytest.mark.parametrize("page", ["docs/first-steps.md", "docs/compare-arch.md"])
def test_the_size_of_the_catalogue_is_the_programs(page):
    text = (ROOT / page).read_text()
    (members,) = re.findall(r"(\d+)\s+published\s+networks", text)
    families = re.findall(r"published\s+networks of (\d+)\s+families", text)
    assert (int(members), families) == (len(MEMBERS), [str(len(FAMILIES))] * len(families)), f"{page} counts otherwise"


def questions():
    for experiment in EXPERIMENTS.values():
        for question in experiment.spec.QUESTIONS:
            yield pytest.param(experiment, question, id=question.package)


@pytest.mark.parametrize(("experiment", "question"), list(questions()))
def test_what_asks_a_question_asks_that_one(experiment, question):
    words = question.asked_by.split()
    if not words:
        return
    option, value = words[0].removeprefix("--").replace("-", "_"), " ".join(words[1:])
    more = {
        "objectives": {"objectives": ["accuracy", "macs"], "strategy": ["random"]},
        "table": {"table": "cells.csv.gz", "space": "cell"},
    }
    asked = build(experiment.spec.Spec, {option: value or True} | more.get(option, {})).question
    assert asked is question, f"{experiment.package}.spec: Spec.question gives another question for {question.asked_by}"


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=list(EXPERIMENTS))
def test_each_folder_with_words_is_a_question(experiment):
    folder = PACKAGE / experiment.package.partition(".")[2]
    found = {f"{experiment.package}.{path.parent.name}" for path in folder.glob("*/words.py")}
    asked = {question.package for question in experiment.spec.QUESTIONS}
    assert found <= asked, f"{experiment.package}.spec: QUESTIONS lacks these"


def test_each_strategy_has_its_module_and_each_module_its_strategy():
    folder = PACKAGE / "nas" / "strategies"
    there = {path.stem for path in folder.glob("*.py")} - {"__init__", "prefilter"}
    named = {strategy.module for strategy in STRATEGIES.values()}
    assert there == named, "nas/strategies/__init__.py names other modules than lie in nas/strategies/"


@pytest.mark.parametrize(
    ("page", "names"), [("docs/nas.md", [*STRATEGIES, *SPACES]), ("docs/compress.md", list(stages.KINDS))]
)
def test_what_can_be_asked_by_name_stands_on_its_page(page, names):
    text = (ROOT / page).read_text()
    missing = [name for name in names if not re.search(rf"`[^`\n]*\b{re.escape(name)}\b", text)]
    assert not missing, f"{page} says nothing of these"


def test_each_stage_has_its_module_and_each_module_its_stage():
    folder = PACKAGE / "compress" / "stages"
    there = {path.stem for path in folder.glob("*.py")} - {"__init__", "factors", "channels"}
    assert there == set(stages.KINDS), "compress/stages/__init__.py declares other stages than lie in compress/stages/"


@pytest.mark.parametrize("name", stages.KINDS)
def test_a_stage_has_the_functions_that_its_declaration_asks_for(name):
    kind = stages.KINDS[name]
    variants = itertools.product(*kind.words.values())
    said = [stages.Stage(name, kind.default, tuple(zip(kind.words, each, strict=True))) for each in variants]
    wanted = {"apply": any(stage.trains for stage in said), "write": bool(kind.gives), "control": bool(kind.control)}
    module = importlib.import_module(f"dnnlab.compress.stages.{name}")
    found = {function: hasattr(module, function) for function in wanted}
    assert found == wanted, f"compress/stages/{name}.py does not have what KINDS[{name!r}] says"
    assert all(hasattr(torch.nn, layer) for layer in kind.layers)
