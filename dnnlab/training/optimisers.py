"""PyTorch's optimisers for stacks: each member has its own learning rate and weight decay.

Importing this module does not import torch, so that the command line can list the names.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Slot:
    """One parameter's state: the step count and what the rule remembers of earlier gradients."""

    steps: int = 0
    memory: "dict[str, Tensor]" = field(default_factory=dict)

    def remembered(self, name: str, like: "Tensor") -> "Tensor":
        if name not in self.memory:
            self.memory[name] = like.new_zeros(like.shape)
        return self.memory[name]


# Each rule gives the update that is multiplied by the learning rate and taken away, from a gradient and its slot.


def _sgd(grad: "Tensor", slot: Slot) -> "Tensor":
    return grad


def _momentum(grad: "Tensor", slot: Slot) -> "Tensor":
    return slot.remembered("velocity", grad).mul_(0.9).add_(grad)


def _adam(grad: "Tensor", slot: Slot) -> "Tensor":
    mean = slot.remembered("mean", grad).lerp_(grad, 1 - 0.9)
    square = slot.remembered("square", grad).mul_(0.999).addcmul_(grad, grad, value=1 - 0.999)
    root = (square / (1 - 0.999**slot.steps)).sqrt_().add_(1e-8)
    return (mean / (1 - 0.9**slot.steps)).div_(root)


def _rmsprop(grad: "Tensor", slot: Slot) -> "Tensor":
    square = slot.remembered("square", grad).mul_(0.99).addcmul_(grad, grad, value=1 - 0.99)
    return grad / square.sqrt().add_(1e-8)


def _adagrad(grad: "Tensor", slot: Slot) -> "Tensor":
    total = slot.remembered("total", grad).addcmul_(grad, grad)
    return grad / total.sqrt().add_(1e-10)


_RULES: "dict[str, Callable[[Tensor, Slot], Tensor]]" = {
    "sgd": _sgd,
    "momentum": _momentum,
    "adam": _adam,
    "adamw": _adam,
    "rmsprop": _rmsprop,
    "adagrad": _adagrad,
}
OPTIMISERS = tuple(_RULES)
"""With the hyperparameters of torch.optim; ``momentum`` is SGD with momentum 0.9."""


class StackedOptimiser:
    """Updates ``parameters [member, …]`` in place, each member by its own ``lr`` and ``weight_decay [member]``."""

    def __init__(self, name: str, parameters: "Mapping[str, Tensor]", lr: "Tensor", weight_decay: "Tensor") -> None:
        self.rule, self.decoupled = _RULES[name], name == "adamw"
        self.parameters, self.lr, self.weight_decay = parameters, lr, weight_decay
        self.slots = {name: Slot() for name in parameters}

    def step(self, grads: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
        """One update; gives what was taken away from each parameter.

        AdamW decays the weights apart (Loshchilov 2019), the others through the gradient.
        """
        decays, updates = bool(self.weight_decay.any()), {}
        for name, parameter in self.parameters.items():
            values, slot = parameter.detach(), self.slots[name]
            each = (-1, *[1] * (values.ndim - 1))
            lr, decay = self.lr.view(each), self.weight_decay.view(each)
            grad, slot.steps = grads[name], slot.steps + 1
            if decays and self.decoupled:
                values.mul_(1 - lr * decay)
            elif decays:
                grad = grad + decay * values
            updates[name] = lr * self.rule(grad, slot)
            values.sub_(updates[name])
        return updates
