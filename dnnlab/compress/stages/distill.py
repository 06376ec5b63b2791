"""A smaller network that learns what a larger one says (Hinton 2015)."""

import dataclasses

from torch import nn

from dnnlab.compress.chain import Stage
from dnnlab.compress.recovery import Workshop, frozen


def apply(model: nn.Module, stage: Stage, workshop: Workshop) -> nn.Module:
    """A fresh student, trained under ``model``."""
    student = workshop.student()
    taught = dataclasses.replace(workshop, teacher=frozen(model))
    taught.train(student, "distill", stage.epochs, hints=stage.word("hints") == "hints")
    return student


def alone(stage: Stage, workshop: Workshop) -> nn.Module:
    """The same student on the same batches, without a teacher."""
    student = workshop.student()
    workshop.train(student, "distill", stage.epochs, taught=False)
    return student
