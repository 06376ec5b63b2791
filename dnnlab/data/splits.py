"""Which examples train, validate and test: fixed for ever, so that results of different runs compare."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dnnlab.errors import UsageError

_ENTROPY = 20_260_101
FEWEST_TRAINING_EXAMPLES = 10


class Split(NamedTuple):
    """Indices of examples, disjoint and ascending."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def fixed_stream(name: str) -> np.random.RandomState:
    """The random stream that belongs to ``name``; streams of different names are independent.

    The legacy `RandomState`, because numpy promises never to change what it draws, and promises no such thing
    of `Generator` (NEP 19).
    """
    seed = np.random.SeedSequence([_ENTROPY, *name.encode()])
    return np.random.RandomState(np.random.MT19937(seed))


def held_out(count: int, sizes: Sequence[int], stream: np.random.RandomState) -> list[NDArray[np.int64]]:
    """``count`` examples cut at random into the rest and parts of the given ``sizes``, in this order."""
    order = stream.permutation(count).astype(np.int64)
    cuts = np.cumsum([count - sum(sizes), *sizes])[:-1]
    return [np.sort(part) for part in np.split(order, cuts)]


def stratified(
    y: NDArray[np.int64], fractions: Sequence[float], classes: Sequence[str], stream: np.random.RandomState
) -> list[NDArray[np.int64]]:
    """Examples with labels ``y`` ``[n]`` cut into the rest and parts that hold ``fractions`` of every class.

    Every class is in every part.

    Raises:
        UsageError: a class has too few examples for that.
    """
    parts: list[list[NDArray[np.int64]]] = [[] for _ in range(1 + len(fractions))]
    for label, name in enumerate(classes):
        members = np.flatnonzero(y == label)
        if len(members) <= len(fractions):
            examples = "example" if len(members) == 1 else "examples"
            raise UsageError(
                f"class {name!r} has {len(members)} {examples}; it takes at least {len(parts)}, one for each "
                f"of {'training, validation and test' if len(fractions) == 2 else 'training and validation'}."
            )
        sizes = [max(1, round(fraction * len(members))) for fraction in fractions]
        for part, chosen in zip(parts, held_out(len(members), sizes, stream), strict=True):
            part.append(members[chosen])
    return [np.sort(np.concatenate(part)) for part in parts]


def require_enough(where: str, classes: Sequence[str], train: NDArray[np.int64]) -> None:
    """Refuse data that nothing can be learned from.

    Raises:
        UsageError: fewer than two classes, or fewer than ten training examples.
    """
    if len(classes) < 2:
        raise UsageError(f"{where} has one class, {classes[0]!r}; classification takes at least two.")
    if len(train) < FEWEST_TRAINING_EXAMPLES:
        raise UsageError(
            f"{where} leaves {len(train)} examples for training; dnnlab takes at least {FEWEST_TRAINING_EXAMPLES}."
        )
