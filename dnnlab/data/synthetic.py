"""Data that is computed. Its random streams belong to its name: the same name is the same data."""

import numpy as np
from numpy.typing import NDArray

from dnnlab.data.dataset import Content
from dnnlab.data.splits import Split, fixed_stream, held_out

EXAMPLES = 8192


def gaussian(features: int) -> Content:
    """Standard normal inputs ``[8192, features]`` and one of ten labels by chance: nothing to learn.

    The input of signal-propagation theory, whose length and correlation are known exactly in expectation
    (Poole et al. 2016, arXiv:1606.05340).
    """
    stream = fixed_stream(f"gaussian:{features}")
    x = stream.standard_normal((EXAMPLES, features)).astype(np.float32)
    y = stream.randint(10, size=EXAMPLES, dtype=np.int64)
    return Content(x, y, _split(EXAMPLES, stream), tuple("0123456789"), standard=True)


def parity(bits: int) -> Content:
    """Patterns of -1 and +1, ``[n, bits]``, labelled by whether the number of +1 is odd.

    All ``2 ** bits`` patterns, or 8,192 different ones where there are more.
    """
    stream = fixed_stream(f"parity:{bits}")
    patterns = stream.permutation(2**bits)[:EXAMPLES]
    ones = patterns[:, None] >> np.arange(bits) & 1
    x = (2 * ones - 1).astype(np.float32)
    y = (ones.sum(axis=1) % 2).astype(np.int64)
    return Content(x, y, _split(len(x), stream), ("even", "odd"), standard=True)


def compositional(inputs: int) -> Content:
    """Standard normal inputs ``[8192, inputs]``; the class is whether `tree` of them is above its median.

    Hierarchically local functions are the ones deep networks approximate with exponentially fewer units than
    shallow ones (Mhaskar & Poggio 2016, arXiv:1608.03287). The median is that of the training split.
    """
    stream = fixed_stream(f"compositional:{inputs}")
    x = stream.standard_normal((EXAMPLES, inputs)).astype(np.float32)
    split = _split(EXAMPLES, stream)
    # It is computed from the inputs after rounding to float32: the label is a function of nothing else.
    value = tree(x.astype(np.float64))
    y = (value > np.median(value[split.train])).astype(np.int64)
    return Content(x, y, split, ("below", "above"), standard=True)


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
