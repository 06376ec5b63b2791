"""What can be known of a user's own network before anything is trained: what a method leaves, and whether it finds
anything to do."""

import dataclasses
from collections.abc import Iterator, Sequence

from torch import nn

from dnnlab.compress import chain as chains
from dnnlab.compress import onnx_file
from dnnlab.compress.files import example
from dnnlab.compress.recovery import Retraining
from dnnlab.compress.stages import Stage, TooMuch
from dnnlab.compress.structure import listed
from dnnlab.data.dataset import Dataset
from dnnlab.errors import DnnlabError, UsageError, of_users_code, some
from dnnlab.instruments.unread import unread
from dnnlab.networks.parametrised import make_plain
from dnnlab.networks.remembered import copied
from dnnlab.networks.unread import set_aside
from dnnlab.training.hyperparameters import Hyperparameters


def tried(name: str, model: nn.Module, recipes: Sequence[str], data: Dataset, searching: bool) -> Iterator[str]:
    """Notes on what each first stage of ``recipes`` leaves of a user's own network, which is tried before training, and
    on chains that will fail. Later stages are given another network; of these only those are looked at whose layers
    decide by their shapes.

    Raises:
        UsageError: the network cannot be exported, or no chain finds anything to do.
    """
    if computed := make_plain(model):
        yield (
            f"{name} computes {some(computed)} from other tensors, which training keeps to; what is compressed has the "
            "results as plain weights"
        )
    try:
        aside = unread(model, data)
        parameters = dict(model.named_parameters())
        set_aside(model, [tensor for tensor in aside if tensor in parameters])
        if aside:
            told = f"the logits of {name} do not depend on {some(sorted(aside))}"
            yield f"{told}; neither params, nonzeros and ratio nor a .dnnz has them"
        onnx_file.export(model, example(data))
    except DnnlabError as problem:
        raise UsageError(f"{name}: {problem}") from problem
    refused: list[Stage] = []
    parsed = [chains.parse(recipe) for recipe in recipes]
    first = dict.fromkeys(stages[0] for stages in parsed)
    later = dict.fromkeys(
        stage
        for stages in parsed
        for place, stage in enumerate(stages[1:], start=1)
        if stage.about.leaves_by_shape and not any(before.about.makes_student for before in stages[:place])
    )
    for stage in first | later:
        told = ""
        try:
            left = stage.module.left(model, stage, data) if stage.about.leaves(stage) else {}
            if stage not in first:
                continue
            told = f"{stage} leaves layers of {name} as they are: {listed(left)}" if left else ""
            if stage.about.tried(stage) and not (searching and stage.searchable):
                stage.module.apply(copied(model), dataclasses.replace(stage, epochs=0.0), _untrained(data))
        except Exception as problem:  # whatever a network raises that a method does not know
            refused.append(stage)
            why = str(problem) if isinstance(problem, TooMuch) else f"{stage}: {of_users_code(problem)}"
            told = f"{name}: {why.removesuffix('.')}" + (f"; {told}" if told else "")
            if all(any(stage in refused for stage in stages) for stages in parsed):
                raise UsageError(f"{told}.") from problem
            told += "; its row will say so"
        if told:
            yield told


def _untrained(data: Dataset) -> Retraining:
    """What a stage needs to be tried without any training."""

    def no_student() -> nn.Module:
        raise RuntimeError("a stage that trains a student is not tried")

    hyper = Hyperparameters("sgd", 0.0)
    return Retraining(data, 0, 0, 1, hyper, 0.0, teacher=None, temperature=1.0, teaching=0.0, student=no_student)
