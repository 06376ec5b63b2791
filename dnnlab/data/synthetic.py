"""Data that is computed. Its random streams belong to its name: the same name is the same data."""

import math

import numpy as np
from numpy.typing import NDArray

from dnnlab import memory
from dnnlab.data.dataset import Content
from dnnlab.data.drawn import EXAMPLES, Drawn
from dnnlab.data.splits import Split, fixed_stream, held_out

_DRAWN = 64
"""Examples that are drawn at a time."""


def gaussian(what: Drawn) -> Content:
    """Standard normal inputs ``[example, *what.sizes]`` and labels by chance: nothing to learn.

    The input of signal-propagation theory, whose length and correlation are known exactly in expectation
    (Poole et al. 2016, arXiv:1606.05340).

    Raises:
        UsageError: the inputs take more memory than is left.
    """
    name = f"gaussian:{what}"
    memory.require(4 * what.examples * math.prod(what.sizes), f"{name} with {what.examples:,} examples")
    stream = fixed_stream(name)
    x = np.empty((what.examples, *what.sizes), dtype=np.float32)
    for start in range(0, len(x), _DRAWN):  # numpy draws float64, which is twice as large
        part = x[start : start + _DRAWN]
        part[:] = stream.standard_normal(part.shape)
    return _labelled(x, what, stream)


def tokens(what: Drawn) -> Content:
    """Tokens ``[example, length]``, int64, each of the vocabulary with equal probability, and labels by chance.

    Raises:
        UsageError: the inputs take more memory than is left.
    """
    name = f"tokens:{what}"
    vocabulary, length = what.sizes
    memory.require(8 * what.examples * length, f"{name} with {what.examples:,} examples")
    stream = fixed_stream(name)
    x = stream.randint(vocabulary, size=(what.examples, length), dtype=np.int64)
    return _labelled(x, what, stream)


def _labelled(x: NDArray[np.float32] | NDArray[np.int64], what: Drawn, stream: np.random.RandomState) -> Content:
    """Inputs with a class by chance for each."""
    y = stream.randint(what.classes, size=what.examples, dtype=np.int64)
    classes = tuple(map(str, range(what.classes)))
    return Content(x, y, _split(what.examples, stream), classes)


def parity(bits: int) -> Content:
    """Patterns of -1 and +1, ``[n, bits]``, labelled by whether the number of +1 is odd.

    All ``2 ** bits`` patterns, or 8,192 different ones where there are more.
    """
    stream = fixed_stream(f"parity:{bits}")
    patterns = stream.permutation(2**bits)[:EXAMPLES]
    ones = patterns[:, None] >> np.arange(bits) & 1
    x = (2 * ones - 1).astype(np.float32)
    y = (ones.sum(axis=1) % 2).astype(np.int64)
    return Content(x, y, _split(len(x), stream), ("even", "odd"))


def compositional(inputs: int, option: str = "") -> Content:
    """Standard normal inputs ``[8192, inputs]``; the class is whether `tree` of them is above its median.

    Hierarchically local functions are the ones deep networks approximate with exponentially fewer units than
    shallow ones (Mhaskar & Poggio 2016, arXiv:1608.03287). The median is that of the training split.

    Args:
        inputs: A power of two.
        option: ``examples=N`` for another number of examples.

    Raises:
        UsageError: the inputs take more memory than is left.
    """
    name = ":".join(filter(None, [f"compositional:{inputs}", option]))
    examples = int(option.removeprefix("examples=") or EXAMPLES)
    memory.require(16 * examples * inputs, f"{name} with {examples:,} examples")
    stream = fixed_stream(name)
    x = stream.standard_normal((examples, inputs)).astype(np.float32)
    split = _split(examples, stream)
    # It is computed from the inputs after rounding to float32: the label is a function of nothing else.
    value = tree(x.astype(np.float64))
    y = (value > np.median(value[split.train])).astype(np.int64)
    return Content(x, y, split, ("below", "above"))


def tree(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The balanced binary tree of ``h(a, b) = (((a + b) / √2)² - 1) / √2`` over neighbours.

    ``h`` is the normalised second Hermite polynomial of ``(a + b) / √2``: it maps independent standard
    normals to mean 0 and variance 1. Deeper nodes, whose inputs are no longer normal, have heavier tails.

    Args:
        x: ``[n, inputs]``, inputs a power of two.

    Returns:
        ``[n]``, the value at the root.
    """
    while x.shape[1] > 1:
        x = ((x[:, 0::2] + x[:, 1::2]) ** 2 / 2 - 1) / np.sqrt(2)
    return x[:, 0]


def _split(count: int, stream: np.random.RandomState) -> Split:
    """10 % to validate and 10 % to test, at least one example each."""
    tenth = max(1, round(count / 10))
    return Split(*held_out(count, [tenth, tenth], stream))
