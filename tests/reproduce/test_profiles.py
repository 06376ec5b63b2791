"""The profile *full*: what waits for a GPU says so, and what it asks for runs, cut down, on the CPU."""

import json

import pytest
import torch

from dnnlab.registry import find
from dnnlab.reproduce import ledger, shipped
from dnnlab.reproduce.judge import judge
from dnnlab.runner.options import build
from dnnlab.runner.run import execute
from dnnlab.runner.run_options import RunOptions

TASKS = ledger.tasks([shipped.folder()], "full", None)
_full = {(task.part, task.name): task for task in TASKS}
WAITING = {
    json.dumps(task.recipe.options_for("full"), sort_keys=True): task for task in TASKS if task.spec.device == "cuda"
}
"""A claim for each run that waits for a GPU."""
SMALL = {"device": "cpu", "budget": "steps=2", "train_size": 40, "test_size": 20, "batch_size": 8, "seeds": 3}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_what_waits_for_a_gpu_is_not_run_without_one(tmp_path):
    for task in WAITING.values():
        row = ledger.run(task, tmp_path)
        assert row["verdict"] == "not run"
        assert "finds no such device" in row["circumstances"]


def test_other_seeds_are_for_what_a_profile_changes_and_what_shared_a_run_with_that():
    """The conditions of all claims on a run are in its seeds."""
    quick = {(task.part, task.name): task for task in ledger.tasks([shipped.folder()], "quick", None)}
    changed = {key for key, task in quick.items() if task.digest != _full[key].digest}
    own = {key for key, task in quick.items() if task.recipe.profiles["full"]}
    shared = {key for key, task in quick.items() if task.digest in {quick[each].digest for each in own}}
    assert changed == own | shared
    runs = {task.digest for task in WAITING.values()}
    assert len(runs) == len(WAITING)


@pytest.mark.slow
@pytest.mark.parametrize("task", WAITING.values(), ids=lambda task: task.name)
def test_what_waits_for_a_gpu_runs_cut_down_on_the_cpu(task, tmp_path, root, put, cifar_files):
    """Two steps at two learning rates: no number says anything, but every condition of the claims finds its row."""
    put(root / "cifar-10-batches-bin", cifar_files)
    asked = task.recipe.options_for("full")
    experiment = find(task.recipe.experiment)
    spec = build(experiment.spec.Spec, asked | SMALL | {"lr": asked["lr"][:2]})
    done = execute(experiment, spec, RunOptions(out=tmp_path, quiet=True), "")
    assert not done.failed, done.failure
    for each in TASKS:
        if each.recipe.options_for("full") == asked:
            assert judge(done, each.claim).verdict in (*ledger.DECIDED, "not decided")
