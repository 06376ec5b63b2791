"""What each stage does to a network, against definitions, numpy and PyTorch's own."""

import ast
import dataclasses
import math
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dnnlab.code.digests import PACKAGE
from dnnlab.compress import chain
from dnnlab.compress.reach import on_paths
from dnnlab.compress.recovery import Retraining, distance
from dnnlab.compress.stages import KINDS, factors, int8, lowrank, prune, share
from dnnlab.compress.structure import FACTORS, biases, layers, rebuild, weights
from dnnlab.compress.summed import summed
from dnnlab.data import load
from dnnlab.instruments import speed
from dnnlab.instruments.cost import count
from dnnlab.training.hyperparameters import Hyperparameters
from dnnlab.training.parts import spread

Mixed = runpy.run_path(str(Path(__file__).parents[1] / "fixtures" / "mixed.py"))["Mixed"]


def plain():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10))


@pytest.fixture
def retraining():
    hyper = Hyperparameters("adam", 0.002, schedule="cosine")
    torch.manual_seed(0)
    return Retraining(load("digits"), 0, 0, 64, hyper, 1.0, None, 4.0, 0.9, plain)


def staged(model, text, retraining):
    (stage,) = chain.parse(text)
    return stage.module.apply(model, stage, retraining)


@pytest.mark.parametrize(
    ("text", "trains", "searchable"),
    [
        ("prune:0.8", True, True),
        ("prune:2of4", True, False),
        ("structured:3x", True, True),
        ("lowrank:0.9", True, False),
        ("share", True, False),
        ("int8", False, False),
        ("int8:qat", True, False),
    ],
)
def test_a_stage_trains_and_is_searched_as_it_is_written(text, trains, searchable):
    (stage,) = chain.parse(text)
    assert (stage.trains, stage.searchable) == (trains, searchable)


def test_a_stage_needs_a_package_for_one_of_its_words():
    assert chain.parse("lowrank:2x")[0].needs == {}
    assert chain.parse("lowrank:2x:cp")[0].needs == {"tensorly": ("lowrank:cp", "tucker")}


def test_declarations_import_nothing_heavy():
    code = "import sys, dnnlab.compress.stages, dnnlab.compress.chain\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "scipy", "pandas"} & set(done.stdout.split())


NAMES = set(KINDS) | {value for kind in KINDS.values() for values in kind.words.values() for value in values}


