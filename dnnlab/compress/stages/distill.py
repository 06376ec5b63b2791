"""A smaller network that learns what a larger one says (Hinton 2015)."""

import dataclasses

from torch import nn

from dnnlab.compress.chain import Stage
from dnnlab.compress.recovery import Retraining, frozen


def apply(model: nn.Module, stage: Stage, retraining: Retraining) -> nn.Module:
    """A fresh student, trained under ``model``."""
    student = retraining.student()
    taught = dataclasses.replace(retraining, teacher=frozen(model))
    taught.train(student, "distill", stage.epochs, hints=stage.word("hints") == "hints")
    return student


def alone(stage: Stage, retraining: Retraining) -> nn.Module:
    """The same student on the same batches, without a teacher."""
    student = retraining.student()
    retraining.train(student, "distill", stage.epochs, taught=False)
    return student
