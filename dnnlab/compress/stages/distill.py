"""A smaller network that learns from the outputs of a larger one (Hinton 2015), and the same network alone as a
control."""

import dataclasses
from typing import Any

from torch import nn

from dnnlab.compress.evaluator import CONTROL, Evaluator
from dnnlab.compress.recovery import Retraining, frozen
from dnnlab.compress.stages import Stage


def apply(model: nn.Module, stage: Stage, retraining: Retraining) -> nn.Module:
    """A new student network, trained with ``model`` as the teacher."""
    student = retraining.student()
    taught = dataclasses.replace(retraining, teacher=frozen(model))
    taught.train(student, "distill", stage.epochs, hints=stage.word("hints") == "hints")
    return student


def alone(stage: Stage, retraining: Retraining) -> nn.Module:
    """The same student, trained on the same batches without a teacher."""
    student = retraining.student()
    retraining.train(student, "distill", stage.epochs, taught=False)
    return student


def control(evaluator: Evaluator, stages: tuple[Stage, ...], place: int, size: int) -> dict[str, Any]:
    """The row of the student that had no teacher."""
    until, stage = stages[: place + 1], stages[place]
    state = evaluator.checkpoint(
        stage.about.control,
        lambda: alone(stage, evaluator.retraining()),
        network_of=evaluator.student_name,
        stage=str(stage),
        **evaluator.recovery,
    )
    model = evaluator.restored(until, state)
    artefact = evaluator.write(model, (stage,), evaluator.stem(until, "alone"))
    return evaluator.row(until, CONTROL, stage.about.control, model, artefact)
