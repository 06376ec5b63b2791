"""Hyperparameters of a training. Importing this module does not import torch."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from dnnlab.training import schedules


@dataclass(frozen=True)
class Hyperparameters:
    """The hyperparameters of a training."""

    optimizer: str
    lr: float
    weight_decay: float = 0.0
    schedule: str = "constant"
    label_smoothing: float = 0.0
    augment: str = "none"
    ema: float = 0.0
    """The decay of the average of the weights that is evaluated in their place; 0 evaluates the weights themselves."""
    dropout: float = 0.0
    clip: float = math.inf
    """The largest global gradient norm."""

    def rate(self, done: float) -> float:
        """The learning rate when the share ``done`` of the budget is spent."""
        return self.lr * schedules.rate(self.schedule, done)


def of(cell: Any) -> Hyperparameters:
    """The hyperparameters of a cell; a cell's ``clip`` of 0 clips nothing."""
    names = [field.name for field in dataclasses.fields(Hyperparameters)]
    said = {name: getattr(cell, name) for name in names if hasattr(cell, name)}
    return Hyperparameters(**said | {"clip": said.get("clip") or math.inf})
