"""A search space: named dimensions with their choices, and how a network is made from one choice of each.

Importing this module does not import torch.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dnnlab.errors import UsageError, listing

if TYPE_CHECKING:
    from torch import nn

    from dnnlab.networks.spaces.stack import Stack

Code = tuple[int, ...]
"""An architecture: of each dimension, the number of its choice."""
Choices = dict[str, Any]
"""An architecture: the choice itself for each dimension, by name."""

_HASH = 12


def _everything(choices: Choices) -> Choices:
    return choices


def _nothing(choices: Choices) -> float:
    return math.nan


@dataclass(frozen=True)
class Space:
    """A search space: every combination of one choice for each dimension, and how a network is made from it.

    Your own space is such a value in a module, for ``dnnlab nas --space module:space``. It needs ``dimensions`` and
    ``build`` alone. A ``Code`` is a tuple: for each dimension, the number of its choice. ``Choices`` is a dictionary:
    for each dimension by name, the choice itself.

    Raises:
        UsageError: There is no dimension, or one has no list of different numbers or texts.

    Three widths and two activations make six networks:

    >>> import torch
    >>> from torch import nn
    >>> from dnnlab.networks.spaces import Space
    >>> def build(choices, shape, classes):
    ...     hidden = nn.Linear(shape[0], choices["width"])
    ...     return nn.Sequential(hidden, getattr(nn, choices["act"])(), nn.Linear(choices["width"], classes))
    >>> space = Space({"width": (16, 32, 64), "act": ("ReLU", "Tanh")}, build)
    >>> len(space), space.choices((2, 1))
    (6, {'width': 64, 'act': 'Tanh'})
    >>> space.build(space.choices((2, 1)), (8,), 10)(torch.zeros(5, 8)).shape
    torch.Size([5, 10])
    """

    dimensions: Mapping[str, Sequence[Any]]
    """The choices of each dimension by its name: numbers or texts."""
    build: "Callable[[Choices, tuple[int, ...], int], nn.Module]"
    """``build(choices, shape, classes)`` makes a fresh network. ``choices`` has one choice by the name of each
    dimension, ``shape`` is that of one input. The network gets ``[batch, *shape]`` and gives logits ``[batch,
    class]``."""
    canonical: Callable[[Choices], Any] = _everything
    """The choices that matter, as JSON: equal for choices that make the same network."""
    label: Callable[[Choices], str] | None = None
    """One line that describes the network to a reader."""
    supernet: "Callable[[tuple[int, ...], int], nn.Module] | None" = None
    """``(shape, classes)`` → all networks of the space in one (`supernet.Supernet`)."""
    bucket: Callable[[Choices], Any] | None = None
    """Networks for which this is equal fit into one stack by ``stack``; without it, equal networks do."""
    stack: "Callable[[Sequence[nn.Module]], Stack] | None" = None
    """Several networks as one tensor program, which trains them side by side."""
    skips: Callable[[Choices], float] = _nothing
    """The share of operations that are mere skips: over one half, DARTS has collapsed (Liang 2019)."""
    unused: tuple[tuple[str, Any], ...] = ()
    """The choices that DARTS must not end in, as (dimension, choice)."""

    def __post_init__(self) -> None:
        if not self.dimensions:
            raise UsageError("a space needs at least one dimension, such as Space({'width': (16, 32)}, build).")
        for name, choices in self.dimensions.items():
            if not isinstance(name, str) or isinstance(choices, str) or not len(choices):
                raise UsageError(f"dimension {name!r} of a space needs a list of choices, such as (16, 32).")
            if not all(isinstance(choice, str | int | float) for choice in choices) or len(set(choices)) < len(choices):
                raise UsageError(f"the choices of dimension {name!r} must be numbers or text, each once.")

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of choices of each dimension."""
        return tuple(len(choices) for choices in self.dimensions.values())

    def __len__(self) -> int:
        """The number of codes. Several of them may be the same network."""
        return math.prod(self.sizes)

    def choices(self, code: Code) -> Choices:
        """The choices that ``code`` numbers."""
        return {name: options[i] for (name, options), i in zip(self.dimensions.items(), code, strict=True)}

    def code(self, choices: Mapping[str, Any]) -> Code:
        """The code of ``choices``; a dimension that is not named takes its first.

        Raises:
            UsageError: a dimension or a choice is not of this space.
        """
        if strange := [name for name in choices if name not in self.dimensions]:
            raise UsageError(f"{listing(strange)}: no dimension of the space; it has {listing(self.dimensions)}.")
        numbers = []
        for name, options in self.dimensions.items():
            choice = choices.get(name, options[0])
            if choice not in options:
                raise UsageError(
                    f"{name} = {choice!r} is no choice of the space; it has {listing(map(repr, options))}."
                )
            numbers.append(list(options).index(choice))
        return tuple(numbers)

    def identity(self, code: Code) -> str:
        """A digest that equal networks share."""
        text = json.dumps(self.canonical(self.choices(code)), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_HASH]

    def line(self, code: Code) -> str:
        """The architecture in one line."""
        choices = self.choices(code)
        if self.label is not None:
            return self.label(choices)
        canonical = self.canonical(choices)
        return ", ".join(f"{k} {v}" for k, v in (canonical if isinstance(canonical, dict) else choices).items())