def asked_by_name(source):
    """The lines that compare what a stage is or says with a text, or look a kind of stage up by its name."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.Match):
            sides = [node.subject, *(case.pattern for case in node.cases)]
        elif isinstance(node, ast.Subscript):
            table = isinstance(node.value, ast.Name | ast.Attribute) and ast.unparse(node.value).endswith("KINDS")
            if table and isinstance(node.slice, ast.Constant):
                found.append(ast.unparse(node))
            continue
        else:
            continue
        inner = [each for side in sides for each in ast.walk(side)]
        texts = {each.value for each in inner if isinstance(each, ast.Constant) and isinstance(each.value, str)}
        stage = any(isinstance(e, ast.Attribute) and e.attr in ("kind", "word", "words", "amount") for e in inner)
        column = any(isinstance(side, ast.Subscript) for side in sides)  # of a table, whose forms are names, too
        if texts and (stage or (texts & NAMES and not column)):
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize(
    "source",
    [
        "stage.kind == 'prune'",
        "'qat' != stage.word('mode')",
        "[s for s in stages if s.kind in ('prune', 'share')]",
        "mode == 'qat'",
        "stage.amount == 'x'",
        "match stage.word('mode'):\n    case 'static': pass",
        "match name:\n    case 'share' | 'code': pass",
        "chains.KINDS['prune']",
    ],
)
def test_a_stage_that_is_asked_for_by_name_is_found(source):
    assert asked_by_name(source)
    assert not asked_by_name("rows['form'] == 'int8'; stage.trains; form == 'onnx'; KINDS[name]")


FOLDER = PACKAGE / "compress"
OUTSIDE = sorted(path for path in FOLDER.rglob("*.py") if path.parent != FOLDER / "stages")


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: str(path.relative_to(FOLDER)))
def test_outside_of_stages_no_stage_is_asked_for_by_name(path):
    assert asked_by_name(path.read_text()) == [], "let the stage declare it: a field of Kind in compress/stages"


def test_layers_are_those_that_a_kind_declares():
    model = nn.Sequential(nn.Conv1d(1, 2, 1), nn.Conv2d(1, 2, 1), nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    assert list(layers(model, KINDS["lowrank"])) == ["1", "2.0"]
    assert layers(model, KINDS["prune"]) == {}
    assert {layer.__name__ for layer in FACTORS} == set(KINDS["lowrank"].layers)


def test_the_training_of_a_chain_is_that_of_its_stages(retraining):
    stages = chain.parse("prune:0.9@3 > share:4bit > code")  # the share's length is the fixture's one epoch
    assert retraining.total(stages) == 4
    assert retraining.total(chain.parse("int8")) == 0


def test_sharing_without_epochs_is_each_weight_at_its_centroid(retraining):
    """So a control finds the bytes of a file before anything is trained."""
    torch.manual_seed(0)
    model = plain()
    prune.keep_masks(model, prune.masks(model, 0.3, "random", np.random.default_rng(0)))
    before = {name: weight.detach().clone() for name, weight in weights(model).items()}
    staged(model, "share:3levels@0", retraining)
    for name, weight in weights(model).items():
        old, new = before[name].flatten().double().numpy(), weight.detach().flatten().numpy()
        centroids = share.k_means(old[old != 0], 3)
        nearest = centroids[np.abs(old[:, None] - centroids).argmin(1)]
        assert np.array_equal(new, np.where(old == 0, 0, nearest.astype(np.float16).astype(np.float32)))


def test_distance_is_pytorchs_divergence_of_softened_outputs():
    torch.manual_seed(1)
    a, b = torch.randn(5, 4), torch.randn(5, 4)
    p, q = (F.softmax(z.double() / 3, 1) for z in (b, a))
    wanted = 9 * float((p * (p.log() - q.log())).sum(1).mean())
    assert float(distance(a, b, 3.0)) == pytest.approx(wanted, rel=1e-5)


def test_lamp_scores_are_their_definition():
    """Lee 2021, equation 4: a square over the sum of those of the layer that are not smaller."""
    weight = torch.tensor([3.0, -1.0, 2.0])
    wanted = [9 / 9, 1 / (1 + 4 + 9), 4 / (4 + 9)]
    assert prune._scores(weight, "lamp", None).tolist() == pytest.approx(wanted)


@pytest.mark.parametrize("criterion", ["lamp", "global", "layer", "random"])
def test_masks_keep_the_share_asked_for(criterion):
    torch.manual_seed(0)
    model = plain()
    rng = np.random.default_rng(0)
    masks = prune.masks(model, 0.1, criterion, rng)
    kept = sum(int(m.sum()) for m in masks.values())
    assert kept == pytest.approx(0.1 * (64 * 20 + 200), abs=2)
    if criterion == "global":
        everything = torch.cat([w.detach().abs().flatten() for w in weights(model).values()])
        smallest = min(float(weights(model)[n].detach().abs()[m].min()) for n, m in masks.items())
        assert smallest == pytest.approx(float(everything.sort(descending=True).values[kept - 1]))
    if criterion == "layer":
        assert [float(m.float().mean()) for m in masks.values()] == pytest.approx([0.1, 0.1], abs=0.01)


@pytest.mark.parametrize("schedule", ["gradual", "oneshot", "rewind", "movement", "rewind:random"])
def test_pruned_weights_are_zero_after_training(schedule, retraining):
    before = plain()
    model = staged(before, f"prune:0.8:{schedule}@3", retraining)
    found = torch.cat([w.detach().flatten() for w in weights(model).values()])
    assert float((found == 0).float().mean()) == pytest.approx(0.8, abs=0.01)
    assert not torch.signbit(found[found == 0]).any()  # a zero of another sign would be another value to code


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_rewinding_takes_the_epochs_that_are_said(share, retraining, monkeypatch):
    spent = []
    trained = Retraining.train
    monkeypatch.setattr(Retraining, "train", lambda self, *a, **k: (spent.append(a[2]), trained(self, *a, **k)))
    staged(plain(), f"prune:{share}:rewind@4", retraining)
    assert sum(spent) == pytest.approx(4)


def test_gradual_pruning_leaves_nothing_off_a_path(retraining):
    model = staged(plain(), "prune:0.97@3", retraining)
    parameters = weights(model) | biases(model)
    there = on_paths(model, (1, 8, 8))
    assert all(torch.equal(p != 0, there[name]) for name, p in parameters.items() if name != "3.bias")
    assert not there["1.bias"].all()  # a unit has gone whole


def test_no_layer_is_left_without_a_weight():
    model = plain()
    with torch.no_grad():
        model[3].weight.mul_(1e-6)
    masks = prune.masks(model, 0.05, "global", None)
    assert all(bool(mask.any()) for mask in masks.values())


def test_examples_that_stages_look_at_are_of_all_classes():
    """In the order of a folder, class by class, too."""
    index = torch.arange(1000, 2200)
    chosen = spread(index, 256)
    assert len(set(chosen.tolist())) == 256
    classes = torch.bincount((chosen - 1000) // 400)
    assert classes.tolist() == pytest.approx([256 / 3] * 3, abs=1)
    assert torch.equal(spread(index, 5000), index)


def test_two_of_four_are_the_two_larger():
    model = nn.Sequential(nn.Linear(8, 3), nn.Linear(3, 2))
    masks = prune.two_of_four(model, summed(model, torch.randn(2, 8)))
    assert list(masks) == ["0.weight"]  # three inputs make no fours
    for row, mask in zip(model[0].weight.detach().numpy(), masks["0.weight"].numpy(), strict=True):
        for part in (slice(0, 4), slice(4, 8)):
            assert set(np.flatnonzero(mask[part])) == set(np.argsort(np.abs(row[part]))[2:])


def test_k_means_finds_separate_groups_exactly():
    values = np.concatenate([np.full(10, -1.0), np.full(3, 0.5), [2.0, 2.2]])
    assert share.k_means(values, 3).tolist() == pytest.approx([-1.0, 0.5, 2.1])
    assert share.k_means(values, 8).tolist() == sorted(set(values))


def test_every_value_gets_its_nearest_centroid():
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(30, 20))
    original = weight.detach().clone().flatten()
    book = share.Codebook([weight], 7)
    centroids = book.values.detach()[1:]
    wanted = centroids[(original[:, None] - centroids[None]).abs().argmin(1)]
    assert torch.equal(weight.detach().flatten(), wanted)
    assert len(weight.unique()) <= 7


def test_the_gradient_of_a_shared_value_is_autograds():
    """Autograd through ``values[numbers]`` is the independent way."""
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(4, 5))
    with torch.no_grad():
        weight[0] = 0
    book = share.Codebook([weight], 3)
    x = torch.randn(6, 5)
    (x @ weight.T).square().sum().backward()
    book.gather()
    values = book.values.detach().clone().requires_grad_()
    (x @ values[book.numbers[0]].view(4, 5).T).square().sum().backward()
    assert book.values.grad[0] == 0
    assert torch.allclose(book.values.grad[1:], values.grad[1:], rtol=1e-5)


def test_sharing_keeps_zeros_and_counts_values(retraining):
    model = staged(plain(), "prune:0.8@1", retraining)
    zeros = {name: w.detach() == 0 for name, w in weights(model).items()}
    staged(model, "share:2bit@1", retraining)
    for name, weight in weights(model).items():
        assert torch.equal(weight.detach() == 0, zeros[name])
        assert len(weight.detach().unique()) <= 1 + 3
    both = torch.cat([b.detach() for b in biases(model).values()])
    assert len(both.unique()) <= share.BIAS_LEVELS
    for tensor in model.state_dict().values():
        assert torch.equal(tensor, tensor.half().float())


def test_a_factorised_layer_errs_by_the_singular_values_that_it_lacks():
    """Eckart & Young 1936: the squared error is the sum of the squares left out, by numpy."""
    torch.manual_seed(0)
    layer = nn.Linear(30, 20)
    left, right = factors._svd(layer.weight.detach(), 0.8)
    s = np.linalg.svd(layer.weight.detach().numpy(), compute_uv=False)
    rank = right.shape[0]
    assert (s[:rank] ** 2).sum() >= 0.8 * (s**2).sum() > (s[: rank - 1] ** 2).sum()
    error = float((layer.weight.detach() - left @ right).square().sum())
    assert error == pytest.approx(float((s[rank:] ** 2).sum()), rel=1e-4)


def test_at_full_energy_factors_are_the_layer():
    torch.manual_seed(0)
    x = torch.randn(2, 6, 9, 9)
    for layer in (nn.Conv2d(6, 8, 3, 2, 1), nn.Conv2d(6, 8, (3, 1), dilation=2)):
        assert torch.allclose(factors._tucker(layer, 1.0)(x), layer(x), atol=1e-5)
    pointwise = nn.Conv2d(6, 8, 1, 2)
    assert torch.allclose(factors._pointwise(pointwise, 1.0)(x), pointwise(x), atol=1e-5)
    linear = nn.Linear(9, 7)
    assert torch.allclose(factors._linear(linear, 1.0)(x), linear(x), atol=1e-5)


def test_tucker_finds_a_kernel_of_low_rank():
    torch.manual_seed(0)
    layer = nn.Conv2d(12, 10, 3)
    with torch.no_grad():
        core, a, b = torch.randn(2, 3, 3, 3), torch.randn(10, 2), torch.randn(12, 3)
        layer.weight.copy_(torch.einsum("rshw,or,is->oihw", core, a, b))
    found = factors._tucker(layer, 1 - 1e-9)
    assert (found[0].out_channels, found[1].out_channels) == (3, 2)


def test_cp_finds_a_kernel_of_its_rank_at_tuckers_size():
    """A sum of two products is found again; what is larger than that is cut to the weights of Tucker-2."""
    pytest.importorskip("tensorly", reason="needs tensorly: pip install tensorly")
    torch.manual_seed(0)
    layer = nn.Conv2d(12, 10, 3, 2, 1)
    with torch.no_grad():
        a, b, k = torch.randn(10, 2), torch.randn(12, 2), torch.randn(2, 3, 3)
        layer.weight.copy_(torch.einsum("or,ir,rhw->oihw", a, b, k))
    x = torch.randn(2, 12, 9, 9)
    assert torch.allclose(factors._cp(layer, 1 - 1e-9)(x), layer(x), atol=1e-3)
    nn.init.normal_(layer.weight)
    sizes = [sum(p.numel() for p in f(layer, 0.5).parameters()) for f in (factors._cp, factors._tucker)]
    assert 0 <= sizes[1] - sizes[0] < 10 + 12 + 9


def test_the_quickest_of_what_was_timed_is_taken(retraining, monkeypatch):
    """Times are given by hand here: at energies up to .6 the network takes half of its time."""

    def timed(calls, device, progress):
        medians = {name: 1.0 if name == "dense" else 0.5 if float(name) <= 0.6 else 0.9 for name in calls}
        return {name: speed.Timing((), median, 0, 0, 0) for name, median in medians.items()}, None

    monkeypatch.setattr(lowrank.speed, "in_turns", timed)
    for factor in ("2x", "3x"):  # at 3x nothing is quick enough
        (stage,) = chain.parse(f"lowrank:{factor}:latency")
        assert lowrank._energy_by_time(plain(), ["1"], stage, retraining.data) == 0.6
    assert lowrank.missed(plain(), stage, {"speedup": 2.0}) == "asked for 3x less time, and ONNX Runtime takes 2x less"
    assert lowrank.missed(plain(), stage, {"speedup": 3.1}) == ""


def test_movement_scores_are_their_definition():
    """Sanh 2020, equation 3: minus the rate times the sum of gradient times weight."""
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    moved = prune.Moved(model, torch.optim.SGD(model.parameters(), 0.1), {})
    wanted = torch.zeros(2, 3)
    for _ in range(3):
        moved.zero_grad()
        model(torch.randn(4, 3)).square().sum().backward()
        wanted -= 0.1 * model.weight.grad * model.weight.detach()
        moved.step()
    assert torch.allclose(moved.scores["weight"], wanted)


@pytest.mark.parametrize(
    "text",
    ["structured:2x@1", "structured:1.5x:taylor@1", "structured:1.2x:bn@1", "lowrank:1.5x@1", "lowrank:1.5x:cp@1"],
)
def test_fewer_macs_and_the_state_alone_rebuilds_the_network(text, retraining):
    pytest.importorskip("torch_pruning", reason="needs the extra: pip install 'dnnlab-experiments[compress]'")
    if "cp" in text:
        pytest.importorskip("tensorly", reason="needs tensorly: pip install tensorly")
    torch.manual_seed(0)
    model = Mixed()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.1, 1)
    before = count(model, (1, 8, 8)).macs
    changed = staged(model, text, retraining).eval()
    factor = chain.parse(text)[0].factor
    assert before / count(changed, (1, 8, 8)).macs >= factor
    again = rebuild(Mixed(), changed.state_dict()).eval()
    x = torch.randn(3, 1, 8, 8)
    assert torch.allclose(again(x), changed(x), atol=1e-5)  # in another memory format sums come in another order


def test_the_same_seed_gives_the_same_bits(retraining):
    states = []
    for _ in range(2):
        torch.manual_seed(0)
        states.append(staged(plain(), "prune:0.8@1", retraining).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_taught_student_comes_nearer_to_its_teacher_than_one_alone(retraining):
    torch.manual_seed(0)
    teacher = plain()
    retraining.train(teacher, "teacher", 10, taught=False)
    (stage,) = chain.parse("distill@10")
    taught = stage.module.apply(teacher, stage, dataclasses.replace(retraining, student=lambda: small()))
    from dnnlab.compress.stages import distill

    alone = distill.alone(stage, dataclasses.replace(retraining, student=lambda: small()))
    x = retraining.data.inputs(retraining.data.validation)
    with torch.no_grad():
        far = [float(distance(net(x), teacher(x), 4.0)) for net in (taught, alone)]
    assert far[0] < far[1]


def small():
    torch.manual_seed(3)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))


def test_rounding_is_to_the_grid_and_gradients_pass():
    weight = torch.randn(4, 6, requires_grad=True)
    rounded = int8.rounded_weight(weight)
    scale = weight.detach().abs().amax(1, keepdim=True) / 127
    steps = rounded.detach() / scale
    assert torch.allclose(steps, steps.round(), atol=1e-3)
    assert float((rounded - weight).detach().abs().max()) <= float(scale.max()) / 2 + 1e-6
    rounded.sum().backward()
    assert torch.equal(weight.grad, torch.ones_like(weight))


def test_aware_training_leaves_the_layers_as_they_were(retraining):
    model = plain()
    names = set(model.state_dict())
    staged(model, "int8:qat@1", retraining)
    assert set(model.state_dict()) == names
    assert all(isinstance(p, nn.Parameter) for p in model.parameters())
    assert not math.isnan(float(model[1].weight.detach().sum()))
