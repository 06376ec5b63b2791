"""How many units chance alone leaves dead at birth: single units on given data, and whole networks."""

import hashlib
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from dnnlab.networks.shape import MLPShape
from dnnlab.networks.stacked import StackedMLP
from dnnlab.statistics.streams import stream

RELATIVE_ERROR, ERROR = 0.015, 0.0003
"""The standard error of an expected share of dead units is at most the larger of ``RELATIVE_ERROR`` times it and
``ERROR``."""
_FEWEST = 32
"""Networks from whose scatter the standard error is taken, at least."""
_MOST_MACS = 2**41
"""Multiply–accumulates that are spent on one expectation at most: about a minute of a CPU."""
_TOGETHER = 2**18
"""Numbers of one layer that are worked on at a time. So few stay in the cache of a CPU, which is twice as quick."""

_known: dict[tuple[MLPShape, str, str], list[float]] = {}
"""What was computed before, by shape, initialiser and digest of the inputs."""


def expected_dead(shape: MLPShape, init: str, x: Tensor) -> list[float]:
    """The share of units that chance leaves dead at initialisation, of each hidden layer.

    A unit is dead where its output is zero on every input, of any activation: that of GELU is so by rounding, far on
    the left. The share is the mean over networks of this shape that are
    drawn from a random stream of their own. There are so many of them that the standard error of the share of the whole
    network is at most 1.5 % of it, or 0.0003 where that is more. No formula serves: whether a unit is zero on every
    input depends on the correlations of all of them, and in narrow or deep networks these differ much from network to
    network.

    The shares are nan where so many networks would take more than 2⁴¹ multiply–accumulates, and where the activations
    of one leave the range of float32.

    Args:
        shape: What the network looks like.
        init: One of `dnnlab.networks.INITIALISERS`.
        x: The inputs ``[input, feature]``. Batch normalisation takes its statistics from them.

    Raises:
        UsageError: ``critical`` was asked of an activation that has no critical point.

    On three inputs that have nothing in common, a unit of the first layer is dead with the chance 1/2 · 1/2 · 1/2:

    >>> import torch
    >>> from dnnlab.networks import MLPShape
    >>> from dnnlab.theory import expected_dead
    >>> shape = MLPShape(inputs=3, classes=10, depth=2, width=100, acts=("relu", "relu"))
    >>> first, second = expected_dead(shape, "he", torch.eye(3))
    >>> abs(first - 1 / 8) < 0.01
    True
    """
    if set(shape.acts) == {"linear"}:
        return [0.0] * shape.depth
    x = x.float()
    key = shape, init, hashlib.sha256(x.cpu().numpy().tobytes()).hexdigest()
    if key not in _known:
        _known[key] = _mean_over_networks(shape, init, x)
    return _known[key]


@torch.no_grad()
def _mean_over_networks(shape: MLPShape, init: str, x: Tensor) -> list[float]:
    rng = stream(0, 0, "expected dead")
    together = max(1, _TOGETHER // (max(len(x), shape.inputs, shape.width) * shape.width))
    most = _MOST_MACS // (len(x) * shape.macs())
    drawn: list[Tensor] = []
    count, wanted, units = 0, _FEWEST, shape.depth * shape.width
    while wanted <= most:
        while count < wanted:
            drawn.append(_dead(StackedMLP.draw(shape, [init] * together, [rng] * together, device=str(x.device)), x))
            count += together
        shares = torch.cat(drawn)
        whole = shares.mean(1)
        if not whole.isfinite().all():
            break
        # Where no unit was dead nothing scatters: then the mean may be off by what one dead unit more would make.
        error = max(float(whole.std()) / math.sqrt(count), 1 / (count * units))
        if error <= max(RELATIVE_ERROR * float(whole.mean()), ERROR):
            return [float(share) for share in shares.mean(0)]
        wanted = math.ceil(1.25 * count)
    return [math.nan] * shape.depth


def _dead(stack: StackedMLP, x: Tensor) -> Tensor:
    """The shares ``[member, layer]`` of units that are zero on every one of the inputs; nan where a layer is not
    finite."""
    shares = []
    for _, u, h in stack.hidden(x.expand(stack.members, -1, -1), True):
        dead = (h == 0).all(1).double()
        shares.append(torch.where(u.isfinite().all(1), dead, math.nan).mean(1))
    return torch.stack(shares, 1).cpu()


def born_dead_bounds(widths: Sequence[int], init: str) -> tuple[float, float]:
    """Bounds of the chance that a ReLU network with one input is born dead: a layer of it is zero everywhere.

    The upper bound: where weights and biases are symmetric about zero, an input passes a layer of N units with the
    chance 1 - 2^-N, so that P ≤ 1 - ∏(1 - 2^-N_l) (Rister & Rubin 2020; Lu 2019, arXiv:1903.06733). The lower bound is
    of Lu 2019, theorem 3, for layers of one width with independent weights and no biases. A bound that does not hold is
    nan.

    Args:
        widths: Units of each hidden layer.
        init: One of `dnnlab.networks.INITIALISERS`.

    Two layers of two units, for which 1 - (1 - 1/4)² = 0.4375:

    >>> from dnnlab.theory import born_dead_bounds
    >>> lower, upper = born_dead_bounds([2, 2], "he")
    >>> upper
    0.4375
    """
    if init == "rai":
        return math.nan, math.nan
    upper = 1 - math.prod(1 - 2.0**-width for width in widths)
    if init.partition(":")[0] not in ("he", "xavier", "lecun", "normal") or len(set(widths)) > 1:
        return math.nan, upper
    p, n, layers = 2.0 ** -widths[0], widths[0], len(widths) - 1
    both = 1 - p
    one = 1 - 2 * p - (n - 1) * p * p
    share = (1 - 2 * p) * (1 - p) / (1 + (n - 1) * p)
    return 1 - both**layers + share * (one**layers - both**layers), upper


def width_for(probability: float, layers: int) -> float:
    """The width from which on networks of so many hidden layers are born dead with at most this probability.

    From the upper bound: L·2^-N ≤ probability.
    """
    return math.log2(layers / probability)
